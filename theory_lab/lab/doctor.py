"""What a user checks first when something does not work."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import NamedTuple

from theory_lab.core import StorageError
from theory_lab.lab import evidence_file
from theory_lab.lab.ledger import Ledger

_PACKAGES = ("numpy", "scipy", "matplotlib", "pandas", "torch", "cvxpy")


class Finding(NamedTuple):
    """One thing looked at: whether it is well, and a sentence."""

    well: bool
    text: str


def examine(ledger: Path) -> list[Finding]:
    """Versions, folders, the ledger and the evidence files."""
    return [
        Finding(True, f"Python {platform.python_version()} on {platform.machine()}"),
        *(_version(package) for package in _PACKAGES),
        *(_writable(Path(folder)) for folder in (".", str(ledger.parent), "figures", "report")),
        _ledger(ledger),
        *(_evidence(file) for file in evidence_file.files()),
    ]


def _version(package: str) -> Finding:
    try:
        return Finding(True, f"{package} {importlib.metadata.version(package)}")
    except importlib.metadata.PackageNotFoundError:
        return Finding(False, f"{package} is missing; install it with: pip install theory_lab")


def _writable(folder: Path) -> Finding:
    nearest = next(parent for parent in (folder, *folder.parents, Path(".")) if parent.exists())
    if os.access(nearest, os.W_OK | os.X_OK):
        return Finding(True, f"{folder}/ can be written")
    return Finding(False, f"{folder}/ cannot be written; make {nearest} a folder that is writable")


def _evidence(path: Path) -> Finding:
    try:
        return Finding(True, f"{path} holds {len(evidence_file.read(path).records)} intact records")
    except StorageError as error:
        return Finding(False, str(error))


def _ledger(path: Path) -> Finding:
    if not path.exists():
        return Finding(True, f"{path} does not exist yet; `theory-lab run` makes it")
    try:
        with Ledger(path, readonly=True) as ledger:
            ledger.verify()
            return Finding(True, f"{path} holds {len(ledger.contents())} intact records")
    except StorageError as error:
        return Finding(False, str(error))
