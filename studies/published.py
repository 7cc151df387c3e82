"""What others published, as points (sparsity, accuracy): data of figures, never of claims.

Other networks, recipes and budgets than ours. Every label names the network, the data set and the
source. Pruning by FLOPs or channels is not here: it has another axis.
"""

from __future__ import annotations

from theory_lab.report.plots import Published

CIFAR10 = dict(data=["cifar10", "cifar10_jpeg"])
"""Shown beside our runs on CIFAR-10, with and without JPEG loss."""
IMAGENET = dict(data="imagenet")

LEARNING_COMPRESSION = "Learning-Compression, CVPR 2018"
GRDA = "gRDA, arXiv:2006.09358"
RPG = "RPG, arXiv:2311.17493"
ACDC = "AC/DC, arXiv:2106.12379"
RIGL = "RigL, arXiv:1911.11134"

UNSTRUCTURED = [
    Published(
        f"ResNet-32, CIFAR-10 ({LEARNING_COMPRESSION})",
        [(0.90, 0.9212), (0.95, 0.9074), (0.97, 0.8926)],
        CIFAR10,
    ),
    Published(
        f"ResNet-56, CIFAR-10 ({LEARNING_COMPRESSION})",
        [(0.90, 0.9333), (0.95, 0.9249), (0.97, 0.9179)],
        CIFAR10,
    ),
    Published(f"VGG-16, CIFAR-10 ({GRDA})", [(0.905, 0.9086)], CIFAR10),
    Published(
        f"ResNet-50, ImageNet ({RPG})",
        [(0.80, 0.7666), (0.90, 0.7580), (0.95, 0.7405), (0.98, 0.6957)],
        IMAGENET,
    ),
    Published(
        f"ResNet-50, ImageNet ({ACDC})",
        [(0.80, 0.7645), (0.90, 0.7503), (0.95, 0.7314), (0.98, 0.6848)],
        IMAGENET,
    ),
    Published(f"ResNet-50, ImageNet ({RIGL})", [(0.80, 0.751), (0.90, 0.730)], IMAGENET),
    Published(f"ResNet-50, ImageNet ({GRDA})", [(0.916, 0.7324)], IMAGENET),
]
"""Single weights pruned, accuracy against the share of zeros."""

_ATTENTION = "arXiv:2402.17902"
_BLOCKS = {
    8: ((0.70, 0.7411, 0.7414), (0.80, 0.7247, 0.7290), (0.90, 0.6774, 0.6956)),
    16: (
        (0.70, 0.7408, 0.7440), (0.80, 0.7256, 0.7350), (0.90, 0.6861, 0.6992),
        (0.95, 0.6142, 0.6427),
    ),
}  # fmt: skip
"""Side of the blocks: sparsity, accuracy of ACDC, accuracy of SequentialAttention++."""


def blocks(side: int) -> list[Published]:
    """Square blocks of this side pruned; none published for sides that are not in the table."""
    names = ("ACDC", "SequentialAttention++")
    return [
        Published(
            f"ResNet-50, ImageNet ({name}, {_ATTENTION})",
            [(row[0], row[place]) for row in _BLOCKS[side]],
            IMAGENET,
        )
        for place, name in enumerate(names, 1)
        if side in _BLOCKS
    ]
