"""Directional pruning by gRDA: the objective, its asymptotics, its laws, and the long run.

theory-lab run directional_pruning [--preset quick|full]
theory-lab run directional_pruning --preset cuda --device cuda --jobs 0    # laws over 10^5 paths
"""

from directional_pruning_figures import FIGURES

from theory_lab.core import Case, Control, Study, drops, grid, instead
from theory_lab.core.reduce import each, slope
from theory_lab.theorems.directional_pruning.claims import (
    CLAIMS,
    identities,
    laws,
    long_time,
    objective,
    score_limit,
    step_rate,
    window,
)

STEPS = {"step": [2.0**-k for k in range(5, 11)]}
NET_STEPS = {"step": [2.0**-k for k in range(6, 12)]}
FINE_STEPS = {"step": [2.0**-k for k in range(8, 14)]}
TIMES = {"time": [500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0]}
WINDOW_TIMES = {"time": [64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0]}
NET_TIMES = {"time": [4.0, 8.0, 16.0, 32.0, 64.0, 128.0]}
SCORE_TIMES = {"time": [64.0, 110.0, 190.0, 330.0, 570.0, 1000.0]}
REAL = dict(d=110, rank=18, time=4.0, paths=12, strengths=(0.1, 0.1), exponents=(0.51, 0.75))
"""Real features: 18 inputs, 110 weights."""

SQRT, FULL_BATCH = [step_rate.SQRT_RATE], [step_rate.FULL_BATCH_RATE]
NETS = [step_rate.SQRT_RATE_NETS]
LONG_LAWS = [
    long_time.ERROR,
    long_time.LOSS,
    long_time.SUPPORT,
    long_time.LAG_LOSS,
    long_time.LAG_VECTOR,
]


def pruning(full: bool) -> list[Case]:
    """Random objectives; losses of random and of real least squares."""
    replicates = 20 if full else 5
    loss = dict(n=8, d=30, data=["random", "digits", "diabetes"])
    below, above = [objective.BELOW], [objective.ABOVE]
    return [
        *grid(claims=objective.CLAIMS[:2], d=40, rank=[5, 20, 35], lam=[0.3, 2.0],
              replicates=replicates),
        *grid(claims=below, displaced=[0.0, 1.0], position=[0.3, 0.9, 1.0], **loss),
        *grid(claims=above, position=[1.3, 1.6, 2.0], replicates=replicates, **loss),
        *grid(claims=identities.CLAIMS, strength=[0.1, 0.5], exponent=[0.51, 0.75, 1.0],
              replicates=replicates),
        *grid(claims=identities.CLAIMS[1:], strength=10.0, d=[8, 12], exponent=[0.51, 0.75],
              replicates=replicates),
    ]  # fmt: skip


def rates(full: bool) -> list[Case]:
    """Distances over a ladder of steps: sampled rows with and without sign changes, real rows,
    gradients whose Hessian does not fluctuate, and nets."""
    ranks = [9, 5, 13] if full else [9]
    single = dict(claims=SQRT, over=STEPS, d=18)
    exact = dict(claims=FULL_BATCH, over=STEPS, d=18, rank=9)
    return [
        *grid(time=8.0, rank=ranks, **single),
        *grid(time=8.0, rank=ranks, crossings=3, distance=1.0, **single),
        *grid(data=["digits", "diabetes"], **single | REAL),
        *grid(time=8.0, sampling="full batch", paths=1, **exact),
        *grid(time=4.0, sampling="full batch", paths=1, **exact),
        *grid(time=8.0, sampling="additive", noise=0.02, paths=20, **exact),
        *grid(claims=[step_rate.FLOOR], time=[4.0, 8.0], step=[2.0**-9, 2.0**-10], d=18, rank=9,
              sampling="full batch", paths=1, replicates=4 if full else 2),
        *grid(claims=NETS, over=NET_STEPS, time=3.0, paths=40, points=[4, 5, 6]),
        *(net_rates() if full else []),
    ]  # fmt: skip


def net_rates() -> list[Case]:
    """Smaller steps and more nets."""
    fine = dict(claims=NETS, over=FINE_STEPS)
    return [
        *grid(inputs=[2, 3], points=[5, 7], **fine),
        *grid(activation="linear", inputs=[2, 3], outputs=2, points=[5, 7], **fine),
        *grid(activation="linear", inputs=2, outputs=1, points=4, distance=0.4, **fine),
    ]


def scores(full: bool) -> list[Case]:
    """The score of the limit at finite times, with constant and with varying Hessian."""
    closed = dict(claims=[score_limit.CLOSED_FORM], fineness=3000)
    return [
        *grid(time=[2.0, 8.0], replicates=3 if full else 1, **closed),
        *grid(time=8.0, crossings=3, distance=1.0, replicates=3 if full else 2, **closed),
        *grid(claims=[score_limit.CONSTANT], over=SCORE_TIMES, d=[13, 17], rank=6),
        *grid(claims=[score_limit.VARYING], over=NET_TIMES, inputs=[2, 3, 4], hidden=5,
              replicates=2 if full else 1),
    ]  # fmt: skip


def ensembles(full: bool) -> list[Case]:
    """Laws over thousands of paths."""
    law = [laws.MEAN, laws.COVARIANCE, laws.COVARIANCE_VALUE, laws.SAME_LAW]
    return [
        *grid(claims=law, step=2.0**-9, time=[1.0, 1.5, 2.0], strengths=LAW_STRENGTHS, d=11, rank=8,
              replicates=6 if full else 2),
        *grid(claims=[laws.SECOND], step=2.0**-9 if full else 2.0**-8, time=[2.0, 3.0, 4.0],
              d=11, rank=5),
        *grid(claims=[laws.RECURSION], over={"step": [2.0**-k for k in range(4, 10)]}, d=11, rank=5,
              time=[1.0, 2.0, 4.0, 8.0], noise=[0.1, 0.5, 1.0]),
    ]  # fmt: skip


LAW_STRENGTHS = (0.4, 0.2, 0.2, 0.2)


def large_ensembles() -> list[Case]:
    """The laws over as many paths as fill a GPU."""
    law = [laws.MEAN, laws.COVARIANCE, laws.COVARIANCE_VALUE, laws.SAME_LAW]
    many = dict(step=2.0**-9, d=11, paths=100_000)
    return [
        *grid(claims=law, time=[1.0, 1.5, 2.0], strengths=LAW_STRENGTHS, rank=8, replicates=2,
              **many),
        *grid(claims=[laws.SECOND], time=[2.0, 3.0, 4.0], rank=5, **many),
    ]  # fmt: skip


RATIOS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 150.0, 200.0, 300.0, 500.0, 1000.0)
"""Thresholds in units of the first at which directional pruning has a zero."""

SHARES = (0.02, 0.04, 0.08, 0.15, 0.3, 0.6)
"""Penalties of the Lasso in units of the least that leaves no weight."""

ALL_DATA = ["random", "digits", "diabetes"]


def late(full: bool) -> list[Case]:
    """Exponents inside and outside (1/2, 1), and the Lasso."""
    wide = [window.NOISE, window.LOSS]
    times = dict(over=WINDOW_TIMES, d=7, replicates=4 if full else 1)
    return [
        *grid(claims=wide, exponents=(0.3, 0.51, 0.75, 1.0, 1.25), rank=[3, 4], **times),
        *grid(claims=[window.INSIDE], exponents=(0.6, 0.75, 0.9), rank=[3, 4], **times),
        *grid(claims=[long_time.STUCK_LASSO], data=ALL_DATA, n=18, d=90,
              replicates=6 if full else 2),
        *grid(claims=[long_time.STUCK_LASSO], data="digits", n=16, shares=SHARES),
    ]  # fmt: skip


def beyond(full: bool) -> list[Case]:
    """Full batches followed long after weights have become zero."""
    small, large = dict(n=10, d=90, step=1.0), dict(n=18, d=90, step=1.0)
    beaten = dict(claims=[long_time.BEATS], time=[2000.0, 8000.0], replicates=8 if full else 2)
    return [
        *grid(claims=LONG_LAWS, over=TIMES, data=ALL_DATA, ratios=[(5.0,), (20.0,)],
              exponent=[0.51, 0.75, 1.0] if full else [0.51, 0.75], **small),
        *grid(claims=LONG_LAWS, over=TIMES, data=ALL_DATA, ratios=(80.0,),
              exponent=[0.51, 0.75, 1.0] if full else 0.51, **small),
        *grid(claims=LONG_LAWS[2:], time=16000.0, data=ALL_DATA, ratios=[(100.0,), (300.0,)],
              replicates=4 if full else 1, **large),
        *grid(claims=[long_time.LAG_LOSS], time=8000.0, step=1.0, data="digits", n=16,
              ratios=RATIOS),
        *grid(data=ALL_DATA, ratios=[(100.0,), (1000.0,)], **beaten, **large),
        *grid(claims=[long_time.CROSSOVER_TIME], data=ALL_DATA, ratio=[100.0, 1000.0], n=18, d=90,
              replicates=4 if full else 2),
    ]  # fmt: skip


VALLEY = dict(d=2, rank=1, steps=3000, batch=1, step=0.0625, strength=0.2, exponent=0.51)
"""Two weights, one of two directions flat."""


def valley() -> list[Case]:
    """A case that can be drawn in the plane."""
    return grid(claims=identities.CLAIMS[1:], **VALLEY)


def cases(preset: str) -> list[Case]:
    """All cases of a preset; `cuda` has the laws alone."""
    if preset == "cuda":
        return large_ensembles()
    full = preset == "full"
    return [
        *pruning(full),
        *rates(full),
        *scores(full),
        *ensembles(full),
        *late(full),
        *beyond(full),
        *valley(),
    ]


def controls(preset: str) -> list[Control]:
    """What must break each claim."""
    if preset == "cuda":
        return broken_laws()
    return [*broken_pruning(), *broken_rates(), *broken_laws(), *broken_long_time()]


def broken_pruning() -> list[Control]:
    """Conditions of the objective, of the loss and of the identities."""
    loss = dict(n=8, d=30)
    above = [objective.ABOVE]
    in_range = "rows in range(H)"
    return [
        drops("lam <= lam*", claims=[objective.BELOW], position=[1.5, 4.0], **loss),
        drops("lam > lam*", claims=above, position=0.5, **loss),
        drops("lam up to the next breakpoint", claims=above, position=3.0, **loss),
        drops("at a minimum", claims=above, displaced=1.0, position=1.5, **loss),
        drops("no weight of gRDA changes its sign or is zero", claims=[identities.DIFFERENCE],
              strength=10.0, replicates=2),
        drops(in_range, claims=[identities.FLAT_DUAL, identities.FLAT_DIFFERENCE], leak=0.05),
    ]  # fmt: skip


def broken_rates() -> list[Control]:
    """Rates with another score, on another sampling, with a weight that ends at 0; early times."""
    scores_at = {"time": [0.05, 0.1, 0.2, 0.4, 0.8, 1.6]}
    place = dict(d=18, rank=9, time=8.0)
    near = "no weight ends near 0: |w_j(T)| >= 3 sqrt(gamma) |x_j(T)|"
    whole = dict(sampling="full batch", paths=1, **place)
    coarse = {"step": [2.0**-k for k in range(4, 10)]}
    nets = dict(claims=NETS, paths=40, time=3.0)
    return [
        instead("the score of infinite time", claims=SQRT,
                measure=slope("error_limit_score", over="step")),
        instead("no pruning", claims=[*SQRT, *NETS], measure=slope("error_unpruned", over="step")),
        drops(near, claims=SQRT, over=STEPS, grazing=True, **place),
        drops("gradients of single rows", claims=SQRT, over=STEPS, **whole),
        drops("gamma h_max <= .1", activation="linear", outputs=2, over=coarse, **nets),
        drops(near, strengths=(3.0,) * 4, over=NET_STEPS, **nets),
        drops("no single rows", claims=FULL_BATCH, over=STEPS, **place),
        drops(near, claims=FULL_BATCH, over=STEPS, strengths=(3.0,) * 4, **whole),
        drops("no sign changes", claims=FULL_BATCH, over=STEPS, crossings=3, distance=1.0, **whole),
        drops("no sign changes", claims=[step_rate.FLOOR], crossings=3, distance=1.0,
              step=2.0**-10, **whole),
        drops("h_min t >= 12", claims=[score_limit.CONSTANT], over=scores_at, d=17, rank=6),
        drops("h_min t >= 6", claims=[score_limit.VARYING], over=scores_at, inputs=3),
    ]  # fmt: skip


def broken_laws() -> list[Control]:
    """Weights near 0, long steps, other samples."""
    near = "every weight 5 standard deviations from 0"
    law = dict(d=11, rank=8, time=2.0, strengths=LAW_STRENGTHS)
    second = dict(claims=[laws.SECOND], d=11, rank=5, time=4.0)
    return [
        drops(near, claims=[laws.MEAN], step=2.0**-8, grazing=True, **law),
        drops(near, claims=[laws.SAME_LAW], step=2.0**-8, grazing=True, **law),
        drops("gamma <= 2^-9", claims=[laws.COVARIANCE], step=2.0**-4, **law),
        drops("gamma <= 2^-8", step=2.0**-4, **second),
        drops("no sign changes", step=2.0**-8, crossings=6, distance=2.0, **second),
        instead("pruning with the score of infinite time", claims=[laws.SAME_LAW],
                measure=each("independent_limit_score")),
        instead("plain SGD", claims=[laws.SAME_LAW], measure=each("independent_sgd")),
    ]  # fmt: skip


def broken_long_time() -> list[Control]:
    """Exponents outside the window; short times; other methods."""
    outside = dict(claims=[window.INSIDE], over=WINDOW_TIMES, d=7)
    short = {"time": [8.0, 16.0, 32.0, 64.0, 128.0, 256.0]}
    few = dict(n=10, d=90, step=1.0, data="random")
    large = dict(n=18, d=90, step=1.0, data="digits")
    error, loss = [long_time.ERROR], [long_time.LOSS]
    return [
        drops("mu > 1/2", exponents=(0.3,), **outside),
        drops("mu < 1", exponents=(1.25,), **outside),
        drops(long_time.LONG.name, claims=[*error, *loss], over=short, ratios=(5.0,), **few),
        drops("T h_A >= 30", claims=[long_time.BEATS], time=8.0, ratios=(1000.0,), **large),
        drops("a tenth of the weights is zero", claims=[long_time.BEATS], time=500.0,
              ratios=(3.0,), **large),
        drops(long_time.VERY_LONG.name, claims=[long_time.SUPPORT, long_time.LAG_VECTOR],
              time=12.0, ratios=(100.0,), **large),
        drops(long_time.FAR.name, claims=[long_time.LAG_LOSS], time=12.0, ratios=(100.0,), **large),
        # past a change of the support, at 61.729 times the first zero, however long T is
        drops(long_time.VERY_LONG.name, claims=[long_time.LAG_VECTOR], time=16000.0,
              ratios=(61.7303,), **large),
        drops(long_time.FAR.name, claims=[long_time.LAG_LOSS], time=16000.0, ratios=(61.7352,),
              **large),
        drops("the iteration stands still: steps below 1e-7 p", claims=[long_time.STUCK_LASSO],
              steps=20, n=18, d=90),
        instead("closed-form directional pruning", claims=error,
                measure=slope("pruned_error", over="time")),
        instead("proximal gradient for the Lasso", claims=loss,
                measure=slope("lasso_loss", over="time")),
        instead("closed-form directional pruning", claims=loss,
                measure=slope("pruned_loss", over="time")),
    ]  # fmt: skip


STUDY = Study(
    "directional_pruning",
    title="Directional pruning by generalised regularised dual averaging",
    claims=CLAIMS,
    cases=cases,
    controls=controls,
    figures=FIGURES,
    presets=("quick", "full", "cuda"),
    smoke=dict(paths=200),
)

if __name__ == "__main__":
    STUDY.main()
