"""Batches of network inputs from stored examples: augmented by indexing, normalised."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from theory_lab.networks.datasets import Dataset


class Inputs(Protocol):
    """Examples of which a loader takes batches. All randomness is drawn for a whole epoch ahead."""

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, …): what augments one example each, drawn on the CPU."""
        ...

    def batch(self, index: Tensor, draws: Tensor) -> Tensor:
        """The examples `index` (b,), augmented by their `draws` (b, …)."""
        ...


class Rows:
    """Rows of a table, int64 (n, columns), as they are."""

    def __init__(self, rows: Tensor) -> None:
        self._rows = rows

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.empty(count, 0)

    def batch(self, index: Tensor, draws: Tensor) -> Tensor:
        return self._rows.index_select(0, index)


class Pixels:
    """Images uint8 (n, H, W, C) in memory, as normalised floats (b, C, H, W) in channels_last.

    They are stored padded by `pad` zeros on each side and, with `mirror`, once more mirrored: then a
    random crop of a random mirror image is H runs of W C bytes that begin at any pixel, and a batch
    is one `index_select` of b H rows from a view of all such runs. Memory: one byte a padded
    value, two with `mirror`.
    """

    def __init__(
        self, images: Tensor, mean: tuple[float, ...], std: tuple[float, ...], *,
        pad: int, mirror: bool, dtype: torch.dtype,
    ) -> None:  # fmt: skip
        self._shape, self._pad, self._mirror, self._dtype = images.shape[1:], pad, mirror, dtype
        height, width, channels = self._shape
        padded = functional.pad(images, (0, 0, pad, pad, pad, pad))
        copies = torch.stack([padded, padded.flip(2)], 1) if mirror else padded[:, None]
        self._line, self._plane = width + 2 * pad, (width + 2 * pad) * (height + 2 * pad)
        runs = (copies.numel() - width * channels) // channels + 1
        self._runs = copies.contiguous().as_strided((runs, width * channels), (channels, 1))
        work = torch.promote_types(dtype, torch.float32)  # a half-precision affine map would round
        centre, scale = (torch.tensor(v, dtype=work, device=images.device) for v in (mean, std))
        self._scale = (1 / (255 * scale)).repeat(width)
        self._shift = (-centre / scale).repeat(width)
        self._lines = torch.arange(height, device=images.device) * self._line

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Where the crop begins, in pixels from the first one of the image's stored copies."""
        if not (self._pad or self._mirror):
            return torch.zeros(count, dtype=torch.int64)
        shifts = torch.randint(2 * self._pad + 1, (2, count), generator=generator)
        mirrored = torch.randint(1 + self._mirror, (count,), generator=generator)
        return mirrored * self._plane + shifts[0] * self._line + shifts[1]

    def batch(self, index: Tensor, draws: Tensor) -> Tensor:
        begin = index * (self._plane * (1 + self._mirror)) + draws
        runs = self._runs.index_select(0, (begin[:, None] + self._lines).view(-1))
        values = runs.to(self._scale.dtype).mul_(self._scale).add_(self._shift)
        return values.view(len(index), *self._shape).permute(0, 3, 1, 2).to(self._dtype)


def inputs_of(data: Dataset, train: bool, augment: bool, dtype: torch.dtype) -> Inputs:
    """The training or the test examples of a data set."""
    examples = data.train if train else data.test
    if data.is_table:
        return Rows(examples)
    pad, mirror = (data.crop, data.flip) if augment else (0, False)
    return Pixels(examples, data.mean, data.std, pad=pad, mirror=mirror, dtype=dtype)
