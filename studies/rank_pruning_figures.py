"""The figures of the study of ranks: which records, and which bound goes through them."""

from __future__ import annotations

import math

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
from theory_lab.theorems.rank_pruning.bounds import rank_loss as rank_loss_bounds
from theory_lab.theorems.rank_pruning.bounds import sparse_matrices as bounds
from theory_lab.theorems.rank_pruning.claims import (
    low_rank,
    masked_ascent,
    masks,
    rank_loss,
    sparse_matrices,
)
from theory_lab.theorems.rank_pruning.experiments.low_rank import LOW_RANK
from theory_lab.theorems.rank_pruning.experiments.masked_ascent import MASKED_ASCENT
from theory_lab.theorems.rank_pruning.experiments.masks import GROWTH, MASKS
from theory_lab.theorems.rank_pruning.experiments.sparse_rank import FULL_RANK, SPARSE_RANK

MARKERS_AND_LINES = "markers: measured, lines: predicted"

CLOSED_FORMS = Figure(
    "rank_loss",
    "The rank loss in closed form: its gradient against differences, at pruned positions twice the"
    " low-rank part over |W|, singular values after one step, and how far the tail chosen by the"
    " energy rule is from its target.",
    rank_loss.CLAIMS,
    [
        PredictedMeasured([rank_loss.LOSS_GRADIENT], title="gradient, all entries"),
        PredictedMeasured([rank_loss.PRUNED_POSITION], title="gradient, pruned positions"),
        PredictedMeasured([rank_loss.STEP_LAW], title="singular values after a step"),
        PredictedMeasured([rank_loss.ENERGY_RULE], title=r"energy rule, $|\tau - \varepsilon|$"),
    ],
    columns=2,
)

RANDOM = Figure(
    "sparse_random_rank",
    "Structural rank of n x n matrices whose entries are kept at random. Left: rank / n at c entries"
    " a row in the mean, n = 4000, and the law of Karp and Sipser. Right: probability of full rank"
    " at p = (log n + w) / n. Bars: two standard errors.",
    sparse_matrices.CLAIMS[2:],
    [
        Curves(
            [Series("n = 4000", SPARSE_RANK, "ratio", "c", dict(n=4000),
                    line=lambda f, c: bounds.karp_sipser(c))],
            xlabel="entries a row c",
            ylabel="structural rank / n",
            ylim=(0, 1.03),
            marks=[Mark("c = e", math.e, vertical=True)],
        ),
        Curves(
            [Series(f"n = {n}", FULL_RANK, "full", "w", dict(n=n),
                    line=lambda f, w: bounds.full_rank_probability(f["n"], w)) for n in (100, 300)],
            xlabel=r"$w = pn - \log n$",
            ylabel="probability of full rank",
            ylim=(-0.03, 1.03),
        ),
    ],
    note=MARKERS_AND_LINES,
)  # fmt: skip


def sprank(f):
    """Structural rank of the mask of a case."""
    return bounds.structural_rank(bounds.unpacked(f["mask_bits"], f["n"]))


SQUARE = dict(m=200, n=200, kind="decaying", decay=0.7, spread=0.3)
ONE_MASK = SQUARE | dict(n=256, density=0.02, steps=100)

ASCENT = Figure(
    "masked_ascent",
    "Descent on the rank loss at a fixed magnitude mask that keeps 2 % of 200 x 256 weights. Above:"
    " the delta-rank rises, faster with larger steps, and overshoots at e = 1 (left), for every target"
    " ε of the tail (right). Below: the k that the energy rule chooses follows,"
    " while the loss itself stays near -ε (left); singular values of W / |W| before and after, at"
    " e = 0.1, of which none is beyond the structural rank of the mask (right).",
    masked_ascent.CLAIMS[2:],
    [
        Curves(
            [Series("e = {}", MASKED_ASCENT, "deltas", "step", where=ONE_MASK | dict(eps=0.2), by="e")],
            xlabel="step", ylabel=r"delta-rank ($\delta = 0.1$)", ylim=(0, None), title=r"$\varepsilon = 0.2$",
            marks=[Mark("structural rank of the mask", lambda f: sprank(f))],
        ),
        Curves(
            [Series("ε = {}", MASKED_ASCENT, "deltas", "step", where=ONE_MASK | dict(e=0.1), by="eps")],
            xlabel="step", ylabel=r"delta-rank ($\delta = 0.1$)", ylim=(0, None), title=r"$e = 0.1$",
            marks=[Mark("structural rank of the mask", lambda f: sprank(f))],
        ),
        Curves(
            [Series("e = {}", MASKED_ASCENT, "chosen", "step", where=ONE_MASK | dict(eps=0.2), by="e")],
            xlabel="step", ylabel="k of the energy rule", ylim=(0, None),
        ),
        Curves(
            [Series("before", MASKED_ASCENT, "before", where=ONE_MASK | dict(e=0.1, eps=0.2)),
             Series("after", MASKED_ASCENT, "after", where=ONE_MASK | dict(e=0.1, eps=0.2))],
            xlabel="number of larger singular values", ylabel="singular value $s_i$", yscale="log", ylim=(1e-4, 2.0),
            marks=[Mark("structural rank of the mask", lambda f: sprank(f), vertical=True)],
        ),
    ],
    columns=2,
)  # fmt: skip

LOSS_OF_RANK = Figure(
    "magnitude_masks",
    "Ranks of a 200 x 200 matrix with singular values i^(-0.7) and uneven rows and columns, pruned"
    " to a density. Left: structural rank of the masks. Right: delta-rank (δ = 0.1) of what is"
    " left, after 100 steps of ascent at the magnitude mask, and after 20 rounds of growth by the"
    " rank gradient or at random.",
    masks.CLAIMS,
    [
        Curves(
            [Series("magnitude", MASKS, "magnitude", "density", SQUARE),
             Series("random mask", MASKS, "random", "density", SQUARE),
             Series("grown by the rank gradient", GROWTH, "structural", "density", SQUARE | dict(growth="rank gradient", delta=0.1)),
             Series("grown at random", GROWTH, "structural", "density", SQUARE | dict(growth="random", delta=0.1))],
            xlabel="density", ylabel="structural rank", xscale="log", ylim=(0, 213),
        ),
        Curves(
            [Series("magnitude", MASKS, "magnitude_delta", "density", SQUARE),
             Series("random mask", MASKS, "random_delta", "density", SQUARE),
             Series("grown by the rank gradient", GROWTH, "delta_rank", "density", SQUARE | dict(growth="rank gradient", delta=0.1)),
             Series("grown at random", GROWTH, "delta_rank", "density", SQUARE | dict(growth="random", delta=0.1)),
             Series("ascent at the magnitude mask", MASKED_ASCENT, "delta_rank", "density", SQUARE | dict(e=0.1, steps=100, pruning="magnitude"))],
            xlabel="density", ylabel=r"delta-rank ($\delta = 0.1$)", xscale="log", ylim=(0, None),
        ),
    ],
)  # fmt: skip

PICTURES = Figure(
    "mask_pictures",
    "Where the 2 % of kept weights are, in 32 x 32 blocks of the same matrix with heavy rows and"
    " columns first: a magnitude mask leaves light rows and columns empty.",
    [masks.MAGNITUDE_LOSES_RANK],
    [
        HeatMap(MASKS, "place", "place", trace(name), where=SQUARE | dict(density=0.02),
                xlabel="block of rows", ylabel="block of columns", zlabel="share kept",
                limits=(0.0, 0.2), title=title)
        for name, title in (("magnitude_blocks", "by magnitude"), ("random_blocks", "at random"))
    ],
)  # fmt: skip

ONE_MATRIX = dict(m=12, n=20, kind="gaussian")

BEST = Figure(
    "best_low_rank",
    "Squared distance to one Gaussian 12 x 20 matrix of the best of 20 matrices of rank k: B C with"
    " random factors, random B and the best C, one sweep of alternating least squares from there."
    " The truncated singular value decomposition attains the tail of the singular values.",
    low_rank.CLAIMS,
    Curves(
        [
            Series("random factors", LOW_RANK, entry("least", 0), "k", ONE_MATRIX),
            Series("random B, best C", LOW_RANK, entry("least", 1), "k", ONE_MATRIX),
            Series("one sweep of least squares", LOW_RANK, entry("least", 2), "k", ONE_MATRIX),
            Series("truncated decomposition", LOW_RANK, "truncated", "k", ONE_MATRIX,
                   line=lambda f, k: rank_loss_bounds.squared_distance(f["W"], int(k))),
        ],
        xlabel="rank k", ylabel=r"$\|W - X\|_F^2$", ylim=(0, None),
    ),
    note="line of the truncated decomposition: predicted",
)  # fmt: skip

FIGURES = [CLOSED_FORMS, BEST, RANDOM, LOSS_OF_RANK, PICTURES, ASCENT]
