"""The largest eigenvalues of a symmetric operator by Lanczos with full reorthogonalisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]
"""v (d,) -> H v (d,)."""

CHECK_EVERY = 5


class Eigenpairs(NamedTuple):
    """The largest eigenvalues `values` (k,), descending, of unit `vectors` (k, d).

    `residuals` (k,): |H v - value v| as the recurrence has it, which is exact but for the rounding
    of the products; an eigenvalue lies within its residual of each value.
    """

    values: Tensor
    vectors: Tensor
    residuals: Tensor


def largest_eigenpairs(
    product: Product, start: Tensor, k: int, *, tolerance: float, steps: int
) -> Eigenpairs:
    """The k algebraically largest eigenpairs, from the direction `start` (d,).

    Stops when the k residuals are at most `tolerance` times the largest |Ritz value|, after `steps`
    products at the latest (the residuals say how far it came), and exactly after d. Holds one
    vector of d a product. Where the Krylov space ends early it goes on from a random direction
    orthogonal to it, drawn from a stream of its own.
    """
    steps = min(max(steps, k), start.numel())
    krylov = _Krylov(product, start, steps)
    while True:
        krylov.extend()
        if krylov.size >= k and (krylov.size % CHECK_EVERY == 0 or krylov.size == steps):
            pairs, scale = krylov.largest(k)
            if krylov.size == steps or pairs.residuals.max() <= tolerance * scale:
                return pairs


class _Krylov:
    """An orthonormal basis (size, d) and the tridiagonal projection of H onto it."""

    def __init__(self, product: Product, start: Tensor, steps: int) -> None:
        self.product, self.size = product, 0
        self.basis = start.new_empty(steps, start.numel())
        self.diagonal: list[float] = []
        self.beside: list[float] = []
        self.generator = torch.Generator(start.device).manual_seed(0)
        self.next = start / start.norm()

    def extend(self) -> None:
        """One product; then the next direction of the basis."""
        self.basis[self.size] = self.next
        image = self.product(self.next)
        self.diagonal.append(float(self.next @ image))
        self.size += 1
        rest = self._orthogonal(image)
        self.beside.append(float(rest.norm()))
        if self.size < len(self.basis):
            self.next = self._direction(rest, float(image.norm()))

    def _direction(self, rest: Tensor, scale: float) -> Tensor:
        """`rest` as a unit vector, or a fresh one where rounding is all that is left of it."""
        if self.beside[-1] <= 10 * torch.finfo(rest.dtype).eps * scale:
            fresh = torch.empty_like(rest).normal_(generator=self.generator)
            rest = self._orthogonal(fresh)
        return rest / rest.norm()

    def _orthogonal(self, vector: Tensor) -> Tensor:
        """What is left of a vector outside the basis; twice, as rounding asks."""
        basis = self.basis[: self.size]
        for _ in range(2):
            vector = vector - basis.T @ (basis @ vector)
        return vector

    def largest(self, k: int) -> tuple[Eigenpairs, float]:
        """The k largest Ritz pairs, and the largest |Ritz value|."""
        beside = torch.tensor(self.beside[:-1], dtype=torch.float64)
        T = torch.diag(torch.tensor(self.diagonal, dtype=torch.float64))
        T = T + torch.diag(beside, 1) + torch.diag(beside, -1)
        values, columns = torch.linalg.eigh(T)
        top = columns[:, -k:].flip(1)
        residuals = self.beside[-1] * top[-1].abs()
        vectors = top.T.to(self.basis) @ self.basis[: self.size]
        return Eigenpairs(values[-k:].flip(0), vectors, residuals), float(values.abs().max())
