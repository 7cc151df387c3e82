"""Tables as category ids: vocabularies and buckets are learnt from the training rows alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Table(NamedTuple):
    """Rows (n, columns) int64 of ids and labels (n,) uint8; column j has ids 0..vocabularies[j]-1.

    Id 0 of a column is what its training rows do not tell: a category that they lack, or have too
    rarely, and a number that is missing.
    """

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    vocabularies: tuple[int, ...]


def category_ids(
    column: np.ndarray, is_train: np.ndarray, min_count: int
) -> tuple[np.ndarray, int]:
    """(ids, vocabulary) of one column of categories: those that at least `min_count` training rows
    have are numbered from 1 on, in sorted order."""
    values, counts = np.unique(column[is_train], return_counts=True)
    known = values[counts >= min_count]
    if not known.size:
        return np.zeros(len(column), np.int64), 1
    places = np.minimum(np.searchsorted(known, column), known.size - 1)
    return np.where(known[places] == column, places + 1, 0), 1 + known.size


def bucket_ids(column: np.ndarray, is_train: np.ndarray, buckets: int) -> tuple[np.ndarray, int]:
    """(ids, vocabulary) of one column of numbers, NaN where one is missing.

    At most `buckets` buckets, numbered from 1 on, that hold equally many training rows as far as
    ties allow: they begin at the values of the training rows that are quantiles k / buckets.
    """
    known = column[is_train & ~np.isnan(column)]
    if not known.size:
        return np.zeros(len(column), np.int64), 1
    starts = np.unique(np.quantile(known, np.arange(1, buckets) / buckets, method="higher"))
    starts = starts[starts > known.min()]
    ids = 1 + np.searchsorted(starts, column, side="right")
    return np.where(np.isnan(column), 0, ids), 2 + starts.size


def split_rows(
    columns: list[tuple[np.ndarray, int]], labels: np.ndarray, is_train: np.ndarray
) -> Table:
    """Columns of ids with their vocabularies, parted into training and test rows."""
    rows = np.stack([ids for ids, _ in columns], axis=1)
    vocabularies = tuple(size for _, size in columns)
    return Table(rows[is_train], labels[is_train], rows[~is_train], labels[~is_train], vocabularies)
