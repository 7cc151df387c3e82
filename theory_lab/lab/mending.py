"""Mending a damaged ledger: set it aside, keep what can be read of it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from theory_lab.lab.ledger import COLUMNS, Key, Ledger, is_intact
from theory_lab.lab.storage import Damaged, exclusive_lock, explained


def open_mended(path: Path) -> tuple[Ledger, str]:
    """A ledger to write to, and a sentence if the file was damaged and had to be set aside.

    The readable records of a damaged file are kept; what is missing will be measured again.
    """
    with contextlib.suppress(Damaged):
        return _verified(path), ""
    aside, rows = _set_aside(path)
    ledger = Ledger(path)
    for row in rows:
        seconds = row[6] if isinstance(row[6], float) else 0.0
        ledger.put(Key(*row[:3]), row[3], row[4], seconds)
    return ledger, (
        f"{path} was damaged: {len(rows)} of its records could be read and are kept, the others are"
        f" measured again; the damaged file is {aside}."
    )


def _verified(path: Path) -> Ledger:
    ledger = Ledger(path)
    try:
        ledger.verify()
    except BaseException:
        ledger.close()
        raise
    return ledger


def _set_aside(path: Path) -> tuple[Path, list[tuple]]:
    """Rename a damaged ledger (nobody else may be writing) and read what can be read of it."""
    with exclusive_lock(path):
        number = 1
        while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
            number += 1
        with explained(path):
            for suffix in ("-wal", "-shm", ""):
                part = path.with_name(path.name + suffix)
                if part.exists():
                    part.rename(aside.with_name(aside.name + suffix))
        return aside, _salvage(aside)


def _salvage(path: Path) -> list[tuple]:
    """The intact rows of a damaged file, read from its beginning and from its end."""
    rows: dict[tuple, tuple] = {}
    for order in ("ASC", "DESC"):
        with (
            contextlib.suppress(sqlite3.Error, MemoryError, UnicodeError),
            contextlib.closing(sqlite3.connect(path)) as source,
        ):
            source.text_factory = _text_or_bytes
            for row in source.execute(f"SELECT {COLUMNS} FROM records ORDER BY rowid {order}"):
                if is_intact(row):
                    rows[row[:3]] = row
    return list(rows.values())


def _text_or_bytes(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw
