"""The validated algorithms prune networks: trials on digits (quick), MNIST and CIFAR-10 (full, cuda)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scale_up_figures import FIGURES

from theory_lab.core import Case, Control, Study, drops, grid, instead
from theory_lab.trials import blind_logits, channels, directional, effective, orders
from theory_lab.trials.claims import CLAIMS
from theory_lab.trials.methods import grda

SEEDS = 5
ATTENTION = dict(
    data="digits", net="mlp-64-256-256-10", epochs=14, batch_size=32, lr=0.1, momentum=0.9,
    weight_decay=5e-4, schedule="cosine", warmup=0.04,
)  # fmt: skip
ATTENTION_BN = ATTENTION | dict(net="resnet8w8", epochs=27, batch_size=64, evaluate_every=9)
CLICKS = dict(
    data="bank_marketing", net="click_mlp", epochs=3, batch_size=512, lr=0.1, momentum=0.9,
    weight_decay=0.0, schedule="cosine",
)  # fmt: skip
RANK = dict(
    data="digits", net="mlp-64-128-128-10", epochs=36, batch_size=64, lr=0.1, momentum=0.9,
    schedule="cosine", label_smoothing=0.1, every=20, evaluate_every=9,
)  # fmt: skip
RANK_BN = RANK | dict(net="resnet8w16")
DIRECTIONAL = dict(data="digits", net="mlp-64-128-10", epochs=50, batch_size=64, lr=0.1)
CURVE_EPOCHS = 5
CHANNELS = dict(data="digits", net="resnet8w8")
PLAIN_CHANNELS = dict(data="digits", net="mlp-64-64-64-10")
MNIST = dict(data="mnist_test3000", net="lenet_300_100")
MNIST_PART = MNIST | dict(train_size=10_000, epochs=20, batch_size=128, evaluate_every=5)
"""1,560 steps on 10,000 images."""

PATHS_ON_DIGITS = {
    "random uniform": [10.0, 20.0], "random ERK": [30.0, 40.0], "random IGQ": [30.0, 50.0],
}  # fmt: skip
PATHS_ON_MNIST = {
    "random uniform": [20.0], "random ERK": [100.0, 150.0], "random IGQ": [150.0, 200.0],
}  # fmt: skip
"""Compressions at which a tenth or more of the kept weights are on no path, so that the expectation
is not that of all kept weights, and one draw has a standard deviation of at most 4 %."""


@dataclass(frozen=True)
class Options:
    """What the tables of `full` and `cuda` are made on."""

    data: str = field(default="cifar10_jpeg", metadata={"help": "data set of the table"})
    net: str = field(default="resnet20", metadata={"help": "network of the table"})
    epochs: int = field(default=0, metadata={"help": "epochs of each run; 0: those of the preset"})
    seeds: int = field(
        default=3, metadata={"help": "seeds of each pair of the table; an order needs 5"}
    )


def cases(preset: str, options: Options) -> list[Case]:
    """`cuda`: the table, then channels, straight lines and curves.

    `full` holds `quick`, more settings, MNIST, and a table on a part of CIFAR-10: about 10
    core-hours, 8 to 9 of them for the 69 trainings of ResNet-20 (780 steps of .5 to .6 s on a core
    of a virtual machine); what is done is kept, so that it may be stopped at any time.
    """
    if preset == "cuda":
        on = dict(data=options.data, net=options.net, train_size=0, test_size=0, batch_size=512,
                  engine="graph", replicates=options.seeds)  # fmt: skip
        return [
            *table(options, CUDA, (0.95, 0.98, 0.9, 0.99), blocks=(4, 8, 16)),
            *grid(claims=channels.SPLIT, strength=[0.3, 1.0, 3.0], beta=[0.01, 0.0025],
                  dense_epochs=20, penalised_epochs=20, tuning_epochs=5, **on),
            *grid(claims=[channels.UNPENALISED], strength=0.0, beta=0.01,
                  dense_epochs=20, penalised_epochs=20, tuning_epochs=5, **on),
            *grid(claims=directional.CLAIMS, strength=5e-4, exponent=[0.51, 0.6], epochs=40,
                  curve_epochs=10, hessian_size=10_000, products=100, **on),
        ]  # fmt: skip
    full = preset == "full"
    found = [
        *attention(full), *ranks(full), *grda_and_sgd(full), *group_lasso(full), *paths(full),
        *logits(),
    ]  # fmt: skip
    return found + (table(options, FULL, (0.95, 0.9), blocks=(4,)) if full else [])


def attention(full: bool) -> list[Case]:
    cases = _attention(ATTENTION, [8, 16], [0.9, 0.95, 0.98] if full else [0.95])
    if full:
        cases += _attention(ATTENTION_BN, [2, 4, 8], [0.9, 0.95])
        cases += _attention(ATTENTION | MNIST_PART, [4, 10], [0.9, 0.95, 0.98])
        cases += _attention(CLICKS, [5, 10], [0.9, 0.95], orders.CLICKS)
    return cases


def _attention(
    on: Mapping[str, Any],
    blocks: list[int],
    sparsities: list[float],
    order: orders.Order = orders.ATTENTION,
) -> list[Case]:
    return grid(claims=[order.claim], over=dict(method=[order.first, order.second]),
                replicates=SEEDS, block=blocks, sparsity=sparsities, **on)  # fmt: skip


def ranks(full: bool) -> list[Case]:
    on = [RANK]
    if full:
        on += [RANK_BN, RANK | MNIST_PART | dict(every=40)]
    return [
        case
        for order in orders.RANK
        for setting in on
        for case in grid(
            claims=[order.claim], over=dict(method=[order.first, order.second]), replicates=SEEDS,
            sparsity=[0.95, 0.98, 0.99] if full else [0.95], **setting,
        )
    ]  # fmt: skip


def grda_and_sgd(full: bool) -> list[Case]:
    settings = [(0.01, 0.75)]
    if full:
        settings += [(0.003, 0.75), (0.01, 0.51), (0.02, 0.51), (0.01, 0.9)]
    return [
        case
        for c, mu in settings
        for case in grid(claims=directional.CLAIMS, replicates=SEEDS, strength=c, exponent=mu,
                         curve_epochs=CURVE_EPOCHS, **DIRECTIONAL)
    ]  # fmt: skip


def group_lasso(full: bool) -> list[Case]:
    betas = [0.01, 0.0025] if full else [0.01]
    cases = grid(claims=channels.SPLIT, replicates=SEEDS, beta=betas,
                 strength=[0.3, 1.0, 3.0] if full else [1.0], **CHANNELS)  # fmt: skip
    cases += grid(claims=[channels.UNPENALISED], replicates=SEEDS if full else 1, beta=betas,
                  strength=0.0, **CHANNELS)  # fmt: skip
    if full:
        cases += grid(claims=channels.WITHOUT_NORMS, replicates=SEEDS, beta=betas,
                      strength=[0.3, 1.0, 3.0], **PLAIN_CHANNELS)  # fmt: skip
    return cases


def paths(full: bool) -> list[Case]:
    """MNIST at the compressions that leave about as many weights as digits at 100."""
    digits = dict(data="digits", net="mlp-64-300-100-10")
    cases = _random(digits, PATHS_ON_DIGITS) + _scores(digits | dict(epochs=5), [30.0, 100.0])
    if full:
        cases += _random(MNIST, PATHS_ON_MNIST) + _scores(MNIST | dict(epochs=2), [500.0, 1000.0])
    return cases


def _random(on: Mapping[str, Any], compressions: Mapping[str, list[float]]) -> list[Case]:
    return [
        case
        for method, several in compressions.items()
        for case in grid(claims=[effective.RANDOM], method=method, compression=several,
                         replicates=effective.DRAWS, epochs=0, **on)
    ]  # fmt: skip


def _scores(on: Mapping[str, Any], compressions: list[float]) -> list[Case]:
    cases = grid(claims=[effective.SYNFLOW], method="SynFlow", compression=compressions,
                 replicates=SEEDS, **on)  # fmt: skip
    for method, claim in effective.LARGER_GAPS.items():
        cases += grid(claims=[claim], over=dict(method=[method, "SynFlow"]),
                      compression=compressions, replicates=SEEDS, **on)  # fmt: skip
    return cases


def logits() -> list[Case]:
    return grid(claims=blind_logits.CLAIMS, data="digits", net="resnet8w4", block=[2, 4],
                follows="BatchNorm", replicates=5)  # fmt: skip


FULL = dict(train_size=5000, test_size=2000, epochs=20, batch_size=128, lr=0.1, momentum=0.9,
            weight_decay=5e-4, schedule="one_cycle", warmup=0.1, label_smoothing=0.1,
            every=50, evaluate_every=5)  # fmt: skip
CUDA = dict(train_size=0, test_size=0, epochs=40, batch_size=512, lr=0.4, momentum=0.9,
            weight_decay=5e-4, schedule="one_cycle", warmup=0.06, label_smoothing=0.1, every=100,
            engine="graph")  # fmt: skip
"""Sizes of 0 take all; they are named for `--smoke`, which changes what a case has."""
GRDA_GRID = [grda(c, mu) for c in (5e-4, 1e-3) for mu in (0.51, 0.6, 0.7)]


def table(
    options: Options, recipe: Mapping[str, Any], sparsities: tuple[float, ...],
    blocks: tuple[int, ...],
) -> list[Case]:  # fmt: skip
    """Every order of methods at every sparsity, gRDA over its grid beside dense training.

    The orders of ranks share their cells with those of accuracies.
    """
    common = {**recipe, "data": options.data, "net": options.net}
    if options.epochs:
        common["epochs"] = options.epochs
    common["replicates"] = options.seeds
    cases = [
        case
        for order in (*orders.TABLE, *orders.RANK)
        for case in grid(
            claims=[order.claim], over=dict(method=[order.first, order.second]),
            sparsity=list(sparsities), block=list(blocks) if "ACDC" in order else 1, **common,
        )
    ]  # fmt: skip
    for method in GRDA_GRID:
        cases += grid(
            claims=[orders.GRDA_AND_DENSE.claim],
            over=dict(method=[method, "dense"]),
            sparsity=0.0,
            **common,
        )
    return cases + grid(claims=[orders.GRDA], method=GRDA_GRID, sparsity=0.0, **common)


def controls(preset: str, options: Options) -> list[Control]:
    if preset == "cuda":
        return []
    return [
        drops("BatchNorm follows", claims=blind_logits.CLAIMS, data="digits", net="resnet8w4",
              block=[2, 4], follows="nothing", replicates=2),
        instead("as many random channels", claims=[channels.REMOVAL], measure="loss_random"),
        instead("raw filter norms", claims=[channels.REMOVAL], norm="filter", strength=3.0,
                beta=0.01, replicates=1, **CHANNELS),
        instead("the straight line to an independent SGD run",
                claims=[directional.STRAIGHT_LINE, directional.CURVE], measure="barrier_independent",
                strength=0.01, exponent=0.75, independent=True, replicates=1, **DIRECTIONAL),
    ]  # fmt: skip


SPARSITY_FIRST = {0.0: 0, 0.95: 1, 0.98: 2, 0.9: 3, 0.99: 4}


def order(params: Mapping[str, Any], replicate: int) -> tuple[Any, ...]:
    """Seed by seed: the table's dense runs and gRDA first, then the sparsities that say most, then
    what has no target sparsity."""
    return replicate, SPARSITY_FIRST.get(params.get("sparsity", 1.0), len(SPARSITY_FIRST))


STUDY = Study(
    "scale_up",
    title="Networks pruned by the validated algorithms",
    claims=CLAIMS,
    cases=cases,
    controls=controls,
    figures=FIGURES,
    options=Options,
    presets=("quick", "full", "cuda"),
    order=order,
    smoke=dict(epochs=1, train_size=256, test_size=200, batch_size=64, every=1, dense_epochs=1,
               penalised_epochs=1, tuning_epochs=1, curve_epochs=1, hessian_size=16, products=20),
)  # fmt: skip

if __name__ == "__main__":
    STUDY.main()
