"""Arrays of two kinds: numpy's on the host, and those of a device. Array API."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, is_numpy_array, to_device


def like(values: Any, x: Any) -> Any:
    """`values` (a number, a sequence or a numpy array) as an array of the kind, the dtype and the
    device of `x`; a copy."""
    return array_namespace(x).asarray(values, dtype=x.dtype, device=device(x), copy=True)


def on_host(x: Any) -> np.ndarray:
    """The numpy array with the values of `x`, which it may share; copied from another device."""
    return x if is_numpy_array(x) else np.from_dlpack(to_device(x, "cpu"))
