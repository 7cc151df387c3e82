"""The gradient of a batch: eager, compiled, or as a CUDA graph with static buffers."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from theory_lab.core import UsageError
from theory_lab.networks import distributed
from theory_lab.networks.devices import home_of
from theory_lab.networks.pruners.base import Pruner

ENGINES = ("eager", "compiled", "graph")


class Batch(NamedTuple):
    """What a step reports, on the device: mean task loss, number of right labels (0-dim)."""

    loss: Tensor
    correct: Tensor


def task_loss(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy of logits (n, K) with labels (n,); K = 1: of the logit of label 1."""
    if logits.shape[1] > 1:
        return functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    wanted = labels.to(logits.dtype) * (1 - smoothing) + smoothing / 2
    return functional.binary_cross_entropy_with_logits(logits[:, 0], wanted)


def right(logits: Tensor, labels: Tensor) -> Tensor:
    """How many labels have the largest logit (K = 1: the sign of the logit), 0-dim int64."""
    chosen = logits.argmax(1) if logits.shape[1] > 1 else logits[:, 0] > 0
    return (chosen == labels).sum()


class Gradients:
    """Leaves in every `.grad` that of task loss + pruner's loss term, averaged over processes.

    `engine`: "eager"; "compiled" (torch.compile of the model); "graph": the forward and backward
    passes of the task loss run on static buffers and, on CUDA, are captured once and replayed; the
    pruner's term, a few small kernels that may change from step to step, is added outside. On the
    CPU the same code runs without the capture. A forward pass must not branch on the host from step
    to step (masks change in place). No engine waits for the device.
    """

    def __init__(
        self,
        model: nn.Module,
        pruner: Pruner | None,
        *,
        engine: str = "eager",
        amp: bool = False,
        smoothing: float = 0.0,
    ) -> None:
        if engine not in ENGINES:
            known = ", ".join(map(repr, ENGINES))
            raise UsageError(f"engine is {engine!r}, but it must be one of {known}.")
        if engine == "graph" and distributed.is_parallel():
            raise UsageError("engine 'graph' is for one process; take 'eager' or 'compiled'.")
        self.model, self.pruner, self.smoothing = model, pruner, smoothing
        self.parameters = list(model.parameters())  # walking the modules in each step is slow
        self.device = home_of(model)
        self._amp, self._is_static = amp and self.device.type == "cuda", engine == "graph"
        averaging = distributed.averaging(model)
        self._forward = torch.compile(averaging) if engine == "compiled" else averaging
        self._graph: _Graph | None = None

    def __call__(self, inputs: Tensor, labels: Tensor) -> Batch:
        if self._is_static:
            return self._static(inputs, labels)
        self._forget()
        loss, correct = self._task(inputs, labels)
        term = self.pruner.loss_term() if self.pruner else 0.0
        (loss + term).backward()
        return Batch(loss.detach(), correct)

    def _forget(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    def _task(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        with self._autocast():
            logits = self._forward(inputs)
        logits = logits.float() if self._amp else logits
        return task_loss(logits, labels, self.smoothing), right(logits.detach(), labels)

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        # A graph must not hold the copies that the cache of casts frees at the end of autocast.
        if not self._amp:
            return contextlib.nullcontext()
        return torch.autocast("cuda", torch.bfloat16, cache_enabled=not self._is_static)

    def _static(self, inputs: Tensor, labels: Tensor) -> Batch:
        if self._graph is None or self._graph.shape != inputs.shape:
            self._graph = None  # frees its memory first
            self._graph = _Graph(self, inputs, labels)
        batch = self._graph.run(self, inputs, labels)
        term = self.pruner.loss_term() if self.pruner else 0.0
        if isinstance(term, Tensor) and term.requires_grad:
            term.backward()
        return batch

    def on_static_buffers(self, inputs: Tensor, labels: Tensor) -> Batch:
        """Fresh gradients of the task loss alone; what a graph captures."""
        self._forget()
        loss, correct = self._task(inputs, labels)
        loss.backward()
        return Batch(loss.detach(), correct)


class _Graph:
    """Forward and backward passes on static buffers, for one shape of batch.

    Captured with no gradients there, so that each replay writes them anew, always to the same
    memory: each replay hands it back to the parameters, whatever their `.grad` has become since.
    It does not hold the gradients that hold it: a cycle would keep its memory, which is that of all
    activations, until the garbage is collected.
    """

    def __init__(self, gradients: Gradients, inputs: Tensor, labels: Tensor) -> None:
        self.shape, self._parameters = inputs.shape, gradients.parameters
        self._inputs, self._labels = torch.empty_like(inputs), labels.clone()
        self._inputs.copy_(inputs)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._batch: Batch | None = None
        self._written: list[Tensor | None] = []
        if gradients.device.type == "cuda":
            self._capture(gradients)

    def run(self, gradients: Gradients, inputs: Tensor, labels: Tensor) -> Batch:
        self._inputs.copy_(inputs)
        self._labels.copy_(labels)
        if self._graph is None or self._batch is None:
            return gradients.on_static_buffers(self._inputs, self._labels)
        self._graph.replay()
        for parameter, gradient in zip(self._parameters, self._written, strict=True):
            parameter.grad = gradient
        return self._batch

    def _capture(self, gradients: Gradients) -> None:
        """Warm up on a side stream and capture; buffers and random streams stay as they were."""
        buffers = [buffer.clone() for buffer in gradients.model.buffers()]
        random = torch.cuda.get_rng_state(gradients.device)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                gradients.on_static_buffers(self._inputs, self._labels)
        torch.cuda.current_stream().wait_stream(side)
        self._graph = graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._batch = gradients.on_static_buffers(self._inputs, self._labels)
        self._written = [parameter.grad for parameter in self._parameters]
        for buffer, before in zip(gradients.model.buffers(), buffers, strict=True):
            buffer.copy_(before)
        torch.cuda.set_rng_state(random, gradients.device)
