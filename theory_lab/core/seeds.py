"""Random streams that depend on what is drawn, never on the order or the place of drawing.

A stream is named by (problem parameters, replicate, purpose). Rival methods and the rungs of a
ladder share the problem parameters, hence meet the same problem and, where they ask for the same
purpose, the same noise.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from theory_lab.core.errors import UsageError
from theory_lab.core.parameters import Params


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text (floats to the bit)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def bit_generator(problem: Params, replicate: int, purpose: str) -> np.random.PCG64:
    """The generator's state for one stream, from a SHA-256 of its name."""
    name = canonical_json([dict(problem), replicate, purpose])
    words = np.frombuffer(hashlib.sha256(name.encode()).digest(), dtype=np.uint32)
    return np.random.PCG64(np.random.SeedSequence([int(word) for word in words]))


class Stream(np.random.Generator):
    """A numpy Generator that can open further streams for the same problem and replicate.

    `draw` gets the stream `problem`, `run` the stream `noise`; `named("start")` and
    `named("search")` are independent of both. A stream does not open itself again: the same
    numbers twice are never meant. `device` says where the problem's arrays are.
    """

    device = "cpu"

    def __init__(self, problem: Params, replicate: int, purpose: str = "problem") -> None:
        super().__init__(bit_generator(problem, replicate, purpose))
        self._address = (dict(problem), replicate)
        self._purpose = purpose

    def named(self, purpose: str) -> Stream:
        """A fresh stream of this problem and replicate for another purpose."""
        if purpose == self._purpose:
            raise UsageError(
                f"This stream already is {purpose!r} and would repeat its numbers; name another one."
            )
        return self._open(purpose)

    def _open(self, purpose: str) -> Stream:
        return Stream(*self._address, purpose)

    def normal(
        self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None, *, like: Any = None
    ) -> Any:
        """As `Generator.normal`; with `like=x`, `normal(shape, like=x)` draws standard normals
        of that shape and of the dtype of `x`."""
        if like is None:
            return super().normal(loc, scale, size)
        return self.standard_normal(loc).astype(like.dtype, copy=False)

    def integers(
        self, low: Any, high: Any = None, size: Any = None, dtype: Any = np.int64,
        endpoint: bool = False, *, like: Any = None,
    ) -> Any:  # fmt: skip
        """As `Generator.integers`; with `like=x`, for indices into `x`: int64, where `x` is."""
        return super().integers(low, high, size, dtype, endpoint)

    def spawn(self, n_children: int) -> Any:
        """As `Generator.spawn`: independent plain generators."""
        return [np.random.Generator(bits) for bits in self.bit_generator.spawn(n_children)]
