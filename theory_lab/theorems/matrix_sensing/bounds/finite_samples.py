"""What n noisy measurements change: survival of the columns, restricted isometry, error floors.

X* is d x d of rank r with eigenvalues mu_1 >= ... >= mu_r > 0; A_i has iid N(0, 1) entries and the
noise is N(0, sigma^2). E = N - (M - I)(U U^T - X*) is the error matrix at a point U, with
M(Z) = (1/n) sum <A_i, Z> sym(A_i) and N = (1/n) sum eps_i sym(A_i).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from theory_lab.numerics.gaussian_orthogonal import mean_top_squares
from theory_lab.theorems.matrix_sensing.bounds.regulariser import lowest_point, phi


def least_kept(lam: float, beta: float) -> float:
    """min phi(s) over s >= 4 beta: an error matrix below this cannot hold a column of its own."""
    return float(phi(max(4 * beta, lowest_point(lam, beta)), lam, beta))


def most_lost(lam: float, beta: float) -> float:
    """max(lam / (2 sqrt(beta)), phi(4 beta)): a direction above this keeps its column."""
    return max(lam / (2 * math.sqrt(beta)), float(phi(4 * beta, lam, beta)))


def noise_level(d: int, n: int, sigma: float) -> float:
    """sigma sqrt(2 d / n), the size of |N|_op for large d."""
    return sigma * math.sqrt(2 * d / n)


def degrees_of_freedom(d: int, r: int) -> int:
    """d r - r (r - 1) / 2, the dimension of the symmetric d x d matrices of rank r."""
    return d * r - r * (r - 1) // 2


def effective_degrees(d: int, r: int, k: int) -> float:
    """degrees_of_freedom + E sum_{j <= k - r} (l_j^+)^2, l the eigenvalues of a Gaussian symmetric
    matrix of size d - r (variance 1 on, 1/2 off the diagonal): what k - r idle columns pick up."""
    if d == r:
        return float(degrees_of_freedom(d, r))
    idle = mean_top_squares(d - r, two_sided=False)
    return degrees_of_freedom(d, r) + float(idle[min(k - r, d - r)])


def error_floor(degrees: float, n: int, sigma: float) -> float:
    """sigma^2 dof / (n - dof): the mean of |U U^T - X*|_F^2 at the least-squares solution."""
    return sigma**2 * degrees / (n - degrees)


def gaussian_width(d: int, rank: int) -> float:
    """An upper bound of E sup <G, Z> over rank(Z) <= m, |Z|_F = 1, svec(G) standard normal.

    sqrt(E of the sum of the m largest squared eigenvalues), by Jensen's inequality; about
    sqrt(2 d m) for m much smaller than d.
    """
    return math.sqrt(mean_top_squares(d, two_sided=True)[rank])


def spread(d: int, ranks: Sequence[int], n: int, level: float) -> np.ndarray:
    """w_m / sqrt(n) + sqrt(2 log(1 / level) / n) for every rank m: Gordon's bound on the mean, and
    the deviation that a 1-Lipschitz function of Gaussians exceeds with probability `level`."""
    widths = np.array([gaussian_width(d, rank) for rank in ranks])
    return (widths + math.sqrt(2 * math.log(1 / level))) / math.sqrt(n)


def isometry_excess(spread: np.ndarray) -> np.ndarray:
    """(1 + x)^2 - 1, above sup <Z, M(Z)> - 1."""
    return (1 + spread) ** 2 - 1


def isometry_deficit(spread: np.ndarray) -> np.ndarray:
    """1 - (1 - x)^2, above 1 - inf <Z, M(Z)> as long as x < 1."""
    return 1 - (1 - spread) ** 2
