"""Where data files lie: $THEORY_LAB_DATA, ./.data, then the user's cache, filled by downloads."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from theory_lab.core.errors import StorageError


def folders() -> list[Path]:
    """The folders that are searched, in this order."""
    named = os.environ.get("THEORY_LAB_DATA")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "theory_lab"
    return [*([Path(named)] if named else []), Path(".data"), cache]


def find(name: str, md5: str) -> Path:
    """The first file `name` (such as "mnist/mnist.npz") in the data folders, its MD5 checked.

    Raises StorageError with the folders if there is none, or if it is not the file we know.
    """
    for folder in folders():
        file = folder / name
        if file.is_file():
            _require_md5(file, md5)
            return file
    places = " or ".join(str(folder / name) for folder in folders())
    raise StorageError(
        f"The data file {name} is missing: put it at {places}"
        " (the environment variable THEORY_LAB_DATA names a folder of your own)."
    )


def locate(*names: str) -> Path | None:
    """The first of the files `names` in the data folders, whatever is in it; None without any."""
    files = (folder / name for name in names for folder in folders())
    return next((file for file in files if file.is_file()), None)


def places(name: str) -> str:
    """Where the file `name` may be put, as words for an error message."""
    return " or ".join(str(folder / name) for folder in folders())


def fetch(name: str, md5: str, url: str) -> Path:
    """`find`, after a download from `url` into the user's cache if no data folder has the file.

    Raises StorageError where the download fails, with the places where the file may be put.
    """
    if locate(name) is None:
        _download(name, md5, url)
    return find(name, md5)


def _download(name: str, md5: str, url: str) -> None:
    import pooch

    file = folders()[-1] / name
    try:
        pooch.retrieve(url, known_hash=f"md5:{md5}", fname=file.name, path=file.parent)
    except (OSError, ValueError) as error:  # what requests raises; a file with another hash
        raise StorageError(
            f"The data file {name} is missing and could not be downloaded from {url}"
            f" ({type(error).__name__}): put it at {places(name)}."
        ) from error


def _require_md5(file: Path, md5: str) -> None:
    found = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    if found != md5:
        raise StorageError(
            f"{file} has the MD5 sum {found}, but the file we know has {md5}; replace it."
        )
