"""Where gRDA converges once weights are zero, how fast, and how it compares there."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Condition
from theory_lab.core.reduce import each, slope
from theory_lab.core.types import Facts
from theory_lab.theorems.directional_pruning.bounds import long_time as bounds
from theory_lab.theorems.directional_pruning.claims.sources import BEYOND
from theory_lab.theorems.directional_pruning.experiments.lasso import LASSO
from theory_lab.theorems.directional_pruning.experiments.long_time import CROSSOVER, LONG_TIME


def _settled(f: Facts) -> bounds.Settled:
    """The shortest times over all thresholds, at the first time of the ladder."""
    first = float(np.min(f["time"]))
    every = [
        bounds.settled(f["rows"], f["weights"], lam, f["exponent"], first)
        for lam in np.unique(f["lams"])
    ]
    return bounds.Settled(*np.min(every, axis=0))


def _followed(elapsed: float, since: float) -> Condition:
    """T' is when the threshold passes the last change of the support of the constrained solution;
    what the change leaves behind decays like exp(-h_A (t - T'))."""
    return Condition(
        f"T h_A >= {elapsed}, and (T - T') h_A >= {since} since the support last changed",
        lambda f: _settled(f).elapsed >= elapsed and _settled(f).since >= since,
    )


LONG, VERY_LONG, FAR = _followed(10, 3), _followed(100, 10), _followed(300, 10)
LONGER = Condition("T h_A >= 30", lambda f: _settled(f).elapsed >= 30)


def _powers(f: Facts, power: float) -> np.ndarray:
    return np.full(len(f["ratios"]), power)


ERROR = Claim(
    "directional_pruning.constrained_l1_limit.error",
    BEYOND,
    "Beyond lam* gRDA tends to argmin 1/2 |w - w_SGD|^2 + lam |w|_1 on the minimum manifold, at a"
    " distance like 1/T for a fixed final threshold.",
    experiment=LONG_TIME,
    predict=lambda f: _powers(f, -1.0),
    measure=slope("error", over="time"),
    observed=["lams"],
    conditions=[LONG],
    tolerance=0.06,
    basis="finding",
    rivals={"1/sqrt(T)": lambda f: _powers(f, -0.5)},
    formula="‖w^gRDA(T) − w^constr‖ ∝ 1/T",
)

LOSS = Claim(
    "directional_pruning.constrained_l1_limit.loss",
    BEYOND,
    "Its loss falls like 1/T^2 at a fixed final threshold.",
    experiment=LONG_TIME,
    predict=lambda f: _powers(f, -2.0),
    measure=slope("loss", over="time"),
    observed=["lams"],
    conditions=[LONG],
    tolerance=0.06,
    basis="finding",
    rivals={"1/T": lambda f: _powers(f, -1.0)},
    formula="l(w^gRDA(T)) ∝ 1/T²",
)


def _zeros(f: Facts) -> np.ndarray:
    limits = [bounds.constrained_l1(f["rows"], f["weights"], lam).weights for lam in f["lams"]]
    return np.array([np.abs(w) == 0 for w in limits])


SUPPORT = Claim(
    "directional_pruning.constrained_l1_limit.support",
    BEYOND,
    "Its zeros are those of the constrained l1 problem, weight by weight.",
    experiment=LONG_TIME,
    predict=_zeros,
    measure="zero",
    observed=["lams"],
    conditions=[VERY_LONG],
    tolerance=1e-7,
    scale=1.0,
    basis="finding",
    formula="{j : w_j^gRDA = 0} = {j : w_j^constr = 0}",
)


def _lags(f: Facts, exponent: float | None = None) -> list[bounds.Lag]:
    mu = f["exponent"] if exponent is None else exponent
    return [bounds.lag(f["rows"], f["weights"], lam, mu, f["time"]) for lam in f["lams"]]


LAG_LOSS = Claim(
    "directional_pruning.lag_law.loss",
    BEYOND,
    "The loss that remains is 1/2 (mu lam / T)^2 sum nu_i^2 / h_i.",
    experiment=LONG_TIME,
    predict=lambda f: np.array([lag.loss for lag in _lags(f)]),
    measure="loss",
    observed=["lams"],
    conditions=[FAR],
    tolerance=0.005,  # 1 / (T h_A)
    basis="finding",
    rivals={"without mu": lambda f: np.array([lag.loss for lag in _lags(f, 1.0)])},
    formula="l = ½ (μλ/T)² Σ ν_i²/h_i, ν = M B_Aᵀ sign(w_A), M = (B_AᵀB_A)⁻¹",
)

LAG_VECTOR = Claim(
    "directional_pruning.lag_law.vector",
    BEYOND,
    "The distance that remains is the vector -(mu lam / T) B_A M diag(1/h) nu on the support.",
    experiment=LONG_TIME,
    predict=lambda f: np.array([lag.limit + lag.vector for lag in _lags(f)]),
    measure="reached",
    observed=["lams"],
    conditions=[VERY_LONG],
    tolerance=0.03,  # 1 / (T h_A)
    scale=lambda f: np.array([[np.max(np.abs(lag.vector))] for lag in _lags(f)]),
    basis="finding",
    rivals={
        "the limit itself": lambda f: np.array([lag.limit for lag in _lags(f)]),
        "without mu": lambda f: np.array([lag.limit + lag.vector for lag in _lags(f, 1.0)]),
    },
    formula="w^gRDA − w^constr = −(μλ/T) B_A M diag(1/h) ν",
)

STUCK_LASSO = Claim(
    "directional_pruning.constrained_l1_limit.stuck_lasso",
    BEYOND,
    "The proximal gradient method for the Lasso, with the penalty p, never leaves the loss"
    " 1/2 p^2 xi^T H^+ xi, xi the subgradient of |w|_1 at its solution.",
    experiment=LASSO,
    predict=lambda f: np.array(
        [bounds.stuck_lasso_loss(f["rows"], f["weights"], p) for p in f["penalties"]]
    ),
    measure="loss",
    observed=["penalties", "moves"],
    conditions=[
        Condition(
            "the iteration stands still: steps below 1e-7 p",
            lambda f: bool(np.all(f["moves"] <= 1e-7 * f["penalties"])),
        )
    ],
    tolerance=1e-4,
    basis="finding",
    rivals={
        "the signs of SGD's weights for xi": lambda f: np.array(
            [bounds.lasso_loss_at_signs(f["rows"], f["weights"], p) for p in f["penalties"]]
        ),
        "p instead of p^2": lambda f: np.array(
            [bounds.stuck_lasso_loss(f["rows"], f["weights"], p) / p for p in f["penalties"]]
        ),
    },
    formula="l = ½ p² ξᵀH⁺ξ",
)

BEATS = Claim(
    "directional_pruning.beats_magnitude",
    BEYOND,
    "At equal numbers of zeros gRDA's loss is at most a hundredth of that of magnitude pruning of"
    " the converged weights.",
    relation="<=",
    experiment=LONG_TIME,
    predict=lambda f: np.asarray(f["magnitude_loss"]) / 100,
    measure="loss",
    observed=["magnitude_loss", "zeros", "lams"],
    conditions=[
        LONGER,
        Condition("a tenth of the weights is zero", lambda f: np.min(f["zeros"]) >= f["d"] / 10),
    ],
    basis="empirical",
    formula="l(gRDA) ≤ l(magnitude) / 100",
)


def _log_crossover(record: object) -> object:
    from theory_lab.core import Measurement

    seen = record.result("crossover")  # type: ignore[attr-defined]
    return Measurement.certified(np.log2(seen.low), np.log2(seen.high))


def _crossover(f: Facts) -> float:
    lag = bounds.lag(f["rows"], f["weights"], f["lam"], f["exponent"], 1.0)
    return float(np.log2(bounds.crossover(lag.loss, 1.0, f["magnitude_loss"])))


CROSSOVER_TIME = Claim(
    "directional_pruning.beats_magnitude.crossover",
    BEYOND,
    "gRDA's loss falls below that of magnitude pruning at about T* = mu lam sqrt(sum nu^2 / h /"
    " (2 L_mag)), within a factor 2 (the claim compares log2 T).",
    experiment=CROSSOVER,
    predict=_crossover,
    measure=each(_log_crossover),
    observed=["lam", "magnitude_loss"],
    conditions=[
        Condition("a weight is zero in the end: L_mag > 0", lambda f: f["magnitude_loss"] > 0)
    ],
    tolerance=1.0,
    scale=1.0,
    basis="empirical",
    formula="T* = μλ √(Σ ν²/h / (2 l_mag))",
)

CLAIMS = [ERROR, LOSS, SUPPORT, STUCK_LASSO, LAG_LOSS, LAG_VECTOR, BEATS, CROSSOVER_TIME]
