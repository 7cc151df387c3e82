"""Hypothesis profiles, the data folder, and a laboratory for studies written by a test."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings

from theory_lab import cli
from theory_lab.core import Record
from theory_lab.lab import catalogue, keys, modules, worker
from theory_lab.lab.ledger import Key, Ledger

settings.register_profile("ci", derandomize=True, max_examples=50, database=None, deadline=None)
settings.register_profile("thorough", max_examples=2000, database=None, deadline=None)
settings.load_profile("ci")

_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
if _DATA.is_dir():
    os.environ.setdefault("THEORY_LAB_DATA", str(_DATA))


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class Lab:
    """The command line in this process, in a folder of the test's own."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.ledger = folder / "results" / "ledger.sqlite"
        self._capture = capture

    def write(self, text: str, name: str = "toy.py") -> Path:
        """Write a file, usually a study; forget what was read of an earlier version."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        forget_sources()
        return file

    def __call__(self, *arguments: str) -> Ended:
        self._capture.readouterr()
        code = 0
        try:
            cli.main(arguments)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        out, err = self._capture.readouterr()
        return Ended(code, out, err)

    def run(self, *arguments: str, study: str = "toy.py") -> Ended:
        """`theory-lab run` in this process."""
        return self("run", study, "--jobs", "0", *arguments)

    def contents(self) -> dict[Key, bytes]:
        with Ledger(self.ledger, readonly=True) as ledger:
            return ledger.contents()

    def records(self) -> list[Record]:
        with Ledger(self.ledger, readonly=True) as ledger:
            return [record for key in ledger.contents() if (record := ledger.get(key))]


def forget_sources() -> None:
    """Clear what one process keeps of source files; a command starts with none of it."""
    for cache in (
        catalogue.load, keys.code_of, keys.functions_of, modules.read, modules.source,
        worker.experiments,
    ):  # fmt: skip
        cache.cache_clear()


@pytest.fixture
def lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Lab]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    forget_sources()
    yield Lab(tmp_path, capsys)
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if file.startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def is_one_sentence() -> Callable[[str], bool]:
    """Whether what stands on stderr is one line of prose for people."""

    def check(text: str) -> bool:
        lines = text.strip().splitlines()
        return len(lines) == 1 and "Traceback" not in text and lines[0].endswith((".", "?"))

    return check
