"""The Criteo click format: a label, 13 numbers and 26 categories a line, separated by tabs.

The file of the Kaggle display advertising challenge (train.txt, 45.8 million lines in the order of
seven days, 11 GB) is not ours to pass on; any file in its format will do.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from theory_lab.core.errors import StorageError
from theory_lab.data.files import locate, places
from theory_lab.data.tables import Table, bucket_ids, category_ids, split_rows

FILE = "criteo/train.txt"
NUMBERS, CATEGORIES = 13, 26
MISSING = -1
BUCKETS, MIN_COUNT = 32, 10
CHUNK = 100_000
"""Lines that are parsed at a time."""


def criteo() -> Table:
    """39 columns of ids; the last seventh of the lines (of the challenge: the last day) are the test.

    Numbers in at most 32 buckets; categories that at least 10 training rows have, a missing one
    among them. All of it is held in memory, twice about 316 bytes a line. Raises StorageError if the
    file is missing or a line has another form.
    """
    source = locate(FILE)
    if source is None:
        raise StorageError(
            f"The data file {FILE} is missing: put train.txt of Kaggle's challenge at"
            f" {places(FILE)}."
        )
    labels, numbers, categories = read(source)
    is_train = np.arange(len(labels)) < len(labels) - len(labels) // 7
    columns = [bucket_ids(column, is_train, BUCKETS) for column in numbers.T]
    columns += [category_ids(column, is_train, MIN_COUNT) for column in categories.T]
    return split_rows(columns, labels, is_train)


def read(file: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels (n,) uint8, numbers (n, 13) float64 with NaN, categories (n, 26) int64 from their
    hexadecimal digits, -1 where one is missing."""
    import pandas as pd

    width = 1 + NUMBERS + CATEGORIES
    # as strings: 00001e05 would be read as the number 100000
    types: dict[int, str] = {c: "float64" if c <= NUMBERS else "str" for c in range(width)}
    try:
        with pd.read_csv(file, sep="\t", header=None, dtype=types, chunksize=CHUNK) as chunks:
            parts = [_chunk(chunk) for chunk in chunks]
    except (ValueError, KeyError) as error:
        reason = textwrap.shorten(str(error), 60)
        raise StorageError(
            f"{file} is not in Criteo's format ({reason}): a line is a label, 13 numbers and 26"
            " hexadecimal categories, separated by tabs."
        ) from error
    labels, numbers, categories = (np.concatenate(part) for part in zip(*parts, strict=True))
    return labels, numbers, categories


def _chunk(frame: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    labels = frame[0].to_numpy()
    if frame.shape[1] != 1 + NUMBERS + CATEGORIES or not np.isin(labels, (0, 1)).all():
        raise ValueError(f"{frame.shape[1]} columns, labels {sorted(set(labels))[:3]}")
    categories = [_hexadecimal(frame[c]) for c in range(1 + NUMBERS, frame.shape[1])]
    numbers = frame.loc[:, 1:NUMBERS].to_numpy(np.float64)
    return labels.astype(np.uint8), numbers, np.stack(categories, axis=1)


def _hexadecimal(column: Any) -> np.ndarray:
    """Each distinct value is parsed once; a missing one has code -1, the last place."""
    codes, values = column.factorize()
    return np.array([*(int(value, 16) for value in values), MISSING], np.int64)[codes]
