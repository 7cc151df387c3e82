"""Files that are whole or not there."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from theory_lab.core import StorageError


def write_whole(path: Path, *parts: bytes | memoryview) -> None:
    """Write the parts one after the other, beside the place, and rename: at any moment the file is
    the old one or the new one. StorageError where the disk does not take it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(beside, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()
