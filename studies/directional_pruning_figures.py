"""The figures of the directional-pruning study: which records, and which bound goes through them."""

from __future__ import annotations

import numpy as np

from theory_lab.report.plots import (
    Curves,
    Figure,
    Mark,
    PredictedMeasured,
    Series,
    entry,
)
from theory_lab.theorems.directional_pruning.bounds import displacement as drift
from theory_lab.theorems.directional_pruning.bounds import laws as gaussian
from theory_lab.theorems.directional_pruning.bounds import long_time as late
from theory_lab.theorems.directional_pruning.bounds import pruning
from theory_lab.theorems.directional_pruning.claims import (
    laws,
    long_time,
    objective,
    score_limit,
    step_rate,
    window,
)
from theory_lab.theorems.directional_pruning.experiments.coupled import COUPLED
from theory_lab.theorems.directional_pruning.experiments.long_time import LONG_TIME
from theory_lab.theorems.directional_pruning.experiments.score import SCORE
from theory_lab.theorems.directional_pruning.experiments.window import WINDOW

MARKERS_AND_LINES = "markers: measured, lines: predicted"
STEP, DISTANCE = r"step $\gamma$", r"distance to gRDA $/\,\sqrt{\gamma}$"
STEPS = [2.0**-k for k in range(5, 11)]
SAMPLED = dict(
    data="gaussian", rank=10, step=STEPS, time=8.0, crossings=0, sampling="single", grazing=False
)


def signs(f):
    return np.sign(f["start"])


def second_order(f, step):
    size = gaussian.second_order_size(
        f["hessian"], signs(f), f["strengths"][1], f["exponents"][1], f["time"]
    )
    return np.sqrt(step * size)


def floor(f, _):
    c, mu, t = f["strengths"][1], f["exponents"][1], f["time"]
    return c * t**mu * drift.largest_memory(f["hessian"], signs(f), mu, t)


def shift(f, _):
    place = (f["hessian"], f["optimum"], f["start"])
    x = drift.displacement(*place, f["strengths"][1], f["exponents"][1], f["time"])
    return np.max(np.abs(x))


STEP_RATE = Figure(
    "grda_step_rate",
    "Distance of gRDA to SGD on the same stream, pruned directionally or not, over sqrt(γ);"
    " mu = 0.51, c = 0.1, T = 8, d = 20, 10 flat directions, no sign changes, every weight well away"
    " from 0. Left: with the score of the limit at time T it falls like sqrt(γ), with the size"
    " sqrt(γ tr K) of the second-order law; with the score of infinite time, and without pruning, it"
    " stops (largest coordinate, lines: limits). Right: median of the largest coordinate; it falls"
    " like γ where the Hessian of a sample does not fluctuate (lines through the markers).",
    step_rate.CLAIMS,
    [
        Curves(
            [
                Series("pruned, score at time T (norm)", COUPLED, entry("error_size", 1), "step", SAMPLED, line=second_order),
                Series("pruned, score of infinite time", COUPLED, entry("error_limit_score", 1), "step", SAMPLED, line=floor),
                Series("not pruned", COUPLED, entry("error_unpruned", 1), "step", SAMPLED, line=shift),
            ],
            xlabel=STEP, ylabel=DISTANCE, xscale="log", yscale="log",
        ),
        Curves(
            [
                Series("single rows", COUPLED, entry("error", 1), "step", SAMPLED),
                Series("single rows, three sign changes", COUPLED, entry("error", 1), "step", SAMPLED | dict(crossings=3)),
                Series("full batches", COUPLED, entry("error", 1), "step", SAMPLED | dict(sampling="full batch", strengths=(0.1,) * 4)),
                Series("additive noise", COUPLED, entry("error", 1), "step", SAMPLED | dict(sampling="additive")),
            ],
            xlabel=STEP, ylabel=DISTANCE, xscale="log", yscale="log",
        ),
    ],
    note=MARKERS_AND_LINES,
)  # fmt: skip

EXPONENTS = (0.3, 0.51, 0.75, 1.0, 1.5)
LONG_SCORE = dict(rank=6, d=20, time=[32.0, 64.0, 128.0, 256.0, 512.0, 1024.0])


def gap(mu, scaled):
    def line(f, t):
        memory = drift.largest_memory(f["hessian"], signs(f), mu, t)
        return memory * t**mu if scaled else memory

    return line


SCORE_LIMIT = Figure(
    "grda_score_limit",
    "Largest difference between the score of gRDA at time t and the score of directional pruning,"
    " for a constant Hessian (d = 20, rank 6): it falls like 1/t for every mu (left), but the"
    " displacement it stands for, t^mu |sbar - s|, is bounded only for mu up to 1 (right).",
    [score_limit.CONSTANT, score_limit.CLOSED_FORM],
    [
        Curves(
            [
                Series(f"μ = {mu}", SCORE, entry(name, i), "time", LONG_SCORE, line=gap(mu, scaled))
                for i, mu in enumerate(EXPONENTS)
            ],
            xlabel="time t", ylabel=label, xscale="log", yscale="log",
        )
        for name, scaled, label in (
            ("score_gap", False, r"$\max_j |\bar s_j - s_j|$"),
            ("scaled_gap", True, r"$t^\mu\, \max_j |\bar s_j - s_j|$"),
        )
    ],
    note=MARKERS_AND_LINES,
)  # fmt: skip

LAWS = Figure(
    "grda_laws",
    "Laws of gRDA for least squares with Gaussian rows, d = 12. Left: shares of 4,000 paths below"
    " 49 points a coordinate, against N(-x, C) (bars: band of the whole ensemble). Middle: shares"
    " below the quantiles of directional pruning of an independent run of SGD. Right: mean square"
    " of the second-order error against tr K.",
    [laws.MEAN, laws.SAME_LAW, laws.SECOND],
    [
        PredictedMeasured([laws.MEAN], xlabel="share under N(−x, C)", ylabel="share of paths", title="law of gRDA"),
        PredictedMeasured([laws.SAME_LAW], xlabel="level", ylabel="share of gRDA's paths", title="pruned independent SGD"),
        PredictedMeasured([laws.SECOND], xlabel="tr K", ylabel="mean square", title="second-order law"),
    ],
)  # fmt: skip

PATH = dict(n=15, data="digits", time=4000.0)


def lam_of(f, ratio):
    score = pruning.directional_score(pruning.flat_projector(f["rows"].T @ f["rows"]), f["weights"])
    return ratio * pruning.first_zero(f["weights"], score)


def lag_at(f, ratio):
    return late.lag(f["rows"], f["weights"], lam_of(f, ratio), f["exponent"], f["time"]).loss


def zeros_at(f, ratio):
    return np.sum(late.constrained_l1(f["rows"], f["weights"], lam_of(f, ratio)).weights == 0)


BEYOND = Figure(
    "grda_beyond_first_zero",
    "Digits features (15 images, 100 weights), full batches until T = 4000, mu = 0.51, against the"
    " final threshold in units of the first at which directional pruning has a zero. Left: gRDA"
    " finds the zeros of the constrained l1 problem. Right: its loss follows the lag law, far below"
    " one-shot directional pruning and magnitude pruning at as many zeros.",
    [*long_time.CLAIMS, objective.BELOW],
    [
        Curves(
            [
                Series("gRDA", LONG_TIME, "zeros", "ratios", PATH, line=zeros_at),
                Series("one-shot directional pruning", LONG_TIME, "pruned_zeros", "ratios", PATH),
            ],
            xlabel=r"$\lambda\,/\,\lambda^*$", ylabel="zeros of 100 weights", xscale="log",
            marks=[Mark(r"$\lambda = \lambda^*$", 1.0, vertical=True)],
        ),
        Curves(
            [
                Series("gRDA", LONG_TIME, "loss", "ratios", PATH, line=lag_at),
                Series("one-shot directional pruning", LONG_TIME, "pruned_loss", "ratios", PATH),
                Series("magnitude pruning at gRDA's zeros", LONG_TIME, "magnitude_loss", "ratios", PATH),
            ],
            xlabel=r"$\lambda\,/\,\lambda^*$", ylabel="loss", xscale="log", yscale="log", ylim=(1e-13, None),
            marks=[Mark(r"$\lambda = \lambda^*$", 1.0, vertical=True)],
        ),
    ],
    note="markers: measured, lines: predicted where there is a theory",
)  # fmt: skip

DIGITS = dict(n=20, data="digits", ratios=(10.0, 100.0, 1000.0), exponent=0.51)


def remaining(ratio, loss):
    def line(f, time):
        found = late.lag(f["rows"], f["weights"], lam_of(f, ratio), f["exponent"], time)
        return found.loss if loss else np.linalg.norm(found.vector)

    return line


LAG = Figure(
    "grda_lag",
    "Distance to the constrained l1 solution and loss of gRDA against the training time T, at fixed"
    " final thresholds; digits features (20 images, 100 weights), full batches, mu = 0.51: 1/T and"
    " 1/T² with the constants of the lag law.",
    [long_time.ERROR, long_time.LOSS, long_time.LAG_LOSS, long_time.LAG_VECTOR],
    [
        Curves(
            [
                Series(f"λ = {ratio} λ*", LONG_TIME, entry(name, i), "time", DIGITS, line=remaining(ratio, loss))
                for i, ratio in enumerate((10, 100, 1000))
            ],
            xlabel="time T", ylabel=label, xscale="log", yscale="log", xlim=(100, None),
        )
        for name, loss, label in (
            ("error", False, r"$\|w^{gRDA} - w^{constr}\|$"), ("loss", True, "loss")
        )
    ],
    note=MARKERS_AND_LINES,
)  # fmt: skip

WIDE = dict(exponents=(0.3, 0.51, 0.75, 1.0, 1.25), rank=3)


def flat(mu):
    return lambda f, t: late.noise_to_signal(f["hessian"], np.sign(f["optimum"]), mu, t)


def curved(mu):
    return lambda f, t: late.curved_loss(f["hessian"], np.sign(f["optimum"]), f["step"], mu, t)


WINDOW_FIGURE = Figure(
    "grda_window",
    "Why mu lies between 1/2 and 1 (gradient noise N(0, I), γ = 1/2, 200 paths, d = 6, rank 3, c = 1,"
    " weights so large that none becomes zero). Left: noise over signal in flat directions falls for"
    " mu > 1/2 only. Right: the rise of the loss in curved directions falls for mu < 1 only.",
    window.CLAIMS,
    [
        Curves(
            [
                Series(f"μ = {mu}", WINDOW, entry(name, i), "time", WIDE, line=line(mu))
                for i, mu in enumerate(WIDE["exponents"])
            ],
            xlabel="time t", ylabel=label, xscale="log", yscale="log",
        )
        for name, line, label in (
            ("noise", flat, "noise / signal"), ("loss", curved, r"$\frac{1}{2} D^T H D$")
        )
    ],
    note=MARKERS_AND_LINES,
)  # fmt: skip

FIGURES = [STEP_RATE, SCORE_LIMIT, LAWS, BEYOND, LAG, WINDOW_FIGURE]
