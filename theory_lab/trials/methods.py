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


RANK_STRENGTH = {"growth_only": 3.0, "every_step": 0.3}
"""lambda of the rank loss; where it acts at the updates of the mask alone, only its direction counts."""


class Setting(NamedTuple):
    """What a cell says of its method; `every`: iterations between two updates of the masks."""

    sparsity: float
    block: int
    every: int
    seed: int


def _gradual(p: Any, s: Setting, **rest: Any) -> dict[str, Any]:
    return dict(cls=p.GradualMagnitude, every=s.every, **rest)


def _rpg(p: Any, s: Setting, mode: str) -> dict[str, Any]:
    return dict(
        cls=p.RPG, mode=mode, strength=RANK_STRENGTH[mode], every=s.every, seed=s.seed, linear=None
    )


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
_GRDA = re.compile(r"gRDA\(c=([0-9.e-]+), mu=([0-9.e-]+)\)")


def grda(c: float, mu: float) -> str:
    """The name of gRDA with these settings; its sparsity is what they give."""
    return f"gRDA(c={c:g}, mu={mu:g})"


def known(name: str, method: str) -> None:
    """A validator of parameters: refuses what is no method."""
    if not (method == "dense" or method in _PRUNERS or _GRDA.fullmatch(method)):
        raise BadParameter(
            f"{name} is {method!r}, but it must be one of dense, {', '.join(_PRUNERS)}, or"
            f" {grda(5e-4, 0.55)} with numbers of your own."
        )


def pruner_of(method: str, setting: Setting) -> Callable[..., Pruner] | None:
    """What `train.fit` takes as `pruner`; None for a method that needs none."""
    if method not in _PRUNERS:
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


def prune_now(model: nn.Module, method: str, sparsity: float, data: Dataset, seed: int) -> None:
    """Prune the model at once, in place, by a method of `ONE_SHOT`."""
    import torch

    from theory_lab.networks import pruners
    from theory_lab.networks.loader import Loader

    options = _PRUNERS[method](pruners, Setting(sparsity, 1, 1, seed))
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
    """A method has the sparsity that it needs; UsageError otherwise."""
    method, sparsity = values["method"], values["sparsity"]
    if method not in _PRUNERS and sparsity != 0:
        raise UsageError(f"{method} has no target sparsity; leave sparsity at 0.")
    if method in _PRUNERS and not 0 < sparsity < 1:
        raise UsageError(
            f"{method} prunes to a sparsity between 0 and 1, but it was given {sparsity}."
        )
