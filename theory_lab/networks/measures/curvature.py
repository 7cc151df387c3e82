"""The share of a displacement of the weights that lies in the top eigenvectors of the Hessian.

The Hessian is that of the mean loss over all batches at the model's weights, in eval mode, with
BatchNorm's statistics re-estimated there; it is never formed, only multiplied (a double backward
pass). Source of the measure: arXiv:2006.09358, where displacements of directional pruning lie
nearly outside this space.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from theory_lab.core import UsageError
from theory_lab.networks.compatibility import pairs
from theory_lab.networks.gradients import task_loss
from theory_lab.networks.measures.lanczos import largest_eigenpairs
from theory_lab.networks.measures.landscape import Landscape, Loss, Weights
from theory_lab.networks.prunable import is_count
from theory_lab.networks.pruners.base import Batches


class Share(NamedTuple):
    """|P delta| / |delta| with P the projector onto the k top eigenvectors.

    `baseline` = sqrt(k / d): the root mean square of the share over random directions of the d
    parameters. `residual`: the largest |H v - value v| over the k, relative to the top eigenvalue;
    above the tolerance the eigenvectors have not converged, and `steps` was too small.
    """

    share: float
    baseline: float
    eigenvalues: tuple[float, ...]
    residual: float


class Eigenspace:
    """The k top eigenvectors of the Hessian of `model`'s loss over `batches`.

    One eigenspace serves any number of displacements. Lanczos takes about 3k to 10k products of one
    double backward pass over all batches each, at most `steps`, and holds as many vectors of d.
    """

    def __init__(
        self,
        model: nn.Module,
        batches: Batches,
        k: int = 10,
        *,
        loss: Loss = task_loss,
        tolerance: float = 1e-3,
        steps: int = 100,
        seed: int = 0,
    ) -> None:
        self.hessian = Hessian(model, batches, loss)
        size = self.hessian.size
        if not (is_count(k) and k <= size):
            raise UsageError(
                f"k is {k!r}, but it must be a whole number from 1 to the {size} parameters."
            )
        start = self.hessian.random_direction(seed)
        pairs = largest_eigenpairs(self.hessian, start, k, tolerance=tolerance, steps=steps)
        self.eigenvalues, self.vectors, self.residuals = pairs

    def share(self, displacement: Weights) -> Share:
        """The share of w1 - w0, given by the names of the model's parameters."""
        flat = self.hessian.flatten(displacement)
        length = float(flat.norm())
        if not 0 < length < math.inf:
            raise UsageError(f"The displacement has length {length}; it must be positive.")
        values = tuple(self.eigenvalues.tolist())
        return Share(
            float((self.vectors @ flat).norm()) / length,
            math.sqrt(len(values) / self.hessian.size),
            values,
            float(self.residuals.max()) / max(abs(values[0]), torch.finfo(flat.dtype).tiny),
        )


def hessian_share(
    model: nn.Module, displacement: Weights, batches: Batches, k: int = 10, *, seed: int = 0
) -> Share:
    """The share of `displacement` in the k top eigenvectors of the Hessian at `model`'s weights.

    `displacement`: w1 - w0 by the names of the parameters, from w0, the weights of `model`;
    for several displacements from one point take an `Eigenspace`.
    """
    return Eigenspace(model, batches, k, seed=seed).share(displacement)


class Hessian:
    """v (d,) -> H v (d,); coordinates in the order of the model's parameters."""

    def __init__(self, model: nn.Module, batches: Batches, loss: Loss = task_loss) -> None:
        self.landscape = Landscape(model, batches, loss)
        self.landscape.move_to(dict(model.named_parameters()))
        self.count = sum(len(labels) for _, labels in pairs(batches))
        if not self.count:
            raise UsageError("There are no batches to measure a Hessian on; pass at least one.")
        self.parameters = list(self.landscape.parameters.values())
        for parameter in self.parameters:
            parameter.requires_grad_(True)

    @property
    def size(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters)

    def flatten(self, weights: Weights) -> Tensor:
        """Parameters by name as one vector (d,)."""
        found = self.landscape.check(weights, "The displacement")
        return torch.cat([part.reshape(-1) for part in found.values()])

    def random_direction(self, seed: int) -> Tensor:
        like = self.parameters[0]
        generator = torch.Generator(like.device).manual_seed(seed)
        return torch.randn(self.size, generator=generator, device=like.device, dtype=like.dtype)

    def __call__(self, vector: Tensor) -> Tensor:
        total = torch.zeros_like(vector)
        for inputs, labels in self.landscape.on_device():
            loss, _ = self.landscape.loss_of(inputs, labels)
            total += self._product(loss * (len(labels) / self.count), vector)
        return total

    def _product(self, loss: Tensor, vector: Tensor) -> Tensor:
        gradients = torch.autograd.grad(
            loss, self.parameters, create_graph=True, materialize_grads=True
        )
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        if not flat.requires_grad:  # the loss is linear in the weights
            return torch.zeros_like(vector)
        parts = torch.autograd.grad(flat @ vector, self.parameters, materialize_grads=True)
        return torch.cat([part.reshape(-1) for part in parts])
