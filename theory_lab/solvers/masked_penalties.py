"""The penalties that differentiable masks with weight decay amount to.

min_w cost(w) + decay (a / mask(w))^2 = q(a), at w = minimising(a): a group of norm a = mask(w) |b|
pays lam (cost(w) + decay |b|^2). `PENALTIES` are all penalties by name, masked or not.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from theory_lab.solvers.penalties import (
    Bounded,
    Exponential,
    Logarithm,
    Penalty,
    Power,
    Sine,
)

FLAT = "like a^2 near 0, so that q(2a) is about 4 q(a) there"


@dataclass(frozen=True)
class Masked(Penalty):
    """A penalty with the mask that it comes from; `is_logit`: the mask is e^w."""

    decay = 1.0
    is_logit = False

    def mask(self, w: np.ndarray) -> np.ndarray:
        """The factor on the weights."""
        return np.exp(w) if self.is_logit else np.asarray(w)

    def cost(self, w: np.ndarray) -> np.ndarray:
        """What the mask variable pays."""
        raise NotImplementedError

    def minimising(self, a: np.ndarray) -> np.ndarray:
        """The mask variable at which the minimum q(a) is reached."""
        raise NotImplementedError


@dataclass(frozen=True)
class IdentityMask(Power, Masked):
    """Mask w, cost w^2 / 2, decay 1/2: q(a) = a, the Group LASSO (introduction)."""

    exponent: float = field(default=1.0, init=False)
    factor: float = field(default=1.0, init=False)
    decay = 0.5

    def cost(self, w: np.ndarray) -> np.ndarray:
        return 0.5 * np.square(w)

    def minimising(self, a: np.ndarray) -> np.ndarray:
        return np.sqrt(a)


@dataclass(frozen=True, init=False)
class DecayedMask(Power, Masked):
    """Mask w, cost |w|^p: q(a) = (1 + p/2) (2/p)^(p/(p+2)) a^(2p/(p+2)), admissible for p <= 2.

    p = 1 is Lemma 2.2.
    """

    p: float = 1.0

    def __init__(self, p: float = 1.0) -> None:
        factor = (1 + p / 2) * (2 / p) ** (p / (p + 2))
        for name, value in dict(p=p, exponent=2 * p / (p + 2), factor=factor).items():
            object.__setattr__(self, name, value)

    def cost(self, w: np.ndarray) -> np.ndarray:
        return np.abs(w) ** self.p

    def minimising(self, a: np.ndarray) -> np.ndarray:
        return np.power(2 * np.square(a) / self.p, 1 / (self.p + 2))


@dataclass(frozen=True, init=False)
class PowerPropagation(Power, Masked):
    """Weights |b|^(alpha-1) b with decay on b alone: q(a) = a^(2/alpha), admissible for alpha >= 2.

    alpha = 2 is Lemma 2.3. The mask variable is the norm w = |b|, which a fixes (w mask(w) = a);
    its cost w^2 is the weight decay itself.
    """

    alpha: float = 2.0
    decay = 0.0

    def __init__(self, alpha: float = 2.0) -> None:
        for name, value in dict(alpha=alpha, exponent=2 / alpha, factor=1.0).items():
            object.__setattr__(self, name, value)

    def mask(self, w: np.ndarray) -> np.ndarray:
        return np.power(w, self.alpha - 1)

    def cost(self, w: np.ndarray) -> np.ndarray:
        return np.square(w)

    def minimising(self, a: np.ndarray) -> np.ndarray:
        return np.power(a, 1 / self.alpha)


@dataclass(frozen=True)
class ExponentialMask(Masked):
    """Mask e^w, cost rho w^2: q(a) = rho (W^2/4 + W/2), W e^W = 2 a^2 / rho; admissible for no rho.

    rho = 1 is Lemma 2.1.
    """

    rho: float = 1.0
    is_concave = False
    is_logit = True

    @property
    def why(self) -> str:
        return FLAT

    def value(self, a: np.ndarray) -> np.ndarray:
        w = _lambert(2 * np.square(a) / self.rho)
        return self.rho * (0.25 * w * w + 0.5 * w)

    def slope(self, a: np.ndarray) -> np.ndarray:
        a = np.asarray(a, dtype=float)
        w = _lambert(2 * np.square(a) / self.rho)
        return np.where(a > 0, self.rho * w / np.where(a > 0, a, 1.0), 0.0)

    def inverse(self, v: np.ndarray) -> np.ndarray:
        v = np.asarray(v) / self.rho
        w = 4 * v / (1 + np.sqrt(1 + 4 * v))
        return np.sqrt(0.5 * self.rho * w * np.exp(w))

    def cost(self, w: np.ndarray) -> np.ndarray:
        return self.rho * np.square(w)

    def minimising(self, a: np.ndarray) -> np.ndarray:
        return 0.5 * _lambert(2 * np.square(a) / self.rho)


@dataclass(frozen=True)
class AbsoluteLogits(Masked):
    """Mask e^w, cost |w|: q(a) = a^2 where 2 a^2 <= 1, else 1/2 + log(2 a^2) / 2; not admissible."""

    is_concave = False
    is_logit = True

    @property
    def why(self) -> str:
        return FLAT

    def value(self, a: np.ndarray) -> np.ndarray:
        square = np.square(a)
        return np.where(2 * square <= 1, square, 0.5 + self.minimising(a))

    def slope(self, a: np.ndarray) -> np.ndarray:
        a = np.asarray(a, dtype=float)
        return np.where(2 * a * a <= 1, 2 * a, 1 / np.maximum(a, 0.5))

    def inverse(self, v: np.ndarray) -> np.ndarray:
        return np.where(v <= 0.5, np.sqrt(v), np.exp(np.maximum(v, 0.5) - 0.5) / np.sqrt(2))

    def cost(self, w: np.ndarray) -> np.ndarray:
        return np.abs(w)

    def minimising(self, a: np.ndarray) -> np.ndarray:
        return 0.5 * np.log(np.maximum(2 * np.square(a), 1.0))


@dataclass(frozen=True)
class SoftmaxMask:
    """Masks t softmax(logits) on t groups together, decay on the weights alone: joint(a) =
    (sum a_i^(2/3))^3 / t^2 = (q^-1(sum q(a_i)) / t)^2 with the admissible q(a) = a^(2/3).

    An infimum: where some a_i = 0 it is not attained, as logits diverge.
    """

    generator = Power(2 / 3)

    def joint(self, norms: np.ndarray) -> np.ndarray:
        """The infimum over masks of sum (a_i / mask_i)^2: (..., t) -> (...)."""
        return (self.generator.combined(norms) / np.shape(norms)[-1]) ** 2

    def minimising(self, norms: np.ndarray) -> np.ndarray:
        """The masks, of mean 1: t a_i^(2/3) / sum a_j^(2/3)."""
        shares = self.generator.value(norms)
        return shares / shares.mean(axis=-1, keepdims=True)


def _lambert(x: np.ndarray) -> np.ndarray:
    from scipy.special import lambertw

    return lambertw(x).real


def masked_penalty(row: str, parameter: float) -> Masked:
    """A mask by its name; `parameter`: p, alpha or rho, for those that have one."""
    return {
        "identity": lambda: IdentityMask(),
        "exponential": lambda: ExponentialMask(parameter),
        "power_decay": lambda: DecayedMask(parameter),
        "powerprop": lambda: PowerPropagation(parameter),
        "absolute_logits": lambda: AbsoluteLogits(),
    }[row]()


PENALTIES: dict[str, Penalty] = dict(
    abs=IdentityMask(), sqrt=Power(0.5), two_thirds=Power(2 / 3), log=Logarithm(),
    bounded=Bounded(), sine=Sine(), square=Power(2.0), exp=Exponential(),
    exp_mask=ExponentialMask(), absolute_logits=AbsoluteLogits(),
)  # fmt: skip
"""By name; `exp_mask` is Lemma 2.1's."""
