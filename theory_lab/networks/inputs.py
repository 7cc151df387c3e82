"""Batches of network inputs from stored examples: augmented by indexing, normalised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from theory_lab.data.imagenet import ImageFiles
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


class Normalise:
    """uint8 (b, H, W C) -> floats (b, C, H, W) in channels_last, (value / 255 - mean) / std."""

    def __init__(
        self, shape: Sequence[int], mean: Sequence[float], std: Sequence[float],
        dtype: torch.dtype, device: torch.device,
    ) -> None:  # fmt: skip
        self._shape, self._dtype = tuple(shape), dtype
        work = torch.promote_types(dtype, torch.float32)  # a half-precision affine map would round
        centre, scale = (torch.tensor(v, dtype=work, device=device) for v in (mean, std))
        # one line of pixels long: an inner loop over the channels alone is several times slower
        self._scale = (1 / (255 * scale)).repeat(shape[1])
        self._shift = (-centre / scale).repeat(shape[1])

    def __call__(self, pixels: Tensor) -> Tensor:
        lines = pixels.view(-1, len(self._scale)).to(self._scale.dtype)
        values = lines.mul_(self._scale).add_(self._shift)
        return values.view(-1, *self._shape).permute(0, 3, 1, 2).to(self._dtype)


class Pixels:
    """Images uint8 (n, H, W, C) in memory, as normalised batches (b, C, H, W).

    They are stored padded by `pad` zeros on each side and, with `mirror`, once more mirrored: then a
    random crop of a random mirror image is H runs of W C bytes that begin at any pixel, and a batch
    is one `index_select` of b H rows from a view of all such runs. Memory: one byte a padded
    value, two with `mirror`.
    """

    def __init__(self, images: Tensor, normalise: Normalise, *, pad: int, mirror: bool) -> None:
        self._normalise, self._pad, self._mirror = normalise, pad, mirror
        count, height, width, channels = images.shape
        self._line, lines = width + 2 * pad, height + 2 * pad
        self._plane = self._line * lines
        copies = images.new_zeros(count, 1 + mirror, lines, self._line, channels)
        copies[:, 0, pad : pad + height, pad : pad + width] = images
        if mirror:
            copies[:, 1, pad : pad + height, pad : pad + width] = images.flip(2)
        runs = copies.numel() // channels - width + 1
        self._runs = copies.as_strided((runs, width * channels), (channels, 1))
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
        return self._normalise(self._runs.index_select(0, (begin[:, None] + self._lines).view(-1)))


class Decoded:
    """Image files, decoded batch by batch; with `augment` random crops, mirrored in half the cases."""

    def __init__(
        self, files: ImageFiles, normalise: Normalise, device: torch.device, *, augment: bool
    ) -> None:
        self._files, self._normalise, self._augment = files, normalise, augment
        self._device = device

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, 5) from [0, 1): four for the crop, one for the mirror."""
        return torch.rand(count, 5 if self._augment else 0, generator=generator)

    def batch(self, index: Tensor, draws: Tensor) -> Tensor:
        crops = draws[:, :4].cpu().numpy() if self._augment else None
        pixels = torch.from_numpy(self._files.batch(index.cpu().numpy(), crops)).to(self._device)
        if self._augment:
            mirrored = (draws[:, 4] < 0.5)[:, None, None, None]
            pixels = torch.where(mirrored, pixels.flip(2), pixels)
        return self._normalise(pixels)


def inputs_of(data: Dataset, train: bool, augment: bool, dtype: torch.dtype) -> Inputs:
    """The training or the test examples of a data set."""
    examples = data.train if train else data.test
    if isinstance(examples, Tensor) and data.is_table:
        return Rows(examples)
    device = data.train_labels.device
    normalise = Normalise(examples.shape[1:], data.mean, data.std, dtype, device)
    if isinstance(examples, ImageFiles):
        return Decoded(examples, normalise, device, augment=augment)
    pad, mirror = (data.crop, data.flip) if augment else (0, False)
    return Pixels(examples, normalise, pad=pad, mirror=mirror)
