"""The smoothed norm of the group regulariser. Array API."""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace


def smoothed_norm(squared: Any, beta: Any) -> Any:
    """psi_beta(s) = s / (s + beta)^(1/2) of squared norms s, entry by entry; beta > 0 broadcasts.

    Concave in s; s / sqrt(beta) near 0 and sqrt(s) far from it. Source: arXiv:2303.11453.
    """
    return squared / array_namespace(squared).sqrt(squared + beta)
