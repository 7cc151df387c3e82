"""Evidence files: records measured elsewhere (a GPU, another machine), checked in and read-only.

JSON lines, xz: a first line that says where the records come from, then one record a line with the
SHA-256 of the ledger. They are judged in columns of their own, never go stale, and never mix with
the local records. Short traces go along, so that figures can be drawn from them.
"""

from __future__ import annotations

import base64
import json
import lzma
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from theory_lab.core import Record, StorageError
from theory_lab.core.seeds import canonical_json
from theory_lab.lab import codec
from theory_lab.lab.ledger import Key, checksum
from theory_lab.lab.plan import Cell

FOLDER = Path("studies") / "evidence"

TRACE_KEPT = 16 * 1024
"""Bytes of a trace up to which it goes along: the norms of a network's channels, not its states."""

_VERSIONS = ("theory_lab", "numpy", "scipy", "torch")


@dataclass(frozen=True, eq=False)
class EvidenceFile:
    """The records of one study, run with a preset and options (`flags`), on one machine; `origin`
    says which, with versions and commit."""

    path: Path
    study: str
    preset: str
    flags: Sequence[str]
    origin: Mapping[str, Any]
    records: Mapping[Cell, Record]


def write(
    study: str,
    preset: str,
    flags: Sequence[str],
    records: Iterable[tuple[Key, Record]],
    path: Path,
) -> int:
    """Write records, without traces above TRACE_KEPT; returns how many. The file appears whole or not
    at all."""
    head = {"study": study, "preset": preset, "flags": list(flags), "origin": origin()}
    lines = [canonical_json(head)]
    lines += sorted(_line(key, record) for key, record in records)
    whole = ("\n".join(lines) + "\n").encode()
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(lzma.compress(whole, preset=9))
        os.replace(part, path)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written ({error.strerror}); choose another place for the evidence."
        ) from error
    return len(lines) - 1


def _line(key: Key, record: Record) -> str:
    payload, trace = codec.encode(record)
    kept = trace if len(trace) <= TRACE_KEPT else b""
    content = {
        "key": list(key),
        "record": json.loads(payload),
        "trace": base64.b64encode(kept).decode(),
        "sha256": checksum(key, payload, kept),
    }
    return canonical_json(content)


def origin() -> dict[str, Any]:
    """Device, versions and commit of this machine and checkout."""
    return {
        "device": _device(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _VERSIONS},
        "commit": _commit(),
    }


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    return f"CPU, {platform.machine()}, {os.cpu_count()} cores"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    try:
        asked = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip()


def read(path: Path) -> EvidenceFile:
    """Read one file; StorageError where it is damaged."""
    try:
        first, *lines = lzma.decompress(path.read_bytes()).decode().splitlines()
        head = json.loads(first)
        records = dict(_parse(line) for line in lines)
        flags = head.get("flags", [])
        return EvidenceFile(path, head["study"], head["preset"], flags, head["origin"], records)
    except (OSError, lzma.LZMAError, EOFError, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{path} is damaged ({error}); restore it from version control, or export it again."
        ) from error


def _parse(line: str) -> tuple[Cell, Record]:
    content = json.loads(line)
    key = Key(*content["key"])
    payload = canonical_json(content["record"]).encode()
    trace = base64.b64decode(content.get("trace", ""), validate=True)
    if checksum(key, payload, trace) != content["sha256"]:
        raise ValueError(f"the checksum of a record of {key.experiment} does not agree")
    record = codec.decode(key.experiment, payload, trace)
    return Cell(key.experiment, tuple(record.params.items()), record.replicate), record


def of_study(study: str) -> list[EvidenceFile]:
    """The evidence files of one study under ./studies/evidence, in order of name."""
    files = (read(path) for path in sorted(FOLDER.glob("*.jsonl.xz")))
    return [file for file in files if file.study == study]
