"""The figures of both matrix-sensing studies: which records, and which bound goes through them."""

from __future__ import annotations

from theory_lab.report.plots import (
    SHARES,
    Boundary,
    Curves,
    Figure,
    Geometric,
    HeatMap,
    Histogram,
    Mark,
    PredictedMeasured,
    Series,
    entry,
    hits,
    share_above,
    trace,
)  # fmt: skip
from theory_lab.theorems.matrix_sensing.bounds import fine_tuning as tuning
from theory_lab.theorems.matrix_sensing.bounds import finite_samples as samples
from theory_lab.theorems.matrix_sensing.bounds import stationary_points as points
from theory_lab.theorems.matrix_sensing.bounds import unregularised as flow
from theory_lab.theorems.matrix_sensing.claims import (
    budget_law,
    fine_tuning,
    finite_samples,
    hessian_spectrum,
    overparameterised,
    pruned_loss,
    quadratic_network,
    survivors,
    unregularised,
)  # fmt: skip
from theory_lab.theorems.matrix_sensing.experiments.budget import BUDGET
from theory_lab.theorems.matrix_sensing.experiments.column_norms import COLUMN_NORMS
from theory_lab.theorems.matrix_sensing.experiments.error_floor import (
    OVERPARAMETERISED_ERROR,
    PRUNED_ERROR,
)
from theory_lab.theorems.matrix_sensing.experiments.fine_tuning import FINE_TUNING, IDLE_COLUMNS
from theory_lab.theorems.matrix_sensing.experiments.finite_samples import FINITE_SAMPLES
from theory_lab.theorems.matrix_sensing.experiments.phase_diagram import PHASE_DIAGRAM
from theory_lab.theorems.matrix_sensing.experiments.restricted_isometry import RESTRICTED_ISOMETRY
from theory_lab.theorems.matrix_sensing.experiments.unregularised import CROWD

MARKERS_AND_LINES = "markers: measured, lines: predicted"


NORMS = Figure(
    "column_norms",
    "Norms of all columns after descent with and without the regulariser, r = 4 equal eigenvalues,"
    " d = k: fraction of columns at least x times as long as the longest (left), and their"
    " histogram (middle). Right: without regulariser and for r = 1 the fraction is an integral of"
    " order statistics and falls only slowly with the number of columns.",
    [budget_law.COLUMN_NORM_FRACTIONS, unregularised.FRACTION],
    [
        Curves(
            [
                Series("with regulariser", COLUMN_NORMS, share_above("norms"), SHARES, dict(regularised=True),
                       line=lambda f, x: points.regularised_share(len(f["eigenvalues"]), f["k"], 1)),
                Series("without regulariser", COLUMN_NORMS, share_above("norms"), SHARES, dict(regularised=False)),
            ],
            xlabel="x, in norms of the longest column",
            ylabel="fraction of columns",
            yscale="log",
        ),
        Histogram(
            [
                Series("with regulariser", COLUMN_NORMS, "norms", where=dict(regularised=True)),
                Series("without regulariser", COLUMN_NORMS, "norms", where=dict(regularised=False)),
            ],
            xlabel=r"column norm $\|u_i\|$",
            ylabel="columns",
            bins=30,
            yscale="log",
        ),
        Curves(
            [
                Series(f"without regulariser, r = 1, x = {x}", CROWD, entry("fractions", place), "k", dict(lam=0.0, size=1e-4),
                       line=lambda f, k, x=x: flow.fraction_above(k, [x]))
                for place, x in enumerate((0.25, 0.5, 0.75))
            ],
            xlabel="columns k",
            ylabel="fraction of columns",
            xscale="log",
            ylim=(0, None),
        ),
    ],
    note="markers: measured, lines: predicted (for r = 4 without regulariser: through the markers)",
)  # fmt: skip

PHASES = Figure(
    "phase_diagram",
    "Share of starts after which exactly r columns survive, at stationary points over the plane of"
    " regularisations; d = 10, k = 8, small starts (scale 0.1). Left of the first curve exactly r"
    " columns are guaranteed, right of the second no column can be stable above the threshold.",
    [survivors.GUARANTEED, survivors.IMPOSSIBLE],
    [
        HeatMap(
            PHASE_DIAGRAM, "loads", "widths", "exact",
            xlabel=r"$\lambda\,/\,(2\sqrt{\beta}\,\mu_r)$", ylabel=r"$\beta\,/\,\mu_r$",
            zlabel="share of exact runs",
            where=dict(eigenvalues=eigenvalues, scale=0.1, steps=20_000),
            boundaries=[
                Boundary("exactly r columns guaranteed",
                         lambda f, x, y: points.guaranteed_cells(f["eigenvalues"][-1], [x], [y])),
                Boundary("no stable column above the threshold",
                         lambda f, x, y: points.possible_cells(f["eigenvalues"][-1], [x], [y])),
            ],
            xscale="log", yscale="log",
            title=f"eigenvalues {', '.join(f'{mu:g}' for mu in eigenvalues)}",
        )
        for eigenvalues in ((1.5, 1.0), (3.0, 2.0, 2.0))
    ],
)  # fmt: skip

CLOSED_FORMS = Figure(
    "closed_forms",
    "Certified stationary points against their closed forms: squared norms of the kept columns,"
    " loss after pruning, and all Hessian eigenvalues.",
    [survivors.KEPT_NORMS, pruned_loss.VALUE, hessian_spectrum.HESSIAN_SPECTRUM],
    [
        PredictedMeasured([survivors.KEPT_NORMS], title=r"squared norms $\|u_i\|^2$"),
        PredictedMeasured([pruned_loss.VALUE], title=r"pruned loss $\|U U^T - X^*\|_F^2$"),
        PredictedMeasured([hessian_spectrum.HESSIAN_SPECTRUM], title="Hessian eigenvalues"),
    ],
)

SURVIVORS = Figure(
    "survivors",
    "Mean number of columns above the pruning threshold along plain descent, against"
    " η t λ / √μ₁: whatever the number of columns k, it collapses to r.",
    [budget_law.BUDGET_LAW],
    Curves(
        [
            Series(f"r = {len(eigenvalues)}, k = {k}", BUDGET, trace("survivors"), trace("budget"),
                   dict(k=k, lam=0.1, beta=0.01, eigenvalues=eigenvalues),
                   line=lambda f, _: len(f["spectrum"]))
            for k, eigenvalues in ((8, (1.0,)), (8, (1.5, 1.0)), (10, (1.0,) * 4), (16, (1.0,) * 4), (12, (1.0,) * 7))
        ],
        xlabel=r"$\eta\, t\, \lambda\, /\, \sqrt{\mu_1}$",
        ylabel="mean number of survivors",
        xlim=(None, 8),
    ),
    note="markers: measured, lines: r",
)  # fmt: skip

TUNED = dict(d=30, eigenvalues=(2.0, 1.5, 1.0))


def generic_rate(f, step=None):
    return tuning.generic_rate(f["spectrum"][0], f["spectrum"][-1], step or f["step"])


def pruned_rate(f, step=None):
    return tuning.pruned_rate(f["spectrum"][0], f["spectrum"][-1], step or f["step"])


def idle_error(f, steps):
    return tuning.overparameterised_error(f["d"], f["k"], len(f["spectrum"]), f["step"], steps)


ERRORS = Figure(
    "fine_tuning",
    "Error against gradient steps of size 0.05, eigenvalues 2, 1.5, 1. Left: a pruned model"
    " converges linearly at its own rate, faster than a generic start with r columns; without"
    " pruning the error hardly falls (lines through the markers). Right: it falls like 1/t.",
    [fine_tuning.RATE_GENERIC, fine_tuning.RATE_PRUNED, *overparameterised.CLAIMS],
    [
        Curves(
            [
                Series("pruned", FINE_TUNING, "error", where=TUNED | dict(model="pruned", step=0.05),
                       line=Geometric(pruned_rate, below=1e-2)),
                Series("generic start, r columns", FINE_TUNING, "error", where=TUNED | dict(model="generic", step=0.05),
                       line=Geometric(generic_rate, below=1e-4)),
                Series("all k = {} columns", FINE_TUNING, "error", where=TUNED | dict(model="unpruned", step=0.05, k=[4, 6, 10, 20]),
                       by="k"),
            ],
            xlabel="step t", ylabel=r"$\|U_t U_t^T - X^*\|_F$", yscale="log",
            xlim=(None, 100), ylim=(1e-10, None),
        ),
        Curves(
            [
                Series("all k = {} columns", IDLE_COLUMNS, "error", "steps", dict(d=20, eigenvalues=(2.0, 1.5, 1.0), step=0.05, k=[4, 6, 10, 20],
                       steps=[500, 1000, 2000, 4000, 8000, 16000]), by="k", line=idle_error),
            ],
            xlabel="step t", ylabel=r"$\|U_t U_t^T - X^*\|_F$", xscale="log", yscale="log",
        ),
    ],
    note=f"{MARKERS_AND_LINES} (left, all k columns: through the markers)",
)  # fmt: skip

RATES = Figure(
    "fine_tuning_rate",
    "Factor per step by which the error falls, against the step size: max(|1 - 4 η μ_r|,"
    " |1 - 8 η μ_1|) from generic starts, max(|1 - 8 η μ_r|, |1 - 8 η μ_1|) from pruned"
    " models; beyond 1/(4 μ_1) descent is unstable.",
    [fine_tuning.RATE_GENERIC, fine_tuning.RATE_PRUNED, fine_tuning.EDGE],
    [
        Curves(
            [
                Series("generic start", FINE_TUNING, "rate", "step", dict(d=30, eigenvalues=eigenvalues, model="generic"), line=generic_rate),
                Series("pruned", FINE_TUNING, "rate", "step", dict(d=30, eigenvalues=eigenvalues, model="pruned"), line=pruned_rate),
            ],
            xlabel=r"step size $\eta$", ylabel="factor per step", ylim=(0, 1.02),
            marks=[Mark(r"$\eta = 1/(4\mu_1)$", lambda f: tuning.stable_step(f["spectrum"][0]), vertical=True)],
            title=f"eigenvalues {', '.join(f'{mu:g}' for mu in eigenvalues)}",
        )
        for eigenvalues in ((2.0, 1.5, 1.0), (8.0, 3.0, 1.0))
    ],
    note=MARKERS_AND_LINES,
)  # fmt: skip

POPULATION = [NORMS, PHASES, CLOSED_FORMS, SURVIVORS, ERRORS, RATES]


def pruned_floor(f, n):
    return samples.error_floor(
        samples.degrees_of_freedom(f["d"], len(f["eigenvalues"])), n, f["sigma"]
    )


def idle_floor(f, n):
    return samples.error_floor(
        samples.effective_degrees(f["d"], len(f["eigenvalues"]), f["columns"]), n, f["sigma"]
    )


def idle_floor_of(f, columns):
    return samples.error_floor(
        samples.effective_degrees(f["d"], len(f["eigenvalues"]), int(columns)), f["n"], f["sigma"]
    )


def gordon(bound, rank):
    """Gordon's bound with its deviation term, as a function of n."""
    return lambda f, n: bound(samples.spread(f["d"], (rank,), n, finite_samples.LEVEL))


RANKS = (1, 2, 4, 8, 20)
SHOWN = (0, 2, 4)
"""Places in RANKS that are drawn."""

FLOOR = dict(d=12, eigenvalues=(2.0, 1.5), n=[400, 800, 1600, 3200, 6400, 12800])

ERROR_FLOORS = Figure(
    "error_floors",
    "Squared error of the estimate against the number of measurements n (left) and of columns k"
    " (right, n = 1600); d = 12, eigenvalues 2 and 1.5, noise σ = 0.5. Pruning and fine-tuning"
    " reach the floor of least squares on matrices of rank r; pruning alone keeps the bias of the"
    " regulariser; without pruning the idle columns fit noise. Bars: two standard errors.",
    [finite_samples.PRUNED_FLOOR, finite_samples.IDLE_FLOOR],
    [
        Curves(
            [
                Series("pruned, before fine-tuning", PRUNED_ERROR, "error_before", "n", FLOOR | dict(columns=8, lam=0.1)),
                Series("pruned and fine-tuned", PRUNED_ERROR, "error", "n", FLOOR | dict(columns=8, lam=0.1), line=pruned_floor),
                Series("all k = 8 columns", OVERPARAMETERISED_ERROR, "error", "n", FLOOR | dict(columns=8), line=idle_floor),
            ],
            xlabel="measurements n",
            ylabel=r"$\|\hat X - X^*\|_F^2$",
            xscale="log",
            yscale="log",
            marks=[Mark(r"bias of the regulariser, $(\lambda^2/4)\,\Sigma\,\psi'(s_i)^2$", lambda f: points.pruned_loss(f["eigenvalues"], f["lam"], f["beta"]))],
        ),
        Curves(
            [Series("all k columns, n = 1600", OVERPARAMETERISED_ERROR, "error", "columns", FLOOR | dict(n=1600), line=idle_floor_of)],
            xlabel="columns k",
            ylabel=r"$\|\hat X - X^*\|_F^2$",
            ylim=(0, None),
        ),
    ],
    note=f"{MARKERS_AND_LINES} (before fine-tuning: through the markers)",
)  # fmt: skip

ISOMETRY = Figure(
    "restricted_isometry",
    "How far n Gaussian measurements stretch (left) and shrink (right) symmetric matrices of rank"
    " at most m, d = 20: found by local search, below Gordon's bound with its deviation term.",
    finite_samples.CLAIMS[1:3],
    [
        Curves(
            [
                Series(f"m = {RANKS[place]}", RESTRICTED_ISOMETRY, entry(name, place), "n",
                       dict(d=20, ranks=RANKS), line=gordon(bound, RANKS[place]))
                for place in SHOWN
            ],
            xlabel="measurements n",
            ylabel=label,
            xscale="log",
            yscale="log",
        )
        for name, bound, label in (
            ("upper", samples.isometry_excess, r"$\sup\,\langle Z, M(Z)\rangle - 1$"),
            ("lower", samples.isometry_deficit, r"$1 - \inf\,\langle Z, M(Z)\rangle$"),
        )
    ],
    note=MARKERS_AND_LINES,
)  # fmt: skip

SURVIVAL = Figure(
    "finite_sample_survival",
    "Share of runs in which exactly r = 3 columns survive, over the number of measurements and the"
    " regularisation; d = 20, k = 10, β = 0.01, σ = 0.5. Right of the curve the noise alone"
    " is too small to hold a column of its own.",
    [finite_samples.FINITE_SAMPLE_SURVIVAL],
    HeatMap(
        FINITE_SAMPLES, "n", "lam", hits("survivors", 3),
        xlabel="measurements n", ylabel=r"regularisation $\lambda$",
        zlabel="share of runs that keep 3 columns",
        where=dict(d=20, k=10, beta=0.01, sigma=0.5, n=[200, 400, 800, 1600, 3200, 6400, 12800],
                   lam=[0.02, 0.04, 0.08, 0.12, 0.16, 0.2, 0.24]),
        boundaries=[
            Boundary(r"$\sigma\sqrt{2d/n} = \min_{s \geq 4\beta} \varphi(s)$",
                     lambda f, n, lam: samples.noise_level(f["d"], n, f["sigma"]) < samples.least_kept(lam, f["beta"]))
        ],
        xscale="log",
    ),
)  # fmt: skip

NETWORK = Figure(
    "quadratic_network",
    "Quadratic networks, predicted against measured: squared norms of the surviving columns, rates"
    " of fine-tuning, and the floor that noise leaves.",
    [quadratic_network.NORMS, quadratic_network.RATE, quadratic_network.FLOOR],
    [
        PredictedMeasured([quadratic_network.NORMS], title=r"squared norms $\|u_i\|^2$"),
        PredictedMeasured([quadratic_network.RATE], title="rate of fine-tuning"),
        PredictedMeasured([quadratic_network.FLOOR], title=r"error floor $\|\hat X - X^*\|_F^2$"),
    ],
)

SAMPLES = [ERROR_FLOORS, ISOMETRY, SURVIVAL, NETWORK]
