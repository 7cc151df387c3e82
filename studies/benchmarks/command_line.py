"""The command line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from benchmarks.timing import Benchmarks, Line, alternate, median, ratio


def command_line() -> list[Line]:
    """Target: `theory-lab list` in at most three times the time of importing numpy and click."""
    script = shutil.which("theory-lab", path=os.path.dirname(sys.executable))
    if script is None:
        raise RuntimeError("theory-lab is not installed beside this Python; run `make` first.")

    def call(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True)

    pairs = alternate(
        lambda: call(script, "list"),
        lambda: call(sys.executable, "-c", "import numpy, click"),
        9,
    )
    return [
        Line("theory-lab list", median([a for a, _ in pairs])),
        Line("python -c 'import numpy, click'", median([b for _, b in pairs])),
        Line("  ratio", ratio([a / b for a, b in pairs]), "<= 3"),
    ]


BENCHMARKS: Benchmarks = [
    ("Command line", command_line),
]
