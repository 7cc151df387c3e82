"""Matrix sensing with the population loss: the landscape, pruning, and fine-tuning after it."""

from __future__ import annotations

from typing import Any

from matrix_sensing_figures import POPULATION

from theory_lab.core import Case, Control, Study, drops, grid, instead
from theory_lab.theorems.matrix_sensing.claims import (
    budget_law,
    fine_tuning,
    hessian_spectrum,
    orthogonality,
    overparameterised,
    pruned_loss,
    survivors,
    unregularised,
)

CLAIMS = [
    *orthogonality.CLAIMS,
    *survivors.CLAIMS,
    *pruned_loss.CLAIMS,
    *hessian_spectrum.CLAIMS,
    *budget_law.CLAIMS,
    *unregularised.CLAIMS,
    *fine_tuning.CLAIMS,
    *overparameterised.CLAIMS,
]

POINTS = [
    orthogonality.ORTHOGONAL_COLUMNS,
    survivors.AT_MOST_RANK,
    survivors.PRUNE_KEEPS_RANK,
    survivors.KEPT_NORMS,
    *pruned_loss.CLAIMS,
]
"""The claims that every certified stationary point serves."""

SMALL = [*POINTS, hessian_spectrum.HESSIAN_SPECTRUM]
"""The same, where all Hessian eigenvalues are computed too."""

ON_AXES = dict(start="eigenvectors", method="descent")


def points(preset: str) -> list[Case]:
    """Certified stationary points over shapes, spectra (synthetic and real) and regularisations."""
    small = [
        (10, 6, (1.0,)),
        (14, 9, (1.8, 1.1)),
        (20, 12, (1.5, 1.0)),
        (15, 10, (1.0, 1.0)),
        (11, 19, (3.0, 2.2, 1.2)),
        (18, 14, (2.0, 2.0, 1.3, 1.0)),
        (9, 9, (1.0, 1.0, 1.0)),
        (4, 6, (2.5, 2.0, 1.5, 1.0)),
    ]
    cases = [
        case
        for d, k, eigenvalues in small
        for case in grid(
            claims=SMALL, d=d, k=k, eigenvalues=eigenvalues, lam=[0.1, 0.18], beta=[0.01, 0.03],
            dense=True, replicates=5 if preset == "full" else 1,
        )
    ]  # fmt: skip
    cases += grid(claims=SMALL, d=12, k=12, eigenvalues=(2.0, 1.0), lam=0.05, beta=0.23, dense=True)
    cases += grid(claims=SMALL, d=10, k=4, eigenvalues=(1.0,), lam=0.02, beta=0.245, dense=True)
    cases += grid(
        claims=POINTS, d=64, k=16, data="digits", components=[1, 4], lam=0.15, beta=0.015, runs=4
    )
    cases += grid(
        claims=POINTS, d=64, k=24, data="digits", components=[4, 8], lam=[0.1, 0.18],
        beta=[0.01, 0.02], runs=4, method="aligned",
    )  # fmt: skip
    if preset == "full":
        cases += grid(
            claims=POINTS, d=196, k=24, data="mnist", components=[4, 8], lam=0.15,
            beta=0.015, runs=2, method="aligned",
        )  # fmt: skip
    return cases + beyond_covering() + other_losses()


def many_starts() -> list[Case]:
    """Certified stationary points and phase diagrams from as many starts as fill a GPU."""
    many = dict(d=200, k=32, runs=256)
    spectra = [(1.5, 1.0), (2.0, 1.5, 1.0), (1.0, 1.0, 1.0, 1.0)]
    return [
        *grid(claims=POINTS, eigenvalues=spectra, lam=[0.1, 0.18], beta=[0.01, 0.03], **many),
        *grid(claims=POINTS, eigenvalues=(2.0, 1.0), lam=0.05, beta=0.23, **many),  # a tight bound
        *beyond_covering(),
        *phase_diagram("cuda"),
        *grid(claims=[budget_law.COLUMN_NORM_FRACTIONS], replicates=2, **all_columns("cuda")),
    ]  # fmt: skip


def beyond_covering() -> list[Case]:
    """Regularisation so strong that r columns survive only from starts that have them."""
    stationary = [survivors.AT_MOST_RANK, survivors.KEPT_NORMS, *pruned_loss.CLAIMS]
    one = dict(d=10, k=6, eigenvalues=(1.0,), along=(0,), **ON_AXES)
    two = dict(d=8, k=6, eigenvalues=(1.5, 1.0), along=(0, 1), **ON_AXES)
    return [
        *grid(claims=stationary, lam=[1.0, 1.17], beta=0.1, **one),
        *grid(claims=[*stationary[:2], *pruned_loss.CLAIMS[:2]], lam=1.4, beta=0.1, **one),
        *grid(claims=stationary, lam=[0.3, 0.5], beta=0.03, **two),
        *grid(claims=stationary[:1], d=10, k=7, eigenvalues=(1.5, 1.0), lam=[0.5, 1.0, 3.0],
              beta=0.01, scale=[0.3, 3.0]),
    ]  # fmt: skip


def other_losses() -> list[Case]:
    """Columns are orthogonal at the stationary points of every loss of U U^T."""
    shape = dict(
        claims=[orthogonality.ORTHOGONAL_COLUMNS], d=10, k=7, eigenvalues=(1.6, 1.0), runs=4
    )
    sampled = ["empirical", "empirical network"]
    return [
        *grid(loss=sampled, n=[80, 400], sigma=[0.1, 0.5], lam=0.2, beta=0.02, **shape),
        *grid(loss="quadratic network", lam=[0.1, 0.3], beta=0.02, **shape),
    ]


def extinction() -> list[Case]:
    """Starts below the smaller root of phi(s) = mu_1."""
    none = [survivors.NO_SURVIVOR]
    return [
        *grid(claims=none, d=8, k=5, eigenvalues=[(1.5, 1.0), (1.0, 1.0), (2.0,)], lam=0.5,
              beta=0.01, scale=[0.01, 0.02]),
        *grid(claims=none, d=12, k=20, eigenvalues=(1.5, 1.0), lam=[0.5, 1.0, 5.0], beta=0.01,
              scale=0.01),
        *grid(claims=none, d=64, k=16, data="digits", components=4, lam=0.8, beta=0.02,
              scale=0.03, runs=4),
    ]  # fmt: skip


def landscape() -> list[Case]:
    """Statements at any point: the spectral form, and pairs of columns along the descent."""
    pairs = [orthogonality.GRADIENT, orthogonality.CURVATURE]
    return [
        *grid(claims=[orthogonality.SPECTRAL], d=[1, 8, 30], k=[2, 12, 30], beta=[0.01, 1.0],
              columns=["generic", "orthogonal"]),
        *grid(claims=[orthogonality.SPECTRAL_EQUALITY], d=[1, 8, 30], k=[2, 12, 30],
              beta=[0.01, 1.0], columns="orthogonal"),
        *grid(claims=pairs, d=10, k=5, eigenvalues=(1.5, 1.0), lam=[0.05, 0.2], beta=0.01,
              steps=[20, 100, 500, 2000]),
        *grid(claims=pairs, d=20, k=12, eigenvalues=(2.0, 1.5, 1.0), lam=0.1, beta=0.03,
              steps=[20, 100, 500]),
        *grid(claims=pairs, d=64, k=10, data="digits", components=4, lam=0.15, beta=0.015,
              steps=[50, 400], runs=2),
        *grid(claims=[orthogonality.CURVATURE], d=8, k=5, eigenvalues=(1.5, 1.0), lam=[0.1, 0.3],
              beta=0.01, start="eigenvectors", along=[(0, 0), (0, 0, 0, 1)], steps=300, runs=1),
    ]  # fmt: skip


def phase_diagram(preset: str) -> list[Case]:
    """The plane of lam / (2 sqrt(beta) mu_r) and beta / mu_r, its degenerate edge 1 left out."""
    loads = (0.02, 0.04, 0.08, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95,
             1.05, 1.15, 1.3, 1.6, 2.0, 2.8, 4.0, 6.0, 8.0)  # fmt: skip
    widths = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.02, 0.04, 0.08, 0.13, 0.18, 0.22, 0.26, 0.35, 0.5)
    return grid(
        claims=[survivors.GUARANTEED, survivors.IMPOSSIBLE], d=10, k=8,
        eigenvalues=[(1.5, 1.0), (3.0, 2.0, 2.0)], scale=[0.1, 1.0], loads=loads,
        widths=widths, seeds={"quick": 4, "full": 16, "cuda": 64}[preset],
    )  # fmt: skip


def budgets(preset: str) -> list[Case]:
    """The time until exactly r columns survive, and the norms of all columns afterwards."""
    law = [budget_law.BUDGET_LAW]
    size = 2000 if preset == "full" else 800
    four, seven = (1.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    return [
        *grid(claims=law, d=10, k=8, eigenvalues=[(1.5, 1.0), (1.0, 1.0), (1.0,)],
              lam=[0.05, 0.1], beta=[0.01, 0.03], threshold=6.0, patience=9.0, runs=size,
              replicates=3),
        *grid(claims=law, d=12, k=[10, 16], eigenvalues=four, lam=0.1, beta=0.01, threshold=7.0,
              patience=10.0, runs=size, replicates=8),
        *grid(claims=law, d=14, k=12, eigenvalues=seven, lam=0.1, beta=0.01, threshold=9.0,
              patience=12.0, runs=size, replicates=4),
        *grid(claims=[budget_law.COLUMN_NORM_FRACTIONS], replicates=2, **all_columns(preset)),
    ]  # fmt: skip


def all_columns(preset: str) -> dict[str, Any]:
    """The square problem of the paper's first figure, four equal eigenvalues."""
    side, steps = (200, 800) if preset == "quick" else (500, 3000)
    return dict(d=side, k=side, eigenvalues=(1.0, 1.0, 1.0, 1.0), lam=0.2, beta=0.02,
                runs=8 if preset == "cuda" else 1, steps=steps)  # fmt: skip


def without_regulariser(preset: str) -> list[Case]:
    """Gradient flow and descent at lam = 0."""
    flow = [unregularised.FLOW_RATE, unregularised.FLOW_VALUE]
    ladder = {"step": [8e-3, 4e-3, 2e-3, 1e-3, 5e-4, 2.5e-4]}
    value, rate = [unregularised.NORMS_VALUE], [unregularised.NORMS_RATE]
    # Each ladder ends before the change, size^p, sinks into rounding.
    slow, middle, fast = ({"size": [1e-10, 1e-12, 1e-14, 1e-16, 1e-18, 1e-20]},
                          {"size": [1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12]},
                          {"size": [1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 3e-7]})  # fmt: skip
    return [
        *grid(claims=flow, over=ladder, d=12, k=[2, 8, 20],
              eigenvalues=[(1.0,), (2.0, 1.0), (1.0, 1.0)], time=[0.3, 0.6]),
        *grid(claims=value, d=20, k=15, size=1e-10,
              eigenvalues=[(1.0,), (1.0, 1.0, 1.0), (3.0, 1.0), (2.0, 2.0)], replicates=3),
        *grid(claims=value, d=20, k=[5, 40], size=1e-30, eigenvalues=[(1.5, 1.0), (3.0, 2.0, 2.0)],
              replicates=2),
        *grid(claims=value, d=64, k=20, data="digits", components=4, size=1e-100),
        *grid(claims=rate, over=slow, d=20, k=15, replicates=3,
              eigenvalues=[(1.5, 1.0), (1.35, 1.0), (2.5, 1.5, 1.0)]),
        *grid(claims=rate, over=middle, d=20, k=15, replicates=3,
              eigenvalues=[(1.7, 1.0), (1.6, 1.6, 1.0)]),
        *grid(claims=rate, over=fast, d=20, k=15, replicates=3,
              eigenvalues=[(1.0,), (1.0, 1.0), (3.0, 1.0), (3.5, 1.0), (10.0, 3.0, 1.0),
                           (3.0, 3.0, 1.0)]),
        *grid(claims=[unregularised.FRACTION], d=3, k=[20, 50, 100, 200],
              replicates=16 if preset == "full" else 4),
    ]  # fmt: skip


def tuning(preset: str) -> list[Case]:
    """Fine-tuning of pruned and generic models, its edge, its basin, and no pruning at all."""
    rates = dict(d=30, k=12, replicates=3 if preset == "full" else 1)
    steps = {
        (2.0, 1.5, 1.0): [0.01, 0.02, 0.035, 0.05, 0.065, 0.08, 0.095, 0.11, 0.12],
        (8.0, 3.0, 1.0): [0.005, 0.0125, 0.02, 0.024, 0.03],
        (1.0,): [0.04, 0.1, 0.2, 0.22, 0.24],
        (1.0, 1.0): [0.04, 0.2],
    }
    models = (("generic", fine_tuning.RATE_GENERIC), ("pruned", fine_tuning.RATE_PRUNED))
    cases = [
        case
        for eigenvalues, etas in steps.items()
        for model, claim in models
        for case in grid(claims=[claim], eigenvalues=eigenvalues, step=etas, model=model, **rates)
    ]
    for model, claim in models:
        cases += grid(claims=[claim], d=64, k=12, data="digits", components=4, step=[0.05, 0.12],
                      model=model)  # fmt: skip
    spectra = [(1.0,), (1.0, 1.0), (2.0, 1.0), (2.0, 1.5, 1.0)]
    return [
        *cases,
        *grid(claims=[fine_tuning.EDGE], d=[6, 12], eigenvalues=[*spectra, (5.0, 1.0), (0.3,)]),
        *grid(claims=[fine_tuning.EDGE], d=64, data="digits", components=4),
        *grid(claims=[fine_tuning.PL_INEQUALITY], d=5, eigenvalues=spectra,
              radius=[0.1, 0.3, 0.5, 0.7, 0.9]),
        *grid(claims=[fine_tuning.BALL_CONTRACTION], d=5, eigenvalues=[(1.0,), (1.0, 1.0)],
              radius=[0.2, 0.4, 0.5], step=[0.02, 0.07]),
        *grid(claims=[fine_tuning.BALL_CONTRACTION], d=5, eigenvalues=[(2.0, 1.0), (2.0, 1.5, 1.0)],
              radius=0.5, step=[0.01, 0.035]),
        *idle_columns(),
    ]  # fmt: skip


def idle_columns() -> list[Case]:
    """Without pruning: errors along a ladder of steps."""
    late = {"steps": [500, 1000, 2000, 4000, 8000, 16000]}
    claims = overparameterised.CLAIMS
    return [
        *grid(claims=claims, over=late, d=20, k=[4, 6, 10], eigenvalues=(2.0, 1.5, 1.0)),
        *grid(claims=claims, over=late, d=20, k=20, eigenvalues=(2.0, 1.5, 1.0), runs=2),
        *grid(claims=claims, over=late, d=12, k=[3, 8], eigenvalues=(1.0,), step=0.1, runs=2),
    ]


def cases(preset: str) -> list[Case]:
    """All cases of a preset; `cuda` has those of many starts alone."""
    if preset == "cuda":
        return many_starts()
    return [
        *points(preset),
        *extinction(),
        *landscape(),
        *phase_diagram(preset),
        *budgets(preset),
        *without_regulariser(preset),
        *tuning(preset),
    ]


def controls(preset: str) -> list[Control]:
    """What must break each claim: dropped conditions and rival computations."""
    idle = instead("without the regulariser", claims=[budget_law.COLUMN_NORM_FRACTIONS],
                   regularised=False, **all_columns(preset))  # fmt: skip
    ends = [*broken_points(), *broken_pruning(), idle]
    if preset == "cuda":
        return ends
    return [*ends, *broken_forms(), *broken_flow(), *broken_tuning()]


def broken_points() -> list[Control]:
    """Conditions of stationary points, dropped one by one."""
    base = dict(d=8, k=5, eigenvalues=(1.5, 1.0), beta=0.01)
    all_r = [survivors.KEPT_NORMS, pruned_loss.VALUE, pruned_loss.BOUND, pruned_loss.BALL,
             hessian_spectrum.HESSIAN_SPECTRUM]  # fmt: skip
    any_count = [orthogonality.ORTHOGONAL_COLUMNS, survivors.AT_MOST_RANK,
                 survivors.PRUNE_KEEPS_RANK]  # fmt: skip
    saddle = "second order: Hessian >= -1e-8"
    early = "stationary: |grad f| <= 1e-9"
    return [
        drops("lam > 0", claims=any_count, lam=0.0, start="column space", method="descent", **base),
        drops("lam > 0", claims=[survivors.KEPT_NORMS], d=8, k=2, eigenvalues=(1.5, 1.0), beta=0.01,
              lam=0.0, start="column space", method="descent"),
        drops(saddle, claims=any_count, lam=0.1, along=(0, 0, 1), **ON_AXES, **base),
        drops(saddle, claims=all_r, lam=0.1, along=(0, 0), dense=True, **ON_AXES, **base),
        drops(early, claims=any_count, lam=0.1, steps=0, scale=10.0, **base),
        drops(early, claims=all_r, d=8, k=2, eigenvalues=(1.5, 1.0), beta=0.01, lam=0.1, steps=0,
              scale=10.0, dense=True),
        drops("r columns are not zero", claims=all_r, lam=0.25, scale=0.01, dense=True, **base),
    ]  # fmt: skip


def broken_forms() -> list[Control]:
    """Conditions of the spectral form, dropped one by one."""
    return [
        drops("orthogonal columns", d=8, k=12, beta=0.1, columns="generic"),
        drops("psi is concave", d=8, k=12, beta=0.1, penalty="square"),
    ]


def broken_pruning() -> list[Control]:
    """Conditions of pruning, dropped one by one."""
    base = dict(d=8, k=8, eigenvalues=(1.5, 1.0))
    prune = [survivors.PRUNE_KEEPS_RANK]
    wide = [*prune, pruned_loss.VALUE, pruned_loss.BOUND, pruned_loss.BALL]
    return [
        # lam too small for the budget: descent has fitted X*, and lam has had no time to prune
        drops("stationary: |grad f| <= 1e-9", claims=prune, lam=1e-8, beta=0.01, steps=2000,
              start="column space", method="descent", **base),
        drops("phi(4 beta) < mu_r", claims=wide, lam=0.05, beta=0.3, **base),
        drops("lam < 2 sqrt(beta) mu_r", claims=prune, lam=0.5, beta=0.01, scale=0.01, **base),
        drops("lam <= 3.727 mu_r sqrt(beta / r)", d=10, k=6, eigenvalues=(1.0,), lam=1.36, beta=0.1,
              along=(0,), **ON_AXES),
        drops("start below the smaller root of phi(s) = mu_1", d=8, k=5, eigenvalues=(1.5, 1.0),
              lam=0.5, beta=0.01, scale=0.2),  # ten times larger than inside
        drops("every run is stationary to 1e-8", d=10, k=8, eigenvalues=(1.5, 1.0),
              loads=(0.1, 0.5, 4.0), widths=(0.01, 0.3), steps=25,
              claims=[survivors.GUARANTEED]),
        drops("every run is stationary to 1e-8", d=10, k=8, eigenvalues=(1.5, 1.0),
              loads=(0.1, 0.5, 4.0), widths=(0.01, 0.3), steps=25, scale=3.0,
              claims=[survivors.IMPOSSIBLE]),
    ]  # fmt: skip


def broken_flow() -> list[Control]:
    """What breaks the statements at lam = 0."""
    ladder = {"step": [8e-3, 4e-3, 2e-3, 1e-3, 5e-4, 2.5e-4]}
    large = {"size": [0.1, 0.2, 0.3, 0.4, 0.6, 0.8]}
    return [
        instead("with the regulariser", claims=[unregularised.FLOW_RATE], over=ladder, d=12, k=8,
                eigenvalues=(2.0, 1.0), lam=0.2),
        drops("small start: size^p <= 1e-8 with the exponent p of the rate", d=20, k=15, size=1.0,
              eigenvalues=(1.0,)),
        drops("small start: size^p <= 5e-4", over=large, d=20, k=15, replicates=3,
              eigenvalues=[(1.5, 1.0), (1.35, 1.0), (3.0, 1.0)]),
        drops("small start: size <= 1e-3", claims=[unregularised.FRACTION], d=20, k=20, runs=200,
              size=0.3),
        instead("with the regulariser", claims=[unregularised.FRACTION], d=3, k=50, runs=500,
                lam=0.1),
    ]  # fmt: skip


def broken_tuning() -> list[Control]:
    """What breaks the rates of fine-tuning."""
    generic, pruned = [fine_tuning.RATE_GENERIC], [fine_tuning.RATE_PRUNED]
    base = dict(d=10, k=4, eigenvalues=(2.0, 1.0))
    idle = dict(claims=overparameterised.CLAIMS, d=20, eigenvalues=(2.0, 1.5, 1.0))
    early = {"steps": [5, 8, 10, 12, 16, 20]}
    late = {"steps": [500, 600, 700, 800, 900, 1000]}
    return [
        drops("eta < 1 / (4 mu_1)", claims=generic, step=0.13, **base),
        drops("eta < 1 / (4 mu_1)", claims=pruned, step=0.13, model="pruned", **base),
        drops("pruning keeps r columns: lam < 2 sqrt(beta) mu_r and phi(4 beta) < mu_r", d=10, k=4,
              eigenvalues=(2.0, 0.05), step=0.05, model="pruned"),
        drops("d > r", d=2, k=2, eigenvalues=(1.0, 1.0), step=0.02),
        instead("the unpruned model", claims=[*generic, *pruned], step=0.05, model="unpruned", d=30,
                k=[4, 6, 10, 20], eigenvalues=(2.0, 1.5, 1.0)),
        drops("start in the ball of radius mu_r / 2", d=5, eigenvalues=(2.0, 1.0), radius=0.99,
              step=0.03),
        drops("eta <= 1 / (14 mu_1)", d=5, eigenvalues=(2.0, 1.0), radius=0.5, step=0.15),
        drops("k > r", over=late, d=20, k=3, eigenvalues=(2.0, 1.5, 1.0)),
        drops("eta < 1 / (4 mu_1)", over=late, k=6, step=0.13, **idle),
        drops("settled: 8 eta t mu_r >= 150", over=early, k=6, **idle),
    ]  # fmt: skip


STUDY = Study(
    "matrix_sensing",
    claims=CLAIMS,
    cases=cases,
    controls=controls,
    figures=POPULATION,
    presets=("quick", "full", "cuda"),
    smoke=dict(runs=4, steps=100, seeds=2),
    title="Matrix sensing: pruning a population model",
)

if __name__ == "__main__":
    STUDY.main()
