"""Direct against effective compression: which pruners leave weights that lie on no path.

Networks that were trained densely before they are pruned, or at their start. Source: arXiv:2107.02306.
"""

from __future__ import annotations

import itertools
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

    `direct` and `effective`: the compressions, all / kept and all / on a path; `active`: the number
    of weights on a path; `lost`: the share of the kept weights that are on none.
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
        effective=effective,
        lost=1 - direct / effective,
    )


def _weights(model: Any) -> list[Any]:
    from theory_lab.networks.prunable import prunable_weights

    return [weight.parameter for weight in prunable_weights(model)]


EFFECTIVE = Experiment("trials.effective", draw, run, device_ready=True)


def _widths(f: Any) -> tuple[int, ...]:
    """The widths of a perceptron by the name of its network."""
    return LENET if f["net"] == "lenet_300_100" else tuple(map(int, f["net"].split("-")[1:]))


def expected_active(f: Any) -> float:
    """E|eff| for a perceptron pruned at random by a quota, exact counts."""
    widths = _widths(f)
    counts = quotas.counts(QUOTA[f["method"]], widths, f["compression"])
    return random_pruning.expected_effective(widths, counts, "exact counts")


def expected_at(f: Any, compression: float) -> float:
    """`expected_active` at another compression."""
    return expected_active({**f, "compression": compression})


def kept(f: Any, compression: float) -> float:
    """How many weights of the perceptron are kept."""
    layers = itertools.pairwise(_widths(f))
    return sum(a * b for a, b in layers) / compression


def expected_uniformly(f: Any) -> float:
    """A rival: whatever the quota, what the same share of every layer would keep active."""
    return expected_active({**f, "method": "random uniform"})


def expected_forward(f: Any) -> float:
    """A rival: the kept weights that an input reaches, whether they reach an output or not."""
    counts = quotas.counts(QUOTA[f["method"]], _widths(f), f["compression"])
    return random_pruning.forward_only(_widths(f), counts, "exact counts")


DRAWS = 40
"""Where one draw has a standard deviation of at most 4 %, the interval of their mean is 1.3 % wide
to each side, and 2.7 standard errors lie between it and the tolerance."""

RANDOM = Claim(
    "trials.effective.random",
    Source(PAPER, "random pruning by layer quotas"),
    "A perceptron pruned at random by a quota keeps on average the number of active weights that the"
    " exact chains predict.",
    experiment=EFFECTIVE,
    measure=mean("active", level=levels.LEVEL),
    predict=expected_active,
    tolerance=0.03,
    rivals={
        "all kept weights": lambda f: kept(f, f["compression"]),
        "reached from an input": expected_forward,
        "the uniform quota's": expected_uniformly,
    },
    basis="empirical",
    formula="mean |eff(M)| = E|eff(M)|",
)

SYNFLOW = Claim(
    "trials.effective.synflow",
    Source(PAPER, "SynFlow"),
    "After SynFlow in 100 rounds on average at most 5 % of the kept weights lie on no path.",
    relation="<=",
    experiment=EFFECTIVE,
    measure=mean("lost", level=levels.LEVEL),
    predict=lambda f: 0.05,
    basis="empirical",
    formula="mean of 1 − |eff(M)| / |M| ≤ .05",
)


MORE_LOST = 0.2
"""Effective compression 1.25 times the direct one, where SynFlow's are equal."""


def _larger_gap(method: str) -> Claim:
    name = method.lower().replace(" ", "_")
    return Claim(
        f"trials.effective.{name}",
        Source(PAPER, "direct against effective compression of scores and of SynFlow"),
        f"Pruned by {method} after its training, a network loses to dead ends a share of its kept"
        " weights that is larger by .2 than where SynFlow prunes it to the same direct compression:"
        " its effective compression is at least 1.25 times the direct one.",
        relation=">=",
        experiment=EFFECTIVE,
        measure=paired_contrast("lost", "method", method, "SynFlow", level=levels.LEVEL),
        predict=lambda f: MORE_LOST,
        conditions=[ENOUGH_SEEDS],
        basis="empirical",
        formula="(1 − |eff(M)| / |M|) of the method − of SynFlow ≥ .2",
    )


LARGER_GAPS = {method: _larger_gap(method) for method in ("magnitude", "LAMP", "SNIP")}
CLAIMS = [RANDOM, SYNFLOW, *LARGER_GAPS.values()]
