"""The one protocol of all pruners, and the hard masks that most of them hold.

In every iteration of training:

    loss = task_loss + pruner.loss_term()
    loss.backward()
    if pruner.after_backward():
        optimizer.step()
    pruner.after_step()
    scheduler.step()

and once at the end `pruner.finish()`. Order of construction: model, device, optimiser, pruner,
scheduler, DistributedDataParallel; a checkpoint is loaded after the pruner is made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from theory_lab.core import UsageError
from theory_lab.networks import distributed
from theory_lab.networks.prunable import Prunable, check_sparsity, is_count, prunable_weights
from theory_lab.networks.selection import kept_count

Batches = Iterable[tuple[Tensor, Tensor]]
"""(inputs, labels), iterated anew each time it is asked for: what `batches=` takes."""


class Pruner:
    """Prunes the convolution and linear weights of `model` while `optimizer` trains it.

    `sparsity`: the share of the prunable weights (without those in `skip`) that is zero at the end;
    None for methods that have no target. `steps`: the number of iterations of the whole training.
    Masks are boolean buffers of the pruner, true where a weight is kept. A subclass changes them
    through `set_masks` alone, which zeroes what it prunes: the weights, their gradients, and what
    the optimiser remembers of them. Of several processes all make the pruner, and go on with the
    weights of rank 0.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        sparsity: float | None,
        steps: int,
        skip: Collection[str] = (),
    ) -> None:
        _check_kinds(model, optimizer)
        if not is_count(steps):
            raise UsageError(
                f"steps is {steps!r}, but a training has a whole number of at least 1."
            )
        self.model, self.optimizer, self.steps = model, optimizer, steps
        self.target = None if sparsity is None else check_sparsity(sparsity)
        self.weights: list[Prunable] = prunable_weights(model, skip)
        _check_untied(model, self.weights)
        _check_optimizer(optimizer, self.weights)
        distributed.share_model(model)
        self.step = 0
        self._masks = {
            weight.name: torch.ones_like(weight.parameter, dtype=torch.bool)
            for weight in self.weights
        }
        self._note_masks()

    # --- what a training loop calls -----------------------------------------------------------

    def loss_term(self) -> Tensor | float:
        """What is added to the task loss of the coming gradient."""
        return 0.0

    def after_backward(self) -> bool:
        """Mask the gradients; False where the optimiser must skip this step."""
        self._mask_gradients()
        return True

    def after_step(self) -> None:
        """Count the iteration, update the masks where it is due, re-apply them."""
        self.step += 1
        self.update()
        self.apply_masks()

    def update(self) -> None:
        """What a method does after iteration number `self.step` (from 1 on); nothing by default."""

    def reached(self) -> bool:
        """Whether the masks are as sparse as the target; true for a method without one."""
        if self.target is None:
            return True
        kept = sum(int(mask.sum()) for mask in self.masks().values())
        return kept <= kept_count(self.size, self.target)

    @torch.no_grad()
    def finish(self) -> None:
        """Leave a plain model: exact zeros, no parametrisation, no hook of ours."""
        self.apply_masks()

    # --- masks --------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """The number of prunable weights."""
        return sum(mask.numel() for mask in self._masks.values())

    def masks(self) -> dict[str, Tensor]:
        """The mask of every prunable weight by its name in the plain model."""
        return dict(self._masks)

    def digest(self) -> str:
        """A SHA-256 of the masks, equal in all processes of a run."""
        return distributed.digest(self.masks())

    @torch.no_grad()
    def set_masks(self, masks: Iterable[Tensor]) -> None:
        """New masks in the order of `weights`: those of rank 0 where several processes train."""
        for weight, mask in zip(self.weights, masks, strict=True):
            self._masks[weight.name].copy_(mask)
        distributed.share(self._masks)
        self._note_masks()
        self.apply_masks()
        self._mask_gradients()
        self._mask_optimizer_state()

    @torch.no_grad()
    def apply_masks(self) -> None:
        """Zero what is pruned. Filling, not multiplying: -1 * 0 is -0.0 and inf * 0 is NaN."""
        for weight, pruned in self._pruned:
            weight.parameter.masked_fill_(pruned, 0.0)

    @torch.no_grad()
    def _mask_gradients(self) -> None:
        for weight, pruned in self._pruned:
            if (gradient := weight.parameter.grad) is not None:
                gradient.masked_fill_(pruned, 0.0)

    @torch.no_grad()
    def _mask_optimizer_state(self) -> None:
        """A weight that was pruned has no momentum: every state tensor of its shape is masked."""
        for weight, pruned in self._pruned:
            for value in self.optimizer.state.get(weight.parameter, {}).values():
                if isinstance(value, Tensor) and value.shape == weight.parameter.shape:
                    value.masked_fill_(pruned, 0)

    def _note_masks(self) -> None:
        """Where weights are pruned: inverted once a change, not every step; dense layers left out."""
        self._pruned: list[tuple[Prunable, Tensor]] = [
            (weight, ~mask)
            for weight in self.weights
            if not (mask := self._masks[weight.name]).all()
        ]

    # --- checkpoints --------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed run needs; tensors are copies."""
        masks = {name: mask.clone() for name, mask in self._masks.items()}
        return {"step": self.step, "masks": masks}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict()`; UsageError where it belongs to another model."""
        if state.keys() != self.state_dict().keys():
            raise UsageError(
                "This is the state of another kind of pruner; load it into the kind that it was"
                " saved from."
            )
        masks = state["masks"]
        if {n: m.shape for n, m in masks.items()} != {n: m.shape for n, m in self._masks.items()}:
            raise UsageError(
                "This pruner's state holds masks of other weights; load it into the model and the"
                " pruner that it was saved from."
            )
        self.step = state["step"]
        for name, mask in masks.items():
            self._masks[name].copy_(mask)
        self._note_masks()


def _check_kinds(model: object, optimizer: object) -> None:
    if not isinstance(model, nn.Module) or not isinstance(optimizer, torch.optim.Optimizer):
        raise UsageError(
            "A pruner is made of a model and an optimizer, but these are a"
            f" {type(model).__name__} and a {type(optimizer).__name__}."
        )


def _check_untied(model: nn.Module, weights: list[Prunable]) -> None:
    """Two layers with one parameter would have two masks, and a parametrisation would part them."""
    owners = Counter(id(p) for module in model.modules() for p in module.parameters(recurse=False))
    tied = next((weight.name for weight in weights if owners[id(weight.parameter)] > 1), None)
    if tied is not None:
        raise UsageError(
            f"{tied} is the parameter of another layer, too, and cannot be pruned as its own; call"
            " one layer twice instead, or skip the layers that share it."
        )


def _check_optimizer(optimizer: torch.optim.Optimizer, weights: list[Prunable]) -> None:
    stepped = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if not any(id(weight.parameter) in stepped for weight in weights):
        raise UsageError(
            "The optimiser steps none of the weights that are pruned; make it of the parameters of"
            " this model, and before the pruner."
        )


def clear_optimizer_state(optimizer: torch.optim.Optimizer) -> None:
    """Zero what an optimiser remembers, in place, as a change of phase asks.

    Momentum and second moments become 0 and step counts 0. An optimiser may say better what a reset
    means for it by a method `reset_state()` (GRDA: accumulator <- weight, its clock runs on).
    """
    if hasattr(optimizer, "reset_state"):
        optimizer.reset_state()
        return
    for state in optimizer.state.values():
        for value in state.values():
            if isinstance(value, Tensor):
                value.zero_()
