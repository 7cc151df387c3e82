"""Proximal maps of sparse penalties. Array API."""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace


def soft_threshold(v: Any, threshold: float) -> Any:
    """sign(v) max(|v| - threshold, 0), entry by entry: the prox of threshold |.|_1, threshold >= 0."""
    return v - array_namespace(v).clip(v, -threshold, threshold)


def block_soft_threshold(B: Any, membership: Any, threshold: float) -> Any:
    """B_g max(1 - threshold / |B_g|, 0) for every group of rows: the prox of threshold sum |B_g|.

    B: (d, K); membership: (t, d), 1 where a row is in a group, every row in exactly one.
    """
    xp = array_namespace(B)
    norms = xp.sqrt(membership @ xp.sum(B * B, axis=1))
    kept = xp.where(norms > threshold, 1 - threshold / xp.where(norms > 0, norms, 1.0), 0.0)
    return B * (membership.T @ kept)[:, None]
