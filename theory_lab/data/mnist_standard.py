"""MNIST as it was published: four IDX files, 60,000 training and 10,000 test images."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from theory_lab.core.errors import StorageError
from theory_lab.data.files import fetch, locate
from theory_lab.data.split import Split

URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}


def is_complete() -> bool:
    """Whether the four files are in the data folders, so that nothing has to be downloaded."""
    return all(locate(f"mnist/{name}") for name in MD5)


def mnist_standard() -> Split:
    """Images (60000, 28, 28) and (10000, 28, 28); the files are downloaded where they are missing.

    Raises StorageError if they are neither in the data folders nor to be had.
    """
    return Split(*(read_idx(fetch(f"mnist/{name}", md5, URL + name)) for name, md5 in MD5.items()))


def read_idx(file: Path) -> np.ndarray:
    """The array of bytes in a gzipped IDX file: two zeros, type 8, the number of dimensions, the
    dimensions as big-endian 32-bit numbers, the bytes."""
    content = gzip.decompress(file.read_bytes())
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", dimensions, offset=4)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions)
    if content[:3] != b"\0\0\x08" or values.size != shape.prod():
        raise StorageError(f"{file} is not an IDX file of bytes; replace it.")
    return values.reshape(shape).copy()
