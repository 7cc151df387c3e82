"""The methods that trials compare, by the names that tables use, each with its usual settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from theory_lab.core import UsageError

if TYPE_CHECKING:
    from torch import nn, optim

    from theory_lab.networks.datasets import Dataset
    from theory_lab.networks.pruners import Pruner

FINE_TUNING = 0.15
"""The last share of a training, which a method that prunes once leaves for fine-tuning."""


class Setting(NamedTuple):
    """What a cell says of its method: block side, strength (c of gRDA, lambda of a penalty or a
    rank loss), exponent mu of gRDA, iterations between two updates of the masks."""

    sparsity: float
    block: int
    strength: float
    exponent: float
    every: int
    seed: int


def _gradual(p: Any, s: Setting, **rest: Any) -> dict[str, Any]:
    return dict(cls=p.GradualMagnitude, every=s.every, **rest)


def _rpg(p: Any, s: Setting, mode: str) -> dict[str, Any]:
    return dict(cls=p.RPG, mode=mode, strength=s.strength, every=s.every, seed=s.seed, linear=None)


Named = Callable[[Any, Setting], dict[str, Any]]

_PRUNERS: dict[str, Named] = {
    "gradual magnitude": lambda p, s: _gradual(p, s),
    "gradual uniform": lambda p, s: _gradual(p, s, allocation="uniform"),
    "gradual ERK": lambda p, s: _gradual(p, s, allocation="ERK"),
    "RPG growth only": lambda p, s: _rpg(p, s, "growth_only"),
    "RPG every step": lambda p, s: _rpg(p, s, "every_step"),
    "SequentialAttention++": lambda p, s: dict(cls=p.SequentialAttention, block=s.block),
    "ACDC": lambda p, s: dict(cls=p.ACDC, block=s.block),
    "powerpropagation": lambda p, s: dict(
        cls=p.PowerPropagation, block=s.block, begin=1 - FINE_TUNING
    ),
    "magnitude": lambda p, s: dict(cls=p.Magnitude, at=None),
    "LAMP": lambda p, s: dict(cls=p.LAMP, at=None),
    "SNIP": lambda p, s: dict(cls=p.SNIP, batches=None),
    "SynFlow": lambda p, s: dict(cls=p.SynFlow, batches=None),
    "random uniform": lambda p, s: dict(cls=p.Random, seed=s.seed, allocation="uniform"),
    "random ERK": lambda p, s: dict(cls=p.Random, seed=s.seed, allocation="ERK"),
    "random IGQ": lambda p, s: dict(cls=p.Random, seed=s.seed, allocation="IGQ"),
}

ONE_SHOT = (
    "magnitude", "LAMP", "SNIP", "SynFlow", "random uniform", "random ERK", "random IGQ",
)  # fmt: skip
WITHOUT_TARGET = ("dense", "gRDA")
"""Methods that are given no sparsity: the one has none, the other reaches what c and mu give."""
METHODS = (*WITHOUT_TARGET, *_PRUNERS)


def pruner_of(method: str, setting: Setting) -> Callable[..., Pruner] | None:
    """What `train.fit` takes as `pruner`; None for a method that needs none."""
    if method in WITHOUT_TARGET:
        return None

    def make(model: nn.Module, optimizer: optim.Optimizer, steps: int, batches: Any) -> Pruner:
        from theory_lab.networks import pruners

        options = _PRUNERS[method](pruners, setting)
        cls = options.pop("cls")
        if "batches" in options:
            options["batches"] = batches
        if "at" in options:
            options["at"] = round((1 - FINE_TUNING) * steps)
        if "linear" in options:
            options["linear"] = _is_linear(model)
        return cls(model, optimizer, sparsity=setting.sparsity, steps=steps, **options)

    return make


def optimizer_of(method: str, setting: Setting, lr: float) -> Callable[[nn.Module], Any] | None:
    """What `train.fit` takes as `optimizer`; None for the recipe's own."""
    if method != "gRDA":
        return None

    def make(model: nn.Module) -> optim.Optimizer:
        from theory_lab.networks.optim import GRDA

        return GRDA(model.parameters(), lr=lr, c=setting.strength, mu=setting.exponent)

    return make


def prune_now(model: nn.Module, method: str, sparsity: float, data: Dataset, seed: int) -> None:
    """Prune the model at once, in place, by a method of `ONE_SHOT`."""
    import torch

    from theory_lab.networks import pruners
    from theory_lab.networks.loader import Loader

    options = _PRUNERS[method](pruners, Setting(sparsity, 1, 0.0, 0.0, 1, seed))
    cls = options.pop("cls")
    options |= {"at": 0} if "at" in options else {}
    options |= {"batches": Loader(data, 128, seed=seed, augment=False)} if "batches" in options else {}
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    cls(model, optimizer, sparsity=sparsity, steps=1, **options).finish()


def _is_linear(model: nn.Module) -> bool:
    """Whether there is no convolution: then the rank loss is that of the linear layers."""
    from theory_lab.networks.prunable import prunable_weights

    return not any(weight.is_convolution for weight in prunable_weights(model))


def check(values: Any) -> None:
    """A method has the settings that it needs; UsageError otherwise."""
    method, sparsity = values["method"], values["sparsity"]
    if method in WITHOUT_TARGET and sparsity != 0:
        raise UsageError(f"{method} has no target sparsity; leave sparsity at 0.")
    if method not in WITHOUT_TARGET and not 0 < sparsity < 1:
        raise UsageError(
            f"{method} prunes to a sparsity between 0 and 1, but it was given {sparsity}."
        )
    if method == "gRDA" and not (values["strength"] > 0 and values["exponent"] > 0):
        raise UsageError("gRDA needs a strength c and an exponent mu greater than 0.")
