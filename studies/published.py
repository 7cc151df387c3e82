"""What others published, as points (sparsity, accuracy): data of figures, never of claims.

Other networks, recipes and budgets than ours. Every label names the network, the data set and the
method, `SOURCES` where it stands. Pruning by FLOPs or channels is not here: it has another axis.
"""

from __future__ import annotations

from theory_lab.report.plots import Published

CIFAR10 = dict(data=["cifar10", "cifar10_jpeg"])
"""Shown beside our runs on CIFAR-10, with and without JPEG loss."""
IMAGENET = dict(data="imagenet")

SOURCES = (
    "LC, Learning-Compression algorithms for neural net pruning, CVPR 2018; gRDA, arXiv:2006.09358;"
    " RPG, arXiv:2311.17493; AC/DC, arXiv:2106.12379; RigL, arXiv:1911.11134"
)

UNSTRUCTURED = [
    Published(
        "ResNet-32, CIFAR-10 (LC)", [(0.90, 0.9212), (0.95, 0.9074), (0.97, 0.8926)], CIFAR10
    ),
    Published(
        "ResNet-56, CIFAR-10 (LC)", [(0.90, 0.9333), (0.95, 0.9249), (0.97, 0.9179)], CIFAR10
    ),
    Published("VGG-16, CIFAR-10 (gRDA)", [(0.905, 0.9086)], CIFAR10),
    Published(
        "ResNet-50, ImageNet (RPG)",
        [(0.80, 0.7666), (0.90, 0.7580), (0.95, 0.7405), (0.98, 0.6957)],
        IMAGENET,
    ),
    Published(
        "ResNet-50, ImageNet (AC/DC)",
        [(0.80, 0.7645), (0.90, 0.7503), (0.95, 0.7314), (0.98, 0.6848)],
        IMAGENET,
    ),
    Published("ResNet-50, ImageNet (RigL)", [(0.80, 0.751), (0.90, 0.730)], IMAGENET),
    Published("ResNet-50, ImageNet (gRDA)", [(0.916, 0.7324)], IMAGENET),
]
"""Single weights pruned; accuracy against the share of zeros."""

BLOCK_SOURCE = "arXiv:2402.17902, Table 1"
_BLOCKS = {
    8: {
        "ACDC": [(0.70, 0.7411), (0.80, 0.7247), (0.90, 0.6774)],
        "SequentialAttention++": [(0.70, 0.7414), (0.80, 0.7290), (0.90, 0.6956)],
    },
    16: {
        "ACDC": [(0.70, 0.7408), (0.80, 0.7256), (0.90, 0.6861), (0.95, 0.6142)],
        "SequentialAttention++": [(0.70, 0.7440), (0.80, 0.7350), (0.90, 0.6992), (0.95, 0.6427)],
    },
}
"""By the side of the blocks. Ours of side 4 have no published neighbour."""


def blocks(side: int) -> list[Published]:
    """Square blocks of this side pruned."""
    return [
        Published(f"ResNet-50, ImageNet ({method})", points, IMAGENET)
        for method, points in _BLOCKS.get(side, {}).items()
    ]
