"""A device of its own without one: tensors that are on "meta" to all who ask, and hold values.

Not an imitation of a GPU's numbers or speed: it shows where tensors of two devices meet in one
operation, which no test on the CPU alone can see.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

NAME = "meta"
_on_cpu, _to_array = torch.tensor, torch.asarray


class Elsewhere(Tensor):
    """A tensor on the device, with its values in `inner`."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> Elsewhere:
        found = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, inner.size(), strides=inner.stride(), storage_offset=inner.storage_offset(),
            dtype=inner.dtype, device=NAME,
        )  # fmt: skip
        found.inner = inner
        return found

    def tolist(self) -> Any:
        return self.inner.tolist()

    def new_tensor(self, *args: Any, **kwargs: Any) -> Tensor:
        return Elsewhere(self.inner.new_tensor(*args, **kwargs))

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Mode(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    here = [t for t in tensors if isinstance(t, Elsewhere)]
    there = [t for t in tensors if not isinstance(t, Elsewhere) and t.ndim > 0]
    if here and there and not func.name().startswith("aten::copy_"):
        raise AssertionError(f"{func} meets tensors of two devices.")
    device = kwargs.get("device")
    if device is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    result = func(*tree_map(_inner, args), **tree_map(_inner, kwargs))
    if device is not None:
        return tree_map(_outer, result) if torch.device(device).type == NAME else result
    if not here:
        return result
    return return_and_correct_aliasing(func, args, kwargs, tree_map(_outer, result))


def _inner(value: Any) -> Any:
    return value.inner if isinstance(value, Elsewhere) else value


def _outer(value: Any) -> Any:
    is_plain = isinstance(value, Tensor) and not isinstance(value, Elsewhere)
    return Elsewhere(value) if is_plain else value


def _tensor(data: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """`torch.tensor`, which asks no mode."""
    return _on_cpu(data, dtype=dtype).to(device or "cpu")


def _asarray(data: Any, *, dtype: Any = None, device: Any = None, copy: Any = None) -> Tensor:
    """`torch.asarray`, which asks no mode either."""
    return _to_array(data, dtype=dtype, copy=copy).to(device or data.device)


@contextmanager
def another_device() -> Iterator[str]:
    """The device's name, while there is one."""
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with pytest.MonkeyPatch.context() as patch, _Mode():
            patch.setattr(torch, "tensor", _tensor)
            patch.setattr(torch, "asarray", _asarray)
            yield NAME
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)
