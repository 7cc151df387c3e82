"""Top Hessian eigenvectors by Lanczos against a dense Hessian, and shares of displacements."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, mse_loss

from tests.tolerances import rtol
from theory_lab.core import UsageError
from theory_lab.networks import measures
from theory_lab.networks.measures.lanczos import largest_eigenpairs


def mlp(*, batch_norm: bool = True) -> nn.Module:
    torch.manual_seed(0)
    norm = [nn.BatchNorm1d(7)] if batch_norm else []
    return nn.Sequential(nn.Linear(5, 7), *norm, nn.ReLU(), nn.Linear(7, 3)).double()


def batches(sizes: tuple[int, ...] = (16, 16, 9)) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(sum(sizes), 5, generator=generator, dtype=torch.float64)
    labels = torch.randint(3, (sum(sizes),), generator=generator)
    return list(zip(inputs.split(sizes), labels.split(sizes), strict=True))


def dense_hessian(model: nn.Module, data: list[tuple[Tensor, Tensor]]) -> Tensor:
    """The Hessian of the mean loss in eval mode, by autograd over the whole parameter vector."""
    names = [name for name, _ in model.named_parameters()]
    shapes = [parameter.shape for parameter in model.parameters()]
    inputs, labels = (torch.cat(part) for part in zip(*data, strict=True))

    def loss(vector: Tensor) -> Tensor:
        parts = vector.split([shape.numel() for shape in shapes])
        weights = {n: p.reshape(s) for n, p, s in zip(names, parts, shapes, strict=True)}
        return cross_entropy(functional_call(model, weights, (inputs,)), labels)

    flat = torch.cat([p.detach().reshape(-1) for p in model.parameters()])
    return torch.autograd.functional.hessian(loss, flat)


def settled(model: nn.Module, data: list[tuple[Tensor, Tensor]]) -> nn.Module:
    """The model in eval mode, with the plain mean of the batches' statistics in its BatchNorm."""
    model.train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.reset_running_stats()
            module.momentum = None
    with torch.no_grad():
        for inputs, _ in data:
            model(inputs)
    return model.eval()


def named(model: nn.Module, vector: Tensor) -> dict[str, Tensor]:
    parts = vector.split([parameter.numel() for parameter in model.parameters()])
    shaped = zip(model.named_parameters(), parts, strict=True)
    return {name: part.reshape(parameter.shape) for (name, parameter), part in shaped}


@pytest.mark.parametrize("batch_norm", [True, False])
def test_eigenpairs_are_those_of_the_dense_hessian(batch_norm: bool) -> None:
    model, data = mlp(batch_norm=batch_norm), batches()
    model(data[0][0])  # statistics other than those of all batches
    space = measures.Eigenspace(model, data, 4, tolerance=1e-12)
    hessian = dense_hessian(settled(model, data), data)
    values, vectors = torch.linalg.eigh(hessian)
    torch.testing.assert_close(space.eigenvalues, values[-4:].flip(0), rtol=1e-10, atol=0)
    # a vector turns by residual / gap; the smallest gap here is 2 % of the largest value
    overlaps = (space.vectors @ vectors[:, -4:].flip(1)).abs()
    torch.testing.assert_close(overlaps, torch.eye(4, dtype=torch.float64), rtol=0, atol=1e-8)
    assert float(space.residuals.max()) < 1e-10 * float(values[-1])


def test_the_statistics_of_the_point_matter() -> None:
    model, data = mlp(), batches()
    stale = dense_hessian(model.eval(), data)  # mean 0 and variance 1
    top = float(torch.linalg.eigvalsh(stale)[-1])
    assert abs(float(measures.Eigenspace(model, data, 1).eigenvalues[0]) - top) > 0.01 * top


def test_the_model_is_left_alone() -> None:
    model, data = mlp(), batches()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    measures.hessian_share(model, dict(model.named_parameters()), data, 2)
    assert model.training
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())


def test_shares_of_displacements_inside_and_outside_the_top_space() -> None:
    model, data = mlp(), batches()
    hessian = dense_hessian(settled(model, data), data)
    vectors = torch.linalg.eigh(hessian).eigenvectors
    space = measures.Eigenspace(model, data, 3, tolerance=1e-12)
    inside = space.share(named(model, vectors[:, -3:] @ torch.tensor([1.0, -2.0, 0.5]).double()))
    assert inside.share == pytest.approx(1, rel=rtol())
    outside = space.share(named(model, vectors[:, :-3].sum(1)))
    assert outside.share < 1e-8  # residual / gap, as above
    mixed = space.share(named(model, 3 * vectors[:, -1] + 4 * vectors[:, 0]))
    assert mixed.share == pytest.approx(0.6, rel=1e-8)


def test_a_random_displacement_has_the_baseline_in_mean_square() -> None:
    model, data = mlp(), batches()
    space, d = measures.Eigenspace(model, data, 5), 80
    draws = torch.randn(4000, d, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found = [space.share(named(model, draw)) for draw in draws]
    squares = torch.tensor([share.share**2 for share in found])
    assert found[0].baseline == pytest.approx(math.sqrt(5 / d), rel=rtol())
    # share^2 is Beta(k/2, (d-k)/2); 5 standard errors of 4,000 draws
    variance = 2 * 5 * (d - 5) / (d**2 * (d + 2))
    assert abs(float(squares.mean()) - 5 / d) < 5 * math.sqrt(variance / 4000)


def test_a_linear_loss_has_no_curvature() -> None:
    model = nn.Linear(3, 1, bias=False).double()
    data = [(torch.ones(2, 3, dtype=torch.float64), torch.zeros(2))]
    space = measures.Eigenspace(model, data, 2, loss=lambda out, _: out.mean())
    assert space.eigenvalues.tolist() == [0, 0]


def test_quadratic_loss_of_a_linear_model() -> None:
    model = nn.Linear(4, 1, bias=False).double()
    inputs = torch.randn(20, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    data = [(inputs[:12], torch.zeros(12, 1)), (inputs[12:], torch.zeros(8, 1))]
    space = measures.Eigenspace(model, data, 4, loss=lambda out, y: mse_loss(out, y.double()))
    exact = torch.linalg.eigvalsh(2 * inputs.T @ inputs / 20).flip(0)
    torch.testing.assert_close(space.eigenvalues, exact, rtol=rtol(), atol=0)


@given(
    st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=12),
    st.integers(1, 12),
    st.integers(0, 1000),
)
def test_lanczos_on_any_spectrum_of_simple_eigenvalues(
    values: list[float], k: int, seed: int
) -> None:
    spectrum = torch.tensor(sorted(set(values), reverse=True), dtype=torch.float64)
    d, generator = len(spectrum), torch.Generator().manual_seed(seed)
    k = min(k, d)
    Q = torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64)).Q
    H = (Q * spectrum) @ Q.T
    start = torch.randn(d, generator=generator, dtype=torch.float64)
    found = largest_eigenpairs(lambda v: H @ v, start, k, tolerance=0, steps=d)
    scale = float(spectrum.abs().max()) + 1e-300
    torch.testing.assert_close(found.values, spectrum[:k], rtol=0, atol=1e-12 * scale)
    gram = found.vectors @ found.vectors.T
    torch.testing.assert_close(gram, torch.eye(k, dtype=gram.dtype), rtol=0, atol=1e-12)
    image = found.vectors @ H - found.values[:, None] * found.vectors
    assert float(image.norm(dim=1).max()) <= 1e-12 * scale


def test_lanczos_finds_a_repeated_eigenvalue_when_it_may_use_every_step() -> None:
    H = torch.diag(torch.tensor([2.0, 2.0, 1.0, 1.0, 0.0, 0.0], dtype=torch.float64))
    start = torch.ones(6, dtype=torch.float64)
    found = largest_eigenpairs(lambda v: H @ v, start, 3, tolerance=-1.0, steps=6)
    torch.testing.assert_close(found.values, torch.tensor([2.0, 2.0, 1.0]).double())


def test_too_few_steps_show_in_the_residual() -> None:
    model, data = mlp(), batches()
    vague = measures.Eigenspace(model, data, 5, steps=5)
    sharp = measures.Eigenspace(model, data, 5)
    everything = dict(model.named_parameters())
    assert vague.share(everything).residual > 1e-3 >= sharp.share(everything).residual


def test_errors_are_sentences() -> None:
    model, data = mlp(), batches()
    with pytest.raises(UsageError, match="from 1 to the 80 parameters"):
        measures.Eigenspace(model, data, 81)
    with pytest.raises(UsageError, match="must be positive"):
        measures.hessian_share(model, named(model, torch.zeros(80)), data, 1)
    with pytest.raises(UsageError, match=r"must hold '0\.weight'"):
        measures.hessian_share(model, {}, data, 1)
    with pytest.raises(UsageError, match="an iterator"):
        measures.Eigenspace(model, iter(data), 1)
    with pytest.raises(UsageError, match="no batches"):
        measures.Eigenspace(model, [], 1)
