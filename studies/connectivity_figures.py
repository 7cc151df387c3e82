"""The figures of the connectivity study: which records, and which bound goes through them."""

from __future__ import annotations

from theory_lab.report.plots import (
    Curves,
    Figure,
    Mark,
    PredictedMeasured,
    Series,
    entry,
    hits,
    trace,
)  # fmt: skip
from theory_lab.theorems.connectivity.bounds import effective
from theory_lab.theorems.connectivity.bounds import quotas as layer_quotas
from theory_lab.theorems.connectivity.bounds import random_pruning as chains
from theory_lab.theorems.connectivity.claims import quotas, random_pruning, synflow, target
from theory_lab.theorems.connectivity.experiments.quotas import QUOTA
from theory_lab.theorems.connectivity.experiments.random_pruning import RANDOM_PRUNING
from theory_lab.theorems.connectivity.experiments.synflow_rounds import SYNFLOW_ROUNDS
from theory_lab.theorems.connectivity.experiments.target import TARGET

LENET = (784, 300, 100, 10)
QUOTAS = ("uniform", "ERK", "IGQ")
MARKERS_AND_LINES = "markers: measured, lines: predicted"
COMPRESSION = r"target compression $N/|M|$"


def effective_compression(f, compression):
    """N / E|eff| at another compression, from the exact counts that a quota rounds to."""
    counts = layer_quotas.counts(f["quota"], f["widths"], compression)
    expected = chains.expected_effective(f["widths"], counts, "exact counts")
    return f["sizes"].sum() / expected


def death(f, compression):
    counts = layer_quotas.counts(f["quota"], f["widths"], compression)
    return chains.death_probability(f["widths"], counts, "exact counts")


COLLAPSE = Mark("uniform: a layer is empty", lambda f: chains.collapse_compression(f["sizes"]),
                vertical=True)  # fmt: skip

RANDOM = Figure(
    "random_pruning",
    "LeNet-300-100 pruned at random by three layer quotas. Left: the compression that counts, N over"
    " the mean number of active weights, is orders of magnitude above the target for uniform quotas"
    " (bars: two standard errors). Right: probability that no path is left. Lines: exact chains for"
    " masks with rounded counts, hence the steps; from 2000 on uniform quotas leave the last layer"
    " none of its 1000 weights.",
    [random_pruning.SAMPLED, random_pruning.SAMPLED_DEATH, random_pruning.COLLAPSE_CLAIM],
    [
        Curves(
            [
                *(
                    Series(quota, RANDOM_PRUNING, "effective", "compression",
                           dict(quota=quota, widths=LENET), line=effective_compression)
                    for quota in QUOTAS
                ),
                Series("all that is kept", RANDOM_PRUNING, "direct", "compression",
                       dict(quota="IGQ", widths=LENET), line=lambda f, c: c),
            ],
            xlabel=COMPRESSION, ylabel="effective compression",
            xscale="log", yscale="log", marks=[COLLAPSE],
        ),
        Curves(
            [
                Series(quota, RANDOM_PRUNING, hits("active", 0), "compression",
                       dict(quota=quota, widths=LENET, block=1, draws=4000), line=death)
                for quota in QUOTAS
            ],
            xlabel=COMPRESSION, ylabel="P(no path)", xscale="log", marks=[COLLAPSE],
        ),
    ],
    note=MARKERS_AND_LINES,
)  # fmt: skip


def gas(place):
    return lambda f, c: layer_quotas.gas_densities(f["sizes"], c)[place]


def erk(place):
    return lambda f, c: layer_quotas.erk_densities(f["shapes"], c)[place]


DENSITIES = Figure(
    "quotas",
    "Density of each layer of LeNet-300-100 against the compression. Ideal gas quotas (left) press all"
    " layers towards equal numbers of weights and stay below 1; ERK (right) freezes the small layer"
    " dense while it would be asked for more than it has.",
    [quotas.IGQ, quotas.ERK],
    [
        Curves(
            [
                Series(f"layer {a} x {b}", QUOTA, entry("densities", place), "compression",
                       dict(quota=quota, network="LeNet-300-100"), line=line(place))
                for place, (a, b) in enumerate(((784, 300), (300, 100), (100, 10)))
            ],
            xlabel=COMPRESSION, ylabel="density of the layer", xscale="log", yscale="log", title=title,
        )
        for quota, line, title in (("IGQ", gas, "ideal gas"), ("ERK", erk, "ERK"))
    ],
    note=MARKERS_AND_LINES,
)  # fmt: skip

ENUMERATION = Figure(
    "enumeration",
    "Small perceptrons pruned in every possible way against the Markov chains: mean number of active"
    " weights, and probability of no path.",
    [
        random_pruning.BERNOULLI,
        random_pruning.EXACT_COUNT,
        random_pruning.BERNOULLI_DEATH,
        random_pruning.EXACT_COUNT_DEATH,
    ],
    [
        PredictedMeasured([claim], title=title)
        for claim, title in (
            (random_pruning.BERNOULLI, "E|eff|, independent weights"),
            (random_pruning.EXACT_COUNT, "E|eff|, exact counts"),
            (random_pruning.BERNOULLI_DEATH, "P(no path), independent weights"),
            (random_pruning.EXACT_COUNT_DEATH, "P(no path), exact counts"),
        )
    ],
    columns=2,
)

BRACKET = Figure(
    "target_bracket",
    "Weights removed one by one in a random order: the effective compression of every prefix, which"
    " jumps where a weight takes a branch with it, and the prefix that bisection finds for a target"
    " of 10. The direct compression reaches 10 much later.",
    [target.PREFIX, target.ACHIEVED, target.FOLLOWING],
    Curves(
        [
            Series("effective compression", TARGET, trace("compression"),
                   where=dict(widths=(12, 16, 10, 4), target=10.0)),
        ],
        xlabel="weights removed", ylabel="compression", yscale="log", ylim=(0.9, 300),
        marks=[
            Mark("target", 10.0),
            Mark("prefix found by bisection", effective.prefix, vertical=True),
            Mark("prefix of direct compression 10", effective.direct_prefix, vertical=True),
        ],
    ),
)  # fmt: skip

ROUNDS = Figure(
    "synflow_rounds",
    "Share of LeNet-300-100's remaining weights that lie on no path, after pruning by SynFlow in so"
    " many rounds (bars: two standard errors over seeds). No round removes an active weight before"
    " the inactive ones, yet one round alone breaks every path.",
    [synflow.ROUNDS, synflow.ORDER],
    [
        Curves(
            [
                Series("compression {}", SYNFLOW_ROUNDS, quantity, "rounds",
                       dict(widths=LENET, score="synflow"), by="compression"),
            ],
            xlabel="rounds", ylabel="share of inactive weights", xscale="log", title=title, ylim=(-0.02, 1.05),
        )
        for quantity, title in (("gap", "at the end"), ("largest_gap", "largest over all rounds"))
    ],
)  # fmt: skip

FIGURES = [RANDOM, DENSITIES, ENUMERATION, BRACKET, ROUNDS]
