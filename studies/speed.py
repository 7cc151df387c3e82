"""How fast the theories' computations are, against opponents written plainly in `benchmarks/`.

    make speed        (or: python studies/speed.py)

One thread. Every figure is the median of alternating runs, a ratio comes with its spread over the
pairs of runs, and the target stands beside it. No study: nothing here is judged.
"""

import torch
from benchmarks import (
    command_line,
    connectivity,
    directional_pruning,
    loader,
    matrix_sensing,
    networks,
    rank_pruning,
    sequential_attention,
)
from threadpoolctl import threadpool_limits

THEORIES = (
    matrix_sensing,
    rank_pruning,
    connectivity,
    directional_pruning,
    sequential_attention,
    networks,
    loader,
    command_line,
)


def main() -> None:
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for title, benchmark in (pair for theory in THEORIES for pair in theory.BENCHMARKS):
            print(f"\n{title}")
            for line in benchmark():
                print(f"  {line.what:<44}{line.figure:>28}   {line.target}")


if __name__ == "__main__":
    main()
