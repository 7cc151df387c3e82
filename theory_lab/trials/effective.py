"""Direct against effective compression: which pruners leave weights that lie on no path.

Networks at their start, or trained densely before they are pruned. Source: arXiv:2107.02306.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from theory_lab.core import Claim, Experiment, Source
from theory_lab.core.checks import at_least, one_of
from theory_lab.core.reduce import mean, paired_contrast
from theory_lab.core.types import ENOUGH_SEEDS
from theory_lab.theorems.connectivity.bounds import quotas, random_pruning
from theory_lab.trials import levels
from theory_lab.trials.methods import ONE_SHOT, prune_now
from theory_lab.trials.problems import data_of, draw, fresh_model
from theory_lab.trials.recipes import dense_model

PAPER = "arXiv:2107.02306"
LENET = (784, 300, 100, 10)
QUOTA = {"random uniform": "uniform", "random ERK": "ERK", "random IGQ": "IGQ"}


def run(
    at: dict[str, Any],
    *,
    method: Annotated[str, one_of(ONE_SHOT)],
    compression: Annotated[float, at_least(1)],
    epochs: Annotated[int, at_least(0)] = 0,
    batch_size: Annotated[int, at_least(1)] = 100,
    lr: float = 0.1,
    rng: Any,
) -> dict[str, Any]:
    """Prune once, by `method`, to `compression` = all / kept; after `epochs` of dense training.

    `direct`: the compression as realised, `active`: the number of weights on a path, `gap`: log of
    effective over direct compression (not finite where no path is left).
    """
    from theory_lab.networks.measures import effective_compression, sparsity

    data = data_of(at, rng.device)
    numbers = dict(epochs=epochs, batch_size=batch_size, lr=lr)
    model = dense_model(at, rng.device, **numbers) if epochs else fresh_model(at, rng.device)
    prune_now(model, method, 1 - 1 / compression, data, at["seed"])
    direct, effective = 1 / (1 - sparsity(model)), effective_compression(model, data.example())
    size = sum(weight.numel() for weight in _weights(model))
    return dict(
        direct=direct,
        active=size / effective,
        gap=math.log(effective / direct),
        log_effective=math.log10(effective),
    )


def _weights(model: Any) -> list[Any]:
    from theory_lab.networks.prunable import prunable_weights

    return [weight.parameter for weight in prunable_weights(model)]


EFFECTIVE = Experiment("trials.effective", draw, run)


def expected_active(f: Any) -> float:
    """E|eff| for a perceptron pruned at random by a quota, exact counts."""
    widths = LENET if f["net"] == "lenet_300_100" else tuple(map(int, f["net"].split("-")[1:]))
    counts = quotas.counts(QUOTA[f["method"]], widths, f["compression"])
    return random_pruning.expected_effective(widths, counts, "exact counts")


RANDOM = Claim(
    "trials.effective.random",
    Source(PAPER, "random pruning by layer quotas"),
    "A perceptron pruned at random by a quota keeps on average the number of active weights that the"
    " exact chains predict.",
    experiment=EFFECTIVE,
    measure=mean("active", level=levels.LEVEL),
    predict=expected_active,
    tolerance=0.1,
    basis="empirical",
    formula="mean |eff(M)| = E|eff(M)|",
)

SYNFLOW = Claim(
    "trials.effective.synflow",
    Source(PAPER, "SynFlow"),
    "After SynFlow in 100 rounds the effective compression is at most 5 % above the direct one, on"
    " average.",
    relation="<=",
    experiment=EFFECTIVE,
    measure=mean("gap", level=levels.LEVEL),
    predict=lambda f: math.log(1.05),
    basis="empirical",
    formula="log(effective / direct) ≤ log 1.05",
)


def _larger_gap(method: str) -> Claim:
    name = method.lower().replace(" ", "_")
    return Claim(
        f"trials.effective.{name}",
        Source(PAPER, "direct against effective sparsity"),
        f"Pruned by {method}, a network loses more to weights on no path than pruned by SynFlow to"
        " the same direct compression.",
        relation=">=",
        experiment=EFFECTIVE,
        measure=paired_contrast("gap", "method", method, "SynFlow", level=levels.LEVEL),
        predict=lambda f: 0.0,
        scale=1.0,
        conditions=[ENOUGH_SEEDS],
        basis="empirical",
        formula="log(effective / direct) of the method minus of SynFlow ≥ 0",
    )


LARGER_GAPS = [_larger_gap(method) for method in ("magnitude", "LAMP", "SNIP")]
CLAIMS = [RANDOM, SYNFLOW, *LARGER_GAPS]
