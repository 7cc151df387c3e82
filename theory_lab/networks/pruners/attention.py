"""SequentialAttention++: block weights by a softmax choose the blocks. Source: arXiv:2402.17902."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor, nn

from theory_lab.core import UsageError
from theory_lab.networks.pruners.blockwise import BlockOptions
from theory_lab.networks.pruners.parametrisations import BlockAttention
from theory_lab.networks.pruners.phased import PhasedPruner
from theory_lab.networks.pruners.phases import ALTERNATING, SPARSIFYING, Kind, phases_of


class SequentialAttention(PhasedPruner):
    """W * A * mask in each layer, A = N softmax(logits) over its N blocks, clipped to
    [density, 1 / density] with density = 1 - sparsity; the blocks of largest A are kept, layer by
    layer at the same sparsity.

    The logits start at 0 and are trained like the weights, with the same options of the optimiser
    (weight decay too). `schedule`: "imagenet" (10 % dense; 6 times 3.3 % sparsification, sparse,
    dense; 15 % sparsification; 15 % sparse), "criteo" (20 % dense; 9 times 2 % each; 6 %
    sparsification; 20 % sparse), or (kind, share) pairs. `sparsification=False` takes the presets'
    sparse and dense phases alone, those of `ACDC`. `rate`: of the sparsity's rise.
    `skip`, `min_blocks`, `effective`, `batches`: see `BlockPruner`.

    Under BatchNorm the sum of the logits' gradients over a row of blocks is 0, as the scale of a
    filter does not matter: there A ranks the blocks of a row, not the rows.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        sparsity: float,
        steps: int,
        block: int | tuple[int, int] = 1,
        schedule: str | Sequence[tuple[Kind, float]] = "imagenet",
        sparsification: bool = True,
        rate: float = 4.0,
        updates: int = 50,
        reset_optimizer: bool = True,
        **options: Unpack[BlockOptions],
    ) -> None:
        phases = phases_of(schedule, SPARSIFYING if sparsification else ALTERNATING)
        if not sparsification and "sparsification" in {phase.kind for phase in phases}:
            raise UsageError(
                "The schedule has a sparsification phase, but sparsification is False."
            )
        super().__init__(
            model, optimizer, sparsity=sparsity, steps=steps, block=block, phases=phases, rate=rate,
            updates=updates, reset_optimizer=reset_optimizer, **options,
        )  # fmt: skip
        pairs = zip(self.blocks, self.weights, strict=True)
        self.layers = [BlockAttention(b, 1 - sparsity, weight.parameter) for b, weight in pairs]
        self.hold(self.layers)
        self._train_logits()

    def scores(self) -> list[Tensor]:
        """The logits: they order the blocks of a layer as A does, also where A is clipped."""
        return [layer.logits.detach() for layer in self.layers]

    def attention(self) -> dict[str, Tensor]:
        """A of every block by the name of its weight, (block rows, block columns)."""
        pairs = zip(self.weights, self.layers, strict=True)
        return {weight.name: layer.attention().detach() for weight, layer in pairs}

    def _train_logits(self) -> None:
        """A parameter group of the logits with the options of the group that holds the weights."""
        groups, first = self.optimizer.param_groups, self.weights[0].parameter
        like = next((g for g in groups if any(p is first for p in g["params"])), {})
        options = {name: value for name, value in like.items() if name != "params"}
        if "c" in options:  # gRDA's threshold is for weights: a logit of 0 is no pruned block
            options["c"] = 0.0
        logits = [layer.logits for layer in self.layers]
        self.optimizer.add_param_group({**options, "params": logits})
