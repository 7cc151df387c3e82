"""Direct and effective sparsity against a pass of ones through the linearised network."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from theory_lab.networks import measures, models
from theory_lab.networks.export.block_sparse import replace
from theory_lab.networks.prunable import prunable_weights

IMAGE = torch.zeros(1, 3, 32, 32)
MODELS: dict[str, tuple[Callable[[], nn.Module], Tensor]] = {
    "resnet8": (lambda: models.resnet(8, width=6), IMAGE),
    "resnet20": (lambda: models.resnet(20, width=4), IMAGE),
    "resnet18": (lambda: models.resnet(18, width=4), IMAGE),
    "resnet50": (lambda: models.resnet(50, width=4), IMAGE),
    "wide": (lambda: models.wide_resnet(10, 1), IMAGE),
    "vgg16": (lambda: models.vgg(16, width=4), IMAGE),
    "mlp": (lambda: models.mlp((12, 9, 9, 9, 4)), torch.zeros(1, 12)),
}


@torch.no_grad()
def prune(model: nn.Module, density: float, seed: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for weight in prunable_weights(model):
        kept = torch.rand(weight.parameter.shape, generator=generator) < density
        weight.parameter.masked_fill_(~kept, 0)
    return model


def linearised(model: nn.Module) -> nn.Module:
    """Weights 1 or 0, no biases, BatchNorm or pooling; the taps of a kernel summed to 1 x 1."""
    linear = copy.deepcopy(model).double()
    for name, module in list(linear.named_modules()):
        if isinstance(module, nn.Conv2d):
            flat = nn.Conv2d(module.in_channels, module.out_channels, 1, bias=False).double()
            flat.weight.data = module.weight.data.ne(0).double().sum((2, 3), keepdim=True)
            replace(linear, name, flat)
        elif isinstance(module, nn.Linear):
            module.weight.data = module.weight.data.ne(0).double()
            module.bias.data.zero_()
        elif isinstance(module, (nn.BatchNorm2d, nn.MaxPool2d)):
            replace(linear, name, nn.Identity())
    return linear


def active_by_gradient(model: nn.Module, example: Tensor) -> dict[str, Tensor]:
    """Weights that are kept and through which the sum of the outputs depends on the ones."""
    linear = linearised(model)
    ones = torch.ones(example[..., :1, :1].shape if example.ndim > 2 else example.shape)
    linear(ones.double()).sum().backward()
    passed = {w.name: w.parameter.grad * w.parameter.data for w in prunable_weights(linear)}
    assert all(torch.isfinite(found).all() for found in passed.values())
    return {
        w.name: (w.parameter.data != 0) & (passed[w.name] != 0) for w in prunable_weights(model)
    }


@pytest.mark.parametrize("density", [0.3, 0.05, 0.015])
@pytest.mark.parametrize("name", MODELS)
def test_active_weights_are_those_that_ones_pass_through(name: str, density: float) -> None:
    make, example = MODELS[name]
    gaps = 0
    for seed in range(2):
        torch.manual_seed(seed)
        model = prune(make(), density, seed)
        expected = active_by_gradient(model, example)
        found = measures.active_masks(model, example)
        assert set(found) == set(expected)
        assert all(torch.equal(found[layer], expected[layer]) for layer in found)
        kept = {w.name: int(w.parameter.count_nonzero()) for w in prunable_weights(model)}
        gaps += sum(kept.values()) - sum(int(mask.sum()) for mask in found.values())
    assert gaps > 0 or density == 0.3


def test_sparsities_are_shares_of_the_prunable_weights() -> None:
    torch.manual_seed(0)
    model, example = prune(models.resnet(8, width=6), 0.1, 0), IMAGE
    kept = {w.name: int(w.parameter.count_nonzero()) for w in prunable_weights(model)}
    size = {w.name: w.parameter.numel() for w in prunable_weights(model)}
    active = {n: int(m.sum()) for n, m in measures.active_masks(model, example).items()}
    n = sum(size.values())
    assert measures.sparsity(model) == pytest.approx(1 - sum(kept.values()) / n)
    assert measures.effective_sparsity(model, example) == pytest.approx(
        1 - sum(active.values()) / n
    )
    assert measures.effective_compression(model, example) == n / sum(active.values())
    for found, counts in [
        (measures.layer_sparsities(model), kept),
        (measures.layer_effective_sparsities(model, example), active),
    ]:
        assert found == pytest.approx({name: 1 - counts[name] / size[name] for name in size})


def test_a_cut_network_has_no_active_weight_and_a_dense_one_no_other() -> None:
    torch.manual_seed(0)
    model, example = models.vgg(16, width=4), IMAGE
    assert measures.effective_sparsity(model, example) == measures.sparsity(model) == 0
    with torch.no_grad():
        model.features.stage3.unit2.conv.weight.zero_()
    assert measures.effective_sparsity(model, example) == 1
    assert measures.effective_compression(model, example) == math.inf
    assert measures.sparsity(model) < 1


def test_biases_and_batch_norm_do_not_count() -> None:
    """A unit with a bias alone is dead; a scale of 0 in BatchNorm cuts nothing."""
    model = models.mlp((4, 3, 2))
    with torch.no_grad():
        model.fc1.weight[0] = 0
        model.fc1.bias.fill_(1)
    assert measures.effective_sparsity(model, torch.zeros(1, 4)) == (4 + 2) / 18
    torch.manual_seed(0)
    net = models.resnet(8, width=4)
    with torch.no_grad():
        net.features.init_block.bn.weight.zero_()
    assert measures.effective_sparsity(net, IMAGE) == 0
