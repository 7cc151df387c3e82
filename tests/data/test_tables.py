"""Tables as ids: learnt from the training rows alone, whatever the test rows hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from theory_lab.core import StorageError
from theory_lab.data import bank_marketing, criteo, files
from theory_lab.data.tables import bucket_ids, category_ids

NUMBERS = st.one_of(st.integers(-5, 5).map(float), st.floats(-1e6, 1e6), st.just(np.nan))


@st.composite
def columns(draw, elements):
    """A column, and which of its rows are training rows (at least one)."""
    count = draw(st.integers(1, 60))
    is_train = draw(arrays.arrays(bool, count))
    is_train[draw(st.integers(0, count - 1))] = True
    return draw(arrays.arrays(np.float64, count, elements=elements)), is_train


@given(columns(NUMBERS), st.integers(1, 40))
def test_buckets_are_ordered_and_none_is_empty_in_training(drawn, buckets: int) -> None:
    column, is_train = drawn
    ids, size = bucket_ids(column, is_train, buckets)
    known = ~np.isnan(column)
    has_numbers = (known & is_train).any()
    assert (ids[~known] == 0).all()
    assert set(ids[known & is_train]) == set(range(1, size))
    if has_numbers:
        order = np.argsort(column[known], kind="stable")
        assert (np.diff(ids[known][order]) >= 0).all()
        assert size <= 1 + buckets
        assert ids[known].min() >= 1
        assert ids.max() < size
    else:
        assert (ids == 0).all()


@given(columns(NUMBERS), st.integers(1, 40))
def test_test_rows_change_nothing(drawn, buckets: int) -> None:
    column, is_train = drawn
    other = np.where(is_train, column, 1e9)
    ids, size = bucket_ids(column, is_train, buckets)
    again, same_size = bucket_ids(other, is_train, buckets)
    assert size == same_size
    np.testing.assert_array_equal(ids[is_train], again[is_train])


@pytest.mark.parametrize(("count", "buckets"), [(1000, 32), (640, 10)])
def test_distinct_numbers_fall_into_equal_buckets(count: int, buckets: int) -> None:
    column = np.random.default_rng(0).permutation(count).astype(float)
    ids, size = bucket_ids(column, np.ones(count, bool), buckets)
    filled = np.bincount(ids)[1:]
    assert size == buckets + 1
    assert filled.max() - filled.min() <= 1


@given(columns(st.integers(-3, 3).map(float)), st.integers(1, 4))
def test_categories_are_those_of_enough_training_rows(drawn, min_count: int) -> None:
    column, is_train = drawn
    ids, size = category_ids(column, is_train, min_count)
    for value in set(column.tolist()):
        found = set(ids[column == value].tolist())
        enough = (column[is_train] == value).sum() >= min_count
        assert len(found) == 1
        assert (found != {0}) == enough
    assert len(set(ids.tolist()) - {0}) == size - 1


def bank(separator: str, *, header: bool, rows: int) -> str:
    """A file of the bank in which every tenth client subscribed and ages are 18, 19, …, 67."""
    quote = '"' if header else ""
    lines = [separator.join(f"{quote}{name}{quote}" for name in bank_marketing.COLUMNS)]
    for n in range(rows):
        values: list[object] = [18 + n % 50, "clerk", "single", "primary", "no", n, "yes", "no",
                  "unknown", 5, ("may", "jun")[n % 2], 3 * n, 1, -1, 0, "unknown",
                  ("no", "yes")[n % 10 == 0]]  # fmt: skip
        lines.append(separator.join(str(value) for value in values))
    return "\n".join(lines if header else lines[1:]) + "\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THEORY_LAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("bank_marketing", "criteo"):
        (tmp_path / "data" / name).mkdir(parents=True)
    return tmp_path / "data"


def test_both_forms_of_the_bank_file_say_the_same(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(bank_marketing, "ROWS", 200)
    monkeypatch.setattr(bank_marketing, "SUBSCRIBED", 20)
    tables = []
    for name, separator in zip(bank_marketing.FILES, ";,", strict=True):
        text = bank(separator, header=separator == ";", rows=200)
        file = folder / name
        file.write_bytes(text.encode()) if separator == ";" else write_xz(file, text)
        tables.append(bank_marketing.bank_marketing())
        file.unlink()
    for first, second in zip(*tables, strict=True):
        np.testing.assert_array_equal(first, second)
    assert tables[0].train.shape == (160, 15)
    assert tables[0].test.shape == (40, 15)
    assert tables[0].vocabularies[0] == 1 + bank_marketing.BUCKETS  # age
    assert tables[0].vocabularies[10] == 3  # month
    assert tables[0].train_labels.sum() + tables[0].test_labels.sum() == 20


def write_xz(file: Path, text: str) -> None:
    import lzma

    file.write_bytes(lzma.compress(text.encode()))


def test_another_bank_file_is_refused(folder: Path) -> None:
    (folder / bank_marketing.FILES[0]).write_text(bank(";", header=True, rows=50))
    with pytest.raises(StorageError, match="50 rows with 5 yes, not 45211 with 5289; replace it"):
        bank_marketing.bank_marketing()


def test_the_real_bank_file() -> None:
    if files.locate(*bank_marketing.FILES) is None:
        pytest.skip("bank-full.csv is not on this machine")
    table = bank_marketing.bank_marketing()
    assert table.train.shape[1] == len(table.vocabularies) == 15
    assert len(table.train) + len(table.test) == 45_211
    np.testing.assert_array_equal(table.train.max(axis=0), np.array(table.vocabularies) - 1)


def click(label: int, numbers: list[int | str], categories: list[str]) -> str:
    return "\t".join(map(str, [label, *numbers, *categories])) + "\n"


def test_criteo_by_hand(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(criteo, "CHUNK", 4)  # a category must keep its id across chunks
    lines = [
        click(
            n % 2, ["" if n == 3 else n, *[0] * 12], ["0000000a", ["", "ff"][n % 3 == 0], *"b" * 24]
        )
        for n in range(13)
    ]
    unseen = click(1, [99, *[0] * 12], ["0000000b", "fe", *"b" * 24])
    (folder / criteo.FILE).write_text("".join([*lines, unseen]))
    monkeypatch.setattr(criteo, "MIN_COUNT", 4)
    table = criteo.criteo()
    assert (len(table.train), len(table.test)) == (12, 2)
    assert table.train_labels.tolist() == [0, 1] * 6
    assert table.train[3, 0] == 0  # missing
    assert (np.diff(np.delete(table.train[:, 0], 3)) > 0).all()
    assert table.test[1, 0] == table.vocabularies[0] - 1  # larger than all: the last bucket
    # the second category: missing in 8 of the training rows, "ff" in 4; sorted, a missing one first
    assert table.vocabularies[14] == 3
    assert table.train[:, 14].tolist() == [2, 1, 1] * 4
    assert table.test[:, [13, 14]].tolist() == [[1, 2], [0, 0]]


def test_criteo_drops_rare_categories(folder: Path) -> None:
    lines = [click(0, [1] * 13, [f"{n % 9:08x}", *["1"] * 25]) for n in range(91)]
    (folder / criteo.FILE).write_text("".join(lines))
    table = criteo.criteo()
    assert len(table.train) == 78
    # 78 rows: values 0..5 nine times, 6..8 eight times, all below MIN_COUNT
    assert table.vocabularies[13:15] == (1, 2)


def test_hexadecimal_digits_are_no_numbers(folder: Path) -> None:
    values = ["00001e05", "00100000", "0000000a", "00000010"] * 14  # 1e5 and 10 twice, as numbers
    (folder / criteo.FILE).write_text("".join(click(0, [1] * 13, [v] * 26) for v in values))
    table = criteo.criteo()
    assert table.vocabularies[13:] == (5,) * 26
    assert table.train[:4, 13].tolist() == [3, 4, 1, 2]


@pytest.mark.parametrize(
    "line",
    [
        "0\t1\t2\n",
        click(2, [1] * 13, ["1"] * 26),
        click(0, [1] * 13, ["xyz"] * 26),
        click(0, [1] * 13, ["1"] * 27),
        "label,I1,I2\n",
        "",
    ],
)
def test_another_format_than_criteos(folder: Path, line: str) -> None:
    (folder / criteo.FILE).write_text(line)
    with pytest.raises(StorageError, match="not in Criteo's format") as caught:
        criteo.criteo()
    assert "\n" not in str(caught.value)


def test_real_criteo_lines(folder: Path, monkeypatch) -> None:
    monkeypatch.undo()
    if (real := files.locate("criteo_tiny/train_899.txt")) is None:
        pytest.skip("the Criteo sample is not on this machine")
    monkeypatch.setenv("THEORY_LAB_DATA", str(folder))
    (folder / criteo.FILE).symlink_to(real)
    table = criteo.criteo()
    assert table.train.shape[1] == 39
    assert len(table.train) + len(table.test) in (899, 900)
    assert (table.train.max(axis=0) == np.array(table.vocabularies) - 1).all()
    assert (table.test < np.array(table.vocabularies)).all()
    assert 0.1 < table.train_labels.mean() < 0.4
