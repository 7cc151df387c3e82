"""The figures of the directional-pruning study: which records, and which bound goes through them."""

from __future__ import annotations

import numpy as np
from directional_pruning_valley import VALLEY

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
from theory_lab.theorems.directional_pruning.experiments.lasso import LASSO
from theory_lab.theorems.directional_pruning.experiments.law import LAW
from theory_lab.theorems.directional_pruning.experiments.long_time import LONG_TIME
from theory_lab.theorems.directional_pruning.experiments.networks import NETWORKS
from theory_lab.theorems.directional_pruning.experiments.score import NETWORK_SCORE, SCORE
from theory_lab.theorems.directional_pruning.experiments.window import WINDOW

MARKERS_AND_LINES = "markers: measured, lines: predicted"
STEP, DISTANCE = r"step $\gamma$", r"distance to gRDA $/\,\sqrt{\gamma}$"
STEPS = [2.0**-k for k in range(5, 11)]
NET_STEPS = [2.0**-k for k in range(6, 12)]
SAMPLED = dict(
    data="gaussian",
    d=18,
    rank=9,
    step=STEPS,
    time=8.0,
    crossings=0,
    sampling="single",
    grazing=False,
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
    " mu = 0.51, c = 0.1, T = 8, d = 18, 9 flat directions, no sign changes, every weight well away"
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
LONG_SCORE = dict(rank=6, d=17, time=[64.0, 110.0, 190.0, 330.0, 570.0, 1000.0])


def gap(mu, scaled):
    def line(f, t):
        memory = drift.largest_memory(f["hessian"], signs(f), mu, t)
        return memory * t**mu if scaled else memory

    return line


SCORE_LIMIT = Figure(
    "grda_score_limit",
    "Largest difference between the score of gRDA at time t and the score of directional pruning,"
    " for a constant Hessian (d = 17, rank 6): it falls like 1/t for every mu (left), but the"
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

LAW_AT = dict(step=2.0**-9, time=2.0, grazing=False)


def share_under(shift):
    """The shares that N(-shift x, C) gives to the 49 points of the weight with the largest shift."""

    def shares(record):
        f = record.facts
        place = (f["hessian"], f["optimum"], f["start"])
        x = drift.displacement(
            *place, record.params["strengths"][0], record.params["exponents"][0], f["time"]
        )
        variances = np.diag(gaussian.covariance(*place, f["noise"], f["time"]))
        j = int(np.argmax(np.abs(x) / np.sqrt(variances)))
        return gaussian.normal_shares(
            np.asarray(record.result("points").value), shift * x, variances
        )[j]

    return shares


def measured_shares(record):
    return np.asarray(record.result("shares").value)[0]


LAWS = Figure(
    "grda_laws",
    "Laws of gRDA for least squares with Gaussian rows, d = 11, 4,000 paths, mu = 0.75, c = 0.4,"
    " γ = 1/512, T = 2, every weight 5 standard deviations away from 0. Left: probability plot of"
    " (w_γ − w(t))/√γ for the weight with the largest shift, against N(−x, C) and against N(0, C)."
    " Second: shares of paths below 49 points, all weights (bars: band of the whole ensemble). Third:"
    " shares below the quantiles of directional pruning of an independent run of SGD. Right: mean"
    " square of the second-order error against tr K (γ = 1/256, no sign changes).",
    [laws.MEAN, laws.SAME_LAW, laws.SECOND],
    [
        Curves(
            [
                Series("N(−x, C): with the shift", LAW, measured_shares, share_under(1.0), LAW_AT),
                Series("N(0, C): without", LAW, measured_shares, share_under(0.0), LAW_AT),
            ],
            xlabel="share under the law", ylabel="share of paths", title="one weight",
        ),
        PredictedMeasured([laws.MEAN], xlabel="share under N(−x, C)", ylabel="share of paths", title="all weights"),
        PredictedMeasured([laws.SAME_LAW], xlabel="level", ylabel="share of gRDA's paths", title="pruned independent SGD"),
        PredictedMeasured([laws.SECOND], xlabel="tr K", ylabel="mean square", title="second-order law"),
    ],
    columns=2,
)  # fmt: skip

PATH = dict(n=16, data="digits", time=8000.0)
PENALISED = dict(n=16, data="digits", steps=40_000)


def lam_of(f, ratio):
    score = pruning.directional_score(pruning.flat_projector(f["rows"].T @ f["rows"]), f["weights"])
    return ratio * pruning.first_zero(f["weights"], score)


def lag_at(f, ratio):
    return late.lag(f["rows"], f["weights"], lam_of(f, ratio), f["exponent"], f["time"]).loss


def zeros_at(f, ratio):
    return np.sum(late.constrained_l1(f["rows"], f["weights"], lam_of(f, ratio)).weights == 0)


def stuck(record):
    f, penalties = record.facts, np.asarray(record.result("penalties").value)
    return np.array([late.stuck_lasso_loss(f["rows"], f["weights"], p) for p in penalties])


FIRST_ZERO = Mark(r"$\lambda = \lambda^*$", 1.0, vertical=True)

BEYOND = Figure(
    "grda_beyond_first_zero",
    "Digits features (16 images, 100 weights), full batches until T = 8000, γ = 1, mu = 0.51, against"
    " the final threshold in units of the first at which directional pruning has a zero. Left: gRDA"
    " finds the zeros of the constrained l1 problem (line). Second: the share of weights on which"
    " gRDA agrees, about being 0, with that problem and with one-shot directional pruning. Third: its"
    " loss follows the lag law (line), far below one-shot pruning and magnitude pruning at as many"
    " zeros. Right: losses against the zeros; the constrained l1 solution itself has loss 0 and no"
    " place on this axis; the proximal gradient method for the Lasso, run until it stands still, has"
    " at least as many zeros as there are flat directions and is stuck at the predicted loss.",
    [*long_time.CLAIMS, objective.BELOW],
    [
        Curves(
            [
                Series("gRDA", LONG_TIME, "zeros", "ratios", PATH, line=zeros_at),
                Series("one-shot directional pruning", LONG_TIME, "pruned_zeros", "ratios", PATH),
            ],
            xlabel=r"$\lambda\,/\,\lambda^*$", ylabel="zeros of 100 weights", xscale="log", marks=[FIRST_ZERO],
        ),
        Curves(
            [
                Series("gRDA against the constrained l1 problem", LONG_TIME, "agreement", "ratios", PATH),
                Series("gRDA against one-shot directional pruning", LONG_TIME, "pruned_agreement", "ratios", PATH),
            ],
            xlabel=r"$\lambda\,/\,\lambda^*$", ylabel="agreement of the zeros", xscale="log", marks=[FIRST_ZERO],
        ),
        Curves(
            [
                Series("gRDA", LONG_TIME, "loss", "ratios", PATH, line=lag_at),
                Series("one-shot directional pruning", LONG_TIME, "pruned_loss", "ratios", PATH),
                Series("magnitude pruning at gRDA's zeros", LONG_TIME, "magnitude_loss", "ratios", PATH),
            ],
            xlabel=r"$\lambda\,/\,\lambda^*$", ylabel="loss", xscale="log", yscale="log", ylim=(1e-13, None),
            marks=[FIRST_ZERO],
        ),
        Curves(
            [
                Series("gRDA", LONG_TIME, "loss", "zeros", PATH),
                Series("one-shot directional pruning", LONG_TIME, "pruned_loss", "pruned_zeros", PATH),
                Series("magnitude pruning at gRDA's zeros", LONG_TIME, "magnitude_loss", "zeros", PATH),
                Series("proximal gradient for the Lasso", LASSO, "loss", "zeros", PENALISED),
                Series("its stuck loss, predicted", LASSO, stuck, "zeros", PENALISED),
            ],
            xlabel="zeros of 100 weights", ylabel="loss", yscale="log", ylim=(1e-13, None),
        ),
    ],
    note="markers: measured, lines: predicted where there is a theory",
    columns=2,
)  # fmt: skip

LADDER = dict(n=10, d=90, data="digits", exponent=0.51)
RATIOS = (5.0, 20.0, 80.0)


def remaining(loss):
    def line(f, time):
        found = late.lag(f["rows"], f["weights"], lam_of(f, f["ratios"][0]), f["exponent"], time)
        return found.loss if loss else np.linalg.norm(found.vector)

    return line


LAG = Figure(
    "grda_lag",
    "Distance to the constrained l1 solution and loss of gRDA against the training time T, at fixed"
    " final thresholds; digits features (10 images, 90 weights), full batches, γ = 1, mu = 0.51: 1/T"
    " and 1/T² with the constants of the lag law.",
    [long_time.ERROR, long_time.LOSS, long_time.LAG_LOSS, long_time.LAG_VECTOR],
    [
        Curves(
            [
                Series(f"λ = {ratio:g} λ*", LONG_TIME, entry(name, 0), "time", LADDER | dict(ratios=(ratio,)), line=remaining(loss))
                for ratio in RATIOS
            ],
            xlabel="time T", ylabel=label, xscale="log", yscale="log", xlim=(400, None),
        )
        for name, loss, label in (
            ("error", False, r"$\|w^{gRDA} - w^{constr}\|$"), ("loss", True, "loss")
        )
    ],
    note=MARKERS_AND_LINES,
)  # fmt: skip

WIDE = dict(exponents=(0.3, 0.51, 0.75, 1.0, 1.25), rank=3, d=7)


def flat(mu):
    return lambda f, t: late.noise_to_signal(f["hessian"], np.sign(f["optimum"]), mu, t)


def curved(mu):
    return lambda f, t: late.curved_loss(f["hessian"], np.sign(f["optimum"]), f["step"], mu, t)


WINDOW_FIGURE = Figure(
    "grda_window",
    "Why mu lies between 1/2 and 1 (gradient noise N(0, I), γ = 1/2, 200 paths, d = 7, rank 3, c = 1,"
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

TANH = dict(activation="tanh", step=NET_STEPS, strengths=(0.05,) * 4)
NETWORK_TIMES = dict(inputs=3, hidden=5, time=[4.0, 8.0, 16.0, 32.0, 64.0, 128.0])
NET_EXPONENTS = (0.3, 0.51, 0.75, 0.9)

NETS = Figure(
    "grda_nets",
    "Two-layer nets. Left: distance of gRDA to directional pruning of the coupled SGD (score of the"
    " limit at time T) over √γ, on tanh nets (2 inputs, 3 hidden units; one of 4, 5, 6 points and a"
    " label with noise 0.3 a step; T = 3, mu = 0.51, c = 0.05, γ h_max below .1, no weight near 0):"
    " it falls like √γ; without pruning it stays. Right: s̄ − s on a linear net (3 inputs, 5 hidden"
    " units, 2 outputs), whose Hessian varies along the flow: the part in the flat space falls like"
    " t^−mu only.",
    [step_rate.SQRT_RATE_NETS, score_limit.VARYING],
    [
        Curves(
            [
                *(Series(f"{points} points, pruned", NETWORKS, entry("error", 1), "step", TANH | dict(points=points))
                  for points in (4, 5, 6)),
                Series("4 points, not pruned", NETWORKS, entry("error_unpruned", 1), "step", TANH | dict(points=4)),
            ],
            xlabel=STEP, ylabel=DISTANCE, xscale="log", yscale="log",
        ),
        Curves(
            [
                *(Series(f"flat part, μ = {mu}", NETWORK_SCORE, entry("flat_gap", i), "time", NETWORK_TIMES) for i, mu in enumerate(NET_EXPONENTS)),
                Series("curved part, μ = 0.51", NETWORK_SCORE, entry("curved_gap", 1), "time", NETWORK_TIMES),
            ],
            xlabel="time t", ylabel=r"$\|\bar s - s\|$", xscale="log", yscale="log",
        ),
    ],
)  # fmt: skip

FIGURES = [STEP_RATE, SCORE_LIMIT, NETS, LAWS, BEYOND, LAG, WINDOW_FIGURE, VALLEY]
