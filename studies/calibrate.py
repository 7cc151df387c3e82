"""What a device can do, and how near to it a training comes: the first thing to run on a new GPU.

    make calibrate        (or: python studies/calibrate.py --device cuda --json calibration.json)

Ceilings first, then the theories' ensembles of paths and of starts beside the least time that these
allow and beside numpy, training beside its least time, the step of gRDA, what each pruner adds to a
step and how often a step makes the host wait, the rank loss, and the loader.
Medians; on CUDA of times between events of the stream. Each line is printed and kept in the file
when it is measured, so that nothing is lost with the machine. No study: nothing here is judged.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from benchmarks.calibration import FULL, SMOKE, Row, measured

from theory_lab.core import TheoryLabError
from theory_lab.lab import backends, evidence_file
from theory_lab.networks.whole_files import write_whole


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", choices=backends.DEVICES, default="cuda")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes: seconds on a CPU")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the lines in this file")
    arguments = parser.parse_args()
    try:
        backends.require(arguments.device)
        show(measured(torch.device(arguments.device), SMOKE if arguments.smoke else FULL),
             arguments.json)  # fmt: skip
    except TheoryLabError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def show(rows: Iterator[Row], path: Path | None) -> None:
    """Print the lines as they come; after each one the file holds all so far."""
    kept: list[Row] = []
    for row in rows:
        if not kept or kept[-1].section != row.section:
            print(f"\n{row.section}")
        print(f"  {row.what:<52}{row.figure:>16}   {row.beside}", flush=True)
        kept.append(row)
        if path is not None:
            content = {"origin": evidence_file.origin(), "rows": [row._asdict() for row in kept]}
            write_whole(path, (json.dumps(content, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
