"""SequentialAttention++: masks as regularisers, the sparse minimum, local search."""

from __future__ import annotations

from typing import Any

from sequential_attention_figures import FIGURES

from theory_lab.core import Case, Control, Study, drops, grid, instead
from theory_lab.theorems.sequential_attention.claims import (
    CLAIMS,
    entry,
    masks,
    penalties,
    pursuit,
    stability,
    sum_form,
    window,
)
from theory_lab.theorems.sequential_attention.claims.sources import ADMISSIBLE

ADMISSIBLE_Q = list(ADMISSIBLE)
CONCAVE_Q = [q for q in ADMISSIBLE if q != "sine"]
MINIMA = [window.POINT, window.VALUE, window.UNIQUE]
SYNTHETIC: dict[str, dict[str, Any]] = {
    "squares": dict(m=30, sizes=(2, 2, 2, 2)),
    "responses": dict(m=30, sizes=(1, 2, 1, 3)),
    "logistic": dict(m=60, sizes=(2, 1, 3), ridge=0.1),
    "multinomial": dict(m=60, sizes=(1, 2, 2), ridge=0.1),
}
REAL: dict[str, dict[str, Any]] = {
    "diabetes": dict(ridge=0.1),
    "breast_cancer": dict(ridge=0.1),
    "digits": dict(ridge=0.1),
}


PLACES = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0, 1.1]
PLANE = dict(pulls=(2.1398, 1.8638), correlation=0.54)


def equivalences(preset: str) -> list[Case]:
    """The mask variable minimised at 401 norms, row by row, and whole problems."""
    return [
        *grid(claims=[masks.IDENTITY], row="identity"),
        *grid(claims=[masks.EXPONENTIAL], row="exponential", parameter=[0.01, 0.1, 1.0, 10.0]),
        *grid(claims=[masks.POWER_DECAY], row="power_decay", parameter=[0.5, 1.0, 1.5, 2.0, 4.0]),
        *grid(claims=[masks.POWERPROP], row="powerprop", parameter=[0.5, 1.0, 2.0, 3.0]),
        *grid(claims=[masks.ABSOLUTE_LOGITS], row="absolute_logits"),
        *grid(claims=[masks.SOFTMAX], groups=[2, 3, 5, 8]),
        *grid(claims=[masks.SOFTMAX], groups=5, zeros=[1, 3]),
        *grid(claims=[masks.INFLECTION], decay=[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0]),
        *grid(claims=[masks.WHOLE_PROBLEM], mask=["identity", "exponential", "absolute", "powerprop"],
              replicates=10 if preset == "full" else 3),
    ]  # fmt: skip


def conditions_on_q() -> list[Case]:
    """Subadditivity on a grid, and what it gives for sums."""
    return [
        *(case for claim, q in zip(penalties.SUBADDITIVE_CLAIMS, ADMISSIBLE, strict=True)
          for case in grid(claims=[claim], q=q)),
        *(case for claim, q in zip(penalties.CONCAVE_CLAIMS, CONCAVE_Q, strict=True)
          for case in grid(claims=[claim], q=q, points=1200)),
        *grid(claims=[penalties.DOMINATES], q=ADMISSIBLE_Q, groups=[2, 8], scale=[0.01, 1.0]),
        *grid(claims=[penalties.EQUALITY], q=[*ADMISSIBLE_Q, "square", "exp_mask"], groups=6, active=1),
    ]  # fmt: skip


def minima(preset: str) -> list[Case]:
    """Global minima in the window, at its ends, above tau."""
    cases: list[Case] = []
    for instance, shape in SYNTHETIC.items():
        base = dict(instance=instance, q=ADMISSIBLE_Q, replicates=4 if preset == "full" else 1)
        cases += grid(claims=MINIMA, place=[0.05, 0.5], **base, **shape)
        cases += grid(claims=[*MINIMA, entry.FIRST_GROUP], place=0.97, **base, **shape)
        cases += grid(claims=[*MINIMA, entry.ZERO], place=1.02, **base, **shape)
    for instance, shape in REAL.items():
        cases += grid(claims=MINIMA, instance=instance, q=ADMISSIBLE_Q, place=0.5, **shape)
        cases += grid(claims=[*MINIMA, entry.FIRST_GROUP], instance=instance, q="sqrt",
                      place=0.97, **shape)  # fmt: skip
        cases += grid(claims=[*MINIMA, entry.ZERO], instance=instance, q="sqrt", place=1.02,
                      **shape)  # fmt: skip
    more = 4 if preset == "full" else 1
    for instance, shape in SYNTHETIC.items():
        cases += grid(claims=[window.GROWTH], instance=instance, q=["abs", "log", "sine"], place=[0.3, 0.9],
                      replicates=more, **shape)  # fmt: skip
        cases += grid(claims=[window.RUNNER], instance=instance, q=["sqrt", "log", "bounded", "sine"],
                      place=0.4, replicates=more, **shape)  # fmt: skip
    cases += grid(
        claims=[window.GROWTH, window.RUNNER], instance="diabetes", ridge=0.1, q="log", place=0.5
    )
    cases += grid(claims=[window.GROWTH], instance="orthogonal", m=30, sizes=(3,), q=["abs", "log"],
                  place=0.5)  # fmt: skip
    cases += grid(claims=[window.PATH_NORM], m=30, sizes=(2, 2, 2, 2), place=PLACES,
                  q=["abs", "sqrt", "bounded"])  # fmt: skip
    cases += grid(claims=[window.PLANE_POINT], **PLANE, lam=[1.6, 1.84, 2.0, 2.3], q=ADMISSIBLE_Q)
    return cases


def windows(preset: str) -> list[Case]:
    """Where the second group enters."""
    more = 10 if preset == "full" else 4
    return [
        *grid(claims=[entry.SECOND_ENTRY], instance="squares", m=40, replicates=more,
              sizes=[(1, 1), (2, 2), (1, 2, 1), (2, 2, 2, 2), (1, 1, 2, 2, 3, 3), (6, 6, 6)]),
        *grid(claims=[entry.SECOND_ENTRY], instance=["orthogonal", "responses"], m=30, sizes=[(1, 1), (2, 2, 2)],
              replicates=more),
        *grid(claims=[entry.SECOND_ENTRY], instance="diabetes", ridge=0.1),
        *grid(claims=[stability.GAP], instance="squares", place=[0.1, 0.5, 0.9], replicates=more,
              **SYNTHETIC["squares"]),
        *grid(claims=[stability.GAP], instance="responses", place=[0.1, 0.5, 0.9],
              **SYNTHETIC["responses"]),
        *grid(claims=[stability.GAP], instance="logistic", place=[0.1, 0.5], **SYNTHETIC["logistic"]),
        *grid(claims=[stability.GAP], instance="diabetes", place=0.5, ridge=0.1),
        *grid(claims=[stability.GAP], instance="squares", m=30, sizes=(2, 2), place=[0.2, 0.6]),
        *grid(claims=[stability.STABLE], m=30, sizes=[(2, 2, 2, 2), (1, 3, 2)], scale=[0.5, 2.0],
              q=["log", "bounded", "exp", "abs", "square"], replicates=2),
        *grid(claims=[stability.STABLE], m=30, sizes=(2, 2, 2, 2), q=["sqrt", "two_thirds", "exp_mask"]),
        *grid(claims=[stability.SWITCHES, stability.SWITCHES_LATE], m=30, sizes=[(2, 2, 2), (1, 3, 2)],
              scale=[0.5, 2.0], q=["abs", "log"], replicates=2),
    ]  # fmt: skip


def without_inverse() -> list[Case]:
    """Entry points of the sum form."""
    both = [sum_form.ENTRIES, sum_form.FIRST]
    return [
        *grid(claims=both, pulls=(2.0, 1.0), curvatures=(4.0, 0.25),
              exponent=[0.3, 0.5, 0.6, 0.7, 0.9]),
        *grid(claims=both, pulls=(1.0, 3.0, 2.0), curvatures=(0.2, 4.0, 1.0),
              exponent=[0.1, 0.25, 0.5, 0.75, 0.95]),
        *grid(claims=[sum_form.ENTRIES], pulls=(2.0, 1.0), curvatures=(4.0, 0.25),
              exponent=[0.1, 0.2, 0.4, 0.8]),
        *grid(claims=[sum_form.CROSSING], pulls=[(2.0, 1.0), (3.0, 2.0), (1.5, 1.0)],
              curvatures=[(4.0, 0.25), (20.0, 0.5), (30.0, 1.0), (60.0, 0.3)]),
    ]  # fmt: skip


EQUAL = (1,) * 12


def searches(preset: str) -> list[Case]:
    """OMP and its relatives."""
    more = 6 if preset == "full" else 2
    names = [("lasso", pursuit.SEQUENTIAL_LASSO), ("attention", pursuit.SEQUENTIAL_ATTENTION)]
    return [
        *(case for method, claim in names for case in grid(
            claims=[claim], method=method, m=60, k=5, sizes=[(1,) * 30, (2,) * 12, (1, 3, 2, 2, 1, 4, 2, 1)],
            replicates=more)),
        *grid(claims=[pursuit.SEQUENTIAL_LASSO], method="lasso", design="diabetes", k=3),
        *grid(claims=[pursuit.OMP_RATE], m=[30, 60, 400], k=4, sizes=[EQUAL, (2,) * 10],
              correlation=[0.0, 0.5], replicates=more),
        *grid(claims=[pursuit.OMP_RATE], m=20, k=[1, 2, 4], sizes=EQUAL, design="orthonormal",
              noise=[0.0, 0.1]),
        *grid(claims=[pursuit.OMP_RATE], design="diabetes", k=3),
        *grid(claims=[pursuit.OMPR_RATE, pursuit.OMPR_REACHES, pursuit.OMPR_STAYS], m=4000, k=2,
              extra=4, sizes=(2,) * 12, replicates=more),
        *grid(claims=[pursuit.OMPR_RATE, pursuit.OMPR_REACHES, pursuit.OMPR_STAYS], m=20_000, k=4,
              extra=6, sizes=(1,) * 20, replicates=more),
        *grid(claims=[pursuit.OMPR_RATE, pursuit.OMPR_REACHES, pursuit.OMPR_STAYS], m=40,
              k=[2, 3, 4], extra=[4, 5], sizes=EQUAL, design="orthonormal", noise=[0.0, 0.1]),
        *grid(claims=[pursuit.OMPR_RATE, pursuit.OMPR_REACHES, pursuit.OMPR_STAYS], m=20_000, k=4,
              extra=6, sizes=(1,) * 20, noise=[1.0, 20.0]),
        *grid(claims=[pursuit.OMPR_REACHES], m=40, k=[2, 4], extra=4, sizes=EQUAL,
              design="orthonormal", noise=0.0, accuracy=[0.5, 0.25]),
    ]  # fmt: skip


def cases(preset: str) -> list[Case]:
    """All cases of a preset."""
    return [
        *equivalences(preset),
        *conditions_on_q(),
        *minima(preset),
        *windows(preset),
        *without_inverse(),
        *searches(preset),
    ]


def controls(preset: str) -> list[Control]:
    """What must break each claim."""
    return [*broken_penalties(), *broken_minima(), *broken_searches()]


def broken_penalties() -> list[Control]:
    """Functions that are not subadditive, and sums of several groups."""
    return [
        instead("a^2", claims=penalties.SUBADDITIVE_CLAIMS, q="square"),
        instead("e^a - 1", claims=penalties.SUBADDITIVE_CLAIMS, q="exp"),
        instead("Lemma 2.1's q", claims=penalties.SUBADDITIVE_CLAIMS, q="exp_mask"),
        instead("a^2", claims=penalties.CONCAVE_CLAIMS, q="square", points=1200),
        instead("a + |sin a| / 2", claims=penalties.CONCAVE_CLAIMS, q="sine", points=1200),
        *(drops(masks.OWN_MASK, claims=[claim], row=other) for claim, other in zip(
            masks.ROWS, ["power_decay", "powerprop", "powerprop", "power_decay", "identity"], strict=True)),
        drops("q is subadditive", claims=[penalties.DOMINATES], q=["square", "exp"], groups=4),
        drops("q is subadditive", claims=[penalties.DOMINATES], q="exp_mask", groups=4, scale=0.1),
        drops("at most one group", q=["sqrt", "log"], groups=6),
        instead("another mask's penalty", claims=[masks.WHOLE_PROBLEM], mask="exponential",
                penalty="identity", replicates=3),
    ]  # fmt: skip


def broken_minima() -> list[Control]:
    """The hypotheses of Theorem 1.1, dropped one by one."""
    squares = dict(instance="squares", **SYNTHETIC["squares"])
    two = [window.POINT, window.VALUE]
    several = "the Group LASSO minimiser has at most one group"
    return [
        drops("q is subadditive", claims=two, q=["square", "exp_mask"], place=0.5, **squares),
        drops("q is subadditive", claims=[entry.ZERO], q=["square", "exp_mask"], place=1.02, **squares),
        drops("q is subadditive", claims=[entry.FIRST_GROUP], q=["square", "exp_mask"], place=0.97, **squares),
        drops(several, claims=two, q="abs", place=-0.15, **squares),
        drops(several, claims=two, q="abs", place=-0.2, instance="tied", m=6, sizes=(1, 1)),
        drops("the Group LASSO minimiser has one group", claims=[stability.GAP], place=4.0, **squares),
        drops("another group has a gradient at the best one-group point", claims=[stability.GAP],
              instance="squares", m=30, sizes=(3,), place=0.5),
        drops("q is subadditive", claims=[window.GROWTH, window.RUNNER], q=["square", "exp_mask"],
              place=0.3, **squares),
        drops(several, claims=[window.GROWTH], q="abs", place=-0.15, **squares),
        drops("q is subadditive", claims=[window.PLANE_POINT], **PLANE, lam=1.84, q=["square", "exp_mask"]),
        *(drops("the one-group point is the Group LASSO's only minimiser", claims=[window.PLANE_POINT], **case)
          for case in (dict(**PLANE, lam=1.0778, q="abs"),
                       dict(pulls=(1.0, 1.0), correlation=0.0, lam=0.8, q=["sqrt", "bounded"]),
                       dict(pulls=(1.0, 1.0), correlation=1.0, lam=0.5, q="sqrt"))),
        drops("L is strongly convex", claims=[window.UNIQUE, window.POINT], q="abs", place=-0.5,
              instance="duplicated", m=20, sizes=(1, 1)),
        drops("squares", claims=[entry.SECOND_ENTRY], instance="logistic", replicates=4,
              **SYNTHETIC["logistic"]),
        drops("one entry point is the largest", pulls=(2.0, 2.0, 1.0), curvatures=(0.5, 0.5, 1.0), exponent=0.5),
        drops("0 < p* < 1", pulls=(2.0, 1.0), curvatures=(1.0, 1.0)),
        drops("q is subadditive", claims=[window.PATH_NORM], m=30, sizes=(2, 2, 2, 2),
              q=["square", "exp_mask"], place=PLACES[5:]),
        drops("lam >= lam2", claims=[window.PATH_NORM], m=30, sizes=(2, 2, 2, 2), q="abs",
              place=PLACES[:4]),
        drops("lam >= tau", claims=[entry.ZERO], q="abs", place=0.5, **squares),
        drops("one group has the largest gradient at 0", claims=[entry.FIRST_GROUP], q="abs",
              place=-0.03, instance="tied", m=6, sizes=(2, 2)),
        drops("lam from the entry of a group with a smaller gradient to a millionth below tau", claims=[entry.FIRST_GROUP], q="abs", place=-0.3, **squares),
        instead("the Group LASSO", claims=[stability.GAP], q="abs", place=0.5, **squares),
    ]  # fmt: skip


def broken_searches() -> list[Control]:
    """What breaks selection and contraction."""
    wide = dict(m=60, k=5, sizes=(1,) * 30)
    return [
        drops("lam in the certified window below the first entry", claims=[pursuit.SEQUENTIAL_LASSO],
              method="lasso", place=[-0.3, -0.2, -0.1, -0.05, -0.02, -0.01], replicates=4, **wide),
        drops("lam in the certified window below the first entry", claims=[pursuit.SEQUENTIAL_ATTENTION],
              method="attention", place=-0.3, **wide),
        drops("at every step one group has the largest pull, by a thousandth",
              claims=[pursuit.SEQUENTIAL_LASSO, pursuit.SEQUENTIAL_ATTENTION], method="lasso", m=40, k=3,
              sizes=EQUAL, design="orthonormal", noise=0.0),
        instead("the smallest pull", claims=[pursuit.OMP_RATE], choice="smallest", m=60, k=4,
                sizes=EQUAL),
        instead("a random group", claims=[pursuit.OMP_RATE], choice="random", m=60, k=4,
                sizes=EQUAL, replicates=3),
        instead("without refitting", claims=[pursuit.OMP_RATE], refit=False, m=30, k=4,
                sizes=(2,) * 10, correlation=0.5, steps=10, replicates=3),
        drops("k' >= k (L_2^2 / mu^2 + 1)", claims=[pursuit.OMPR_RATE], design="decoy", m=12, k=2,
              extra=0, sizes=(1,) * 6, noise=0.0),
        drops("k' >= k (L_2^2 / mu^2 + 1)", claims=[pursuit.OMPR_STAYS], m=400, k=4, extra=0,
              sizes=EQUAL, replicates=3),
        drops("k' >= k (L_2^2 / mu^2 + 1)", claims=[pursuit.OMPR_REACHES], design="decoy", m=12,
              rounds=1500, k=2, extra=0, sizes=(1,) * 6, noise=0.0),
    ]  # fmt: skip


STUDY = Study(
    "sequential_attention",
    claims=CLAIMS,
    cases=cases,
    controls=controls,
    figures=FIGURES,
    title="Sequential Attention: differentiable pruning as group-sparse optimisation",
)

if __name__ == "__main__":
    STUDY.main()
