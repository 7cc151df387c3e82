"""The regulariser at random matrices, beside the eigenvalues of U U^T."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least, one_of, positive
from theory_lab.core.seeds import Stream
from theory_lab.solvers.descent import align
from theory_lab.solvers.regulariser import penalty as group_lasso
from theory_lab.solvers.regulariser import squared_norms

COLUMNS = ("generic", "orthogonal")
PENALTIES = ("group lasso", "square")


def draw(
    d: Annotated[int, at_least(1)],
    k: Annotated[int, at_least(1)],
    beta: Annotated[float, positive],
    columns: Annotated[str, one_of(COLUMNS)] = "generic",
    penalty: Annotated[str, one_of(PENALTIES)] = "group lasso",
    runs: Annotated[int, at_least(1)] = 100,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """`runs` matrices U (d, k) with entries N(0, 1/d), rotated to orthogonal columns or not."""
    U = rng.standard_normal((runs, d, k)) / np.sqrt(d)
    U = align(U) if columns == "orthogonal" else U
    return dict(beta=beta, penalty=penalty, _U=U)


def run(problem: dict[str, Any], *, rng: Stream) -> dict[str, Any]:
    """`regulariser` (runs,): the sum of the penalty over squared column norms; `eigenvalues`
    (runs, min(d, k)) of U U^T."""
    U, s = problem["_U"], squared_norms(problem["_U"])
    values = s**2 if problem["penalty"] == "square" else group_lasso(s, problem["beta"])
    singular = np.linalg.svd(U, compute_uv=False)
    return dict(regulariser=values.sum(axis=1), eigenvalues=singular**2)


SPECTRAL_FORM = Experiment("matrix_sensing.spectral_form", draw, run)
