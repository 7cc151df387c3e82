"""Rank of pruned matrices: the rank loss, sparse random matrices, and what masks do to the rank."""

from __future__ import annotations

from rank_pruning_figures import FIGURES

from theory_lab.core import Case, Control, Study, drops, grid, instead
from theory_lab.theorems.rank_pruning.claims import low_rank, masks, rank_loss, sparse_matrices
from theory_lab.theorems.rank_pruning.claims import masked_ascent as ascent

CLAIMS = [
    *low_rank.CLAIMS,
    *rank_loss.CLAIMS,
    *sparse_matrices.CLAIMS,
    *ascent.CLAIMS,
    *masks.CLAIMS,
]

GRADIENT = [rank_loss.LOSS_GRADIENT, rank_loss.ORTHOGONAL]
STEP = [rank_loss.STEP_LAW, rank_loss.STEP_NORM]
ONE_STEP = [ascent.ONE_STEP, ascent.ONE_STEP_STABLE]
ASCENT = [ascent.ASCENT_DELTA, ascent.ASCENT_STABLE, ascent.ASCENT_EXACT]
GROWTH = [masks.GROWTH_DELTA, masks.GROWTH_STRUCTURAL, masks.GROWTH_LIFT]
MAGNITUDE = [masks.MAGNITUDE_LOSES_RANK]

DENSITIES = [0.01, 0.02, 0.05, 0.1, 0.2]
N = 200

GAUSSIAN = dict(kind="gaussian", pruning="random")
TIED = dict(kind="tied")

UNEVEN = [dict(decay=0.7, spread=0.0), dict(decay=0.7, spread=0.3), dict(decay=1.0, spread=0.0),
          dict(decay=0.0, spread=0.5)]  # fmt: skip
"""Spectra that decay, and heavy rows and columns."""


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


def ascents(preset: str) -> list[Case]:
    """One masked step of small matrices, and many steps of larger ones."""
    replicates = 5 if preset == "full" else 2
    small, wide = dict(m=72, n=112, density=0.05), dict(m=N, n=256, density=0.02)
    return [
        *grid(claims=ONE_STEP[:1], m=7, n=11, k=[1, 3, 6], density=[0.3, 0.6, 1.0], masked=True,
              e=[0.03, 0.3, 1.0], kind=["gaussian", "decaying"]),
        *grid(claims=ONE_STEP, m=56, n=80, k=[4, 8], density=[0.3, 0.6], masked=True,
              e=[0.1, 1.0], kind="decaying", replicates=replicates),
        *grid(claims=ASCENT, m=N, n=N, density=DENSITIES, e=0.1),
        *grid(claims=ASCENT, e=[0.03, 0.1, 0.3, 1.0], **wide),
        *grid(claims=ASCENT, e=0.1, eps=[0.05, 0.1, 0.4], **wide),
        *(c for s in UNEVEN for c in grid(claims=ASCENT, e=[0.01, 0.1], replicates=replicates,
                                          **small, **s)),
        *grid(claims=ASCENT, m=48, n=360, density=[0.1, 0.6], e=[0.03, 0.1], replicates=replicates,
              **GAUSSIAN),
        *grid(claims=ASCENT, m=64, n=136, density=0.1, e=0.001, steps=1, replicates=replicates),
    ]  # fmt: skip


def pruned(preset: str) -> list[Case]:
    """Masks of one matrix, and growth."""
    replicates = 5 if preset == "full" else 1
    sides = [(dict(m=170, n=230), [0.005, 0.017]), (dict(m=230, n=170), [0.005, 0.017]),
             (dict(m=180, n=420), [0.0025, 0.0095])]  # fmt: skip
    growing = dict(claims=GROWTH[:2], density=[0.02, 0.05], replicates=replicates)
    return [
        *(c for s in UNEVEN for shape, densities in sides
          for c in grid(claims=MAGNITUDE, density=densities, replicates=replicates, **shape, **s)),
        *grid(claims=MAGNITUDE, m=N, n=N, density=DENSITIES, replicates=2),
        *(c for s in UNEVEN[:2] for c in grid(m=100, n=140, delta=[0.1, 0.2], **growing, **s)),
        *grid(m=140, n=100, decay=[0.0, 0.5], spread=0.5, **growing),
        *grid(claims=GROWTH[:2], m=N, n=N, density=DENSITIES, delta=0.1, replicates=2),
        *grid(claims=GROWTH[1:2], m=60, n=90, density=[0.01, 0.1], pruning="random"),
        *grid(claims=GROWTH[2:], m=72, n=100, density=[0.02, 0.05, 0.1],
              replicates=48 if preset == "full" else 16),
    ]  # fmt: skip


def cases(preset: str) -> list[Case]:
    """All cases of a preset."""
    return [
        *approximation(preset),
        *loss(preset),
        *patterns(preset),
        *ascents(preset),
        *pruned(preset),
    ]


def controls(_: str) -> list[Control]:
    """What must break each claim: dropped conditions and rival computations."""
    return [*broken_losses(), *broken_patterns(), *broken_ascents(), *broken_masks()]


def broken_losses() -> list[Control]:
    """Ties, masks, large steps, kept positions, another rule, targets out of reach."""
    gaps = [rank_loss.LOSS_GRADIENT, rank_loss.PRUNED_POSITION]
    dense = dict(m=12, n=8, k=2)
    return [
        drops(rank_loss.NOT_TIED.name, claims=gaps, m=8, n=8, k=3, **TIED),
        instead("tail of W itself", claims=[rank_loss.ORTHOGONAL], normalised=False, m=6, n=9, k=3),
        drops(rank_loss.UNMASKED.name, claims=STEP, e=0.3, density=0.4, masked=True, **dense),
        drops("e tau <= 1", claims=STEP[:1], e=3.0, **dense),
        instead("kept positions", claims=[rank_loss.PRUNED_POSITION], position="kept", density=0.5,
                **dense),
        instead("k fixed", claims=[rank_loss.ENERGY_RULE], rule="fixed", m=8, n=12, eps=[0.1, 0.5]),
        drops("eps <= 1", m=8, n=12, eps=2.0),
        drops("eps >= s_r^2 / 2", m=4, n=4, eps=0.05, **TIED),
    ]  # fmt: skip


def broken_patterns() -> list[Control]:
    """Values that are alike, and matrices far from the limit of large n."""
    return [
        drops("values from a density", m=20, n=30, density=0.2, values="constant block"),
        drops("n >= 1000", claims=[sparse_matrices.SPARSE_RANDOM_RANK], n=5, c=2.0, draws=6000),
        drops("n >= 100", claims=[sparse_matrices.FULL_RANK_THRESHOLD], n=14, w=0.25, draws=6000,
              replicates=3),
    ]  # fmt: skip


def broken_ascents() -> list[Control]:
    """Steps that are not masked or too large, and spectra that are as flat as they can be."""
    flat = dict(m=64, n=64, density=1.0, e=0.1, **TIED)
    return [
        drops(ascent.MASKED.name, claims=ONE_STEP[:1], m=12, n=12, k=1, e=1.0, density=0.35,
              replicates=12),
        drops("e tau <= 1", claims=ONE_STEP[:1], m=8, n=12, k=1, e=4.0, masked=True),
        drops("e tau <= 1", claims=ONE_STEP[1:], m=64, n=88, k=5, e=10.0, masked=True, density=0.1),
        drops("|M o R|_2 <= tau s_1", m=8, n=8, k=2, e=0.1, masked=True, **TIED),
        drops(ascent.SMALL_STEPS.name, claims=ASCENT[:2], m=40, n=900, density=0.1, e=1.0, **GAUSSIAN),
        drops(ascent.NOT_FLAT.name, claims=ASCENT[:2], **flat),
        drops("<u_1, (M o A_k) v_1> > (1 - tau) s_1", m=29, n=36, density=0.2, decay=0.0, spread=0.0,
              e=0.01, steps=60, eps=0.01),
        drops("eps <= .4", claims=ASCENT[1:2], m=44, n=47, density=0.05, kind="student", decay=0.5,
              spread=0.1, e=0.1, steps=1, eps=0.6),
    ]  # fmt: skip


def broken_masks() -> list[Control]:
    """Matrices without decay or spread, dense and small ones; fast decay, long and random growth."""
    at_random = dict(growth="random", m=N, n=N, delta=0.1, replicates=2)
    growing = dict(claims=GROWTH[:1], m=100, n=70, replicates=4)
    return [
        drops(masks.UNEVEN.name, m=N, n=N, density=0.02, kind=["gaussian", "student"]),
        drops(masks.SPARSE.name, m=N, n=N, density=0.1),
        drops(masks.LARGE.name, m=40, n=40, density=0.1, replicates=8),
        drops(masks.SLOW_DECAY.name, decay=1.5, density=0.1, delta=0.1, **growing),
        drops(masks.FEW_ENTRIES.name, density=0.5, eps=0.1, spread=0.0, **growing),
        drops(masks.SHORT.name, claims=GROWTH[:1], m=73, n=73, density=0.136, rounds=5, swap=1.0,
              spread=0.5, replicates=8),
        drops(masks.SMALL_DELTA.name, density=0.01, delta=0.4, spread=1.0, claims=GROWTH[:1], m=100,
              n=70, replicates=12),
        instead("random growth", claims=GROWTH[:1], density=DENSITIES[:3], **at_random),
        instead("random growth", claims=GROWTH[1:2], density=DENSITIES[:4], **at_random),
        instead("random growth", claims=GROWTH[2:], growth="random", m=72, n=100, density=0.05,
                replicates=16),
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
