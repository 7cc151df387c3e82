"""One coordinate under the penalty |b|^p without inverse: when does a minimiser leave 0?"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment, Measurement
from theory_lab.core.checks import BadParameter, at_most, positive
from theory_lab.core.parameters import Params
from theory_lab.core.seeds import Stream


def draw(pulls: tuple[float, ...], curvatures: tuple[float, ...], *, rng: Stream) -> dict[str, Any]:
    """Coordinates with loss h b^2/2 - g b: gradients g and curvatures h."""
    return dict(pulls=pulls, curvatures=curvatures)


def check(values: Params) -> None:
    """As many gradients as curvatures, all above 0."""
    if len(values["pulls"]) != len(values["curvatures"]) or not values["pulls"]:
        raise BadParameter("pulls and curvatures must be equally many, at least one.")
    if min(*values["pulls"], *values["curvatures"], np.inf) <= 0:
        raise BadParameter("pulls and curvatures must be greater than 0.")


def run(
    problem: dict[str, Any], *, exponent: Annotated[float, positive, at_most(1)] = 0.5, rng: Stream
) -> dict[str, Any]:
    """`entries` (n,): brackets of the largest lam at which some b has a value below that of 0;
    `first`: the coordinate that enters first as lam falls."""
    pairs = list(zip(problem["pulls"], problem["curvatures"], strict=True))
    found = np.array([entry_bracket(g, h, exponent) for g, h in pairs])
    return dict(
        entries=Measurement.certified(found[:, 0], found[:, 1]), first=int(np.argmax(found[:, 0]))
    )


def entry_bracket(g: float, h: float, p: float) -> tuple[float, float]:
    """Bisection on log lam; the least value over b > 0 is found on grids of log b that close in."""
    scale = g * (2 * g / h) ** (1 - p)
    low, high = 1e-3 * min(scale, g) * min(1 - p + 1e-300, 1.0) ** (1 - p), 2 * max(scale, g)
    for _ in range(52):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if _least(g, h, p, middle) < 0 else (low, middle)
    return low * (1 - 1e-12), high * (1 + 1e-12)


def _least(g: float, h: float, p: float, lam: float) -> float:
    """min over b > 0 of h b/2 - g + lam b^(p-1), the value divided by b: convex in log b."""
    low, high = np.log(1e-12 * g / h), np.log(2 * g / h)
    for _ in range(10):
        b = np.exp(np.linspace(low, high, 41))
        values = 0.5 * h * b - g + lam * b ** (p - 1)
        best = int(np.argmin(values))
        low, high = np.log(b[max(best - 1, 0)]), np.log(b[min(best + 1, 40)])
    return float(values.min())


ENTRY = Experiment("sequential_attention.sum_form_entry", draw, run, (check,))


END = 1e-4
"""How close to 0 and 1 the exponent of the crossover is looked for."""


def run_crossover(problem: dict[str, Any], *, rng: Stream) -> dict[str, Any]:
    """`exponent`: a bracket of the p at which both coordinates enter at the same lam."""
    (g0, g1), (h0, h1) = problem["pulls"], problem["curvatures"]

    def difference(p: float) -> float:
        return sum(entry_bracket(g0, h0, p)) - sum(entry_bracket(g1, h1, p))

    low, high = END, 1 - END
    at_low, at_high = difference(low), difference(high)
    if at_low * at_high > 0:  # it lies in neither half: at an end, or nowhere
        return dict(exponent=Measurement.certified(0.0, 1.0))
    for _ in range(26):
        middle = 0.5 * (low + high)
        below = difference(middle) * at_low > 0
        low, high = (middle, high) if below else (low, middle)
    return dict(exponent=Measurement.certified(low - 1e-8, high + 1e-8))


def check_pair(values: Params) -> None:
    """Exactly two coordinates cross."""
    check(values)
    if len(values["pulls"]) != 2:
        raise BadParameter("pulls and curvatures must be two each.")


CROSSOVER = Experiment(
    "sequential_attention.sum_form_crossover", draw, run_crossover, (check_pair,)
)
