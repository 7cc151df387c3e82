"""Images from folders: found, decoded lazily, cropped as the draws say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from theory_lab.core import StorageError
from theory_lab.data.imagenet import centre_box, imagenet, random_box


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes: red rises from left to right, green from top to bottom; blue tells the class."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THEORY_LAB_DATA", str(tmp_path))
    for part, count in (("train", 3), ("val", 2)):
        for label, name in enumerate(("n01", "n02")):
            folder = tmp_path / "imagenet" / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                height, width = 400, 300 + 200 * number
                ramp = np.zeros((height, width, 3), np.uint8)
                ramp[..., 0] = np.linspace(0, 255, width)[None]
                ramp[..., 1] = np.linspace(0, 255, height)[:, None]
                ramp[..., 2] = 200 * label
                Image.fromarray(ramp).save(folder / f"{number}.JPEG", quality=95)
    return tmp_path / "imagenet"


def test_folders_are_classes(root: Path) -> None:
    found = imagenet(side=32)
    assert found.classes == ("n01", "n02")
    assert found.train.shape == (6, 32, 32, 3)
    assert found.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.test_labels.tolist() == [0, 0, 1, 1]
    assert [file.parent.name for file in found.train.files] == ["n01"] * 3 + ["n02"] * 3


def test_centre_and_labels_agree_with_the_pixels(root: Path) -> None:
    found = imagenet(side=32)
    images = found.test.batch(np.arange(4)).astype(float)
    assert images.shape == (4, 32, 32, 3)
    np.testing.assert_allclose(images[..., 2].mean((1, 2)), 200 * found.test_labels, atol=6)
    # 7/8 of the shorter side of 300 x 400, then of 500 x 400: where the ramps are cut
    first, second = images[0], images[1]
    np.testing.assert_allclose(first[16, [0, -1], 0], [255 / 16, 255 * 15 / 16], atol=8)
    np.testing.assert_allclose(second[[0, -1], 16, 1], [255 / 16, 255 * 15 / 16], atol=8)
    np.testing.assert_allclose(second[16, [0, -1], 0], [255 * 0.15, 255 * 0.85], atol=8)


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=4, max_size=4), st.integers(20, 700))
def test_random_crops_lie_in_the_image(draws: list[float], width: int) -> None:
    left, top, right, bottom = random_box(width, 100, np.array(draws))
    assert 0 <= left < right <= width * (1 + 1e-12)
    assert 0 <= top < bottom <= 100 * (1 + 1e-12)
    ratio = (right - left) / (bottom - top)
    is_cut = min(width - (right - left), 100 - (bottom - top)) < 1e-9
    assert is_cut or 3 / 4 - 1e-9 <= ratio <= 4 / 3 + 1e-9
    assert (right - left) * (bottom - top) <= width * 100 * (1 + 1e-12)


def test_the_whole_square_is_a_crop_and_so_is_its_centre() -> None:
    almost = np.nextafter(1, 0)
    box = random_box(100, 100, np.array([almost, 0.5, 0.3, 0.7]))
    np.testing.assert_allclose(box, (0, 0, 100, 100), atol=1e-9)
    assert centre_box(256, 300) == (16, 38, 240, 262)


def test_a_batch_is_cropped_as_its_draws_say(root: Path) -> None:
    """Against Pillow's crop of the fully decoded image: decoding at half size costs little."""
    found, draws = imagenet(side=32), np.random.default_rng(0).random((6, 4))
    images = found.train.batch(np.arange(6), draws)
    for image, file, numbers in zip(images, found.train.files, draws, strict=True):
        with Image.open(file) as whole:
            box = random_box(*whole.size, numbers)
            expected = np.asarray(whole.resize((32, 32), Image.Resampling.BILINEAR, box))
        # two grey levels of the JPEG's own scaling, of ramps over 255
        assert np.abs(image.astype(float) - expected).max() <= 6
        assert np.abs(image.astype(float) - expected).mean() < 2


def test_an_edge_stays_sharp(root: Path) -> None:
    """A JPEG is decoded no smaller than the crop needs: the edge is at most three pixels wide."""
    edge = np.zeros((400, 400, 3), np.uint8)
    edge[:, 200:] = 255
    Image.fromarray(edge).save(root / "val" / "n01" / "0.JPEG", quality=95)
    for side in (32, 100, 224, 350):
        row = imagenet(side).test.batch(np.array([0]))[0, side // 2, :, 0].astype(int)
        assert ((row > 20) & (row < 235)).sum() <= 3
        assert row[side // 2 - 3] < 20 < 235 < row[side // 2 + 3]


def test_some_of_the_images(root: Path) -> None:
    found = imagenet(side=16)
    some = found.train[np.array([4, 0])]
    expected = found.train.batch(np.array([4, 0]))
    np.testing.assert_array_equal(some.batch(np.array([0, 1])), expected)


def test_folders_that_do_not_match(root: Path) -> None:
    (root / "val" / "n02").rename(root / "val" / "n03")
    with pytest.raises(StorageError, match="same folders of classes; only one of them has n02"):
        imagenet()


def test_a_file_that_is_no_image(root: Path) -> None:
    (root / "train" / "n01" / "0.JPEG").write_bytes(b"no image")
    with pytest.raises(StorageError, match="cannot be read as an image"):
        imagenet().train.batch(np.array([0]))
