"""What can go wrong with the ledger's file: locks, and errors as sentences with a cure."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from theory_lab.core import StorageError


class Damaged(StorageError):
    """The ledger does not read back what was written to it."""


def damaged(path: Path) -> Damaged:
    return Damaged(
        f"{path} is damaged; `theory-lab run` sets it aside, keeps what can be read of it and"
        " measures the rest again."
    )


def _lock_file(path: Path) -> IO[str]:
    return open(path.with_name(path.name + ".lock"), "w", encoding="utf-8")


@contextlib.contextmanager
def shared_lock(path: Path) -> Iterator[None]:
    """Held by every writer, so that nobody sets a file aside under its hands."""
    with _lock_file(path) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(
                f"Another run is mending {path}; wait for it to finish, then run again."
            ) from None
        yield


@contextlib.contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
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
def explained(path: Path) -> Iterator[None]:
    """Errors of SQLite and the file system as sentences with a cure."""
    try:
        yield
    except sqlite3.Error as error:
        raise _of_sqlite(path, error) from error
    except (MemoryError, UnicodeError) as error:  # a length in the file that no record has
        raise damaged(path) from error
    except OSError as error:
        reason = error.strerror or str(error)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
        raise _full(path, reason) if full else _unwritable(path, reason) from error


def _of_sqlite(path: Path, error: sqlite3.Error) -> StorageError:
    code = sqlite_code(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StorageError(
            f"{path} is locked by another program; close it or wait for it to finish, then run"
            " again: finished cells are kept."
        )
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return _full(path, str(error))
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return _unwritable(path, str(error))
    return damaged(path)


def sqlite_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _full(path: Path, reason: str) -> StorageError:
    return StorageError(
        f"The disk of {path} is full or failing ({reason}); free some space and run again:"
        " finished cells are kept."
    )


def _unwritable(path: Path, reason: str) -> StorageError:
    return StorageError(
        f"{path} cannot be opened or written ({reason}); make its folder writable, or choose"
        " another one with --out."
    )
