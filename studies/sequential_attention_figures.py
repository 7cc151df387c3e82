"""The figures of the sequential-attention study: which records, and which bound goes through them."""

from __future__ import annotations

import numpy as np

from theory_lab.report.plots import (
    Contours,
    Curves,
    Figure,
    Geometric,
    HeatMap,
    Mark,
    PredictedMeasured,
    Series,
    entry,
    trace,
)
from theory_lab.theorems.sequential_attention.bounds import masks as mask_bounds
from theory_lab.theorems.sequential_attention.bounds import pursuit as pursuit_bounds
from theory_lab.theorems.sequential_attention.bounds import sum_form as sum_bounds
from theory_lab.theorems.sequential_attention.bounds import window as window_bounds
from theory_lab.theorems.sequential_attention.claims import (
    entry as entries,
)
from theory_lab.theorems.sequential_attention.claims import (
    masks,
    penalties,
    pursuit,
    stability,
    sum_form,
    window,
)
from theory_lab.theorems.sequential_attention.experiments.masks import BEND, MASK_MINIMUM
from theory_lab.theorems.sequential_attention.experiments.paths import PATH, PLANE
from theory_lab.theorems.sequential_attention.experiments.penalties import SUBADDITIVITY
from theory_lab.theorems.sequential_attention.experiments.pursuit import OMP, REPLACEMENT, SEQUENCE
from theory_lab.theorems.sequential_attention.experiments.sum_form import ENTRY

MARKERS_AND_LINES = "markers: measured, lines: predicted"


def q_of(row, parameter):
    return lambda f, a: mask_bounds.regulariser(row, a, parameter)


def relative_error(row, parameter):
    """Of the numerical minimum against the formula, norm by norm."""

    def compute(record):
        predicted = mask_bounds.regulariser(row, record.facts["norms"], parameter)[1::20]
        error = np.abs(record.result("minimum").value[1::20] - predicted) / predicted
        return np.maximum(error, 1e-17)

    return compute


def positive_norms(record):
    return record.facts["norms"][1::20]


ROWS = [
    ("mask w, decay w² + b²", "identity", 1.0),
    (r"mask $e^w$, decay w² + b²", "exponential", 1.0),
    ("mask w, decay |w| + b²", "power_decay", 1.0),
    (r"weights $|b|\,b$", "powerprop", 2.0),
    (r"mask $e^w$, decay |w| + b²", "absolute_logits", 1.0),
]

EQUIVALENCE = Figure(
    "mask_equivalence",
    "The cost of a masked group of norm a, minimised over its mask variable, is the regulariser q(a):"
    " at 401 norms for each mask; beside it the relative error (below 1e-17: none). Then: with an"
    " exponential mask and decay ρ on its logits q bends at √(eρ/2). Last: the whole problems have the"
    " same global minimum.",
    [masks.IDENTITY, masks.EXPONENTIAL, masks.POWER_DECAY, masks.POWERPROP, masks.ABSOLUTE_LOGITS,
     masks.WHOLE_PROBLEM, masks.INFLECTION],
    [
        Curves(
            [
                Series(label, MASK_MINIMUM, "minimum", "norms", dict(row=row, parameter=parameter),
                       line=q_of(row, parameter))
                for label, row, parameter in ROWS
            ],
            xlabel="norm a", ylabel="minimum over the mask variable", xscale="log", yscale="log",
        ),
        Curves(
            [Series(label, MASK_MINIMUM, relative_error(row, parameter), positive_norms,
                    dict(row=row, parameter=parameter)) for label, row, parameter in ROWS],
            xlabel="norm a", ylabel="relative error of the minimum", xscale="log", yscale="log",
            ylim=(1e-17, 1e-14),
        ),
        Curves(
            [Series("largest slope of q", BEND, "inflection", "decay",
                    line=lambda f, rho: mask_bounds.inflection(rho))],
            xlabel="decay ρ of the logits", ylabel="norm at which q bends", xscale="log", yscale="log",
        ),
        PredictedMeasured([masks.WHOLE_PROBLEM], title="global minima",
                          xlabel="regularised problem", ylabel="masked problem"),
    ],
    note=MARKERS_AND_LINES,
    columns=2,
)  # fmt: skip

SHAPES = [("abs", "a (Group LASSO)"), ("two_thirds", "a^(2/3)"), ("log", "log(1 + a)"),
          ("sine", "a + |sin a|/2"), ("exp_mask", "Lemma 2.1")]  # fmt: skip
BENDS = [
    Mark(
        r"$\sqrt{e/2}$, where Lemma 2.1's q bends",
        lambda f: mask_bounds.inflection(),
        vertical=True,
    )
]

SUBADDITIVE = Figure(
    "subadditivity",
    "Above: functions q and their slopes; Lemma 2.1's q starts flat and is convex up to √(e/2). Below:"
    " where q(a + b) exceeds q(a) + q(b), relative to the sum: never for the non-concave"
    " a + |sin a|/2 (left, 0 is dark), but for Lemma 2.1's q wherever both norms are small (right, 0 is"
    " light).",
    [*penalties.SUBADDITIVE_CLAIMS, *penalties.CONCAVE_CLAIMS, masks.INFLECTION],
    [
        Curves([Series(label, SUBADDITIVITY, trace("values"), trace("norms"), dict(q=q, points=300)) for q, label in SHAPES],
               xlabel="a", ylabel="q(a)", xscale="log", yscale="log", marks=BENDS),
        Curves([Series(label, SUBADDITIVITY, trace("slopes"), trace("norms"), dict(q=q, points=300)) for q, label in SHAPES],
               xlabel="a", ylabel="slope q'(a)", xscale="log", yscale="log", ylim=(1e-2, 20), marks=BENDS),
        *(HeatMap(SUBADDITIVITY, "coarse", "coarse", trace("excess"), xlabel="a", ylabel="b",
                  zlabel="relative excess of q(a + b)", where=dict(q=q, points=300), xscale="log", yscale="log",
                  limits=limits, title=title)
          for q, title, limits in (("sine", "q(a) = a + |sin a|/2", (-0.4, 0.0)),
                                   ("exp_mask", "q of the exponential mask", (0.0, 1.0)))),
    ],
    columns=2,
)  # fmt: skip

NAMES = [("abs", "a (Group LASSO)"), ("sqrt", "√a"), ("bounded", "a/(1 + a)"),
         ("exp_mask", "exponential mask"), ("square", "a²")]  # fmt: skip


def one_group_norm(f, place):
    lam = place * f["tau"]
    return np.linalg.norm(window_bounds.one_group("squares", f["design"], f["response"], 0.0, lam))


ENDS = [Mark(r"$\lambda_2$", lambda f: f["second_entry"] / f["tau"], vertical=True),
        Mark(r"$\tau$", 1.0, vertical=True)]  # fmt: skip

PATHS = Figure(
    "sparse_minimum",
    "Global minima for each q along lam; squares, 4 groups of 2; by branch and bound for concave q,"
    " the best point found for the exponential mask and a². Between λ₂ and τ every subadditive q has"
    " the Group LASSO's one group (concave ones keep it far below), the exponential mask and a² have"
    " all. Left: norm of the leading group, with the one-group point as a line; right: share of the"
    " other groups.",
    [window.POINT, window.VALUE, window.PATH_NORM, stability.GAP],
    [
        Curves(
            [Series(label, PATH, "leading", "place", dict(q=q), line=one_group_norm if q == "abs" else None)
             for q, label in NAMES],
            xlabel=r"$\lambda / \tau$", ylabel="norm of the leading group", marks=ENDS,
        ),
        Curves(
            [Series(label, PATH, "rest", "place", dict(q=q)) for q, label in NAMES],
            xlabel=r"$\lambda / \tau$", ylabel="share of the other groups", marks=ENDS,
        ),
    ],
    note="solid line on the left: the one-group point; other lines through the markers",
)  # fmt: skip

LANDSCAPE = Figure(
    "landscape",
    "Level lines of the penalised loss in two coordinates. In the window √a has the Group LASSO's"
    " minimiser and a spurious local minimum; with a tie, or with two equal columns, it has two global"
    " minima; a² makes both coordinates active.",
    [window.PLANE_POINT],
    [
        Contours(PLANE, trace("axis"), trace("values"), trace("minima"), xlabel=r"$b_1$", ylabel=r"$b_2$",
                 where=dict(q=q, lam=lam, correlation=correlation), title=title)
        for q, lam, correlation, title in (
            ("sqrt", 1.84, 0.54, "√a, in the window: unique"), ("sqrt", 0.8, 0.0, "√a, exact tie: two"),
            ("sqrt", 0.5, 1.0, "√a, equal columns: two"), ("square", 1.84, 0.54, "a²: dense"))
    ],
    columns=2,
)  # fmt: skip

THRESHOLDS = Figure(
    "thresholds",
    "The second group enters at or below its bound. Down to which lam the one-group point is a local"
    " minimum, and the global one (branch and bound). Last: entry points of two coordinates under the sum"
    " of |b|^p without inverse; they cross at p = 2/3, so that the group that enters first depends on p.",
    [entries.SECOND_ENTRY, stability.STABLE, stability.SWITCHES, sum_form.ENTRIES],
    [
        PredictedMeasured([entries.SECOND_ENTRY], title=r"second entry $\lambda_2$"),
        PredictedMeasured([stability.STABLE], title="end of stability"),
        PredictedMeasured([stability.SWITCHES], title="end of being global"),
        Curves(
            [
                Series(f"gradient {g:g}, curvature {h:g}", ENTRY, entry("entries", i), "exponent",
                       dict(pulls=(2.0, 1.0), curvatures=(4.0, 0.25)),
                       line=lambda f, p, g=g, h=h: sum_bounds.entry([g], [h], p))
                for i, (g, h) in enumerate(((2.0, 4.0), (1.0, 0.25)))
            ],
            xlabel="exponent p", ylabel=r"entry point $\lambda$",
            marks=[Mark("p = 2/3", 2 / 3, vertical=True)],
        ),
    ],
    note=MARKERS_AND_LINES,
    columns=2,
)  # fmt: skip


def same_share(record):
    """The share of steps in which exactly one group entered."""
    return float((record.result("entries").value == 1).mean())


def same_as_omp(record):
    """The share of steps in which the largest of those that entered is OMP's."""
    f = record.facts
    sizes = tuple(int(size) for size in f["group_sizes"])
    wanted = pursuit_bounds.omp_sequence(f["rows"], f["response"], sizes, f["k"])
    return float((record.result("taken").value == wanted).mean())


def ompr_rate(f):
    return pursuit_bounds.contraction(*pursuit.constants(f), f["k"])


def below_threshold(record):
    return -record.params["place"]


def noisy(noise):
    return dict(design="gaussian", m=20_000, k=4, extra=6, noise=noise)


LASSO_BELOW = dict(method="lasso", sizes=(1,) * 30, place=[-0.3, -0.2, -0.1, -0.05, -0.02, -0.01])
ORTHONORMAL = dict(design="orthonormal", k=4, noise=0.0)

SEARCH = Figure(
    "local_search",
    "Loss above that of the planted groups, relative to its start: OMP and replacement (OMPR) on an"
    " orthonormal design with 4 planted groups, whose lines fall by the promised factor 3/4 a step; OMPR"
    " on noisy Gaussian designs (4 of 20 groups planted, 10 kept, started on the wrong ones), whose"
    " lines fall by the bound with their restricted eigenvalues. Last: steps in which exactly one group"
    " enters, and in which the largest is OMP's, for the Group LASSO at (1 - e) times the entry"
    " threshold, 5 of 30.",
    [pursuit.OMP_RATE, pursuit.OMPR_RATE, pursuit.OMPR_REACHES, pursuit.SEQUENTIAL_LASSO],
    [
        Curves(
            [Series("OMP", OMP, "gap", where=ORTHONORMAL,
                    line=lambda f, t: pursuit_bounds.contraction(1.0, 1.0, f["k"]) ** t)],
            xlabel="groups taken", ylabel=r"$(f - f^*)\,/\,(f_0 - f^*)$", ylim=(0.2, 1.1), yscale="log",
        ),
        Curves(
            [Series("OMPR", REPLACEMENT, "gap", where=ORTHONORMAL | dict(extra=4),
                    line=lambda f, t: pursuit_bounds.contraction(1.0, 1.0, f["k"]) ** t)],
            xlabel="round", ylabel=r"$(f - f^*)\,/\,(f_0 - f^*)$", ylim=(0.2, 1.1), yscale="log",
        ),
        Curves(
            [Series(f"OMPR, noise {noise:g}", REPLACEMENT, "gap", where=noisy(noise), line=Geometric(ompr_rate))
             for noise in (0.1, 20.0)],
            xlabel="round", ylabel=r"$(f - f^*)\,/\,(f_0 - f^*)$", yscale="log",
            ylim=(0.2, 1.1),
        ),
        Curves(
            [Series("exactly one enters", SEQUENCE, same_share, below_threshold, LASSO_BELOW),
             Series("the largest is OMP's", SEQUENCE, same_as_omp, below_threshold, LASSO_BELOW)],
            xlabel="e", ylabel="share of steps", ylim=(0, 1.03),
        ),
    ],
    note="markers: measured, lines: bounds (but for the last panel)",
    columns=2,
)  # fmt: skip

FIGURES = [EQUIVALENCE, SUBADDITIVE, PATHS, LANDSCAPE, THRESHOLDS, SEARCH]
