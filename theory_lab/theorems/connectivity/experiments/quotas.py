"""Layer quotas on drawn and on known networks, and where rounding or uniform+ breaks them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment, Measurement
from theory_lab.core.checks import BadParameter, at_least, one_of
from theory_lab.core.seeds import Stream
from theory_lab.numerics.quotas import QUOTAS, kept_counts, uniform, uniform_plus
from theory_lab.theorems.connectivity.experiments.enumeration import count_active
from theory_lab.theorems.connectivity.experiments.instances import Widths

ERK_ONCE = "ERK, solved once"

VGG_16 = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)

Shape = tuple[int, ...]


def perceptron(widths: tuple[int, ...]) -> list[Shape]:
    return [(rows, columns) for rows, columns in zip(widths[1:], widths[:-1], strict=True)]


def convolutions(channels: tuple[int, ...], outputs: int) -> list[Shape]:
    """3 x 3 kernels from 3 colours on, then a linear layer."""
    kernels = [(b, a, 3, 3) for a, b in zip((3, *channels), channels, strict=False)]
    return [*kernels, (outputs, channels[-1])]


NETWORKS: dict[str, list[Shape]] = {
    "LeNet-300-100": perceptron((784, 300, 100, 10)),
    "VGG-16": convolutions(VGG_16, 10),
}


def draw(
    network: Annotated[str, one_of(("random", *NETWORKS))] = "random",
    layers: Annotated[int, at_least(2)] = 5,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """`shapes` (L, 4): out, in and the kernel of each layer (0, 0 for a linear one); `sizes` (L,).

    random: channels between 1 and 512, evenly in the logarithm, and a linear layer at the end.
    """
    if network == "random":
        channels = tuple(np.exp(rng.uniform(0, np.log(512), layers - 1)).astype(int).tolist())
        drawn = convolutions(channels, int(rng.integers(2, 100)))
    else:
        drawn = NETWORKS[network]
    shapes = np.array([(*shape, 0, 0)[:4] for shape in drawn], dtype=np.int64)
    return dict(shapes=shapes, sizes=np.array([np.prod(shape) for shape in drawn], dtype=float))


def run(
    problem: dict[str, Any],
    *,
    quota: Annotated[str, one_of((*QUOTAS, ERK_ONCE))],
    compression: Annotated[float, at_least(1)],
    rounded: bool = False,
    rng: Stream,
) -> dict[str, Any]:
    """`densities` (L,), their sum `total` in weights, the `largest`, and `rises` (L - 1,): how much
    denser each layer is than the next smaller one. `rounded`: of the whole numbers of weights."""
    shapes = _shapes(problem)
    densities = (_erk_once if quota == ERK_ONCE else QUOTAS[quota])(shapes, compression)
    if rounded:
        densities = kept_counts(shapes, densities) / problem["sizes"]
    by_size = densities[np.argsort(problem["sizes"], kind="stable")]
    return dict(
        densities=densities,
        total=densities @ problem["sizes"],
        largest=densities.max(),
        smallest=densities.min(),
        kept=densities * problem["sizes"],
        rises=np.diff(by_size),
    )


def _erk_once(shapes: list[Shape], compression: float) -> np.ndarray:
    """ERK with one factor for all layers, whatever it asks of the small ones."""
    sums, sizes = (np.array([f(shape) for shape in shapes]) for f in (np.sum, np.prod))
    return sums / sizes * (sizes.sum() / compression / sums.sum())


def _shapes(problem: Mapping[str, Any]) -> list[Shape]:
    return [tuple(n for n in shape if n) for shape in problem["shapes"].tolist()]


def run_limit(problem: dict[str, Any], *, rng: Stream) -> dict[str, Any]:
    """`limit`: the compression up to which uniform+ has an answer, between brackets."""
    shapes = _shapes(problem)

    def answers(compression: float) -> bool:
        try:
            uniform_plus(shapes, compression)
        except ValueError:
            return False
        return True

    return dict(limit=_last(answers, 1.0, float(problem["sizes"].sum())))


def draw_widths(widths: Widths, *, rng: Stream) -> dict[str, Any]:
    """`sizes` (L,): the weights of each layer."""
    return dict(widths=widths, sizes=np.multiply(widths[1:], widths[:-1]))


def run_collapse(
    problem: dict[str, Any],
    *,
    rounding: Annotated[str, one_of(("nearest", "down"))] = "nearest",
    rng: Stream,
) -> dict[str, Any]:
    """`first_dead`: the compression from which on uniform quotas leave no path, not even under the
    masks whose first weight in every layer lies on one path."""
    shapes = perceptron(problem["widths"])

    def alive(compression: float) -> bool:
        densities = uniform(shapes, compression)
        counts = kept_counts(shapes, densities)
        if rounding == "down":
            counts = np.floor(densities * problem["sizes"]).astype(int)
        masks = [_first(shape, count) for shape, count in zip(shapes, counts.tolist(), strict=True)]
        return bool(count_active(masks)[0])

    return dict(first_dead=_last(alive, 1.0, 4 * float(problem["sizes"].sum())))


def _first(shape: Shape, count: int) -> np.ndarray:
    """A mask (1, out, in) that keeps the first `count` weights; the very first joins units 0."""
    return (np.arange(np.prod(shape)) < count).reshape(1, *shape)


def _last(holds: Callable[[float], bool], low: float, high: float) -> Measurement:
    """The bracket around the place where `holds` turns false, to 1e-9 of it."""
    while high - low > 1e-9 * low:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return Measurement.certified(low, high)


def check_widths(values: Mapping[str, Any]) -> None:
    """At least one layer."""
    if len(values["widths"]) < 2:
        raise BadParameter(f"widths is {values['widths']!r}, but a network needs at least 2.")


QUOTA = Experiment("connectivity.quota", draw, run)
UNIFORM_PLUS = Experiment("connectivity.uniform_plus", draw, run_limit)
COLLAPSE = Experiment("connectivity.collapse", draw_widths, run_collapse, checks=(check_widths,))
