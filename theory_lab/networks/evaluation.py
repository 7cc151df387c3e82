"""Loss and accuracy of a model on a data set, and BatchNorm's statistics estimated anew."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from theory_lab.networks.compatibility import check_fits, pairs, taking
from theory_lab.networks.datasets import Dataset
from theory_lab.networks.devices import home_of
from theory_lab.networks.gradients import right, task_loss
from theory_lab.networks.loader import Loader
from theory_lab.networks.modes import mode
from theory_lab.networks.pruners.base import Batches

EVALUATION_BATCH = 1000


class Evaluation(NamedTuple):
    """Mean cross-entropy (no smoothing, nats) and share of right labels."""

    loss: float
    accuracy: float


@torch.no_grad()
def evaluate(
    model: nn.Module, data: Dataset, *, train: bool = False, batch_size: int = EVALUATION_BATCH
) -> Evaluation:
    """On the test examples, or on the training examples without augmentation; evaluation mode."""
    check_fits(model, data)
    device = home_of(model)
    loader = Loader(data, batch_size, seed=0, train=train, augment=False, drop_last=False)
    loss = torch.zeros((), dtype=torch.float64, device=device)
    correct = torch.zeros((), dtype=torch.int64, device=device)
    images = 0
    with mode(model, training=False):
        for inputs, labels in loader:
            here = labels.to(device)
            logits = model(inputs.to(device)).float()
            loss += task_loss(logits, here).double() * len(here)
            correct += right(logits, here)
            images += len(here)
    return Evaluation(float(loss) / images, int(correct) / images)


@torch.no_grad()
def reestimate_batch_norm(model: nn.Module, batches: Batches) -> None:
    """BatchNorm's running statistics become the mean over one pass of the batches.

    Nothing else is in training mode meanwhile. A model without BatchNorm is left alone.
    """
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return
    device = home_of(model)
    momenta = [norm.momentum for norm in norms]
    with mode(model, training=False):
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a cumulative mean
            norm.train()
        for inputs, _ in pairs(batches):
            with taking(model, inputs):
                model(inputs.to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
