"""Connectivity of pruned networks: effective sparsity, random pruning, layer quotas, SynFlow."""

from __future__ import annotations

from typing import Any

from connectivity_figures import FIGURES

from theory_lab.core import Case, Control, Study, drops, grid, instead
from theory_lab.theorems.connectivity.claims import (
    CLAIMS,
    effective_mask,
    padding,
    quotas,
    random_pruning,
    synflow,
    target,
)

LENET = (784, 300, 100, 10)

NETS: list[dict[str, Any]] = [
    dict(kind="mlp", widths=(5, 7, 6, 3)),
    dict(kind="mlp", widths=(3, 4, 4, 4, 4, 2)),
    dict(kind="convolution", widths=(2, 3, 3, 3)),
    dict(kind="residual", widths=(4, 5, 4, 4, 6, 3)),
]
"""Small networks of every kind."""

LAWS = [
    effective_mask.SUBSET,
    effective_mask.IDEMPOTENT,
    effective_mask.MONOTONE,
    effective_mask.SUPERADDITIVE,
]
PIXELS = [padding.INCLUSION]
ENUMERATED = {
    "bernoulli": [
        random_pruning.BERNOULLI,
        random_pruning.BERNOULLI_DEATH,
        random_pruning.MEAN_FIELD,
    ],
    "exact counts": [random_pruning.EXACT_COUNT, random_pruning.EXACT_COUNT_DEATH],
}
MEAN, DEATH = [random_pruning.SAMPLED], [random_pruning.SAMPLED_DEATH]
IGQ = [
    quotas.IGQ,
    quotas.IGQ_TOTAL,
    quotas.IGQ_AT_MOST_ONE,
    quotas.IGQ_DECREASING,
    quotas.IGQ_COUNTS,
]
ERK = [quotas.ERK, quotas.ERK_TOTAL, quotas.ERK_AT_MOST_ONE]
FLOW = [synflow.UNITS, synflow.PATHS, synflow.CUTS]


def masks(full: bool) -> list[Case]:
    """Effective masks and their laws on small networks, sparse to dense."""
    often = 4 if full else 1
    cases = [
        case
        for net in NETS
        for density in (0.08, 0.2, 0.35, 0.5, 0.8)
        for case in (
            *grid(claims=[effective_mask.EFFECTIVE_MASK], density=density, replicates=often, **net),
            *grid(claims=LAWS, density=density, more=min(1.0, density + 0.15), runs=4,
                  replicates=often, **net),
        )
    ]  # fmt: skip
    redrawn = [effective_mask.REDRAWN_SHARE]
    for widths, pairs in {
        (2, 3, 2): ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (0.6, 0.7), (0.3, 0.5)),
        (1, 3, 3, 1): ((0.4, 0.5), (0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.5, 0.7)),
    }.items():
        for density, more in pairs:
            cases += grid(claims=redrawn, widths=widths, density=density, more=more, replicates=2)
    return cases


def pixels() -> list[Case]:
    """Convolutions with zero padding on maps from 1 to 6 pixels wide."""
    small = dict(claims=PIXELS, runs=4)
    one = dict(claims=[padding.EQUALITY], widths=(3, 4))
    taps = [padding.TAPS]
    return [
        *grid(widths=(2, 3, 3, 2), density=[0.1, 0.3, 0.6], side=[1, 2, 3, 6], stride=[1, 2], **small),
        *grid(widths=(2, 2, 2, 2, 2), density=0.6, side=3, taps="one corner", **small),
        *grid(density=[0.2, 0.7], side=[2, 3, 5], stride=1, **one),
        *grid(density=[0.2, 0.7], side=[3, 4, 6], stride=2, **one),
        *grid(claims=taps, widths=(2, 3), density=1.0, side=[1, 2, 3, 4, 5, 6], stride=[1, 2], runs=1),
    ]  # fmt: skip


def enumerated() -> list[Case]:
    """Every mask of small perceptrons."""
    shallow = [(2, 3, 2), (3, 2, 2, 1), (2, 2, 2, 2), (1, 3, 3, 1)]
    deep = [(2, 2, 2, 2, 2), (1, 2, 2, 2, 2, 1)]
    law, counted = ENUMERATED["bernoulli"], ENUMERATED["exact counts"]
    cases = []
    for widths in shallow:
        for densities in ((0.2, 0.5, 0.8), (0.5, 0.5, 0.5), (0.9, 0.3, 0.6)):
            kept = densities[: len(widths) - 1]
            cases += grid(claims=[*law, random_pruning.MEAN_FIELD_EQUAL], widths=widths, kept=kept)
    for widths in deep:
        for p in (0.2, 0.35, 0.5, 0.65, 0.8):
            cases += grid(claims=law, widths=widths, kept=(p,) * (len(widths) - 1))
    for widths, kept in (
        ((2, 3, 2), [(1.0, 2.0), (3.0, 3.0), (2.0, 4.0)]),
        ((3, 2, 2, 1), [(2.0, 1.0, 1.0), (3.0, 2.0, 1.0), (4.0, 3.0, 2.0)]),
        ((1, 3, 3, 1), [(1.0, 4.0, 2.0), (2.0, 3.0, 2.0), (2.0, 6.0, 1.0)]),
        ((2, 2, 2, 2, 2), [(1.0, 2.0, 2.0, 1.0), (2.0, 2.0, 2.0, 2.0), (3.0, 2.0, 2.0, 3.0)]),
        ((1, 2, 2, 2, 2, 1), [(1.0, 2.0, 3.0, 2.0, 1.0), (2.0, 3.0, 2.0, 3.0, 2.0)]),
    ):
        cases += grid(claims=counted, widths=widths, kept=kept, law="exact counts")
    return cases


SAMPLES: dict[str, dict[float, tuple[int, int]]] = {
    "uniform": {10.0: (200, 1), 20.0: (400, 1), 50.0: (1500, 1), 100.0: (3000, 1), 200.0: (4000, 2),
                300.0: (8000, 4), 500.0: (8000, 4), 700.0: (24_000, 12), 1000.0: (48_000, 24), 1900.0: (100_000, 50)},
    "ERK": {10.0: (200, 1), 20.0: (400, 1), 50.0: (1500, 1), 100.0: (3000, 1), 300.0: (4000, 2),
            1000.0: (8000, 4), 2000.0: (12_000, 6), 5000.0: (60_000, 30), 10_000.0: (240_000, 120)},
    "IGQ": {10.0: (200, 1), 20.0: (400, 1), 50.0: (1500, 1), 100.0: (3000, 1), 300.0: (4000, 2),
            1000.0: (4000, 2), 2000.0: (8000, 4), 5000.0: (20_000, 10), 10_000.0: (120_000, 60)},
}  # fmt: skip
"""Compressions of LeNet-300-100: masks and block. Near the transition and beyond a mean rests on the
few masks that have a path at all; below, all masks are alike."""

DYING = {"uniform": [300.0, 400.0, 500.0, 700.0, 1000.0, 1900.0], "ERK": [1000.0, 1500.0, 2000.0, 3000.0, 5000.0],
         "IGQ": [1500.0, 2000.0, 3000.0, 5000.0, 10_000.0]}  # fmt: skip
"""Compressions over which LeNet-300-100 loses all its paths."""


def sampled(full: bool) -> list[Case]:
    """LeNet-300-100 pruned at random by three quotas, and deep narrow networks."""
    cases = []
    for quota, ladder in SAMPLES.items():
        for compression, (draws, block) in ladder.items():
            draws = max(draws, 3000) if full else draws
            cases += grid(claims=MEAN, widths=LENET, quota=quota, compression=compression,
                          draws=draws, block=block, replicates=4 if full else 1)  # fmt: skip
        cases += grid(claims=DEATH, widths=LENET, quota=quota, compression=DYING[quota],
                      replicates=8 if full else 1)  # fmt: skip
    deep = dict(law=["bernoulli", "exact counts"], quota="uniform", replicates=2)
    for shape in (dict(widths=(30,) * 8, compression=[20.0, 33.0]),
                  dict(widths=(10,) * 6, compression=[6.0, 8.0])):  # fmt: skip
        cases += grid(claims=MEAN + DEATH, **shape, **deep)
    return cases


def layer_quotas(full: bool) -> list[Case]:
    """Quotas on known and on random networks, from nearly dense to very sparse."""
    strengths = [1.001, 3.0, 10.0, 100.0, 1000.0, 10000.0]
    cases = []
    for quota, claims in (("IGQ", IGQ), ("ERK", ERK)):
        cases += grid(claims=claims, network=["LeNet-300-100", "VGG-16"], quota=quota,
                      compression=strengths)  # fmt: skip
        cases += grid(claims=claims, layers=[2, 5, 12], quota=quota, compression=[1.5, 30.0],
                      replicates=8 if full else 2)  # fmt: skip
    cases += grid(claims=[quotas.UNIFORM_PLUS_TOTAL], network=["LeNet-300-100", "VGG-16"],
                  quota="uniform+", compression=[1.0, 1.01, 1.05, 1.1, 1.13])  # fmt: skip
    cases += grid(claims=[quotas.UNIFORM_PLUS_TOTAL], network="VGG-16", quota="uniform+",
                  compression=[10.0, 1000.0])  # fmt: skip
    cases += grid(claims=[quotas.UNIFORM_PLUS_LIMIT], network=["LeNet-300-100", "VGG-16"])
    cases += grid(claims=[quotas.UNIFORM_PLUS_LIMIT], layers=[3, 5, 8, 12], replicates=3)
    widths = [LENET, (2, 3, 2), (64, 32, 10), (12, 5, 7, 4), (9, 9, 9, 9), (40, 3, 50, 6), (100, 1, 20),
              (784, 100, 10), (20, 30, 40, 30, 20), (7, 7)]  # fmt: skip
    return cases + grid(claims=[random_pruning.COLLAPSE_CLAIM], widths=widths)


def targets(full: bool) -> list[Case]:
    """Random pruning orders, all prefixes of them."""
    shapes = [
        dict(kind="mlp", widths=(8, 12, 8, 4)),
        dict(kind="residual", widths=(6, 6, 5, 5, 6, 4)),
    ]
    cases = grid(claims=target.CLAIMS, kind="mlp", widths=(12, 16, 10, 4), target=10.0)
    for net in shapes:
        cases += grid(claims=target.CLAIMS, target=[1.5, 3.0, 6.0, 20.0],
                      replicates=6 if full else 2, **net)  # fmt: skip
    return cases


def saliency(full: bool) -> list[Case]:
    """Conservation on every kind of network, SynFlow's support, and its rounds on LeNet-300-100."""
    often = 3 if full else 1
    cases = []
    for net in NETS:
        chain = [synflow.LAYERS] if net["kind"] != "residual" else []
        cases += grid(claims=[*FLOW, *chain], density=[0.3, 0.7, 1.0], replicates=often, **net)
        cases += grid(claims=[synflow.UNITS], density=[0.5, 1.0], score="signed",
                      activation="relu", replicates=often, **net)  # fmt: skip
        cases += grid(claims=[synflow.SUPPORT_CLAIM], density=[0.15, 0.3, 0.6],
                      weights=["normal", "ones"], **net)  # fmt: skip
    cases += grid(claims=[synflow.SUPPORT_CLAIM], kind="mlp", widths=(16,) * 51, density=0.5,
                  weights="ones", runs=1)  # fmt: skip
    rounds = dict(widths=LENET, compression=[100.0, 1000.0], rounds=100)
    cases += grid(claims=[synflow.ORDER, synflow.ROUNDS], replicates=20 if full else 5, **rounds)
    few = dict(widths=LENET, compression=[100.0, 1000.0], rounds=[1, 2, 3, 5, 10, 20, 50])
    cases += grid(claims=[synflow.ORDER], replicates=10 if full else 3, **few)
    return cases + grid(claims=[synflow.ORDER], widths=(60, 40, 20, 5), compression=[20.0, 100.0],
                        rounds=[1, 3, 10, 30])  # fmt: skip


def cases(preset: str) -> list[Case]:
    """All cases of a preset."""
    full = preset == "full"
    return [
        *masks(full),
        *pixels(),
        *enumerated(),
        *sampled(full),
        *layer_quotas(full),
        *targets(full),
        *saliency(full),
    ]


def controls(preset: str) -> list[Control]:
    """What must break each claim: dropped conditions and rival computations."""
    return [*broken_masks(), *broken_laws(), *broken_quotas(), *broken_saliency()]


def broken_masks() -> list[Control]:
    """Masks that are not nested, and maps or stacks of taps that padding cuts off."""
    net = NETS[0]
    corner = dict(taps="one corner", density=0.6, runs=4)
    return [
        drops("nested masks", claims=[effective_mask.MONOTONE], density=0.4, more=0.5,
              pair="drawn again", **net),
        drops("nested masks", claims=[target.PREFIX], kind="mlp", widths=(8, 12, 8, 4), target=3.0,
              order="drawn again", replicates=3),
        drops("one convolution", claims=[padding.EQUALITY], widths=(2, 2, 2, 2, 2), side=3, **corner),
        drops("one convolution", claims=[padding.TAPS], widths=(2, 2, 2), side=3, density=1.0,
              runs=1, stride=2),
        drops("a map larger than the stride", widths=(3, 4), side=[1, 2], stride=2, density=0.7),
        drops("nothing pruned", widths=(2, 3), density=0.5, side=3, runs=1),
    ]  # fmt: skip


def broken_laws() -> list[Control]:
    """The other law of pruning, deeper networks, truncated counts, another quota."""
    bernoulli = [random_pruning.BERNOULLI, random_pruning.BERNOULLI_DEATH,
                 random_pruning.MEAN_FIELD_EQUAL]  # fmt: skip
    return [
        drops("weights are kept independently", claims=bernoulli, widths=(2, 2, 2, 2),
              kept=(2.0, 2.0, 2.0), law="exact counts"),
        drops("weights are kept independently", claims=[random_pruning.MEAN_FIELD],
              widths=[(2, 2, 2, 2), (1, 3, 3, 1)], kept=(2.0, 2.0, 2.0),
              law="exact counts"),
        drops("layers keep exact counts", claims=ENUMERATED["exact counts"], widths=(2, 2, 2, 2),
              kept=(0.5, 0.5, 0.5)),
        drops("single masks", claims=DEATH, widths=LENET, quota="uniform", compression=500.0, draws=4000,
              block=20),
        drops("at most 3 layers", widths=(2, 2, 2, 2, 2), kept=(0.5, 0.5, 0.5, 0.5)),
        drops("counts are rounded", widths=[LENET, (2, 3, 2)], rounding="down"),
    ]  # fmt: skip


def broken_quotas() -> list[Control]:
    """Other quotas, counts instead of densities, and too few layers."""
    totals = {
        "IGQ": quotas.IGQ_TOTAL,
        "ERK": quotas.ERK_TOTAL,
        "uniform+": quotas.UNIFORM_PLUS_TOTAL,
    }
    gas, erk = quotas.IDEAL_GAS.name, quotas.ERK_SOLVED.name
    once = dict(quota="ERK, solved once", network="VGG-16", compression=3.0)
    uniform = dict(quota="uniform", layers=12, compression=30.0)
    return [
        drops(gas, claims=[quotas.IGQ, quotas.IGQ_COUNTS], **uniform),
        drops(gas, claims=[quotas.IGQ_DECREASING], layers=12, quota="ERK", compression=30.0,
              replicates=4),
        drops(gas, claims=[quotas.IGQ_AT_MOST_ONE], **once),
        drops(erk, claims=ERK[::2], **once),
        *(drops(quotas.EXACT.name, claims=[claim], quota=quota, rounded=True, network="VGG-16",
                compression=10.0) for quota, claim in totals.items()),
        drops(quotas.EXACT.name, claims=[quotas.IGQ, quotas.IGQ_COUNTS], quota="IGQ", rounded=True, layers=12,
              compression=1000.0, replicates=4),
        drops(quotas.EXACT.name, claims=ERK[:1], quota="ERK", rounded=True, layers=12,
              compression=1000.0),
        drops(quotas.EXACT.name, claims=[quotas.IGQ_DECREASING], quota="IGQ", rounded=True, layers=12,
              compression=3.0),
        drops("at least 3 layers", layers=2),
    ]  # fmt: skip


def broken_saliency() -> list[Control]:
    """Absolute values, biases, a sigmoid; skips; too many paths; other scores and fewer rounds."""
    net, units = dict(density=0.7, **NETS[0]), [synflow.UNITS]
    lenet = dict(widths=LENET, compression=1000.0)
    rounds, sums = [synflow.ROUNDS], [*FLOW[1:], synflow.LAYERS]
    return [
        drops("saliency keeps its sign", claims=units, score="absolute", activation="relu", **net),
        drops("no biases", claims=units, score="signed", activation="relu", bias=0.5, **net),
        drops("a homogeneous activation", claims=units, score="signed", activation="sigmoid", **net),
        drops("SynFlow's objective", claims=sums, score="signed", **net),
        drops("every layer is a cut", density=0.7, **NETS[3]),
        drops("no biases", claims=sums, bias=0.5, **net),
        drops("a homogeneous activation", claims=sums, activation="sigmoid", **net),
        drops("sums over paths do not overflow", kind="mlp", widths=(16,) * 51, density=0.5,
              weights="ones", runs=1, dtype="float32"),
        drops("sums over paths do not underflow", kind="mlp", widths=(1,) * 201, density=1.0, runs=1,
              dtype="float32"),
        instead("magnitude", claims=[synflow.ORDER], score="magnitude", widths=(60, 40, 20, 5),
                compression=100.0, rounds=10),
        instead("a single shot", claims=rounds, rounds=1, **lenet),
        instead("five rounds", claims=rounds, rounds=5, **lenet),
    ]  # fmt: skip


STUDY = Study(
    "connectivity",
    claims=CLAIMS,
    cases=cases,
    controls=controls,
    figures=FIGURES,
    title="Connectivity of pruned networks: effective sparsity",
)

if __name__ == "__main__":
    STUDY.main()
