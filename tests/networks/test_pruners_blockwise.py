"""Exact numbers of blocks: which are kept, and how near to the target."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from theory_lab.core import UsageError
from theory_lab.networks.blocks import Blocks, as_matrix, block_size
from theory_lab.networks.pruners.blockwise import best_blocks
from theory_lab.networks.pruners.phases import ALTERNATING, SPARSIFYING, Timetable, phases_of
from theory_lab.networks.selection import DivergedError


@st.composite
def tilings(draw: st.DrawFn) -> Blocks:
    kernel = draw(st.sampled_from([(), (1, 1), (3, 3), (2, 3)]))
    shape = (draw(st.integers(1, 9)), draw(st.integers(1, 9)), *kernel)
    rows, columns = Blocks(shape, (1, 1)).matrix_shape
    return Blocks(shape, (draw(st.integers(1, rows)), draw(st.integers(1, columns))))


@given(tilings(), st.integers(0, 2**31))
def test_blocks_expand_gather_and_count(blocks: Blocks, seed: int) -> None:
    values = torch.rand(blocks.grid, generator=torch.Generator().manual_seed(seed))
    weight = blocks.expand(values)
    assert weight.shape == blocks.shape
    assert torch.equal(blocks.corners(weight), values)
    matrix, (rows, columns) = as_matrix(weight), blocks.size
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            assert matrix[i, j] == values[i // rows, j // columns]
    assert torch.equal(blocks.sum(torch.ones(blocks.shape)), blocks.entries.float())
    assert blocks.is_even == bool((blocks.entries == blocks.entries[0, 0]).all())


@given(tilings(), st.floats(0, 0.99), st.integers(0, 2**31))
def test_kept_blocks_are_the_best_and_nearest_to_the_target(
    blocks: Blocks, sparsity: float, seed: int
) -> None:
    scores = torch.rand(blocks.grid, generator=torch.Generator().manual_seed(seed))
    (kept,) = best_blocks([scores], [blocks], sparsity)
    assert kept.any()
    assert kept.all() or scores[kept].min() >= scores[~kept].max()
    weights, wanted = int(blocks.entries[kept].sum()), (1 - sparsity) * int(blocks.entries.sum())
    block = blocks.size[0] * blocks.size[1]
    # Half a block to either side, and half a weight as both numbers are rounded to whole ones.
    assert abs(weights - wanted) <= block / 2 + 0.5 or kept.sum() == 1


@given(st.lists(tilings(), min_size=1, max_size=4), st.floats(0, 0.99), st.integers(0, 2**31))
def test_over_all_layers_no_layer_is_emptied(
    tiled: list[Blocks], sparsity: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = [torch.rand(blocks.grid, generator=generator) for blocks in tiled]
    kept = best_blocks(scores, tiled, sparsity)
    assert all(bool(mask.any()) for mask in kept)
    assert all(mask.flatten()[score.argmax()] for mask, score in zip(kept, scores, strict=True))
    rest = [score[~mask] for score, mask in zip(scores, kept, strict=True)]
    highest_dropped = max((float(r.max()) for r in rest if r.numel()), default=-1.0)
    for score, mask in zip(scores, kept, strict=True):  # below the cut only a layer's best is kept
        assert int((score[mask] < highest_dropped).sum()) <= 1


def test_the_layer_of_the_paper_with_border_blocks() -> None:
    """390 x 400 in blocks of 20: the blocks of the last row hold half as many weights."""
    blocks = Blocks((390, 400), (20, 20))
    assert blocks.grid == (20, 20)
    scores = torch.arange(400.0).reshape(20, 20)  # the border row is best
    for sparsity in (0.9, 0.95, 0.97, 0.98, 0.99):
        kept = blocks.expand(best_blocks([scores], [blocks], sparsity)[0])
        assert abs(int(kept.sum()) - round((1 - sparsity) * 156_000)) <= 200


@pytest.mark.parametrize("shape", [(4, 4), (5, 4)])
def test_a_diverged_training_is_named(shape: tuple[int, int]) -> None:
    blocks = Blocks(shape, (2, 2))
    with pytest.raises(DivergedError):
        best_blocks([torch.full(blocks.grid, torch.nan)], [blocks], 0.5)


def test_the_presets_are_those_of_the_paper() -> None:
    for table in (ALTERNATING, SPARSIFYING):
        for phases in table.values():
            assert phases_of(phases, table) == phases  # begins dense, ends sparse, sums to 1
            assert sum(share for _, share in phases) == pytest.approx(1)
    for name, kinds in (("imagenet", 16), ("criteo", 22)):
        assert len(ALTERNATING[name]) == kinds
    # ResNet-50, 100 epochs: the epochs at which the AC/DC authors' configuration prunes, restores.
    ends = Timetable(ALTERNATING["imagenet"], 100).ends
    assert ends[:-1:2] == [10, 20, 30, 40, 50, 60, 70, 85]
    assert ends[1::2][:-1] == [15, 25, 35, 45, 55, 65, 75]
    assert Timetable(SPARSIFYING["imagenet"], 100).ends[-3:] == [70, 85, 100]


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=6), st.integers(1, 200))
def test_every_iteration_has_one_phase(shares: list[float], steps: int) -> None:
    kinds = ("dense", "sparsification", "sparse")
    total = sum(shares)
    phases = [(kinds[i % 3], share / total / 2) for i, share in enumerate(shares)]
    table = Timetable(phases_of([*phases, ("sparse", 0.5)], {}), steps)
    owners = [table.index(i) for i in range(steps)]
    assert owners == sorted(owners)
    assert [owners.count(i) for i in range(len(table.phases))] == [
        table.length(i) for i in range(len(table.phases))
    ]
    assert table.ends[-1] == steps
    assert table.index(steps) == len(table.phases) - 1


@pytest.mark.parametrize("block", [0, 2.5, "4", (4,), (4, 4, 4), (4, 0), None])
def test_what_is_no_block_is_named(block: object) -> None:
    with pytest.raises(UsageError, match=r"^block is .*two: rows, columns\.$"):
        block_size(block)  # type: ignore[arg-type]
    assert block_size(4) == block_size([4, 4]) == (4, 4)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("cifar", "choose one of imagenet, criteo"),
        ([("sparse", 1.0)], "begin with a dense phase"),
        ([("dense", 1.0)], "end with a sparse"),
        ([], "begin with a dense phase"),
        ([("dense", 0.5), ("sparse", 0.4)], "sum to 0.9"),
        ([("dense", 1.5), ("sparse", -0.5)], "must be > 0"),
        ([("dense", 0.5), ("warm", 0.2), ("sparse", 0.3)], "'warm'"),
    ],
)
def test_wrong_schedules_are_named(schedule: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        phases_of(schedule, ALTERNATING)  # type: ignore[arg-type]
