"""Whether a model, its inputs and its labels go together, and a sentence where they do not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from theory_lab.core import UsageError
from theory_lab.networks.datasets import Dataset
from theory_lab.networks.devices import home_of
from theory_lab.networks.modes import mode


def check_fits(model: nn.Module, data: Dataset) -> None:
    """UsageError unless the model makes at least one logit a class of the inputs; one forward pass of
    one example, in evaluation mode. Of two classes one logit will do, that of label 1."""
    example = data.example().to(home_of(model))
    with torch.no_grad(), mode(model, training=False), taking(model, example):
        logits = model(example)
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != 1:
        raise UsageError(
            f"{_named(model)} returns {_described(logits)} for one example, but it must be logits"
            f" of the shape (1, {data.classes})."
        )
    if logits.shape[1] < data.classes and (logits.shape[1], data.classes) != (1, 2):
        raise UsageError(
            f"{_named(model)} has {logits.shape[1]} outputs, but {data.note} has {data.classes}"
            f" classes; make the last layer with {data.classes} outputs."
        )


@contextlib.contextmanager
def taking(model: nn.Module, inputs: Tensor) -> Iterator[None]:
    """Around a forward pass: where torch refuses the inputs, a UsageError says which they were."""
    with _explained(
        f"{_named(model)} does not take {_described(inputs)} as a batch of inputs",
        "make the model for this data, or pass inputs that it takes",
    ):
        yield


@contextlib.contextmanager
def comparing(outputs: Tensor, labels: Tensor) -> Iterator[None]:
    """Around a loss: where torch refuses the labels, a UsageError says which they were."""
    with _explained(
        f"The loss does not take outputs {_described(outputs)} and labels {_described(labels)}",
        "pass labels from 0 to the number of outputs - 1, or another loss",
    ):
        yield


@contextlib.contextmanager
def _explained(what: str, cure: str) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError, ValueError, LookupError) as error:
        raise UsageError(f"{what} ({_first_line(error)}); {cure}.") from error


def pairs(batches: object) -> Iterator[tuple[Tensor, Tensor]]:
    """(inputs, labels), batch by batch; UsageError where that is not what is there."""
    if not isinstance(batches, Iterable):
        raise UsageError(
            f"batches are a {type(batches).__name__}, but they must be a list of (inputs, labels),"
            " or a Loader."
        )
    for batch in batches:
        is_pair = isinstance(batch, Sequence) and len(batch) == 2
        if not is_pair or not isinstance(batch[0], Tensor):
            raise UsageError(
                f"batches give a {type(batch).__name__}, but they must give (inputs, labels), batch"
                " by batch."
            )
        yield batch[0], batch[1]


def _named(model: nn.Module) -> str:
    return f"The model ({type(model).__name__})"


def _described(value: object) -> str:
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    return f"{str(value.dtype).removeprefix('torch.')} of the shape {tuple(value.shape)}"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
