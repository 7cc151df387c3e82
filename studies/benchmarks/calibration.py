"""The measurements of `calibrate.py`, section by section."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks import ensembles, roofline
from benchmarks.device import captured, durations, host_seconds, seconds, synchronisations
from benchmarks.loader import random_images
from benchmarks.networks import EVERY, PRUNERS, Trained
from benchmarks.roofline import Ceilings
from benchmarks.rows import Row
from theory_lab.core import StorageError
from theory_lab.networks import datasets, measures, models, train
from theory_lab.networks.datasets import Dataset
from theory_lab.networks.gradients import ENGINES
from theory_lab.networks.loader import Loader
from theory_lab.networks.optim import GRDA
from theory_lab.networks.prunable import prunable_weights
from theory_lab.networks.pruners.rank_term import mean_rank_loss
from theory_lab.networks.recipe import Recipe

EPOCH = 50_000
"""Images of an epoch of CIFAR-10, in which the seconds of an epoch are given."""

EVENTS = 5
"""Changes of the masks that are timed, if a pruner makes as many."""


@dataclass(frozen=True)
class Sizes:
    """How large all is; `epochs`: measured ones of each network, after the one that starts it."""

    matrix: int
    copied: int
    images: int
    batch: int
    rounds: int
    epochs: dict[str, int]
    rival: str
    """The network whose parameters gRDA steps, and whose steps the pruners slow."""
    ensembles: ensembles.Sizes
    compiles: bool = True


FULL = Sizes(
    matrix=8192, copied=2**30, images=20_480, batch=512, rounds=60,
    epochs={"resnet20": 5, "resnet18": 5, "wrn28_10": 2}, rival="resnet18",
    ensembles=ensembles.FULL,
)  # fmt: skip
SMOKE = Sizes(
    matrix=128, copied=2**20, images=64, batch=16, rounds=8,
    epochs={"resnet8w4": 1, "wrn10_1": 1}, rival="resnet8w8",
    ensembles=ensembles.SMOKE, compiles=False,
)  # fmt: skip
TARGETS = {"resnet20": 0.5, "resnet18": 1.2}
"""Seconds an epoch."""
EXPECTED = {"resnet20": 0.29, "resnet18": 0.69, "wrn28_10": 4.9}
"""Seconds an epoch that were estimated for an H200: what kernels reach in practice, not a bound."""


def measured(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    """Every line, as soon as it is known."""
    stance = "default" if sizes.compiles else "force_eager"
    torch.set_float32_matmul_precision("highest")
    with torch.compiler.set_stance(stance):
        found = []
        for row in ceilings(device, sizes):
            found.append(row)
            yield row
        yield from ensembles.ensembles(device, sizes.ensembles, wide_limits_of(found))
        limits = limits_of(found, device)
        data = smaller(random_images(), sizes.images).to(device)
        for net in sizes.epochs:
            yield from training(net, data, sizes, limits)
        yield from grda_step(data, sizes, limits)
        yield from pruners(data, sizes)
        yield from rank_loss(data, sizes)
        yield from finished_runs(data, sizes)
        yield from loading(data, sizes)


def limits_of(found: list[Row], device: torch.device) -> Ceilings:
    """The ceilings of a training: in bfloat16 on CUDA, in float32 on a CPU."""
    bfloat16, float32, *_, copied = (row.value or 0.0 for row in found)
    if device.type == "cuda":
        return Ceilings(bfloat16 * 1e12, copied * 1e9)
    return Ceilings(float32 * 1e12, copied * 1e9, width=4)


def wide_limits_of(found: list[Row]) -> Ceilings:
    """The ceilings of float64, in which the theories' ensembles are run."""
    float64, copied = (row.value or 0.0 for row in found[-2:])
    return Ceilings(float64 * 1e12, copied * 1e9, width=8)


def smaller(data: Dataset, images: int) -> Dataset:
    """As many of the images, repeated where there are fewer."""
    index = torch.arange(images) % len(data.train_labels)
    labels = torch.arange(images) % data.classes
    assert isinstance(data.train, Tensor)
    assert isinstance(data.test, Tensor)
    return dataclasses.replace(
        data, train=data.train[index], train_labels=labels,
        test=data.test[: images // 2], test_labels=data.test_labels[: images // 2],
    )  # fmt: skip


# --- ceilings -------------------------------------------------------------------------------------


def ceilings(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    """Matrix products first (bfloat16 the very first), the copy last."""
    section, n = "Ceilings", sizes.matrix
    for name, dtype, precision in (
        ("bfloat16", torch.bfloat16, "highest"),
        ("float32", torch.float32, "highest"),
        ("float32 as TF32", torch.float32, "high"),
        ("float64", torch.float64, "highest"),
    ):
        torch.set_float32_matmul_precision(precision)
        a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
        out = torch.empty_like(a)
        time = seconds(functools.partial(torch.mm, a, b, out=out), device, sizes.rounds)
        yield Row(section, f"matrix product {n}, {name}", 2 * n**3 / time / 1e12, "TFLOP/s")
    torch.set_float32_matmul_precision("highest")
    source = torch.zeros(sizes.copied, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    time = seconds(lambda: target.copy_(source), device, sizes.rounds)
    yield Row(section, "copy, read and written", 2 * sizes.copied / time / 1e9, "GB/s")


# --- training -------------------------------------------------------------------------------------


def training(net: str, data: Dataset, sizes: Sizes, limits: Ceilings) -> Iterator[Row]:
    """Whole trainings, loader and optimiser included, by every engine."""
    section = f"Training {net}, batch {sizes.batch}, bfloat16 on CUDA"
    device, model = data.train_labels.device, models.build(net, data)
    example = data.example().cpu()
    operations = roofline.operations_per_image(model, example) * EPOCH
    floor = roofline.seconds_per_image(model, example, limits) * EPOCH
    bound = operations / limits.operations
    yield Row(section, "operations an epoch", operations / 1e12, "TFLOP", f"{bound:.3g} s")
    expected = EXPECTED.get(net)
    yield Row(section, "least seconds an epoch, layer by layer", floor, "s",
              f"(estimated for an H200: {expected} s)" if expected else "")  # fmt: skip
    for engine, tuned in [*((engine, False) for engine in ENGINES), ("graph", True)]:
        recipe = Recipe(epochs=1 + sizes.epochs[net], batch_size=sizes.batch, label_smoothing=0.1)
        fresh = models.build(net, data)
        with autotuned(tuned):
            history = train.fit(fresh, data, recipe, engine=engine, device=device, progress=False)
        first, *speeds = history.images_per_second
        speed = statistics.median(speeds)
        name = f"{engine}{', cudnn.benchmark' if tuned else ''}"
        yield Row(section, f"{name}: images/s", speed, "")
        target = f"<= {TARGETS[net]} s, " if net in TARGETS and engine == "graph" else ""
        times = f"{EPOCH / speed / floor:.3g} times the least"
        yield Row(section, f"{name}: seconds an epoch", EPOCH / speed, "s", target + times)
        yield Row(section, f"{name}: seconds to start",
                  sizes.images * (1 / first - 1 / speed), "s")  # fmt: skip


@contextlib.contextmanager
def autotuned(is_on: bool) -> Iterator[None]:
    """cuDNN tries its algorithms and takes the fastest."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = is_on
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


# --- gRDA -----------------------------------------------------------------------------------------


def grda_step(data: Dataset, sizes: Sizes, limits: Ceilings) -> Iterator[Row]:
    """Target: no more than fused SGD with momentum. Bytes: v, g, w, v against m, g, w, w, m."""
    options: dict[str, Any] = dict(lr=0.1, c=5e-4, mu=0.55)
    device = data.train_labels.device
    makers: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
        "fused SGD with momentum": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, fused=True),
        "GRDA": lambda p: GRDA(p, **options),
        "GRDA capturable": lambda p: GRDA(p, capturable=True, **options),
        "GRDA compiled": lambda p: GRDA(p, compiled=True, **options),
    }
    parameters = parameters_of(sizes.rival, data)
    entries = sum(p.numel() for p in parameters)
    section = f"Optimisers, {len(parameters)} parameters, {entries:,} entries"
    rival = None
    for name, make in makers.items():
        step = make(parameters_of(sizes.rival, data)).step
        step()  # so that there is something to threshold before a capture
        ways: dict[str, Callable[[], object]] = {name: step}
        if name == "GRDA capturable":
            ways["GRDA capturable, as a CUDA graph"] = captured(step, device)
        for way, work in ways.items():
            time = seconds(work, device, sizes.rounds)
            rival = rival or time
            least = 4 * entries * (5 if rival is time else 4) / limits.bytes
            yield Row(section, way, time * 1e3, "ms",
                      f"{time / rival:.3g} of SGD (<= 1), {time / least:.3g} times its bytes")  # fmt: skip
            yield Row(
                section, f"  {way}: host", host_seconds(work, device, sizes.rounds) * 1e3, "ms"
            )


def parameters_of(net: str, data: Dataset) -> list[nn.Parameter]:
    """The network's parameters with gradients, in the formats of training."""
    model = placed(net, data)
    for p in model.parameters():
        p.grad = 0.01 * torch.randn_like(p)
    return list(model.parameters())


def placed(net: str, data: Dataset) -> nn.Module:
    """A fresh network on the device of the data, in the format of training."""
    device = data.train_labels.device
    layout = torch.channels_last if device.type == "cuda" else torch.preserve_format
    return models.build(net, data).to(device=device, memory_format=layout)  # type: ignore[call-overload]


# --- pruners --------------------------------------------------------------------------------------


def pruners(data: Dataset, sizes: Sizes) -> Iterator[Row]:
    """What each adds to a plain step, gradients as a graph. Target: below 5 %, no wait of the host.

    Ordinary steps are the medians; a change of the masks is spread over `EVERY` steps.
    """
    section = f"Pruners, {sizes.rival}, batch {sizes.batch}: beyond a step of plain SGD"
    batch = next(iter(Loader(data, sizes.batch, seed=0)))
    plain, _, waits = stepped("plain", data, batch, sizes)
    yield Row(section, "plain SGD", plain * 1e3, "ms", said(waits))
    for name in ("gRDA", *PRUNERS):
        ordinary, change, waits = stepped(name, data, batch, sizes)
        spread = max(change - ordinary, 0) / EVERY if change else 0.0
        beside = (
            f"a change of masks {change * 1e3:.3g} ms; {said(waits)}" if change else said(waits)
        )
        yield Row(section, name, 100 * ((ordinary + spread) / plain - 1), "%", f"< 5 %; {beside}")


def stepped(
    name: str, data: Dataset, batch: tuple[Tensor, Tensor], sizes: Sizes
) -> tuple[float, float, int | None]:
    """Medians of the seconds of an ordinary step and of one that changes masks (0 if none did), and
    how often an ordinary one waits."""
    device = data.train_labels.device
    run = Trained(
        placed(sizes.rival, data).train(), sizes.rounds + 4, name, engine="graph", amp=True
    )
    for _ in range(2):
        run.advance(*batch)
    changed: list[bool] = []

    def step() -> None:
        before = run.changes
        run.advance(*batch)
        changed.append(run.changes > before)

    times: dict[bool, list[float]] = {False: [], True: []}
    found = durations([step] * sizes.rounds, device)  # the host runs ahead, as in a training
    for time, is_change in zip(found, changed, strict=True):
        times[is_change].append(time)
    waits = [synchronisations(lambda: run.advance(*batch), device) for _ in range(2)]
    known = [count for count in waits if count is not None]
    ordinary = statistics.median(times[False] or times[True])
    return ordinary, statistics.median(times[True][-EVENTS:] or [0.0]), min(known, default=None)


def said(waits: int | None) -> str:
    return "waits not counted" if waits is None else f"the host waits {waits} times a step"


def rank_loss(data: Dataset, sizes: Sizes) -> Iterator[Row]:
    """One eigen-solve a layer for each change of RPG's masks, in every step under every_step."""
    section, device = f"Rank loss, {sizes.rival}", data.train_labels.device
    layers = prunable_weights(models.build(sizes.rival, data).to(device))
    weights = [layer.parameter for layer in layers if layer.is_convolution]
    time = seconds(lambda: mean_rank_loss(weights, 0.1).backward(), device, 5, warm_up=1)
    yield Row(section, "eigen-solves a change of masks", len(weights), "")
    yield Row(section, "all of them, with gradients", time * 1e3, "ms", f"every {EVERY} steps")
    sides = [min(weight.flatten(1).shape) for weight in weights]
    for side in sorted(set(sides)):
        gram = torch.randn(side, side, device=device)
        gram = gram @ gram.T
        one = seconds(functools.partial(torch.linalg.eigh, gram), device, 5, warm_up=1)
        count = sides.count(side)
        many = gram.expand(count, side, side).contiguous()
        together = seconds(functools.partial(torch.linalg.eigh, many), device, 5, warm_up=1)
        yield Row(section, f"one of {side} x {side}", one * 1e3, "ms",
                  f"{count} in a batch {together * 1e3:.3g} ms")  # fmt: skip


# --- the rest of a run ----------------------------------------------------------------------------


def finished_runs(data: Dataset, sizes: Sizes) -> Iterator[Row]:
    """What a table does with a network beside training it."""
    section, device = f"Around a training, {sizes.rival}", data.train_labels.device
    model = models.build(sizes.rival, data).to(device)
    images = len(data.test_labels)
    for what, work in (
        (f"evaluation, {images:,} images", lambda: train.evaluate(model, data)),
        ("ranks of all layers", lambda: measures.ranks(model)),
        ("effective compression", lambda: measures.effective_compression(model, data.example())),
    ):
        yield Row(section, what, seconds(work, device, 2, warm_up=1), "s")


def loading(data: Dataset, sizes: Sizes) -> Iterator[Row]:
    """Batches alone: augmented by one gather, normalised."""
    section, device = "Loader", data.train_labels.device
    loader = Loader(data, sizes.batch, seed=0)
    count = len(loader) * sizes.batch
    time = seconds(lambda: [None for _ in loader], device, 5, warm_up=1)
    yield Row(section, "augmented 32x32 images", count / time, "images/s")
    try:
        time = seconds(lambda: datasets.load("cifar10_jpeg"), torch.device("cpu"), 1, warm_up=0)
        yield Row(section, "cifar10_jpeg read and decoded", time, "s", "once in a process")
    except StorageError as error:
        yield Row(section, "cifar10_jpeg read and decoded", None, "s", str(error))
