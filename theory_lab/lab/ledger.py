"""The ledger: one SQLite file of records, one transaction and one SHA-256 each.

A record's key is (experiment, cell, digest): what was run, with which parameters and replicate, by
which code. Killed at any moment, the file holds every record that was finished; a record that
reads back different from what was written is never taken for a result.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from theory_lab.core import Record, StorageError
from theory_lab.lab import codec
from theory_lab.lab.storage import damaged, explained, shared_lock, sqlite_code

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

COLUMNS = "experiment, cell, digest, payload, trace, sha256, seconds"


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
        with contextlib.ExitStack() as opened, explained(path):
            if readonly:
                self._connection = _open_readonly(path)
                opened.callback(self._connection.close)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                opened.enter_context(shared_lock(path))
                self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
                opened.callback(self._connection.close)
                self._prepare(self._connection)
            _require_version(path, self._version())
            self._opened = opened.pop_all()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Write-ahead logging, and the tables of a new file."""
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        if self._version() < SCHEMA_VERSION:
            connection.executescript(
                f"BEGIN IMMEDIATE;{_TABLES}PRAGMA user_version={SCHEMA_VERSION};COMMIT;"
            )

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def close(self) -> None:
        self._opened.close()

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
                f"INSERT OR REPLACE INTO records ({COLUMNS}) VALUES (?,?,?,?,?,?,?)", row
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
        with explained(self.path):
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
        return bool(
            self._rows("SELECT 1 FROM records WHERE experiment=? AND cell=? AND digest=?", key)
        )

    def get(self, key: Key) -> Record | None:
        """The record of a key, None if there is none; Damaged if its checksum does not agree."""
        rows = self._rows(
            f"SELECT {COLUMNS} FROM records WHERE experiment=? AND cell=? AND digest=?", key
        )
        if not rows:
            return None
        if rows[0][:3] != key or not is_intact(rows[0]):
            raise damaged(self.path)
        return codec.decode(key.experiment, *rows[0][3:5])

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
        rows = self._rows(f"SELECT {COLUMNS} FROM records ORDER BY experiment, cell, digest")
        if not all(is_intact(row) for row in rows):
            raise damaged(self.path)
        return {Key(*row[:3]): row[3] + row[4] for row in rows}

    def verify(self) -> None:
        """Read every page and every record; Damaged if anything does not agree."""
        if self._rows("PRAGMA integrity_check(1)") != [("ok",)]:
            raise damaged(self.path)
        self.contents()

    def _rows(self, query: str, values: tuple = ()) -> list[tuple]:
        with explained(self.path):
            return self._connection.execute(query, values).fetchall()


def _open_readonly(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing; an empty ledger where there is no file, or no table yet."""
    connection = _connected(path) if path.exists() else None
    if connection is not None and _has_tables(connection):
        return connection
    if connection is not None:
        connection.close()
    connection = sqlite3.connect(":memory:")
    connection.executescript(_TABLES)
    return connection


def _connected(path: Path) -> sqlite3.Connection:
    """In a folder that cannot be written there is no place for the index of the log; where there
    is no log either, nobody is writing, and the file can be read without."""
    address = f"{path.resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)
    try:
        connection.execute("PRAGMA user_version").fetchone()
        return connection
    except sqlite3.Error as error:
        connection.close()
        has_log = path.with_name(path.name + "-wal").exists()
        sealed = sqlite_code(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
        if has_log or not sealed:
            raise
        return sqlite3.connect(address + "&immutable=1", uri=True)


def _has_tables(connection: sqlite3.Connection) -> bool:
    """A run that has just begun, or was killed in its first instant, has made none yet."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(version or tables)


def _require_version(path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise StorageError(
            f"{path} was written by a newer theory_lab (schema {version}, this one knows"
            f" {SCHEMA_VERSION}); update theory_lab, or choose another folder with --out."
        )


def is_intact(row: tuple) -> bool:
    """Whether a row is a record as it was written."""
    texts, blobs = row[:3], row[3:5]
    if not all(isinstance(t, str) for t in texts) or not all(isinstance(b, bytes) for b in blobs):
        return False
    return checksum(Key(*texts), *blobs) == row[5]
