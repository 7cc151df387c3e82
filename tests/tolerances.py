"""How far two computations of the same number may lie apart, by dtype; relative to its size.

A looser number in a test has its reason beside it.
"""

from __future__ import annotations

import numpy as np

RELATIVE = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-5}


def rtol(dtype: type | np.dtype = np.float64) -> float:
    """The tolerance for results of this dtype."""
    return RELATIVE[np.dtype(dtype)]
