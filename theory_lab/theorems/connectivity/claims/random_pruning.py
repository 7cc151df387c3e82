"""Random pruning of perceptrons: exact laws, their mean field, and the collapse of layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from theory_lab.core import Claim, Condition, Record, Source
from theory_lab.core.reduce import frequency, mean
from theory_lab.theorems.connectivity.bounds import random_pruning as bounds
from theory_lab.theorems.connectivity.claims.effective_mask import PAPER
from theory_lab.theorems.connectivity.experiments.enumeration import ENUMERATION
from theory_lab.theorems.connectivity.experiments.quotas import COLLAPSE
from theory_lab.theorems.connectivity.experiments.random_pruning import RANDOM_PRUNING

CHAINS = Source(PAPER, "random pruning by layer quotas (law derived here)")

INDEPENDENT = Condition("weights are kept independently", lambda f: f["law"] == "bernoulli")
COUNTED = Condition("layers keep exact counts", lambda f: f["law"] == "exact counts")


def _network(f: Any, law: str) -> tuple[tuple[int, ...], tuple[float, ...], str]:
    """Widths, and what each layer keeps: densities, or numbers of weights."""
    kept = np.asarray(f["kept"], dtype=float)
    if law == "bernoulli" and f["law"] != law:
        kept = kept / f["sizes"]
    if law != "bernoulli" and f["law"] != law:
        kept = np.round(kept * f["sizes"])
    return tuple(f["widths"]), tuple(kept.tolist()), law


def _other(law: str) -> str:
    return "exact counts" if law == "bernoulli" else "bernoulli"


def _densities(f: Any) -> tuple[tuple[int, ...], tuple[float, ...]]:
    return _network(f, "bernoulli")[:2]


def _forward(f: Any) -> float:
    return bounds.forward_only(*_network(f, f["law"]))


def _enumerated(law: str, condition: Condition, what: str) -> Claim:
    name = "bernoulli" if law == "bernoulli" else "exact_count"
    return Claim(
        f"connectivity.expected_effective.{name}",
        CHAINS,
        f"The mean number of active weights over all masks of a perceptron, {what}, is that of two"
        " Markov chains of units reached from the inputs and from the outputs.",
        experiment=ENUMERATION,
        predict=lambda f: bounds.expected_effective(*_network(f, law)),
        measure="effective",
        conditions=[condition],
        tolerance=1e-11,
        rivals={"forward side only": lambda f: bounds.forward_only(*_network(f, law))},
        formula="E|eff| = Σ p_l E[K_{l−1}^f] E[K_l^b]",
    )


BERNOULLI = _enumerated("bernoulli", INDEPENDENT, "every weight kept with probability p_l")
EXACT_COUNT = _enumerated("exact counts", COUNTED, "every layer keeping exactly m_l weights")


def _enumerated_death(law: str, condition: Condition) -> Claim:
    name = "bernoulli" if law == "bernoulli" else "exact_count"
    return Claim(
        f"connectivity.death_probability.{name}",
        CHAINS,
        "The share of masks without any path from an input to an output is the probability that the"
        " forward chain ends at 0.",
        experiment=ENUMERATION,
        predict=lambda f: bounds.death_probability(*_network(f, law)),
        measure="dead",
        conditions=[condition],
        scale=1.0,
        tolerance=1e-12,
        rivals={"mean field": lambda f: bounds.mean_field_death(*_densities(f))},
        formula="P(no path) = P(K_L^f = 0)",
    )


BERNOULLI_DEATH = _enumerated_death("bernoulli", INDEPENDENT)
EXACT_COUNT_DEATH = _enumerated_death("exact counts", COUNTED)

SAMPLED = Claim(
    "connectivity.expected_effective.monte_carlo",
    CHAINS,
    "Randomly pruned LeNet-300-100 and deep narrow perceptrons have the mean number of active weights"
    " that the chains give.",
    experiment=RANDOM_PRUNING,
    predict=lambda f: bounds.expected_effective(*_network(f, f["law"])),
    measure=mean("active"),
    tolerance=0.15,  # the accuracy that the draws show near the transition
    rivals={
        "forward side only": _forward,
        "counting zeros: all that is kept": lambda f: float(
            np.sum(f["kept"] * (f["sizes"] if f["law"] == "bernoulli" else 1))
        ),
    },
    formula="E|eff| = Σ p_l E[K_{l−1}^f] E[K_l^b]",
)


def dead(record: Record) -> np.ndarray:
    """1 for every draw without an active weight."""
    return record.results["active"].value == 0


SAMPLED_DEATH = Claim(
    "connectivity.death_probability.monte_carlo",
    CHAINS,
    "Randomly pruned LeNet-300-100 is without any path as often as the forward chain says.",
    experiment=RANDOM_PRUNING,
    predict=lambda f: bounds.death_probability(*_network(f, f["law"])),
    measure=frequency(dead),
    conditions=[Condition("single masks", lambda f: f["block"] == 1)],
    scale=1.0,
    tolerance=0.05,  # the accuracy that the draws show
    rivals={
        "the other law": lambda f: bounds.death_probability(*_network(f, _other(f["law"]))),
        "mean field": lambda f: bounds.mean_field_death(*_densities(f)),
    },
    formula="P(no path) = P(K_L^f = 0)",
)

MEAN_FIELD = Claim(
    "connectivity.mean_field.bound",
    CHAINS,
    "Mean field, as if units were alive independently of each other, is at least the mean number of"
    " active weights, at any depth.",
    relation="<=",
    experiment=ENUMERATION,
    predict=lambda f: bounds.mean_field(*_densities(f)),
    measure="effective",
    conditions=[INDEPENDENT],
    tolerance=1e-11,
    rivals={
        "half the forward side": lambda f: 0.5 * bounds.forward_only(*_network(f, "bernoulli"))
    },
    formula="E|eff| ≤ Σ p_l n_l a_{l−1} b_l,  a_l = 1 − (1 − p_l a_{l−1})^{N_{l−1}}",
)

MEAN_FIELD_EQUAL = Claim(
    "connectivity.mean_field.equal",
    CHAINS,
    "For at most 3 layers mean field is exact.",
    experiment=ENUMERATION,
    predict=lambda f: bounds.mean_field(*_densities(f)),
    measure="effective",
    conditions=[INDEPENDENT, Condition("at most 3 layers", lambda f: len(f["widths"]) <= 4)],
    tolerance=1e-11,
    rivals={"forward side only": _forward},
    formula="L ≤ 3  ⇒  E|eff| = Σ p_l n_l a_{l−1} b_l",
)

COLLAPSE_CLAIM = Claim(
    "connectivity.layer_collapse",
    Source(PAPER, "layer collapse under uniform pruning (lab's formulation)"),
    "With uniform quotas and rounded counts no mask has a path from compression 2·min n_l on, and"
    " some mask has one below.",
    experiment=COLLAPSE,
    predict=lambda f: bounds.collapse_compression(f["sizes"].tolist()),
    measure="first_dead",
    conditions=[Condition("counts are rounded", lambda f: f["rounding"] == "nearest")],
    rivals={"min n_l": lambda f: float(min(f["sizes"]))},
    formula="c ≥ 2 min n_l",
)

CLAIMS = [
    BERNOULLI,
    EXACT_COUNT,
    SAMPLED,
    BERNOULLI_DEATH,
    EXACT_COUNT_DEATH,
    SAMPLED_DEATH,
    MEAN_FIELD,
    MEAN_FIELD_EQUAL,
    COLLAPSE_CLAIM,
]
