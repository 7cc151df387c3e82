"""The loader: exact crops and mirrors, every example once, its own generator, resume, shards."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from tests.tolerances import rtol
from theory_lab.core import UsageError
from theory_lab.networks.datasets import Dataset
from theory_lab.networks.inputs import Normalise, Pixels
from theory_lab.networks.loader import Loader

Batches = list[tuple[Tensor, Tensor]]


def image_data(
    count: int = 40, *, side: int = 8, channels: int = 3, crop: int = 2, flip: bool = True
) -> Dataset:
    """Random pixels; the label of an image is its place."""
    drawn = torch.Generator().manual_seed(3)
    images = torch.randint(256, (count, side, side + 1, channels), generator=drawn)
    images, labels = images.to(torch.uint8), torch.arange(count)
    mean, std = (0.4, 0.5, 0.45)[:channels], (0.2, 0.25, 0.3)[:channels]
    return Dataset(
        "toy", "toy images", count, images, labels, images, labels, mean, std, crop, flip
    )


def table_data(count: int = 40) -> Dataset:
    rows, labels = torch.arange(3 * count).reshape(count, 3), torch.arange(count)
    return Dataset("rows", "toy rows", count, rows, labels, rows, labels, vocabularies=(120,) * 3)


def same(first: Batches, second: Batches) -> bool:
    pairs = zip(first, second, strict=True)
    return all(torch.equal(a, b) and torch.equal(c, d) for (a, c), (b, d) in pairs)


def normalised(images: Tensor, data: Dataset, dtype: torch.dtype = torch.float32) -> Tensor:
    """(value / 255 - mean) / std in float64, (n, C, H, W)."""
    mean, std = (torch.tensor(v, dtype=torch.float64) for v in (data.mean, data.std))
    return ((images.double() / 255 - mean) / std).permute(0, 3, 1, 2).to(dtype)


@pytest.mark.parametrize(("crop", "flip"), [(2, True), (2, False), (0, True), (4, True)])
@pytest.mark.parametrize("channels", [1, 3])
def test_batches_are_explicit_crops_of_mirrored_images(
    channels: int, crop: int, flip: bool
) -> None:
    data = image_data(channels=channels, crop=crop, flip=flip)
    pixels = Pixels(
        data.train, Normalise(data.train.shape[1:], (0.0,) * channels, (1 / 255,) * channels,
                              torch.float32, torch.device("cpu")), pad=crop, mirror=flip,
    )  # fmt: skip
    drawn = pixels.draw(200, torch.Generator().manual_seed(1))
    index = torch.randint(len(data.train), (200,), generator=torch.Generator().manual_seed(2))
    height, width = data.train.shape[1:3]
    line, plane = width + 2 * crop, (width + 2 * crop) * (height + 2 * crop)
    seen = set()
    for found, i, offset in zip(pixels.batch(index, drawn), index, drawn.tolist(), strict=True):
        mirrored, rest = divmod(offset, plane)
        dy, dx = divmod(rest, line)
        image = data.train[i].flip(1) if mirrored else data.train[i]
        padded = functional.pad(image, (0, 0, crop, crop, crop, crop))
        expected = padded[dy : dy + height, dx : dx + width].permute(2, 0, 1).float()
        # 255 / 255 of float32
        torch.testing.assert_close(found, expected, rtol=rtol(np.float32), atol=1e-4)
        seen.add((mirrored, dy, dx))
    shifts = range(2 * crop + 1)
    assert {dy for _, dy, _ in seen} == {dx for _, _, dx in seen} == set(shifts)
    assert {mirrored for mirrored, _, _ in seen} == set(range(1 + flip))


def test_test_images_are_normalised_and_in_order() -> None:
    data = image_data()
    batches = list(Loader(data, 16, seed=0, train=False))
    found, labels = (torch.cat(part) for part in zip(*batches, strict=True))
    assert torch.equal(labels, data.test_labels)
    torch.testing.assert_close(found, normalised(data.test, data), rtol=rtol(np.float32), atol=1e-6)
    assert [len(labels) for _, labels in batches] == [16, 16, 8]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_dtypes_and_memory_format(dtype: torch.dtype) -> None:
    data = image_data()
    found, _ = next(iter(Loader(data, 8, seed=0, train=False, dtype=dtype)))
    assert found.dtype == dtype
    assert found.is_contiguous(memory_format=torch.channels_last)
    expected = normalised(data.test[:8], data, torch.float64)
    # bfloat16 has 8 bits: the one rounding at the end, and nothing lost before
    tolerance = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2**-8}[dtype]
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=1e-6)


@pytest.mark.parametrize("make", [image_data, table_data])
def test_a_training_pass_has_every_example_once(make: Callable[..., Dataset]) -> None:
    loader = Loader(make(), 8, seed=0)
    first, second = ([labels for _, labels in loader] for _ in range(2))
    for labels in (first, second):
        assert torch.equal(torch.cat(labels).sort().values, torch.arange(40))
    assert not torch.equal(torch.cat(first), torch.cat(second))
    assert len(loader) == 5 == len(first)


def test_without_augmentation_training_images_are_as_stored() -> None:
    data = image_data()
    for found, labels in Loader(data, 8, seed=0, augment=False):
        expected = normalised(data.train[labels], data)
        torch.testing.assert_close(found, expected, rtol=rtol(np.float32), atol=1e-6)


def test_rows_of_a_table_are_as_stored() -> None:
    data = table_data()
    for found, labels in Loader(data, 8, seed=0):
        assert found.dtype == torch.int64
        assert torch.equal(found, data.train[labels])


def test_the_seed_alone_decides_and_the_global_generator_is_left_alone() -> None:
    data, before = image_data(), torch.get_rng_state()
    runs = [list(Loader(data, 8, seed=seed)) for seed in (5, 5, 6)]
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert same(runs[0], list(Loader(data, 8, seed=5)))
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


@given(
    done=st.integers(0, 11),
    batch_size=st.integers(3, 12),
    world_size=st.integers(1, 2),
    seed=st.integers(0, 100),
)
def test_resume_in_the_middle_gives_the_batches_that_were_left(
    done: int, batch_size: int, world_size: int, seed: int
) -> None:
    data = image_data(side=4)
    arguments: dict[str, Any] = {"seed": seed, "rank": world_size - 1, "world_size": world_size}
    loader = Loader(data, batch_size, **arguments)
    stream = (batch for _ in range(99) for batch in loader)
    for _ in range(done):
        next(stream)
    saved = io.BytesIO()
    torch.save(loader.state_dict(), saved)
    left = [next(stream) for _ in range(len(loader) + 2)]

    saved.seek(0)
    resumed = Loader(data, batch_size, **{**arguments, "seed": 999})
    resumed.load_state_dict(torch.load(saved))
    again = (batch for _ in range(99) for batch in resumed)
    assert same(left, [next(again) for _ in range(len(left))])


def test_only_the_first_pass_after_a_resume_is_a_part() -> None:
    loader, resumed = (Loader(image_data(), 8, seed=0) for _ in range(2))
    stream = iter(loader)
    for _ in range(3):
        next(stream)
    resumed.load_state_dict(loader.state_dict())
    assert [len(list(resumed)) for _ in range(3)] == [2, 5, 5]
    assert len(list(loader)) == 5  # a pass that was left early is not gone on with
    resumed.load_state_dict(loader.state_dict())
    assert len(list(resumed)) == 5  # after a whole pass comes the next one


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize(("count", "batch_size"), [(40, 8), (43, 4), (41, 10)])
def test_shards_are_the_batches_of_one_process(count: int, batch_size: int, train: bool) -> None:
    data = image_data(count)
    whole = list(Loader(data, batch_size, seed=1, train=train))
    parts = [
        list(Loader(data, batch_size, seed=1, train=train, rank=rank, world_size=3))
        for rank in range(3)
    ]
    for rank, part in enumerate(parts):
        assert same(part, whole[rank::3][: len(part)])
    if train:  # equal shards
        assert {len(part) for part in parts} == {count // (3 * batch_size)}
    else:  # nothing is left out
        assert sum(len(labels) for part in parts for _, labels in part) == count


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 41}, "1 x 41 examples are more than the 40 of toy images; take a smaller"),
        ({"batch_size": 21, "world_size": 2}, "2 x 21 examples"),
        ({"batch_size": 4, "rank": 2, "world_size": 2}, "rank is 2, but it must be from 0 to"),
    ],
)
def test_impossible_arguments(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Loader(image_data(), seed=0, **arguments)


def test_the_state_of_another_run_is_refused() -> None:
    loader = Loader(image_data(), 8, seed=0)
    for other in (Loader(image_data(), 4, seed=0), Loader(image_data(32), 8, seed=0)):
        with pytest.raises(UsageError, match="resume with what the run began with"):
            loader.load_state_dict(other.state_dict())
