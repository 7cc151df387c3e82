"""A damaged ledger is noticed, and mended by what can be read of it."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests import toys
from tests.conftest import Lab
from theory_lab.core import Measurement, Record, StorageError
from theory_lab.lab import codec
from theory_lab.lab.ledger import Failure, Key, Ledger
from theory_lab.lab.mending import open_mended
from theory_lab.lab.storage import Damaged

RECORDS = 24


def key(number: int) -> Key:
    return Key(f"toy.e{number % 3}", f'[{{"n":{number}}},0]', f"{number % 3:064x}")


def payload(number: int) -> tuple[bytes, bytes]:
    values = np.random.default_rng(number).standard_normal(20 + number)
    results = {"value": Measurement.certified(values, values + 0.1)}
    trace = {} if number % 4 else {"t": values}
    return codec.encode(Record(key(number).experiment, {}, 0, {"x": values[:5]}, results, trace))


EXPECTED = {key(number): b"".join(payload(number)) for number in range(RECORDS)}
READ = {
    key(number): codec.decode(key(number).experiment, *payload(number)) for number in range(RECORDS)
}


def same(one: Record, other: Record) -> bool:
    arrays = [
        (one.facts["x"], other.facts["x"]),
        (one.results["value"].low, other.results["value"].low),
        (one.results["value"].high, other.results["value"].high),
        *((one.trace[name], other.trace[name]) for name in {**one.trace, **other.trace}),
    ]
    return one.experiment == other.experiment and all(np.array_equal(*pair) for pair in arrays)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of 60 records, checkpointed into one file."""
    path = tmp_path_factory.mktemp("filled") / "ledger.sqlite"
    with Ledger(path) as opened:
        for number in range(RECORDS):
            opened.put(key(number), *payload(number), 0.5)
        opened.put_failure(Failure(key(99), "crashed", "a traceback"))
    assert not path.with_name("ledger.sqlite-wal").exists()
    return path


def judged(path: Path) -> tuple[set[Key], bool]:
    """Of which keys `judge` sees the record that was written; whether damage was said."""
    seen: set[Key] = set()
    try:
        with Ledger(path, readonly=True) as opened:
            for number in range(RECORDS):
                record = opened.get(key(number))
                if record is not None:
                    assert same(record, READ[key(number)]), "another record than was written"
                    seen.add(key(number))
                opened.failure(key(number))
                opened.is_stale(key(number))
    except StorageError:
        return seen, True
    return seen, False


def require_honest(path: Path) -> bool:
    """Each record that is seen is the one that was written; whether anything was noticed."""
    seen, said = judged(path)
    return said or len(seen) < RECORDS


def require_mended(path: Path) -> int:
    """`run` opens the file, keeps only what was written, and can add the rest."""
    opened, _ = open_mended(path)
    with opened:
        kept = opened.contents()
        assert kept.items() <= EXPECTED.items()
        for number in range(RECORDS):
            if not opened.has(key(number)):
                opened.put(key(number), *payload(number), 0.5)
        opened.verify()
        assert opened.contents() == EXPECTED
    return len(kept)


def copied(filled: Path, folder: Path) -> Path:
    for old in folder.glob("ledger.sqlite?*"):
        old.unlink()
    path = folder / "ledger.sqlite"
    path.write_bytes(filled.read_bytes())
    return path


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one: thousands of files are written and deleted."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else tmp_path))
    yield folder
    shutil.rmtree(folder)


def flip(path: Path, chance: random.Random, flips: int = 1, among: int | None = None) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(flips):
        place = chance.randrange(among or len(data))
        data[place] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def test_thousands_of_flipped_bits(filled: Path, fast: Path) -> None:
    chance = random.Random(1)
    noticed = sum(require_honest(flipped(filled, fast, chance, among=None)) for _ in range(1500))
    in_header = sum(require_honest(flipped(filled, fast, chance, among=100)) for _ in range(500))
    assert noticed > 700
    assert in_header > 50


def test_an_index_in_disorder_is_damage(filled: Path, tmp_path: Path) -> None:
    """All rows are there and intact, but few are found by their key: they would be measured twice."""
    path = copied(filled, tmp_path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        asked = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_records_1'"
        (page,) = connection.execute(asked).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    data = bytearray(path.read_bytes())
    start = (page - 1) * size
    assert data[start] == 10, "the index is one leaf; its entries' places follow an 8-byte head"
    places = [data[start + 8 + 2 * n : start + 10 + 2 * n] for n in range(RECORDS)]
    data[start + 8 : start + 8 + 2 * RECORDS] = b"".join(reversed(places))
    path.write_bytes(data)
    assert require_honest(path)
    with Ledger(path) as opened, pytest.raises(Damaged):
        opened.verify()
    assert require_mended(path) == RECORDS


def flipped(filled: Path, folder: Path, chance: random.Random, among: int | None) -> Path:
    path = copied(filled, folder)
    flip(path, chance, among=among)
    return path


def test_flipped_bits_are_mended(filled: Path, fast: Path) -> None:
    chance = random.Random(2)
    kept = []
    for trial in range(150):
        path = copied(filled, fast)
        flip(path, chance, flips=1 + trial % 20, among=100 if trial % 10 == 0 else None)
        with contextlib.suppress(NewerSchema):
            kept.append(require_mended_or_newer(path))
    assert len(kept) > 140
    assert np.mean(kept) > RECORDS / 2


class NewerSchema(Exception):
    """The flipped bit was the schema's version: refused, and rightly left alone."""


def require_mended_or_newer(path: Path) -> int:
    try:
        return require_mended(path)
    except StorageError as error:
        if "newer theory_lab" in str(error):
            raise NewerSchema from error
        raise


def test_truncations(filled: Path, fast: Path) -> None:
    size = filled.stat().st_size
    chance = random.Random(3)
    for length in [
        0,
        1,
        15,
        16,
        99,
        100,
        4096,
        size - 1,
        *(chance.randrange(size) for _ in range(60)),
    ]:
        path = copied(filled, fast)
        os.truncate(path, length)
        assert require_honest(path) or length > size - 4096, f"cut at {length}, unnoticed"
        require_mended(path)


@pytest.mark.parametrize("text", [b"", b"not a database, but a letter " * 400, b"\0" * 8192])
def test_overwritten_files(text: bytes, filled: Path, tmp_path: Path) -> None:
    path = copied(filled, tmp_path)
    with path.open("r+b") as file:
        file.write(text)
    if text:
        assert require_honest(path)
    require_mended(path)
    path.write_bytes(text)
    assert require_honest(path)
    assert require_mended(path) == 0


@pytest.fixture
def unfinished(fast: Path) -> Path:
    """A ledger whose last 30 records are still in the write-ahead log, as after a kill."""
    source = fast / "live" / "ledger.sqlite"
    with Ledger(source) as opened:
        for number in range(RECORDS // 2):
            opened.put(key(number), *payload(number), 0.5)
    with Ledger(source) as opened:
        for number in range(RECORDS // 2, RECORDS):
            opened.put(key(number), *payload(number), 0.5)
        for file in source.parent.glob("ledger.sqlite*"):
            shutil.copy(file, fast / file.name)
    assert (fast / "ledger.sqlite-wal").stat().st_size > 0
    return fast / "ledger.sqlite"


def test_the_log_of_a_killed_run_is_read(unfinished: Path) -> None:
    assert judged(unfinished) == (set(EXPECTED), False)
    assert require_mended(unfinished) == RECORDS


def test_a_deleted_log_loses_only_what_was_in_it(unfinished: Path) -> None:
    unfinished.with_name("ledger.sqlite-wal").unlink()
    assert require_honest(unfinished)
    assert RECORDS // 2 <= require_mended(unfinished) < RECORDS


def test_a_deleted_database_leaves_no_ghost(unfinished: Path) -> None:
    unfinished.unlink()
    assert require_honest(unfinished)
    require_mended(unfinished)


def test_flips_and_cuts_of_the_log(unfinished: Path) -> None:
    chance = random.Random(4)
    whole = {file.name: file.read_bytes() for file in unfinished.parent.glob("ledger.sqlite*")}
    for trial in range(200):
        for name, data in whole.items():
            (unfinished.parent / name).write_bytes(data)
        log = unfinished.parent / ("ledger.sqlite-wal" if trial % 4 else "ledger.sqlite-shm")
        if trial % 2:
            flip(log, chance, flips=1 + trial % 5)
        else:
            os.truncate(log, chance.randrange(log.stat().st_size))
        require_honest(unfinished)
        if trial % 5 == 0:
            require_mended(unfinished)


def test_damage_is_said_and_mended_by_the_commands(lab: Lab) -> None:
    lab.write(toys.WEIGHT)
    assert lab.run().code == 0
    before = lab.contents()
    data = bytearray(lab.ledger.read_bytes())
    place = data.index(b'"replicate":2')
    data[place + 5] ^= 1
    lab.ledger.write_bytes(data)
    for asked in (("judge", "toy.py"), ("challenge", "toy.py"), ("export", "toy.py", "e.jsonl.xz")):
        ended = lab(*asked)
        assert (ended.code, ended.out) == (3, "")
        assert "is damaged; `theory-lab run` sets it aside" in ended.err
    assert "is damaged" in lab("doctor").out
    ended = lab.run()
    assert ended.code == 0
    assert "11 of its records could be read" in ended.err
    assert "1 measured, 11 already there" in ended.err
    assert lab.contents() == before
    assert lab.ledger.with_name("ledger.sqlite.damaged-1").exists()


def test_damage_under_another_run_is_left_alone(filled: Path, tmp_path: Path) -> None:
    path = copied(filled, tmp_path)
    with Ledger(path):
        flip(path, random.Random(5), flips=3000)
        with pytest.raises(StorageError, match="another run is still writing"):
            open_mended(path)
    assert not list(tmp_path.glob("*damaged*"))


@pytest.fixture
def sealed(filled: Path) -> Iterator[Path]:
    """A ledger in a folder that this process may read but not write."""
    folder = Path(tempfile.mkdtemp())
    path = Path(shutil.copy(filled, folder / "ledger.sqlite"))
    path.chmod(0o444)
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # the permissions of a folder do not bind root
    yield path
    if root:
        os.seteuid(0)
    folder.chmod(stat.S_IRWXU)
    shutil.rmtree(folder)


def test_a_read_only_folder(sealed: Path) -> None:
    with pytest.raises(StorageError, match="make its folder writable, or choose another one"):
        Ledger(sealed)
    with pytest.raises(StorageError, match="make its folder writable, or choose another one"):
        Ledger(sealed.with_name("new") / "ledger.sqlite")
    assert judged(sealed) == (set(EXPECTED), False)


def test_a_record_in_the_wrong_place_is_damage(filled: Path, tmp_path: Path) -> None:
    """A payload under another row's key."""
    path = copied(filled, tmp_path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE records SET cell = 'x' WHERE cell = ?", key(3)[1:2])
        connection.execute("UPDATE records SET cell = ? WHERE cell = ?", (key(3).cell, key(6).cell))
    with Ledger(path, readonly=True) as opened, pytest.raises(Damaged):
        opened.get(key(3))


def test_an_index_that_leads_to_another_row_is_damage(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Ledger._rows
    monkeypatch.setattr(Ledger, "_rows", lambda self, query, _: honest(self, query, key(6)))
    with Ledger(filled, readonly=True) as opened:
        assert opened.get(key(6)) is not None
        with pytest.raises(Damaged):
            opened.get(key(3))


def test_a_failure_is_never_a_record(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        opened.put_failure(Failure(key(1), "crashed", "why"))
        assert opened.get(key(1)) is None
        assert opened.failure(key(1)) == Failure(key(1), "crashed", "why")
        opened.put(key(1), *payload(1), 0.5)
        assert opened.failure(key(1)) is None


def test_a_new_record_takes_the_place_of_the_stale_one(tmp_path: Path) -> None:
    newer = key(1)._replace(digest="f" * 64)
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        opened.put(key(1), *payload(1), 0.5)
        assert opened.is_stale(newer)
        opened.put(newer, *payload(1), 0.5)
        assert set(opened.contents()) == {newer}
        assert not opened.is_stale(newer)
