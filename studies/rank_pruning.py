"""Rank of pruned matrices: the rank loss, sparse random matrices, and what masks do to the rank."""

from __future__ import annotations

from rank_pruning_figures import FIGURES

from theory_lab.core import Case, Control, Study, drops, grid, instead
from theory_lab.theorems.rank_pruning.claims import low_rank, masks, rank_loss, sparse_matrices

CLAIMS = [*low_rank.CLAIMS, *rank_loss.CLAIMS, *sparse_matrices.CLAIMS, *masks.CLAIMS]

GRADIENT = [rank_loss.LOSS_GRADIENT, rank_loss.ORTHOGONAL]
STEP = [rank_loss.STEP_LAW, rank_loss.STEP_NORM]
ASCENT = [masks.ASCENT_DELTA, masks.ASCENT_STABLE, masks.ASCENT_EXACT]
GROWTH = [masks.GROWTH_DELTA, masks.GROWTH_STRUCTURAL]
MAGNITUDE = [masks.MAGNITUDE_LOSES_RANK]

DENSITIES = [0.01, 0.02, 0.05, 0.1, 0.2]
N = 192

GAUSSIAN = dict(kind="gaussian", pruning="random")
TIED = dict(kind="tied")


def approximation(preset: str) -> list[Case]:
    """Competitors of rank k: small and large entries, every shape."""
    shapes = [(1, 7, [0.001, 1.0]), (6, 9, [1.0]), (12, 5, [1.0]), (16, 16, [1000.0])]
    replicates = 5 if preset == "full" else 2
    return [
        case
        for m, n, sizes in shapes
        for k in sorted({1, min(m, n) // 2, min(m, n) - 1} - {0})
        if k < min(m, n)
        for case in grid(
            claims=low_rank.CLAIMS, m=m, n=n, size=sizes, k=k,
            kind=["gaussian", "decaying", "student"], replicates=replicates,
        )
    ] + [
        *grid(claims=low_rank.CLAIMS, m=6, n=9, k=3, kind="tied"),
        *grid(claims=low_rank.CLAIMS, m=12, n=20, k=list(range(1, 12)), sweeps=1, tries=20),
    ]  # fmt: skip


def loss(preset: str) -> list[Case]:
    """Gradients, steps and the rule for k."""
    replicates = 10 if preset == "full" else 2
    shapes = [dict(m=6, n=9, k=[1, 3]), dict(m=12, n=5, k=[2, 4]), dict(m=16, n=16, k=6)]
    kinds = dict(kind=["gaussian", "decaying"], replicates=replicates)
    return [
        *(c for s in shapes for c in grid(claims=GRADIENT, density=[1.0, 0.5], **s, **kinds)),
        *(c for s in shapes for c in grid(claims=[rank_loss.PRUNED_POSITION], density=[0.3, 0.6],
                                          size=[0.1, 1.0], **s, **kinds)),
        *(c for s in shapes for c in grid(claims=STEP, e=[0.03, 0.3, 1.0], density=[1.0, 0.4],
                                          **s, **kinds)),
        *grid(claims=STEP[1:], m=12, n=8, k=2, e=[3.0, 10.0]),
        *grid(claims=STEP, m=8, n=8, k=[2, 5], e=[0.1, 1.0], **TIED),
        *grid(claims=[rank_loss.ENERGY_RULE], m=8, n=12, eps=[0.02, 0.1, 0.2, 0.5, 0.9],
              kind=["gaussian", "decaying", "student"], replicates=replicates),
        *grid(claims=[rank_loss.ENERGY_RULE], m=4, n=4, eps=[0.125, 0.375, 0.5, 0.875], **TIED),
        *grid(claims=[rank_loss.ENERGY_RULE], m=1, n=5, eps=[0.5, 1.0]),
    ]  # fmt: skip


def patterns(preset: str) -> list[Case]:
    """Ranks of masks, given and random."""
    replicates = 5 if preset == "full" else 2
    both = [sparse_matrices.RANK_CHAIN, sparse_matrices.GENERIC_RANK]
    chain = both[:1]
    rounds = 5 if preset == "full" else 1
    return [
        *grid(claims=both, m=40, n=40, density=[0.015, 0.025, 0.04, 0.08, 0.3],
              values=["gaussian", "student"], mask=["random", "magnitude"], replicates=replicates),
        *grid(claims=both, m=30, n=60, density=[0.02, 0.05], replicates=replicates),
        *grid(claims=chain, m=40, n=30, density=[0.02, 0.1, 0.5], mask="magnitude",
              values=["decaying", "outer product"]),
        *grid(claims=chain, m=20, n=30, density=0.2, values="constant block"),
        *grid(claims=chain, m=20, n=30, density=[0.5, 1.0], mask="diagonal"),
        *grid(claims=[sparse_matrices.SPARSE_RANDOM_RANK], draws=60, replicates=rounds,
              c=[0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 2.718281828459045, 3.0, 4.0, 5.0, 8.0, 10.0]),
        *grid(claims=[sparse_matrices.FULL_RANK_THRESHOLD], n=[100, 300], draws=4000, replicates=rounds,
              w=[-1.0, 0.0, 1.0, 2.5, 4.0]),
    ]  # fmt: skip


def pruned(preset: str) -> list[Case]:
    """Masks of one matrix, ascent at a fixed mask, and growth."""
    replicates = 5 if preset == "full" else 2
    shape, small = dict(m=N, n=N), dict(m=96, n=128, density=0.05)
    uneven = [dict(decay=0.7, spread=0.0), dict(decay=0.7, spread=0.3), dict(decay=1.0, spread=0.0),
              dict(decay=0.0, spread=0.5)]  # fmt: skip
    return [
        *grid(claims=ASCENT, density=DENSITIES, e=0.1, replicates=3, **shape),
        *grid(claims=ASCENT, density=0.02, e=[0.03, 0.1, 0.3, 1.0], m=N, n=256),
        *(c for s in uneven for c in grid(claims=ASCENT, e=[0.01, 0.1], replicates=replicates,
                                          **small, **s)),
        *grid(claims=ASCENT, m=64, n=576, density=0.1, e=[0.03, 0.1], replicates=replicates,
              **GAUSSIAN),
        *grid(claims=ASCENT, m=64, n=128, density=0.1, e=0.001, steps=1, replicates=replicates),
        *(c for s in uneven for c in grid(claims=MAGNITUDE, m=[96, 384], n=192, density=0.01,
                                          replicates=replicates, **s)),
        *(c for s in uneven for c in grid(claims=MAGNITUDE, m=192, n=[128, 192], density=0.02,
                                          replicates=replicates, **s)),
        *grid(claims=MAGNITUDE, density=DENSITIES, replicates=3, **shape),
        *(c for s in uneven[:2] for c in grid(claims=GROWTH, m=128, n=128, density=[0.02, 0.05],
                                              replicates=replicates, **s)),
        *grid(claims=GROWTH, m=128, n=128, density=[0.02, 0.05], decay=0.5, replicates=replicates),
        *grid(claims=GROWTH, density=DENSITIES, delta=0.1, replicates=3, **shape),
    ]  # fmt: skip


def cases(preset: str) -> list[Case]:
    """All cases of a preset."""
    return [*approximation(preset), *loss(preset), *patterns(preset), *pruned(preset)]


def controls(_: str) -> list[Control]:
    """What must break each claim: dropped conditions and rival computations."""
    gaps = [rank_loss.LOSS_GRADIENT, rank_loss.PRUNED_POSITION]
    dense = dict(m=12, n=8, k=2)
    at_random = dict(growth="random", m=N, n=N, delta=0.1, replicates=3)
    decay, few = masks.MAGNITUDE_LOSES_RANK.conditions
    return [
        drops(rank_loss.NOT_TIED.name, claims=gaps, m=8, n=8, k=3, kind="tied"),
        instead("tail of W itself", claims=[rank_loss.ORTHOGONAL], normalised=False, m=6, n=9, k=3),
        drops(rank_loss.UNMASKED.name, claims=STEP, e=0.3, density=0.4, masked=True, **dense),
        drops("e tau <= 1", e=3.0, **dense),
        instead("kept positions", claims=[rank_loss.PRUNED_POSITION], position="kept", density=0.5,
                **dense),
        instead("k fixed", claims=[rank_loss.ENERGY_RULE], rule="fixed", m=8, n=12, eps=[0.1, 0.5]),
        drops("eps <= 1", m=8, n=12, eps=2.0),
        drops("eps >= s_r^2 / 2", m=4, n=4, eps=0.05, **TIED),
        drops("values from a density", m=20, n=30, density=0.2, values="constant block"),
        drops(masks.SMALL_STEPS.name, claims=ASCENT[:2], m=40, n=900, density=0.1, e=1.0,
              **GAUSSIAN),
        drops(masks.NOT_FLAT.name, claims=ASCENT[:2], m=64, n=64, density=1.0, e=0.1, **TIED),
        drops(decay.name, m=N, n=N, density=0.02, kind=["gaussian", "student"]),
        drops(few.name, m=N, n=N, density=0.1),
        drops(masks.SLOW_DECAY.name, m=128, n=128, density=0.1, decay=1.0),
        instead("random growth", claims=GROWTH[:1], density=DENSITIES, **at_random),
        instead("random growth", claims=GROWTH[1:], density=DENSITIES[:4], **at_random),
    ]  # fmt: skip


STUDY = Study(
    "rank_pruning",
    claims=CLAIMS,
    cases=cases,
    controls=controls,
    figures=FIGURES,
    title="Rank of pruned weights",
)

if __name__ == "__main__":
    STUDY.main()
