"""Connectivity: the effective mask of a network of the shape of ResNet-50."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.timing import Benchmarks, Line, alternate, median, ratio
from theory_lab.numerics.paths import Edge, Graph, Skip, effective_masks

RESOLUTION, MASK_DENSITIES, MASK_ROUNDS = 224, (0.1, 0.01), 9


def resnet50() -> Graph:
    """ResNet-50 by channels: every block's three convolutions, its identity or side branch."""
    units, edges, skips, last = [3, 64], [Edge(0, 1, 1, (7, 7))], [], 1
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            first = len(units)
            units += [width, width, 4 * width]
            edges += [Edge(last, first, 1, (1, 1)), Edge(first, first + 1, 1, (3, 3)),
                      Edge(first + 1, first + 2, 1, (1, 1))]  # fmt: skip
            if block == 0:
                edges.append(Edge(last, first + 2, 1, (1, 1)))
            else:
                skips.append(Skip(last, first + 2))
            last = first + 2
    return Graph((*units, 1000), (*edges, Edge(last, last + 1)), tuple(skips))


def ones_through(weights: list[torch.Tensor]) -> list[torch.Tensor]:
    """The opponent: ones through the linearised network, kernels |w| under their masks, and autograd
    of the summed output; a weight is active where gradient times weight is not 0."""
    conv, left = torch.nn.functional.conv2d, iter(weights)
    x = conv(torch.ones(1, 3, RESOLUTION, RESOLUTION), next(left), stride=2, padding=3)
    x = torch.nn.functional.avg_pool2d(x, 3, stride=2, padding=1)
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            inner = conv(conv(x, next(left)), next(left), stride=stride, padding=1)
            inner = conv(inner, next(left))
            x = inner + (conv(x, next(left), stride=stride) if block == 0 else x)
    output = x.mean(dim=(2, 3)) @ next(left).T
    gradients = torch.autograd.grad(output.sum(), weights)
    return [g * w != 0 for g, w in zip(gradients, weights, strict=True)]


def effective_mask() -> list[Line]:
    """Target: at most 20 ms at densities .1 and .01, at least 20 times faster than ones and autograd,
    with the same active weights."""
    rng, graph, lines = np.random.default_rng(4), resnet50(), []
    for density in MASK_DENSITIES:
        masks = [rng.random(shape) < density for shape in graph.shapes]
        # divided by the weights of one unit, so that no path sum overflows
        weights = [
            torch.from_numpy(np.abs(rng.standard_normal(m.shape)) * m / max(1, m[0].sum())).float()
            for m in masks
        ]
        for weight in weights:
            weight.requires_grad_()
        theirs = ones_through(weights)
        for ours, seen in zip(effective_masks(graph, masks), theirs, strict=True):
            np.testing.assert_array_equal(ours, seen.numpy())
        pairs = alternate(
            lambda masks=masks: effective_masks(graph, masks),
            lambda weights=weights: ones_through(weights),
            MASK_ROUNDS,
        )
        lines += [
            Line(f"ones and autograd, density {density:g}", median([b for _, b in pairs])),
            Line(
                f"boolean propagation, density {density:g}",
                median([a for a, _ in pairs]),
                "<= 20 ms",
            ),
            Line("  autograd / ours", ratio([b / a for a, b in pairs]), ">= 20"),
        ]
    return lines


BENCHMARKS: Benchmarks = [
    ("Connectivity: effective mask of ResNet-50, 25.5 M weights", effective_mask),
]
