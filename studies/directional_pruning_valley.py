"""Directional pruning in the plane: two weights, one flat direction."""

from __future__ import annotations

import numpy as np

from theory_lab.report.plots import Figure, Plane, Way, trace
from theory_lab.theorems.directional_pruning.bounds import identities, pruning
from theory_lab.theorems.directional_pruning.claims import identities as claims
from theory_lab.theorems.directional_pruning.claims import objective
from theory_lab.theorems.directional_pruning.experiments.identities import IDENTITIES

IN_THE_PLANE = dict(d=2, rank=1)


def half_squares(f, points):
    gap = points - f["optimum"]
    return 0.5 * np.sum((gap @ f["hessian"]) * gap, axis=1)


def ended(record):
    return record.trace["sgd"][-1].astype(float)


def arrow(prune):
    """From the end of SGD to what a pruning rule makes of it, at gRDA's last threshold."""

    def points(record):
        p = record.params
        lam = identities.threshold(p["strength"], p["exponent"], p["step"], p["steps"])
        return np.array([ended(record), prune(record.facts, ended(record), float(lam))])

    return points


def directionally(f, weights, lam):
    score = pruning.directional_score(pruning.flat_projector(f["hessian"]), weights)
    return pruning.directional_pruning(weights, score, lam)


def by_magnitude(f, weights, _):
    return np.where(np.abs(weights) == np.min(np.abs(weights)), 0.0, weights)


VALLEY = Figure(
    "grda_valley",
    "A valley: least squares in two weights, one direction flat, one row with a noisy label a step"
    " (γ = 1/16, 3,000 steps, mu = 0.51, c = 0.2; no weight is zero). gRDA and SGD on the same stream"
    " start at the same point; gRDA ends near directional pruning of SGD's end, along the floor of the"
    " valley, where one weight shrinks and the other grows; magnitude pruning leaves the floor.",
    [claims.FLAT_DUAL, claims.FLAT_DIFFERENCE, objective.BELOW],
    Plane(
        IDENTITIES,
        [
            Way("SGD", trace("sgd")),
            Way("gRDA", trace("grda")),
            Way("directional pruning of SGD", arrow(directionally), arrow=True),
            Way("magnitude pruning of SGD", arrow(by_magnitude), arrow=True),
        ],
        half_squares, xlabel="first weight", ylabel="second weight", zlabel="loss", where=IN_THE_PLANE,
    ),
)  # fmt: skip
