"""The figures of the sequential-attention study: which records, and which bound goes through them."""

from __future__ import annotations

import numpy as np

from theory_lab.report.plots import (
    Curves,
    Figure,
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
    masks,
    penalties,
    pursuit,
    sum_form,
    window,
)
from theory_lab.theorems.sequential_attention.experiments.masks import BEND, MASK_MINIMUM
from theory_lab.theorems.sequential_attention.experiments.minimum import PATH
from theory_lab.theorems.sequential_attention.experiments.penalties import SUBADDITIVITY
from theory_lab.theorems.sequential_attention.experiments.pursuit import OMP, REPLACEMENT, SEQUENCE
from theory_lab.theorems.sequential_attention.experiments.sum_form import ENTRY

MARKERS_AND_LINES = "markers: measured, lines: predicted"


def q_of(row, parameter):
    return lambda f, a: mask_bounds.regulariser(row, a, parameter)


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
    " at 401 norms for each mask. Middle: with an exponential mask and decay ρ on its logits q is"
    " quadratic up to √(eρ/2). Right: the whole problems have the same global minimum.",
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
            [Series("largest slope of q", BEND, "inflection", "decay",
                    line=lambda f, rho: mask_bounds.inflection(rho))],
            xlabel="decay ρ of the logits", ylabel="norm at which q bends", xscale="log", yscale="log",
        ),
        PredictedMeasured([masks.WHOLE_PROBLEM], title="global minima",
                          xlabel="regularised problem", ylabel="masked problem"),
    ],
    note=MARKERS_AND_LINES,
)  # fmt: skip

SUBADDITIVE = Figure(
    "subadditivity",
    "Where q(a + b) exceeds q(a) + q(b), relative to the sum: never for the non-concave"
    " a + |sin a|/2 (left, 0 is dark), but for Lemma 2.1's q wherever both"
    " norms are small (right, 0 is light).",
    [*penalties.SUBADDITIVE_CLAIMS, masks.INFLECTION],
    [
        HeatMap(SUBADDITIVITY, "coarse", "coarse", trace("excess"), xlabel="a", ylabel="b",
                zlabel="relative excess of q(a + b)", where=dict(q=q), xscale="log", yscale="log",
                limits=limits, title=title)
        for q, title, limits in (("sine", "q(a) = a + |sin a|/2", (-0.4, 0.0)),
                                 ("exp_mask", "q of the exponential mask", (0.0, 1.0)))
    ],
)  # fmt: skip

NAMES = [("abs", "a (Group LASSO)"), ("sqrt", "√a"), ("bounded", "a/(1 + a)"),
         ("exp_mask", "exponential mask"), ("square", "a²")]  # fmt: skip


def one_group_norm(f, place):
    lam = f["second_entry"] + place * (f["tau"] - f["second_entry"])
    return np.linalg.norm(window_bounds.one_group("squares", f["design"], f["response"], 0.0, lam))


PATHS = Figure(
    "sparse_minimum",
    "Best points found for each q along lam, from beyond τ (1) down past λ₂ (0); squares, 4 groups"
    " of 2. Between the dashed lines every subadditive q has the Group LASSO's one group, the"
    " exponential mask and a² have all. Left: norm of the leading group, with the one-group point as"
    " a line; right: share of the other groups.",
    [window.POINT, window.VALUE, window.GAP],
    [
        Curves(
            [Series(label, PATH, "leading", "place", dict(q=q), line=one_group_norm if q == "abs" else None)
             for q, label in NAMES],
            xlabel=r"$(\lambda - \lambda_2)/(\tau - \lambda_2)$", ylabel="norm of the leading group",
            marks=[Mark(r"$\lambda = \lambda_2$ and $\lambda = \tau$", 0.0, vertical=True),
                   Mark(r"$\lambda = \lambda_2$ and $\lambda = \tau$", 1.0, vertical=True)],
        ),
        Curves(
            [Series(label, PATH, "rest", "place", dict(q=q)) for q, label in NAMES],
            xlabel=r"$(\lambda - \lambda_2)/(\tau - \lambda_2)$", ylabel="share of the other groups",
            marks=[Mark(r"$\lambda = \lambda_2$ and $\lambda = \tau$", 0.0, vertical=True),
                   Mark(r"$\lambda = \lambda_2$ and $\lambda = \tau$", 1.0, vertical=True)],
        ),
    ],
    note="solid line on the left: the one-group point; other lines through the markers",
)  # fmt: skip

THRESHOLDS = Figure(
    "thresholds",
    "Left: the second group enters at or below its bound. Middle: down to which lam the one-group"
    " point is a local minimum. Right: entry points of two coordinates under the sum of |b|^p"
    " without inverse; they cross at p = 2/3, so that the group that enters first depends on p.",
    [window.SECOND_ENTRY, window.STABLE, sum_form.ENTRIES],
    [
        PredictedMeasured([window.SECOND_ENTRY], title=r"second entry $\lambda_2$"),
        PredictedMeasured([window.STABLE], title="end of stability"),
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
)  # fmt: skip


def same_share(record):
    """The share of steps in which exactly one group entered."""
    return float((record.result("entries").value == 1).mean())


SEARCH = Figure(
    "local_search",
    "Left and middle: loss above that of the planted groups, relative to its start, for OMP and for"
    " replacement (OMPR) on an orthonormal design with 4 planted groups; the lines fall by the"
    " promised factor 3/4 a step. Right: share of steps in which exactly one group enters, for the"
    " Group LASSO at (1 - e) times the entry threshold, k = 5 of 30.",
    [pursuit.OMP_RATE, pursuit.OMPR_RATE, pursuit.SEQUENTIAL_LASSO],
    [
        Curves(
            [Series("OMP", OMP, "gap", where=dict(design="orthonormal", k=4, noise=0.0),
                    line=lambda f, t: pursuit_bounds.contraction(1.0, 1.0, f["k"]) ** t)],
            xlabel="groups taken", ylabel=r"$(f - f^*)\,/\,(f_0 - f^*)$", ylim=(0.2, 1.1), yscale="log",
        ),
        Curves(
            [Series("OMPR", REPLACEMENT, "gap", where=dict(design="orthonormal", k=4, extra=4, noise=0.0),
                    line=lambda f, t: pursuit_bounds.contraction(1.0, 1.0, f["k"]) ** t)],
            xlabel="round", ylabel=r"$(f - f^*)\,/\,(f_0 - f^*)$", ylim=(0.2, 1.1), yscale="log",
        ),
        Curves(
            [Series("sequential LASSO", SEQUENCE, same_share, lambda r: -r.params["place"],
                    dict(method="lasso", sizes=(1,) * 30, place=[-0.3, -0.2, -0.1, -0.05, -0.02, -0.01]))],
            xlabel="e", ylabel="share of steps with one entry", ylim=(0, 1.03),
        ),
    ],
    note="markers: measured, lines: bounds (left, middle)",
)  # fmt: skip

FIGURES = [EQUIVALENCE, SUBADDITIVE, PATHS, THRESHOLDS, SEARCH]
