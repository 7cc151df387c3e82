"""The JPEG pack: its files, its decoded pixels against their lossless twins, the cache."""

from __future__ import annotations

import hashlib
import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from theory_lab.core import StorageError
from theory_lab.data import cifar10_jpeg, files


def pack() -> Path:
    try:
        return files.find(cifar10_jpeg.FILE, cifar10_jpeg.MD5)
    except StorageError as error:
        pytest.skip(str(error))


def test_the_files_are_the_published_ones() -> None:
    whole, count = hashlib.md5(usedforsecurity=False), 0
    for content in cifar10_jpeg.jpegs(pack()):
        whole.update(content)
        count += 1
    assert count == cifar10_jpeg.TRAIN + cifar10_jpeg.TEST
    assert whole.hexdigest() == "f5c5e367da996d321eb99041129d93f7"


def test_decoded_images_are_close_to_their_lossless_twins() -> None:
    folder = "cifar10_lossless4000"
    if (labels := files.locate(f"{folder}/labels_and_match.npz")) is None:
        pytest.skip("the lossless images are not on this machine")
    with Image.open(labels.with_name("cifar10_batch_0.png")) as rows:
        lossless = np.asarray(rows).reshape(1000, 32, 32, 3).astype(float)[:300]
    with np.load(labels) as arrays:
        twins, classes = arrays["jpeg_train_index"][:300], arrays["label"][:300]
    contents = list(cifar10_jpeg.jpegs(pack()))
    decoded = cifar10_jpeg.decode(contents[i] for i in twins).astype(float)
    error = np.sqrt(np.square(decoded - lossless).mean((1, 2, 3)))
    others = np.sqrt(np.square(decoded - np.roll(lossless, 1, axis=0)).mean((1, 2, 3)))
    assert 7 < error.mean() < 9  # 8.1 over all 4,000
    assert (error < others).all()
    assert (twins // 5000 == classes).all()  # sorted by class


def jpeg(grey: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), (grey, grey, grey)).save(file, "JPEG", quality=75)
    return file.getvalue()


@pytest.fixture
def small_pack(tmp_path, monkeypatch) -> Path:
    """A pack of 30 images, each of one grey value, in the layout of the real one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THEORY_LAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    contents = [jpeg(8 * n) for n in range(30)]
    start = contents[0].index(b"\xff\xda") + 2  # where the scan begins: all before is shared
    assert len({content[:start] for content in contents}) == 1
    scans = [content[start:-2] for content in contents]
    file = tmp_path / "data" / cifar10_jpeg.FILE
    file.parent.mkdir(parents=True)
    np.savez(
        file,
        header=np.frombuffer(contents[0][:start], np.uint8),
        lengths=np.array([len(scan) for scan in scans], np.uint16),
        scans=np.frombuffer(b"".join(scans), np.uint8),
    )
    known = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setattr(cifar10_jpeg, "MD5", known)
    monkeypatch.setattr(cifar10_jpeg, "TRAIN", 20)
    monkeypatch.setattr(cifar10_jpeg, "TEST", 10)
    return file


def test_order_and_labels(small_pack: Path) -> None:
    found = cifar10_jpeg.cifar10_jpeg()
    greys = np.concatenate([found.train, found.test])[:, 16, 16, 0]
    np.testing.assert_array_equal(greys, 8 * np.arange(30))
    assert found.train_labels.tolist() == [c for c in range(10) for _ in range(2)]
    assert found.test_labels.tolist() == list(range(10))


def test_pixels_are_decoded_once_and_a_damaged_cache_is_made_anew(
    small_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, decode = itertools.count(), cifar10_jpeg.decode

    def counting(contents):
        next(counted)
        return decode(contents)

    monkeypatch.setattr(cifar10_jpeg, "decode", counting)
    expected = cifar10_jpeg.pixels()
    np.testing.assert_array_equal(cifar10_jpeg.pixels(), expected)
    assert next(counted) == 1
    (cache,) = (file for file in (tmp_path / "cache").rglob("*") if file.is_file())
    content = bytearray(cache.read_bytes())
    content[len(content) // 2] ^= 1
    cache.write_bytes(content)
    np.testing.assert_array_equal(cifar10_jpeg.pixels(), expected)
    assert next(counted) == 3
    np.testing.assert_array_equal(cifar10_jpeg.pixels(), expected)
    assert next(counted) == 4


def test_a_cache_that_cannot_be_written_is_no_error(small_pack: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert len(cifar10_jpeg.pixels()) == 30
