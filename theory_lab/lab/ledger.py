"""The ledger: one SQLite file of records, one transaction and one SHA-256 each.

A record's key is (experiment, cell, digest): what was run, with which parameters and replicate, by
which code. Killed at any moment, the file holds every record that was finished; a record that
reads back different from what was written is never taken for a result.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from theory_lab.core import Record, StorageError
from theory_lab.lab import codec

SCHEMA_VERSION = 1
BUSY_SECONDS = 10

_TABLES = """
CREATE TABLE IF NOT EXISTS records (
    experiment TEXT NOT NULL, cell TEXT NOT NULL, digest TEXT NOT NULL,
    payload BLOB NOT NULL, trace BLOB NOT NULL, sha256 TEXT NOT NULL, seconds REAL NOT NULL,
    PRIMARY KEY (experiment, cell, digest));
CREATE TABLE IF NOT EXISTS failures (
    experiment TEXT NOT NULL, cell TEXT NOT NULL, digest TEXT NOT NULL,
    kind TEXT NOT NULL, detail TEXT NOT NULL,
    PRIMARY KEY (experiment, cell, digest));
"""

_COLUMNS = "experiment, cell, digest, payload, trace, sha256, seconds"


class Key(NamedTuple):
    """What identifies a record."""

    experiment: str
    cell: str
    digest: str


class Failure(NamedTuple):
    """A cell that crashed or took too long: never a result."""

    key: Key
    kind: str
    detail: str


class Damaged(StorageError):
    """The ledger does not read back what was written to it."""


def checksum(key: Key, payload: bytes, trace: bytes) -> str:
    """SHA-256 over key, payload and trace, each with its length."""
    state = hashlib.sha256()
    for part in (*(text.encode() for text in key), payload, trace):
        state.update(len(part).to_bytes(8, "big") + part)
    return state.hexdigest()


class Ledger:
    """Reads and writes one ledger file. Use as a context manager, or call `close`.

    With `readonly`, a missing file is an empty ledger and nothing is created. Errors: StorageError
    (locked, read-only, full disk, newer schema) and Damaged, each with the cure.
    """

    def __init__(self, path: Path, readonly: bool = False) -> None:
        self.path = path
        self.readonly = readonly
        self._lock: IO[str] | None = None
        with _explained(path):
            if readonly:
                self._connection = self._open_readonly()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._lock = _shared_lock(path)
                self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        self._require_version(version)
        if version < SCHEMA_VERSION:
            connection.executescript(f"BEGIN IMMEDIATE;{_TABLES}PRAGMA user_version={SCHEMA_VERSION};COMMIT;")
        return connection

    def _open_readonly(self) -> sqlite3.Connection:
        if not self.path.is_file():
            connection = sqlite3.connect(":memory:")
            connection.executescript(_TABLES)
            return connection
        connection = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
        self._require_version(connection.execute("PRAGMA user_version").fetchone()[0])
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return connection

    def _require_version(self, version: int) -> None:
        if version > SCHEMA_VERSION:
            raise StorageError(
                f"{self.path} was written by a newer theory_lab (schema {version}, this one knows"
                f" {SCHEMA_VERSION}); update theory_lab, or choose another folder with --out."
            )

    def close(self) -> None:
        self._connection.close()
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put(self, key: Key, payload: bytes, trace: bytes, seconds: float) -> None:
        """Write one record; stale records of the same cell and its failure go in the same step."""
        row = (*key, payload, trace, checksum(key, payload, trace), seconds)
        with self._transaction():
            self._connection.execute(
                "DELETE FROM records WHERE experiment=? AND cell=? AND digest<>?", key
            )
            self._connection.execute("DELETE FROM failures WHERE experiment=? AND cell=?", key[:2])
            self._connection.execute(
                f"INSERT OR REPLACE INTO records ({_COLUMNS}) VALUES (?,?,?,?,?,?,?)", row
            )

    def put_failure(self, failure: Failure) -> None:
        """Note that a cell crashed or timed out."""
        with self._transaction():
            self._connection.execute(
                "INSERT OR REPLACE INTO failures VALUES (?,?,?,?,?)",
                (*failure.key, failure.kind, failure.detail),
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with _explained(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def has(self, key: Key) -> bool:
        """Whether a record with this key is there (its checksum is not looked at)."""
        return bool(self._rows("SELECT 1 FROM records WHERE experiment=? AND cell=? AND digest=?", key))

    def get(self, key: Key) -> Record | None:
        """The record of a key, None if there is none; Damaged if its checksum does not agree."""
        rows = self._rows(
            f"SELECT {_COLUMNS} FROM records WHERE experiment=? AND cell=? AND digest=?", key
        )
        return self._record(rows[0]) if rows else None

    def _record(self, row: tuple) -> Record:
        if not _intact(row):
            raise _damaged(self.path)
        return codec.decode(row[0], row[3], row[4])

    def is_stale(self, key: Key) -> bool:
        """Whether the cell was measured, but only by other code than today's."""
        stale = "SELECT 1 FROM records WHERE experiment=? AND cell=? AND digest<>? LIMIT 1"
        return not self.has(key) and bool(self._rows(stale, key))

    def failure(self, key: Key) -> Failure | None:
        """How the cell failed when last tried, if it did."""
        rows = self._rows(
            "SELECT kind, detail FROM failures WHERE experiment=? AND cell=? AND digest=?", key
        )
        return Failure(key, *rows[0]) if rows else None

    def seconds(self, key: Key) -> float | None:
        """How long the cell took."""
        rows = self._rows(
            "SELECT seconds FROM records WHERE experiment=? AND cell=? AND digest=?", key
        )
        return rows[0][0] if rows else None

    def contents(self) -> dict[Key, bytes]:
        """Payload and trace of every record by key: what two ledgers are compared by."""
        rows = self._rows(f"SELECT {_COLUMNS} FROM records ORDER BY experiment, cell, digest")
        if not all(_intact(row) for row in rows):
            raise _damaged(self.path)
        return {Key(*row[:3]): row[3] + row[4] for row in rows}

    def verify(self) -> None:
        """Read every page and every record; Damaged if anything does not agree."""
        with _explained(self.path):
            (report,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        if report != "ok":
            raise _damaged(self.path)
        self.contents()

    def _rows(self, query: str, values: tuple = ()) -> list[tuple]:
        with _explained(self.path):
            return self._connection.execute(query, values).fetchall()


def _intact(row: tuple) -> bool:
    """Whether a row is a record as it was written."""
    texts, blobs = row[:3], row[3:5]
    if not all(isinstance(t, str) for t in texts) or not all(isinstance(b, bytes) for b in blobs):
        return False
    return checksum(Key(*texts), *blobs) == row[5]


def open_mended(path: Path) -> tuple[Ledger, str]:
    """A ledger to write to, and a sentence if the file was damaged and had to be set aside.

    The readable records of a damaged file are kept; what is missing will be measured again.
    """
    ledger = None
    try:
        ledger = Ledger(path)
        ledger.verify()
        return ledger, ""
    except Damaged:
        if ledger is not None:
            ledger.close()
    aside, rows = _set_aside(path)
    ledger = Ledger(path)
    for row in rows:
        ledger.put(Key(*row[:3]), row[3], row[4], row[6])
    return ledger, (
        f"{path} was damaged: {len(rows)} of its records could be read and are kept, the others are"
        f" measured again; the damaged file is {aside}."
    )


def _set_aside(path: Path) -> tuple[Path, list[tuple]]:
    """Rename a damaged ledger (nobody else may be writing) and read what can be read of it."""
    with _exclusive_lock(path):
        number = 1
        while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
            number += 1
        with _explained(path):
            for suffix in ("-wal", "-shm", ""):
                part = path.with_name(path.name + suffix)
                if part.exists():
                    part.rename(aside.with_name(aside.name + suffix))
        return aside, _salvage(aside)


def _salvage(path: Path) -> list[tuple]:
    """The intact rows of a damaged file, read from its beginning and from its end."""
    rows: dict[tuple, tuple] = {}
    for order in ("ASC", "DESC"):
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as source:
            source.text_factory = _text_or_bytes
            for row in source.execute(f"SELECT {_COLUMNS} FROM records ORDER BY rowid {order}"):
                if _intact(row):
                    rows[row[:3]] = row
    return list(rows.values())


def _text_or_bytes(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _damaged(path: Path) -> Damaged:
    return Damaged(
        f"{path} is damaged; `theory-lab run` sets it aside, keeps what can be read of it and"
        " measures the rest again."
    )


def _lock_file(path: Path) -> IO[str]:
    return open(path.with_name(path.name + ".lock"), "w", encoding="utf-8")


def _shared_lock(path: Path) -> IO[str]:
    """Held by every writer, so that nobody sets a file aside under its hands."""
    lock = _lock_file(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise StorageError(
            f"Another run is mending {path}; wait for it to finish, then run again."
        ) from None
    return lock


@contextlib.contextmanager
def _exclusive_lock(path: Path) -> Iterator[None]:
    with _lock_file(path) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(
                f"{path} is damaged, but another run is still writing to it; stop that run, then"
                " run again."
            ) from None
        yield


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Errors of SQLite and the file system as sentences with a cure."""
    try:
        yield
    except sqlite3.Error as error:
        raise _storage_error(path, str(error)) from error
    except OSError as error:
        raise _storage_error(path, error.strerror or str(error)) from error


def _storage_error(path: Path, reason: str) -> StorageError:
    low = reason.lower()
    if "locked" in low or "busy" in low:
        return StorageError(
            f"{path} is locked by another program; close it or wait for it to finish, then run"
            " again: finished cells are kept."
        )
    if "full" in low or "no space" in low or "disk i/o" in low or "quota" in low:
        return StorageError(
            f"The disk of {path} is full or failing ({reason}); free some space and run again:"
            " finished cells are kept."
        )
    if any(word in low for word in ("readonly", "read-only", "permission", "unable to open", "directory")):
        return StorageError(
            f"{path} cannot be written ({reason}); make its folder writable, or choose another one"
            " with --out."
        )
    return _damaged(path)
