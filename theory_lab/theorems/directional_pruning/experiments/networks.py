"""Two-layer networks, tanh and linear: their flow, their random gradients, gRDA beside its limit."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from array_api_compat import array_namespace

from theory_lab.core import Experiment
from theory_lab.core.checks import BadParameter, at_least, nonnegative, one_of, positive
from theory_lab.core.parameters import Params
from theory_lab.core.seeds import Stream
from theory_lab.numerics.inner_products import column_products
from theory_lab.theorems.directional_pruning.experiments.coupled import distances
from theory_lab.theorems.directional_pruning.experiments.instances import problem_on_host
from theory_lab.theorems.directional_pruning.experiments.limits import Limit, integrate

ACTIVATIONS = ("tanh", "linear")


class TwoLayers:
    """The mean over n points of 1/2 |V phi(W x) - y|^2 at w = (W, V), flattened and joined.

    points: (p, n), targets: (o, n); W (hidden, p), V (o, hidden), phi tanh or the identity. Seen
    through random gradients it is one point a step, its target with N(0, noise^2) added.
    """

    def __init__(
        self, points: Any, targets: Any, hidden: int, activation: str, noise: float = 0.0
    ) -> None:
        self._points, self._targets, self._noise = points, targets, noise
        self._shapes = (hidden, points.shape[0]), (targets.shape[0], hidden)
        self._curved = activation == "tanh"

    def sample(self, paths: int, stream: Any) -> Any:
        """One point (p, B) and its target (o, B) for each path."""
        i = stream.integers(self._points.shape[1], size=paths, like=self._points)
        noise = stream.normal((self._targets.shape[0], paths), like=self._targets)
        return self._points[:, i], self._targets[:, i] + self._noise * noise

    def gradient(self, w: Any, sample: Any, step: float, out: Any) -> None:
        """step times ((V^T r phi'(W x)) x^T, r phi(W x)^T) with r = V phi(W x) - y."""
        (x, y), (first, second) = sample, self._split(w)
        h = self._phi(column_products(first, x))
        r = step * (column_products(second, h[:, None]) - y)
        back = column_products(second.swapaxes(1, 2), r[:, None]) * self._slope(h)
        own, inner = self._split(out)
        own[...] = back[:, :, None] * x
        inner[...] = r[:, :, None] * h[:, None]

    def mean_gradient(self, w: np.ndarray) -> np.ndarray:
        """The gradient (d,) of the mean over all points at w (d,)."""
        h, V, r = self._forward(w)
        back = (V.T @ r) * self._slope(h)
        both = np.concatenate([(back @ self._points.T).ravel(), (r @ h.T).ravel()])
        return both / self._points.shape[1]

    def curvature(self, w: np.ndarray, u: np.ndarray) -> np.ndarray:
        """H(w) u for rows of u (m, d): the derivative of the mean gradient along u."""
        (h, V, r), x = self._forward(w), self._points
        dW, dV = (part[..., 0] for part in self._split(u[:, :, None]))
        slope, dz = self._slope(h), dW @ x
        dh = slope * dz
        dr = dV @ h + V @ dh
        bend = -2 * h * slope * dz if self._curved else 0.0
        back = (np.swapaxes(dV, 1, 2) @ r + V.T @ dr) * slope + (V.T @ r) * bend
        first, second = back @ x.T, dr @ h.T + r @ np.swapaxes(dh, 1, 2)
        both = [first.reshape(len(u), -1), second.reshape(len(u), -1)]
        return np.concatenate(both, axis=1) / x.shape[1]

    def _forward(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """phi(W x) (hidden, n), V and the residuals (o, n) at all points."""
        W, V = (part[0, ..., 0] for part in self._split(w[None, :, None]))
        h = self._phi(W @ self._points)
        return h, V, V @ h - self._targets

    def hessian(self, w: np.ndarray) -> np.ndarray:
        """H(w) (d, d)."""
        return self.curvature(w, np.eye(len(w)))

    def _split(self, w: Any) -> tuple[Any, Any]:
        """Views of W (m, hidden, p, B) and V (m, o, hidden, B) in w (m, d, B)."""
        inner, outer = self._shapes
        size, (m, _, paths) = inner[0] * inner[1], w.shape
        return w[:, :size].reshape(m, *inner, paths), w[:, size:].reshape(m, *outer, paths)

    def _phi(self, z: Any) -> Any:
        return array_namespace(z).tanh(z) if self._curved else z

    def _slope(self, h: Any) -> Any:
        """phi' at the values h of phi."""
        return 1 - h * h if self._curved else 1.0


def draw(
    activation: Annotated[str, one_of(ACTIVATIONS)] = "tanh",
    inputs: Annotated[int, at_least(1)] = 2,
    hidden: Annotated[int, at_least(1)] = 3,
    outputs: Annotated[int, at_least(1)] = 1,
    points: Annotated[int, at_least(1)] = 4,
    noise: Annotated[float, nonnegative] = 0.3,
    distance: Annotated[float, nonnegative] = 0.2,
    time: Annotated[float, positive] = 6.0,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """Points N(0, I), the targets of a network with weights of .5 to 1.5 in size, and a start at
    N(0, distance^2) from these weights."""
    x = rng.standard_normal((inputs, points))
    W, V = (draw_weights(shape, 0.5, 1.5, rng) for shape in ((hidden, inputs), (outputs, hidden)))
    inner = np.tanh(W @ x) if activation == "tanh" else W @ x
    taught = np.concatenate([W.ravel(), V.ravel()])
    start = taught + distance * rng.standard_normal(taught.shape)
    return dict(activation=activation, hidden=hidden, start=start, noise=noise, time=time,
                _points=x, _targets=V @ inner)  # fmt: skip


def draw_weights(shape: tuple[int, int], low: float, high: float, rng: Stream) -> np.ndarray:
    """Random signs, sizes uniform from low to high."""
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(low, high, shape)


def run(
    problem: dict[str, Any],
    *,
    step: Annotated[float, positive],
    paths: Annotated[int, at_least(1)] = 60,
    strengths: tuple[float, ...] = (0.05, 0.05, 0.05, 0.05),
    exponents: tuple[float, ...] = (0.3, 0.51, 0.75, 1.0),
    rng: Stream,
) -> dict[str, Any]:
    """As for least squares: `error` and `error_unpruned` (m,), `clearance` (m,), `changed`.

    `stiffness`: the largest eigenvalue of the Hessian at both ends of the flow; `last_change`: the
    last time at which a weight of the flow changes its sign, 0 without.
    """
    here = problem_on_host(problem)
    network, start, time = _network(here), here["start"], here["time"]
    limit = find_limit(network, start, time, strengths, exponents)
    found = distances(
        _network(problem), limit, problem["start"], time, step, paths, strengths, exponents, rng
    )
    ends = (start, limit.weights)
    return found | dict(
        stiffness=max(np.linalg.eigvalsh(network.hessian(w))[-1] for w in ends),
        last_change=float(np.max(limit.crossings, initial=0.0)),
    )


def _network(problem: dict[str, Any]) -> TwoLayers:
    return TwoLayers(
        problem["_points"], problem["_targets"], problem["hidden"], problem["activation"],
        problem["noise"],
    )  # fmt: skip


def find_limit(
    network: TwoLayers,
    start: np.ndarray,
    time: float,
    strengths: tuple[float, ...],
    exponents: tuple[float, ...],
) -> Limit:
    """The flow and the displacement at the final time."""
    return integrate(
        network.mean_gradient, network.curvature, start, strengths=strengths,
        exponents=exponents, time=time, steps=500, grading=3,
    )  # fmt: skip


def check(params: Params) -> None:
    """Every mu has its c."""
    if len(params["strengths"]) != len(params["exponents"]):
        raise BadParameter("strengths and exponents are pairs; give tuples of equal length.")


NETWORKS = Experiment("directional_pruning.networks", draw, run, checks=(check,), device_ready=True)
