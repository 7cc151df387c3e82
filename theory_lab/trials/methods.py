"""The methods that trials compare, by the names that tables use, each with its usual settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from theory_lab.core import BadParameter, UsageError

if TYPE_CHECKING:
    from torch import nn, optim

    from theory_lab.networks.datasets import Dataset
    from theory_lab.networks.pruners import Pruner

FINE_TUNING = 0.15
"""The last share of a training, which a method that prunes once leaves for fine-tuning."""


GROWTH_STRENGTH, STEP_STRENGTH = 3.0, 0.3
"""lambda of the rank loss at the updates of the mask alone (the authors' at 95 %), and in every step."""
ENERGY = 0.2
"""The share of the energy that the rank loss leaves out: the authors' at 80, 95 and 98 %."""


class Setting(NamedTuple):
    """What a cell says of its method; `every`: iterations between two updates of the masks."""

    sparsity: float
    block: int
    every: int
    seed: int


ONE_SHOT = (
    "magnitude", "LAMP", "SNIP", "SynFlow", "random uniform", "random ERK", "random IGQ",
)  # fmt: skip
"""Methods that prune once: the first two after training, the others at its start."""

PRUNERS = (
    "gradual magnitude", "gradual exponential", "gradual uniform", "gradual ERK", "RPG growth only", "RPG every step",
    "SequentialAttention++", "ACDC", "powerpropagation", *ONE_SHOT,
)  # fmt: skip
"""Methods that prune to a given sparsity."""

_GRDA = re.compile(r"gRDA\(c=([0-9.e-]+), mu=([0-9.e-]+)\)")


def grda(c: float, mu: float) -> str:
    """The name of gRDA with these settings; its sparsity is what they give."""
    return f"gRDA(c={c:g}, mu={mu:g})"


def known(name: str, method: str) -> None:
    """A validator of parameters: refuses what is no method."""
    if not (method == "dense" or method in PRUNERS or _GRDA.fullmatch(method)):
        raise BadParameter(
            f"{name} is {method!r}, but it must be one of dense, {', '.join(PRUNERS)}, or"
            f" {grda(5e-4, 0.55)} with numbers of your own."
        )


def pruner_of(method: str, setting: Setting) -> Callable[..., Pruner] | None:
    """What `train.fit` takes as `pruner`; None for a method that needs none."""
    if method not in PRUNERS:
        return None

    def make(model: nn.Module, optimizer: optim.Optimizer, steps: int, batches: Any) -> Pruner:
        late = round((1 - FINE_TUNING) * steps)
        cls, options = _pruner(method, setting, model, batches, late)
        return cls(model, optimizer, sparsity=setting.sparsity, steps=steps, **options)

    return make


def _pruner(
    method: str, s: Setting, model: nn.Module, batches: Any, late: int
) -> tuple[type[Pruner], dict[str, Any]]:
    """The class of a method and its options; `late`: when the first of `ONE_SHOT` prune."""
    from theory_lab.networks import pruners

    gradual, rank = (
        dict(every=s.every),
        dict(every=s.every, seed=s.seed, linear=_is_linear(model), energy=ENERGY),
    )
    blocks, chance = _blocks(model, s), dict[str, Any](seed=s.seed)
    known: dict[str, tuple[Any, dict[str, Any]]] = {
        "gradual magnitude": (pruners.GradualMagnitude, gradual),
        "gradual exponential": (pruners.GradualMagnitude, gradual | dict(schedule="exponential")),
        "gradual uniform": (pruners.GradualMagnitude, gradual | dict(allocation="uniform")),
        "gradual ERK": (pruners.GradualMagnitude, gradual | dict(allocation="ERK")),
        "RPG growth only": (pruners.RPG, rank | dict(mode="growth_only", strength=GROWTH_STRENGTH)),
        "RPG every step": (pruners.RPG, rank | dict(mode="every_step", strength=STEP_STRENGTH)),
        "SequentialAttention++": (pruners.SequentialAttention, blocks),
        "ACDC": (pruners.ACDC, blocks | dict(zeroing="schedule" not in blocks)),
        "powerpropagation": (
            pruners.PowerPropagation, dict(block=s.block, begin=1 - FINE_TUNING),
        ),
        "magnitude": (pruners.Magnitude, dict(at=late)),
        "LAMP": (pruners.LAMP, dict(at=late)),
        "SNIP": (pruners.SNIP, dict(batches=batches)),
        "SynFlow": (pruners.SynFlow, dict(batches=batches)),
        "random uniform": (pruners.Random, chance | dict(allocation="uniform")),
        "random ERK": (pruners.Random, chance | dict(allocation="ERK")),
        "random IGQ": (pruners.Random, chance | dict(allocation="IGQ")),
    }  # fmt: skip
    return known[method]


def optimizer_of(method: str, lr: float) -> Callable[[nn.Module], Any] | None:
    """What `train.fit` takes as `optimizer`; None for the recipe's own."""
    found = _GRDA.fullmatch(method)
    if not found:
        return None
    c, mu = map(float, found.groups())

    def make(model: nn.Module) -> optim.Optimizer:
        from theory_lab.networks.optim import GRDA

        return GRDA(model.parameters(), lr=lr, c=c, mu=mu)

    return make


def _blocks(model: nn.Module, s: Setting) -> dict[str, Any]:
    """How SequentialAttention++ and ACDC prune blocks: as on images, or, in a network of click
    prediction, its first dense layer alone, on that schedule and (ACDC) by masks."""
    from torch import nn

    from theory_lab.networks.prunable import prunable_weights

    if not any(isinstance(module, nn.Embedding) for module in model.modules()):
        return dict(block=s.block)
    others = [weight.name for weight in prunable_weights(model)[1:]]
    return dict(block=s.block, schedule="criteo", skip=others)


def prune_now(model: nn.Module, method: str, sparsity: float, data: Dataset, seed: int) -> None:
    """Prune the model at once, in place, by a method of `ONE_SHOT`."""
    import torch

    from theory_lab.networks.loader import Loader

    batches = Loader(data, 128, seed=seed, augment=False)
    cls, options = _pruner(method, Setting(sparsity, 1, 1, seed), model, batches, late=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    cls(model, optimizer, sparsity=sparsity, steps=1, **options).finish()


def _is_linear(model: nn.Module) -> bool:
    """Whether there is no convolution: then the rank loss is that of the linear layers."""
    from theory_lab.networks.prunable import prunable_weights

    return not any(weight.is_convolution for weight in prunable_weights(model))


def check(values: Any) -> None:
    """A method has the sparsity that it needs; UsageError otherwise."""
    method, sparsity = values["method"], values["sparsity"]
    if method not in PRUNERS and sparsity != 0:
        raise UsageError(f"{method} has no target sparsity; leave sparsity at 0.")
    if method in PRUNERS and not 0 < sparsity < 1:
        raise UsageError(
            f"{method} prunes to a sparsity between 0 and 1, but it was given {sparsity}."
        )
