"""`make torture`: kill the real studies at random moments and compare the records.

    python -m tests.torture [STUDY…] [--kills 100] [--preset quick] [--seed 1]

Every study of ./studies (or those named) is measured twice: once in one go, and once killed again
and again before it may finish. Both ledgers must hold the same records, and no worker may outlive
its coordinator. The first ledger is ./results itself, so that work done before is not done again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.killing import contents, finish, is_readable, kill_commands
from theory_lab.lab import catalogue, desk, runner
from theory_lab.lab.ledger import Key

LONGEST = 8.0
"""Seconds after which the latest kill strikes."""


def main() -> int:
    asked = _arguments()
    names = asked.studies or [str(file) for file in catalogue.study_files()]
    return sum(_torture(name, asked) for name in names)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", nargs="*", metavar="STUDY")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _torture(name: str, asked: argparse.Namespace) -> int:
    """0 if the study survived."""
    here = Path.cwd()
    run = ["run", name, "--preset", asked.preset]
    finish(run, here)
    expected = _of_study(name, asked.preset, here / "results" / "ledger.sqlite")
    with tempfile.TemporaryDirectory() as folder:
        again = [*run, "--out", folder]
        hits, orphans = kill_commands(again, here, asked.kills, LONGEST, asked.seed)
        ledger = Path(folder) / "ledger.sqlite"
        readable, before = is_readable(ledger), len(contents(ledger))
        finish(again, here)
        same = _of_study(name, asked.preset, ledger) == expected
    print(
        f"{name}: {hits} of {asked.kills} kills hit a run at work, {before} of {len(expected)}"
        f" records were there before it could finish; ledger {'intact' if readable else 'DAMAGED'},"
        f" records {'equal' if same else 'DIFFERENT'}, {len(orphans)} workers left behind."
    )
    return int(not (readable and same and not orphans))


def _of_study(name: str, preset: str, ledger: Path) -> dict[Key, bytes]:
    """The study's records in a ledger that may hold others, too."""
    laid_out = desk.lay_out(name, preset)
    wanted = {runner.key(cell, laid_out.code) for cell in laid_out.cells}
    return {key: record for key, record in contents(ledger).items() if key in wanted}


if __name__ == "__main__":
    sys.exit(main())
