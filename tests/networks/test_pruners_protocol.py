"""What every pruner promises, on an MLP and on a ResNet-8."""

from __future__ import annotations

import functools
import io

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from tests.networks.pruner_cases import (
    CASES,
    EVERY,
    NETWORKS,
    OPTIMIZERS,
    STEPS,
    PrunerCase,
    Run,
    batches,
    begin,
)  # fmt: skip
from theory_lab.core import UsageError
from theory_lab.networks.prunable import count_zeros, prunable_weights
from theory_lab.networks.selection import kept_count

all_pruners = pytest.mark.parametrize("case", CASES, ids=str)
all_networks = pytest.mark.parametrize("network", NETWORKS)


@functools.cache
def finished(case: PrunerCase, network: str) -> Run:
    """A whole training, for tests that only look at its end."""
    run = begin(case, network).train(STEPS)
    run.pruner.finish()
    return run


@all_networks
@all_pruners
def test_the_target_is_met_exactly_and_no_layer_is_emptied(case: PrunerCase, network: str) -> None:
    run = finished(case, network)
    pruner, masks = run.pruner, run.pruner.masks()
    kept = sum(int(mask.sum()) for mask in masks.values())
    assert pruner.target is not None
    assert abs(kept - kept_count(pruner.size, pruner.target)) <= case.slack(pruner)
    assert pruner.reached()
    assert all(mask.any() for mask in masks.values())
    for name, mask in masks.items():
        assert not run.model.get_parameter(name)[~mask].any()


@all_networks
@all_pruners
def test_the_finished_model_loads_into_a_plain_one(case: PrunerCase, network: str) -> None:
    model = finished(case, network).model
    plain = NETWORKS[network]()
    plain.load_state_dict(model.state_dict())
    assert count_zeros(plain) == count_zeros(model)
    for weight in prunable_weights(plain):
        values = weight.effective
        assert torch.isfinite(values).all()
        assert not torch.signbit(values[values == 0]).any()
    images = torch.ones(2, 1, 8, 8)
    assert torch.equal(plain.eval()(images), model.eval()(images))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@all_pruners
def test_pruned_weights_have_no_gradient_and_no_memory(case: PrunerCase, optimizer: str) -> None:
    if case.keeps_values:
        pytest.skip("its weights live on under the mask")
    run = begin(case, "resnet8", optimizer).train(STEPS)
    for pruned, parameter in run.pruned():
        assert parameter.grad is not None
        assert not parameter[pruned].any()
        assert not parameter.grad[pruned].any()
        for value in run.optimizer.state[parameter].values():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                assert not value[pruned].any()


STOPS = [
    ("resnet8", "sgd", STEPS - EVERY - 3),
    *(("mlp", optimizer, STEPS - EVERY - 3) for optimizer in OPTIMIZERS),
    *(("mlp", "sgd", stop) for stop in (1, EVERY - 1, EVERY, STEPS - 1)),
]


@pytest.mark.parametrize(("network", "optimizer", "stop"), STOPS)
@all_pruners
def test_a_resumed_run_goes_on_bit_by_bit(
    case: PrunerCase, network: str, optimizer: str, stop: int
) -> None:
    first = begin(case, network, optimizer).train(stop)
    file = io.BytesIO()
    torch.save(first.states(), file)
    file.seek(0)
    other = begin(case, network, optimizer, seed=1).load(torch.load(file))
    for run in (first, other):
        run.train(STEPS - stop)
    assert first.pruner.step == other.pruner.step == STEPS
    assert first.pruner.digest() == other.pruner.digest()
    expected, found = first.model.state_dict(), other.model.state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_the_state_of_another_kind_of_pruner_is_refused() -> None:
    kinds = {type(begin(case, "mlp").pruner): case for case in CASES}
    for one in kinds.values():
        other = begin(one, "mlp").pruner
        for strange in ({}, other.state_dict() | {"more": 0}):
            with pytest.raises(UsageError, match="another kind of pruner"):
                other.load_state_dict(strange)


@all_pruners
def test_an_optimizer_of_another_model_is_refused(case: PrunerCase) -> None:
    with pytest.raises(UsageError, match="make it of the parameters of this model"):
        case.make(NETWORKS["mlp"](), OPTIMIZERS["sgd"](NETWORKS["mlp"]()), batches())


@all_networks
@all_pruners
def test_masking_again_changes_nothing(case: PrunerCase, network: str) -> None:
    run = begin(case, network).train(STEPS // 2)
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    digest = run.pruner.digest()
    run.pruner.apply_masks()
    run.pruner.set_masks([run.pruner.masks()[weight.name] for weight in run.pruner.weights])
    run.pruner.apply_masks()
    assert run.pruner.digest() == digest
    assert all(torch.equal(before[name], value) for name, value in run.model.state_dict().items())


@all_pruners
def test_the_digest_is_that_of_the_masks(case: PrunerCase) -> None:
    one, same = (begin(case, "mlp").train(STEPS).pruner for _ in range(2))
    assert one.digest() == same.digest()
    mask = next(iter(same.masks().values())).view(-1)
    mask[0] = ~mask[0]
    assert one.digest() != same.digest()


class NoSync(TorchDispatchMode):
    """Forbids operations for which the host waits for the device."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        name = str(func)
        assert not name.startswith(("aten._local_scalar_dense", "aten.nonzero")), name
        return func(*args, **(kwargs or {}))


@all_pruners
def test_a_step_without_an_update_waits_for_nothing(case: PrunerCase) -> None:
    if case.name == "rpg-every-step":
        pytest.skip("its ranks are chosen in every step")
    run = begin(case, "mlp").train(EVERY)  # the coming iteration changes no mask
    inputs, labels = torch.ones(2, 1, 8, 8), torch.tensor([0, 1])
    with NoSync():
        (nn.functional.cross_entropy(run.model(inputs), labels) + run.pruner.loss_term()).backward()
        run.pruner.after_backward()
        run.pruner.after_step()


@all_pruners
def test_the_state_of_another_model_is_refused(case: PrunerCase) -> None:
    state = begin(case, "resnet8").pruner.state_dict()
    with pytest.raises(UsageError, match="masks of other weights"):
        begin(case, "mlp").pruner.load_state_dict(state)


def test_without_masks_zeros_come_back() -> None:
    """The negative control: what the masks prevent does happen without them."""
    case = CASES[0]
    run = begin(case, "mlp").train(STEPS)
    zeros, _ = count_zeros(run.model)
    inputs, labels = torch.ones(2, 1, 8, 8), torch.tensor([0, 1])
    run.optimizer.zero_grad()
    nn.functional.cross_entropy(run.model(inputs), labels).backward()
    run.optimizer.step()  # neither after_backward nor after_step
    revived, _ = count_zeros(run.model)
    assert revived < 0.5 * zeros
    run.pruner.apply_masks()
    assert count_zeros(run.model)[0] == zeros
