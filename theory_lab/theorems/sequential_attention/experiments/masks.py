"""The mask variable minimised numerically, for all norms at once; and whole masked problems."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment, Measurement
from theory_lab.core.checks import BadParameter, at_least, one_of, positive
from theory_lab.core.parameters import Params
from theory_lab.core.seeds import Stream
from theory_lab.solvers.masked_penalties import Masked, masked_penalty

ROWS = ("identity", "exponential", "power_decay", "powerprop", "absolute_logits")
GOLDEN = 0.5 * (np.sqrt(5) - 1)

Objective = Callable[[np.ndarray], np.ndarray]


def draw(
    row: Annotated[str, one_of(ROWS)],
    parameter: Annotated[float, positive] = 1.0,
    least: Annotated[float, positive] = 1e-4,
    most: Annotated[float, positive] = 1e3,
    points: Annotated[int, at_least(2)] = 401,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """Norms a: 0 and a logarithmic grid of `points` - 1 values. `parameter`: p, alpha or rho."""
    norms = np.concatenate([[0.0], np.geomspace(least, most, points - 1)])
    return dict(norms=norms, row=row, parameter=parameter)


def run(problem: dict[str, Any], *, rng: Stream) -> dict[str, Any]:
    """`minimum` (n,): min over the mask variable of its cost plus decay (a / mask)^2, by golden
    sections; for power propagation, whose mask is fixed by a, its cost there."""
    a, form = problem["norms"], masked_penalty(problem["row"], problem["parameter"])
    if problem["row"] == "powerprop":
        return dict(minimum=form.cost(_length(a, form)))
    least = golden_section(*_search(a, form))
    return dict(minimum=np.where(a > 0, least, 0.0))


def _search(a: np.ndarray, form: Masked) -> tuple[Objective, np.ndarray, np.ndarray]:
    """The cost of a mask variable (of its logarithm u for masks w = e^u), and a bracket."""
    if form.is_logit:
        top = 2 + np.log1p(a) - 0.5 * np.log(np.minimum(form.cost(np.ones(1)), 1.0))
        return lambda w: form.cost(w) + form.decay * (a / form.mask(w)) ** 2, 0 * a, top

    def masked(u: np.ndarray) -> np.ndarray:
        return form.cost(np.exp(u)) + form.decay * (a / form.mask(np.exp(u))) ** 2

    centre = np.log(np.maximum(a, 1e-300))
    half = 40.0 + np.abs(centre)
    return masked, centre - half, centre + half


def golden_section(objective: Objective, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The least values of unimodal functions on [low, high], entry by entry."""
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    with np.errstate(over="ignore", invalid="ignore"):  # 0 times inf where the norm is 0
        at_left, at_right = objective(left), objective(right)
        for _ in range(110):
            lower = at_left <= at_right
            low, high = np.where(lower, low, left), np.where(lower, right, high)
            left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
            at_left, at_right = objective(left), objective(right)
        ends = np.minimum(objective(low), objective(high))
    return np.minimum(np.minimum(at_left, at_right), ends)


def _length(a: np.ndarray, form: Masked) -> np.ndarray:
    """The norm s of b with mask(s) s = a, by bisection on log s."""
    low, high = np.full_like(a, -700.0), np.full_like(a, 700.0)
    with np.errstate(over="ignore", under="ignore"):
        for _ in range(80):
            middle = 0.5 * (low + high)
            below = form.mask(np.exp(middle)) * np.exp(middle) < a
            low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.where(a > 0, np.exp(0.5 * (low + high)), 0.0)


MASK_MINIMUM = Experiment("sequential_attention.mask_minimum", draw, run)


def check_zeros(values: Params) -> None:
    """Some group is not 0."""
    if values["zeros"] >= values["groups"]:
        raise BadParameter("zeros must be below the number of groups.")


def draw_softmax(
    groups: Annotated[int, at_least(2)],
    vectors: Annotated[int, at_least(1)] = 20,
    zeros: Annotated[int, at_least(0)] = 0,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """Norms a: (vectors, groups), log-uniform between .01 and 10, the first `zeros` of them 0."""
    norms = 10 ** rng.uniform(-2, 1, (vectors, groups))
    norms[:, :zeros] = 0.0
    return dict(norms=norms)


def run_softmax(problem: dict[str, Any], *, rng: Stream) -> dict[str, Any]:
    """`minimum` (vectors,): inf over logits of sum (a_i / (t softmax_i))^2, by Newton on the logits
    of the groups that are not 0; the other logits go to -infinity, so that it is not attained."""
    return dict(minimum=np.array([_softmax_minimum(a) for a in problem["norms"]]))


def _softmax_minimum(a: np.ndarray) -> float:
    """Newton on log F, F = sum a_i^2 e^(-2 l_i) (sum e^l)^2 / t^2, a convex function of the logits l."""
    t, a = len(a), a[a > 0]
    logits = np.zeros(len(a))

    def logarithm(at: np.ndarray) -> float:
        return float(np.log(np.sum(a**2 * np.exp(-2 * at))) + 2 * np.log(np.sum(np.exp(at)) / t))

    for _ in range(100):
        p = np.exp(logits) / np.sum(np.exp(logits))
        s = a**2 * np.exp(-2 * logits)
        s = s / s.sum()
        gradient = 2 * (p - s)
        hessian = 4 * (np.diag(s) - np.outer(s, s)) + 2 * (np.diag(p) - np.outer(p, p))
        step = -np.linalg.lstsq(hessian, gradient, rcond=1e-14)[0]
        share, before = 1.0, logarithm(logits)
        while logarithm(logits + share * step) > before + 0.1 * share * (gradient @ step):
            share *= 0.5
            if share < 1e-10:
                break
        logits = logits + share * step
        if np.linalg.norm(gradient) < 1e-14:
            break
    return float(np.exp(logarithm(logits)))


SOFTMAX_MINIMUM = Experiment(
    "sequential_attention.softmax_minimum", draw_softmax, run_softmax, (check_zeros,)
)


def draw_bend(decay: Annotated[float, positive], *, rng: Stream) -> dict[str, Any]:
    """The decay rho of the logits of an exponential mask."""
    return dict(decay=decay)


def run_bend(problem: dict[str, Any], *, rng: Stream) -> dict[str, Any]:
    """`inflection`: where q' is largest, q'(a) = 2 a e^(-2 w(a)) with w the minimising mask
    variable, rho w e^(2w) = a^2 (a bracket from the logarithm of a, certified by golden sections on
    a unimodal q')."""
    rho = problem["decay"]
    w = np.linspace(-6, 3, 200_001)  # logarithms of the mask variable, which runs along the curve
    a = np.sqrt(rho * np.exp(w + 2 * np.exp(w)))
    slope = 2 * a * np.exp(-2 * np.exp(w))
    top = int(np.argmax(slope))
    return dict(inflection=Measurement.certified(a[top - 1], a[top + 1]))


BEND = Experiment("sequential_attention.bend", draw_bend, run_bend)


def check_masked(values: Params) -> None:
    """The whole problems are small."""
    if values["groups"] * values["size"] > 12:
        raise BadParameter("groups x size is at most 12: all supports are searched.")


MASKS = ("identity", "exponential", "absolute", "powerprop")


def draw_whole(
    m: Annotated[int, at_least(1)] = 10,
    groups: Annotated[int, at_least(1)] = 3,
    size: Annotated[int, at_least(1)] = 2,
    lam: Annotated[float, positive] = 0.4,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """A Gaussian design (m, groups x size) and response."""
    X = rng.standard_normal((m, groups * size))
    return dict(size=size, lam=lam, _X=X, _y=rng.standard_normal(m))


def run_whole(
    problem: dict[str, Any],
    *,
    mask: Annotated[str, one_of(MASKS)] = "identity",
    starts: Annotated[int, at_least(1)] = 15,
    penalty: str = "",
    rng: Stream,
) -> dict[str, Any]:
    """`masked`: the least value over masks and weights; `penalised`: the least of L + lam sum q.

    Both by L-BFGS from random starts, the second on every support as well. `penalty` names another
    q for the second (default: the one that belongs to the mask, by golden sections).
    """
    size, lam = problem["size"], problem["lam"]
    search = rng.named("search")
    whole = _Whole(problem["_X"], problem["_y"], size, lam)
    best = min(whole.masked(mask, search) for _ in range(starts))
    return dict(masked=best, penalised=whole.penalised(penalty or mask, search))


class _Whole:
    """Squares with masks on groups of one size."""

    def __init__(self, X: np.ndarray, y: np.ndarray, size: int, lam: float) -> None:
        self.X, self.y, self.size, self.lam = X, y, size, lam
        self.t = X.shape[1] // size

    def masked(self, mask: str, rng: np.random.Generator) -> float:
        """One descent of 1/2 |X (mask b) - y|^2 + lam (cost + |b|^2) in (w, b)."""
        t, lam = self.t, self.lam
        weight = 0.5 if mask == "identity" else 1.0

        def value(x: np.ndarray) -> tuple[float, np.ndarray]:
            w, b = x[:t], x[t:].reshape(t, self.size)
            m, dm, cost, dcost = _mask(mask, w, b)
            residual = self.X @ (m[:, None] * b).ravel() - self.y
            pull = (self.X.T @ residual).reshape(t, self.size)
            to_mask = np.sum(pull * b, axis=1)
            to_b = pull * m[:, None] + 2 * lam * weight * b
            if mask == "powerprop":  # m = |b|
                to_b += to_mask[:, None] * b / np.maximum(m, 1e-300)[:, None]
            total = 0.5 * residual @ residual + lam * weight * (cost.sum() + np.sum(b * b))
            return float(total), np.concatenate([to_mask * dm + lam * weight * dcost, to_b.ravel()])

        return _descend(value, rng.standard_normal(t * (1 + self.size)))

    def penalised(self, mask: str, rng: np.random.Generator) -> float:
        """The least 1/2 |X u - y|^2 + lam sum q(|u_g|) over all supports, 6 starts each."""
        best = 0.5 * float(self.y @ self.y)
        for pattern in range(1, 2**self.t):
            on = np.repeat([bool(pattern >> g & 1) for g in range(self.t)], self.size)
            for _ in range(6):
                best = min(best, self._on_support(mask, self.X[:, on], rng))
        return best

    def _on_support(self, mask: str, X: np.ndarray, rng: np.random.Generator) -> float:
        def value(u: np.ndarray) -> tuple[float, np.ndarray]:
            residual = X @ u - self.y
            blocks = u.reshape(-1, self.size)
            norms = np.maximum(np.linalg.norm(blocks, axis=1), 1e-12)
            q, slope = _penalty(mask, norms)
            gradient = (
                X.T @ residual
                + self.lam * (slope / norms)[:, None].repeat(self.size, 1).ravel() * u
            )
            return float(0.5 * residual @ residual + self.lam * q.sum()), gradient

        return _descend(value, rng.standard_normal((X.shape[1],)))


def _mask(
    name: str, w: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The mask, its slope in w, the cost of w and its slope; |w| is written s^2 with mask s^2."""
    zero = np.zeros_like(w)
    return {
        "identity": lambda: (w, 1 + zero, w * w, 2 * w),
        "exponential": lambda: (np.exp(w), np.exp(w), w * w, 2 * w),
        "absolute": lambda: (w * w, 2 * w, w * w, 2 * w),
        "powerprop": lambda: (np.linalg.norm(b, axis=1), zero, zero, zero),
    }[name]()


def _penalty(name: str, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """q(a) and q'(a) by eliminating the mask variable, whose optimality w e^(2w) = a^2 (exponential)
    and w^3 = 2 a^2 (absolute) is solved by Newton or in closed form."""
    if name in ("identity", "powerprop"):
        return a, np.ones_like(a)
    if name == "absolute":
        w = np.cbrt(2 * a * a)
        return w + (a / w) ** 2, 2 * a / w**2
    w = np.log1p(a)
    for _ in range(50):
        w = w - (w - a * a * np.exp(-2 * w)) / (1 + 2 * a * a * np.exp(-2 * w))
    return w * w + (a * np.exp(-w)) ** 2, 2 * a * np.exp(-2 * w)


def _descend(value: Callable[..., Any], start: np.ndarray) -> float:
    from scipy.optimize import minimize

    options = dict(maxiter=3000, ftol=1e-16, gtol=1e-11)
    return float(minimize(value, start, jac=True, method="L-BFGS-B", options=options).fun)


WHOLE = Experiment("sequential_attention.whole_problem", draw_whole, run_whole, (check_masked,))
