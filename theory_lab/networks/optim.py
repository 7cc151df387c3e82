"""gRDA as an optimiser, and the groups of parameters that optimisers treat apart.

Its specification is `solvers.averaging`, which float64 steps follow to rounding.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import ParamsT

from theory_lab.core import UsageError

CHUNK = 2**20
"""Entries that are stepped and thresholded before the next ones, so that they are still in cache.

Of 2^15 to 2^22 the fastest where the last cache holds 32 MB; smaller ones cost more calls than they
save memory traffic."""


def parameter_groups(model: nn.Module, **of_norms_and_biases: Any) -> list[dict[str, Any]]:
    """Two groups of a model's parameters: weights, then BatchNorm and biases with these options.

    `GRDA(parameter_groups(model, c=0.0), …)` thresholds weights alone, and
    `SGD(parameter_groups(model, weight_decay=0.0), …)` decays them alone. BatchNorm's parameters
    and biases are those with one axis; a group that would be empty is left out.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    weights = [p for p in parameters if p.ndim > 1]
    others = [p for p in parameters if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": weights}, {"params": others, **of_norms_and_biases}]
    return [group for group in groups if group["params"]]


class GRDA(torch.optim.Optimizer):
    """Generalised regularised dual averaging: SGD on v, soft thresholding from v to the weights.

    v <- v - lr grad f(w),   w = sign(v) max(|v| - g, 0),   v = w at the start, and in step n
    g <- g + c lr^(mu + 1/2) (k^mu - (k - 1)^mu),  k = n - t0  (g = 0 while k <= 0)

    With a constant lr, g = c sqrt(lr) (k lr)^mu; a scheduled lr changes only the increments to
    come. c: strength, 0 for plain SGD; mu: exponent, .501 to .6 in practice; t0: so many first
    steps (a time t0 lr) are plain SGD. Groups may have their own lr, c, mu and t0; all parameters
    of a group that have a gradient are thresholded, BatchNorm and biases too (`parameter_groups`
    parts them). No momentum, no weight decay. One tensor of memory a parameter ("accumulator", v);
    a group's clock "steps" and threshold "threshold" are in its dict and go with `state_dict()`.

    `capturable`: the group's lr, clock and threshold are 0-dim tensors on its device, so that a CUDA
    graph replays a step that goes on counting and reads the lr that is there. `compiled`: the step
    through torch.compile, which takes half a minute for a large network, pays off in long runs, and
    falls back with a warning where there is no compiler; it keeps 0-dim tensors too.

    UsageError for an lr that is not positive, negative c, mu or t0, complex parameters and sparse
    gradients. Source: arXiv:2006.09358; the increments are those of its authors' code.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.01,
        *,
        c: float = 0.0,
        mu: float = 0.7,
        t0: int = 0,
        capturable: bool = False,
        compiled: bool = False,
    ) -> None:
        options = {"capturable": capturable, "compiled": compiled}
        super().__init__(params, {"lr": lr, "c": c, "mu": mu, "t0": t0, **options})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """A further group; its clock starts at 0."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        try:
            _check(group)
        except UsageError:
            self.param_groups.pop()
            raise
        group.update(steps=0, threshold=0.0)  # a copy of another group's options has its clock
        _place_scalars(group)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a `state_dict()`; before a capture, which holds the scalars that are there."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            _place_scalars(group)

    def reset_state(self) -> None:
        """Forget the past gradients: v <- w. Clock and threshold go on."""
        with torch.no_grad():
            for parameter, state in self.state.items():
                state["accumulator"].copy_(parameter)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; returns what the closure returned, if there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            gradients = [p.grad for p in parameters]
            _check_dense(gradients)
            if _is_on_tensors(group):
                self._step_on_tensors(group, parameters, gradients)
            else:
                self._step(group, parameters, gradients)
        return loss

    def _step(
        self, group: dict[str, Any], parameters: list[Tensor], gradients: list[Tensor]
    ) -> None:
        lr = group["lr"]
        if not 0 <= lr < math.inf:
            raise UsageError(f"lr is {lr!r}, but it must be a finite number of at least 0.")
        group["steps"] += 1
        k, mu = group["steps"] - group["t0"], group["mu"]
        if k > 0:
            group["threshold"] += group["c"] * lr ** (mu + 0.5) * (k**mu - _power(k - 1, mu))
        threshold = group["threshold"]
        if threshold == 0:  # v = w: plain SGD, and no accumulator is needed yet
            for p, g in zip(parameters, gradients, strict=True):
                p.add_(g, alpha=-lr)
            return
        accumulators = self._accumulators(parameters)
        if parameters and not parameters[0].is_cpu:
            _shrink_lists(parameters, gradients, accumulators, lr, threshold)
            return
        softshrink: Any = torch._C._nn.softshrink
        for p, g, v in _chunks(parameters, gradients, accumulators):
            v.add_(g, alpha=-lr)
            softshrink(v, threshold, out=p)

    def _step_on_tensors(
        self, group: dict[str, Any], parameters: list[Tensor], gradients: list[Tensor]
    ) -> None:
        lr, mu, threshold = group["lr"], group["mu"], group["threshold"]
        k = group["steps"].add_(1) - group["t0"]
        threshold += group["c"] * lr ** (mu + 0.5) * (_power_of(k, mu) - _power_of(k - 1, mu))
        shrink_all = _compiled() if group["compiled"] else _shrink_all
        for dtype in {p.dtype for p in parameters}:
            chosen = [i for i, p in enumerate(parameters) if p.dtype == dtype]
            here = [parameters[i] for i in chosen]
            shrink_all(
                here, [gradients[i] for i in chosen], self._accumulators(here),
                lr.to(dtype), threshold.to(dtype),
            )  # fmt: skip

    def _accumulators(self, parameters: list[Tensor]) -> list[Tensor]:
        found = []
        for p in parameters:
            state = self.state[p]  # looked up once: it hashes a tensor
            if not state:
                state["accumulator"] = p.clone(memory_format=torch.preserve_format)
            found.append(state["accumulator"])
        return found


SCALARS = ("lr", "steps", "threshold")


def _check(group: dict[str, Any]) -> None:
    """UsageError for a group with options outside their ranges."""
    if isinstance(group["lr"], Tensor) and not _is_on_tensors(group):
        raise UsageError("lr is a tensor; a number is right, or capturable=True.")
    for name, good, wanted in (
        ("lr", 0 < float(group["lr"]) < math.inf, "a finite number greater than 0"),
        ("c", 0 <= group["c"] < math.inf, "a finite number of at least 0"),
        ("mu", 0 <= group["mu"] < math.inf, "a finite number of at least 0"),
        ("t0", 0 <= group["t0"] < math.inf, "a number of steps, at least 0"),
    ):
        if not good:
            raise UsageError(f"{name} is {group[name]!r}, but it must be {wanted}.")
    if any(p.is_complex() for p in group["params"]):
        raise UsageError("GRDA takes real parameters; train real and imaginary parts as two.")


def _is_on_tensors(group: dict[str, Any]) -> bool:
    return group["capturable"] or group["compiled"]


def _place_scalars(group: dict[str, Any]) -> None:
    """lr, clock and threshold as 0-dim float64 tensors on the group's device, where asked for."""
    if _is_on_tensors(group):
        device = group["params"][0].device
        for name in SCALARS:
            group[name] = torch.tensor(float(group[name]), dtype=torch.float64, device=device)


def _check_dense(gradients: list[Tensor]) -> None:
    if any(gradient.is_sparse for gradient in gradients):
        raise UsageError("GRDA takes dense gradients; build the embedding with sparse=False.")


def _power(k: float, mu: float) -> float:
    """k^mu, and 0 for k = 0 even where mu = 0."""
    return k**mu if k > 0 else 0.0


def _power_of(k: Tensor, mu: float) -> Tensor:
    """`_power` of a 0-dim tensor, 0 below 0."""
    return torch.where(k > 0, k.clamp(min=0.0) ** mu, 0.0)


def _chunks(
    parameters: Sequence[Tensor], gradients: Sequence[Tensor], accumulators: Sequence[Tensor]
) -> Iterator[tuple[Tensor, ...]]:
    """The three lists in pieces that fit into the cache, as views into their own storage."""
    for triple in zip(parameters, gradients, accumulators, strict=True):
        if triple[0].numel() <= CHUNK or not triple[0].is_cpu or (flat := _flat(triple)) is None:
            yield triple
        else:
            yield from zip(*(tensor.split(CHUNK) for tensor in flat), strict=True)


def _flat(tensors: tuple[Tensor, ...]) -> list[Tensor] | None:
    """Views of one axis in the common order of memory; None where there is none."""
    if len({tensor.stride() for tensor in tensors}) > 1:
        return None
    if tensors[0].is_contiguous():
        return [tensor.view(-1) for tensor in tensors]
    if tensors[0].is_contiguous(memory_format=torch.channels_last):
        return [tensor.permute(0, 2, 3, 1).view(-1) for tensor in tensors]
    return None


def _shrink_lists(
    parameters: list[Tensor],
    gradients: list[Tensor],
    accumulators: list[Tensor],
    lr: float,
    threshold: float,
) -> None:
    """v <- v - lr grad, w = v - clamp(v, -g, g): a few kernels for all parameters together, where
    starting two for each of them would take longer than the work itself."""
    torch._foreach_add_(accumulators, gradients, alpha=-lr)
    inside = torch._foreach_clamp_min(accumulators, -threshold)
    torch._foreach_clamp_max_(inside, threshold)
    torch._foreach_copy_(parameters, accumulators)
    torch._foreach_sub_(parameters, inside)


def _shrink_all(
    parameters: list[Tensor],
    gradients: list[Tensor],
    accumulators: list[Tensor],
    lr: Tensor,
    threshold: Tensor,
) -> None:
    """v <- v - lr grad, w = v - clamp(v, -g, g) for 0-dim tensors lr and g."""
    for p, g, v in zip(parameters, gradients, accumulators, strict=True):
        v.addcmul_(g, -lr)
        torch.clamp(v, -threshold, threshold, out=p)
        torch.sub(v, p, out=p)


@functools.cache
def _compiled() -> Callable[..., None]:
    """`_shrink_all` through torch.compile, or as it is where that fails."""
    function: Callable[..., None] = torch.compile(_shrink_all, dynamic=False)

    def run(*arguments: Any) -> None:
        nonlocal function
        try:
            function(*arguments)
        except RuntimeError as error:
            if function is _shrink_all:
                raise
            warnings.warn(
                "GRDA runs uncompiled: torch.compile found no compiler that works"
                f" ({type(error).__name__}); install a C++ compiler, or leave out compiled=True.",
                stacklevel=6,
            )
            function = _shrink_all  # a failed compilation has written nothing
            function(*arguments)

    return run
