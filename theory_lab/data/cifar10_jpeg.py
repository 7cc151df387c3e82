"""CIFAR-10 with JPEG loss: all 60,000 images at quality 75 with halved colour resolution.

Not the published pixels: they differ by 8.1 grey levels (root mean square), and a small net loses
about one point of accuracy. Say "CIFAR-10, JPEG q75" wherever a number comes from them.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from theory_lab.data.files import find, folders
from theory_lab.data.split import Split

FILE = "cifar10_jpeg/cifar10_jpeg_scans.npz"
MD5 = "e51f08a637df8e64a27b3d42863b04a9"
TRAIN, TEST = 50_000, 10_000
END_OF_IMAGE = b"\xff\xd9"


def cifar10_jpeg() -> Split:
    """Images (50000, 32, 32, 3) and (10000, 32, 32, 3), each half sorted by class.

    Decoded once, in about 10 s; the pixels are then kept in the user's cache. StorageError if the
    pack is missing.
    """
    images, classes = pixels(), np.arange(10, dtype=np.uint8)
    train_labels, test_labels = classes.repeat(TRAIN // 10), classes.repeat(TEST // 10)
    return Split(images[:TRAIN], train_labels, images[TRAIN:], test_labels)


def pixels() -> np.ndarray:
    """All images (60000, 32, 32, 3) in the order of the pack: from the cache, or decoded."""
    pack = find(FILE, MD5)
    cache = folders()[-1] / "cifar10_jpeg" / f"pixels_{MD5[:8]}.npz"
    images = _cached(cache)
    if images is None:
        images = decode(jpegs(pack))
        _keep(cache, images)
    return images


def jpegs(pack: Path) -> Iterator[bytes]:
    """The files: a header that all share, the image's own scan, the end marker."""
    with np.load(pack) as arrays:
        header, scans = arrays["header"].tobytes(), arrays["scans"].tobytes()
        ends = np.cumsum(arrays["lengths"], dtype=np.int64).tolist()
    for start, end in itertools.pairwise([0, *ends]):
        yield header + scans[start:end] + END_OF_IMAGE


def decode(files: Iterable[bytes]) -> np.ndarray:
    """Pixels (n, 32, 32, 3) uint8 of JPEG files."""
    from PIL import Image

    return np.stack([np.asarray(Image.open(io.BytesIO(file))) for file in files])


def _cached(file: Path) -> np.ndarray | None:
    """None where there is no file, or a damaged one: every array in it has a checksum."""
    try:
        with np.load(file) as arrays:
            return arrays["images"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _keep(file: Path, images: np.ndarray) -> None:
    """Write by rename, so that no reader sees half a file; without a cache we decode each time."""
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            draft = Path(folder) / file.name
            np.savez(draft, images=images)
            os.replace(draft, file)
