"""Directional pruning by gRDA: the objective, its asymptotics, its laws, and the long run.

theory-lab run directional_pruning [--preset quick|full]
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
TIMES = {"time": [125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0]}
WINDOW_TIMES = {"time": [64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0]}
SCORE_TIMES = {"time": [32.0, 64.0, 128.0, 256.0, 512.0, 1024.0]}
REAL = dict(d=120, rank=20, time=4.0, paths=12, strengths=(0.1, 0.1), exponents=(0.51, 0.75))
"""Real features: 20 inputs, 120 weights."""

SQRT, FULL_BATCH = [step_rate.SQRT_RATE], [step_rate.FULL_BATCH_RATE]
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
    and gradients whose Hessian does not fluctuate."""
    ranks = [10, 5, 15] if full else [10]
    single = dict(claims=SQRT, over=STEPS)
    exact = dict(claims=FULL_BATCH, over=STEPS)
    return [
        *grid(time=8.0, rank=ranks, **single),
        *grid(time=8.0, rank=ranks, crossings=3, distance=1.0, **single),
        *grid(data=["digits", "diabetes"], **REAL, **single),
        *grid(time=8.0, sampling="full batch", paths=1, **exact),
        *grid(time=4.0, sampling="full batch", paths=1, **exact),
        *grid(time=8.0, sampling="additive", noise=0.02, paths=20, **exact),
        *grid(claims=[step_rate.FLOOR], time=[4.0, 8.0], step=[2.0**-9, 2.0**-10],
              sampling="full batch", paths=1, replicates=4 if full else 2),
    ]  # fmt: skip


def scores(full: bool) -> list[Case]:
    """The score of the limit at finite times, with constant and with varying Hessian."""
    closed = dict(claims=[score_limit.CLOSED_FORM], fineness=3000)
    varying = {"time": [16.0, 32.0, 64.0, 128.0, 256.0, 512.0]}
    return [
        *grid(time=[2.0, 8.0], replicates=3 if full else 1, **closed),
        *grid(time=8.0, crossings=3, distance=1.0, replicates=3 if full else 2, **closed),
        *grid(claims=[score_limit.CONSTANT], over=SCORE_TIMES, d=[12, 20], rank=6),
        *grid(claims=[score_limit.VARYING], over=varying, inputs=[2, 3, 4]),
    ]


def ensembles(full: bool) -> list[Case]:
    """Laws over thousands of paths."""
    law = [laws.MEAN, laws.COVARIANCE, laws.COVARIANCE_VALUE, laws.SAME_LAW]
    return [
        *grid(claims=law, step=2.0**-9, time=[1.0, 1.5, 2.0], strengths=LAW_STRENGTHS, d=12, rank=9,
              replicates=6 if full else 3),
        *grid(claims=[laws.SECOND], step=2.0**-9 if full else 2.0**-8, time=[2.0, 3.0, 4.0],
              d=12, rank=6),
        *grid(claims=[laws.RECURSION], over={"step": [2.0**-k for k in range(4, 10)]}, d=12, rank=6,
              time=[1.0, 2.0, 4.0, 8.0], noise=[0.1, 0.5, 1.0]),
    ]  # fmt: skip


LAW_STRENGTHS = (0.4, 0.2, 0.2, 0.2)


RATIOS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 150.0, 200.0, 300.0, 500.0, 1000.0)
"""Thresholds in units of the first at which directional pruning has a zero."""


def late(full: bool) -> list[Case]:
    """Exponents inside and outside (1/2, 1), and problems with zeros followed for a long time."""
    wide = [window.NOISE, window.LOSS]
    data = ["random", "digits", "diabetes"]
    times = dict(over=WINDOW_TIMES, replicates=4 if full else 1)
    beaten = 8 if full else 3
    return [
        *grid(claims=wide, exponents=(0.3, 0.51, 0.75, 1.0, 1.25), rank=[2, 3], **times),
        *grid(claims=[window.INSIDE], exponents=(0.6, 0.75, 0.9), rank=[2, 3], **times),
        *grid(claims=LONG_LAWS, over=TIMES, data="random", ratios=(10.0, 100.0, 1000.0),
              exponent=[0.51, 0.75, 1.0] if full else [0.51, 0.75]),
        *grid(claims=LONG_LAWS, over=TIMES, data=data[1:], ratios=(10.0, 100.0, 1000.0)),
        *grid(claims=LONG_LAWS, over=TIMES, data=data[1:], ratios=(10.0, 100.0), exponent=1.0),
        *grid(claims=[long_time.BEATS], time=[1000.0, 4000.0], ratios=(1000.0,), replicates=beaten),
        *grid(claims=[long_time.BEATS], time=[1000.0, 4000.0], data=data[1:], ratios=(100.0,),
              replicates=beaten),
        *grid(claims=[long_time.LAG_LOSS], time=8000.0, data=data, ratios=(10.0, 100.0)),
        *grid(claims=[long_time.LAG_LOSS], time=4000.0, data="digits", n=15, ratios=RATIOS),
        *grid(claims=[long_time.CROSSOVER_TIME], data=data, ratio=[100.0, 1000.0],
              replicates=4 if full else 2),
    ]  # fmt: skip


def cases(preset: str) -> list[Case]:
    """All cases of a preset."""
    full = preset == "full"
    return [*pruning(full), *rates(full), *scores(full), *ensembles(full), *late(full)]


def controls(preset: str) -> list[Control]:
    """What must break each claim."""
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
    return [
        instead("the score of infinite time", claims=SQRT,
                measure=slope("error_limit_score", over="step")),
        instead("no pruning", claims=SQRT, measure=slope("error_unpruned", over="step")),
        drops("no weight ends near 0: |w_j(T)| >= 3 sqrt(gamma) |x_j(T)|", claims=SQRT, over=STEPS,
              time=8.0, grazing=True),
        drops("gradients of single rows", claims=SQRT, over=STEPS, time=8.0,
              sampling="full batch", paths=1),
        drops("no single rows", claims=FULL_BATCH, over=STEPS, time=8.0),
        drops("no weight ends near 0: |w_j(T)| >= 3 sqrt(gamma) |x_j(T)|", claims=FULL_BATCH,
              over=STEPS, time=8.0, sampling="full batch", paths=1, strengths=(3.0,) * 4),
        drops("no sign changes", claims=FULL_BATCH, over=STEPS, time=8.0, crossings=3, distance=1.0,
              sampling="full batch", paths=1),
        drops("no sign changes", claims=[step_rate.FLOOR], time=8.0, crossings=3, distance=1.0,
              step=2.0**-10, sampling="full batch", paths=1),
        drops("h_min t >= 6", claims=[score_limit.CONSTANT], over=scores_at, d=20, rank=6),
        drops("h_min t >= 6", claims=[score_limit.VARYING], over=scores_at, inputs=3),
    ]  # fmt: skip


def broken_laws() -> list[Control]:
    """Weights near 0, long steps, other samples."""
    near = "every weight 5 standard deviations from 0"
    law = dict(d=12, rank=9, time=2.0, strengths=LAW_STRENGTHS)
    return [
        drops(near, claims=[laws.MEAN], step=2.0**-8, grazing=True, **law),
        drops(near, claims=[laws.SAME_LAW], step=2.0**-8, grazing=True, **law),
        drops("gamma <= 2^-9", claims=[laws.COVARIANCE], step=2.0**-4, **law),
        drops("gamma <= 2^-8", claims=[laws.SECOND], step=2.0**-4, d=12, rank=6, time=4.0),
        drops("no sign changes", claims=[laws.SECOND], step=2.0**-8, d=12, rank=6, time=4.0,
              crossings=6, distance=2.0),
        instead("pruning with the score of infinite time", claims=[laws.SAME_LAW],
                measure=each("independent_limit_score")),
        instead("plain SGD", claims=[laws.SAME_LAW], measure=each("independent_sgd")),
    ]  # fmt: skip


def broken_long_time() -> list[Control]:
    """Exponents outside the window; short times; other methods."""
    outside = dict(claims=[window.INSIDE], over=WINDOW_TIMES)
    short = {"time": [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]}
    digits = dict(data="digits", ratios=(100.0, 1000.0))
    error, loss = [long_time.ERROR], [long_time.LOSS]
    return [
        drops("mu > 1/2", exponents=(0.3,), **outside),
        drops("mu < 1", exponents=(1.25,), **outside),
        drops("T h_A >= 3", claims=[*error, *loss], over=short, **digits),
        drops("T h_A >= 30", claims=[long_time.BEATS], time=8.0, **digits),
        drops("a tenth of the weights is zero", claims=[long_time.BEATS], time=500.0,
              ratios=(10.0,)),
        drops("T h_A >= 100", claims=[long_time.SUPPORT, long_time.LAG_VECTOR], time=12.0, **digits),
        drops("T h_A >= 300", claims=[long_time.LAG_LOSS], time=12.0, **digits),
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
)

if __name__ == "__main__":
    STUDY.main()
