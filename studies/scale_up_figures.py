"""The figures of the trials: what networks do, beside the lines that theory or a criterion draws.

Each is drawn once for every network and data set that its claims were measured on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import published

from theory_lab.core import Record
from theory_lab.report.plots import (
    Curves,
    Figure,
    Histogram,
    Level,
    Mark,
    Reference,
    Series,
)
from theory_lab.trials import channels, directional, effective, orders
from theory_lab.trials.channels import CHANNELS
from theory_lab.trials.directional import DIRECTIONAL
from theory_lab.trials.effective import EFFECTIVE
from theory_lab.trials.training import TRAINING

EACH = ("net", "data")
PENALTIES = [0.3, 1.0, 3.0]


def on(f: Mapping[str, Any]) -> str:
    """The network and its data, with the number of training examples."""
    examples = f"{f['examples']:,} training examples"
    note = f["note"] if examples in f["note"] else f"{f['note']}, {examples}"
    return f"{f['net']} on {note}"


def trained(f: Mapping[str, Any]) -> str:
    """The same, with the epochs of a run."""
    return f"{on(f)}, {f['epochs']} epochs"


def penalised(f: Mapping[str, Any]) -> str:
    """The same, with the epochs before the penalty and with it."""
    return f"{on(f)}, {f['dense_epochs']} epochs, then {f['penalised_epochs']} with the penalty"


NORM_GAP = Figure(
    "channel_norms",
    "Norms of the channels (under BatchNorm, of the inner ones: the share of the variance that a"
    " channel passes on) with the smoothed group LASSO of strength λ (in nats) and without; the dashed"
    " line is the threshold 2 sqrt(β). Last panel: training loss after the removal of the channels"
    " below it, against the loss before; with BatchNorm's statistics estimated anew; after the removal"
    " of as many random ones; and with the norms of the raw filters, which BatchNorm hides.",
    [*channels.SPLIT, channels.UNPENALISED],
    [
        *(
            Histogram(
                [Series("λ = {}", CHANNELS, "norms", where=dict(norm="", beta=beta), by="strength")],
                xlabel="norm of a channel", ylabel="channels", bins=30, title=f"β = {beta:g}",
                marks=[Mark(r"$2\sqrt{\beta}$", channels.threshold, vertical=True)],
            )
            for beta in (0.01, 0.0025)
        ),
        Curves(
            [
                Series("below it removed, β = {}", CHANNELS, "loss_zeroed", "loss_before",
                       dict(norm="", strength=PENALTIES), by="beta"),
                Series("BatchNorm anew, β = {}", CHANNELS, "loss_reestimated", "loss_before",
                       dict(norm="", strength=PENALTIES), by="beta"),
                Series("random ones, β = {}", CHANNELS, "loss_random", "loss_before",
                       dict(norm="", strength=PENALTIES), by="beta"),
                Series("raw filter norms, β = {}", CHANNELS, "loss_zeroed", "loss_before",
                       dict(norm="filter", strength=PENALTIES), by="beta"),
            ],
            xlabel="training loss before the removal", ylabel="after it", xscale="log",
            yscale="log", joined=False, marks=[Reference("the criterion 1.25 x + .01", channels.allowed_loss)],
        ),
    ],
    each=EACH, setting=penalised,
)  # fmt: skip

SAME_START = dict(independent=False)
FROM_SGD = dict(experiment=DIRECTIONAL, by=("strength", "exponent"), where=SAME_START)
GRDA_RUN, PRUNED_SGD = "gRDA, c = {}, μ = {}", "SGD pruned by magnitude to the same sparsity"

VALLEY = Figure(
    "sgd_and_grda",
    "Training loss on the way from SGD to gRDA (same start, same batches): on the straight line,"
    " beside that to an independent SGD run, and on a trained Bézier curve. Training loss of gRDA and"
    " of SGD pruned by magnitude to the same sparsity. The share of these displacements in the top 10"
    " eigenvectors of the Hessian at SGD, against that of a random direction, sqrt(k/d).",
    directional.CLAIMS,
    [
        Curves(
            [
                Series(GRDA_RUN, y="line", x="position", **FROM_SGD),
                Series("another SGD run", DIRECTIONAL, "line_independent", "position"),
            ],
            xlabel="position from SGD", ylabel="training loss", title="straight line",
        ),
        Curves(
            [Series(GRDA_RUN, y="curve", x="position", **FROM_SGD)],
            xlabel="position from SGD", ylabel="training loss", title="Bézier curve",
        ),
        Curves(
            [
                Series(GRDA_RUN, y="loss_grda", x="sparsity", **FROM_SGD),
                Series(PRUNED_SGD, DIRECTIONAL, "loss_magnitude", "sparsity", SAME_START),
            ],
            xlabel="sparsity", ylabel="training loss", yscale="log", xlim=(-0.03, 1.03), joined=False,
        ),
        Curves(
            [
                Series(GRDA_RUN, y="share", x="sparsity", **FROM_SGD),
                Series(PRUNED_SGD, DIRECTIONAL, "share_magnitude", "sparsity", SAME_START),
            ],
            xlabel="sparsity", ylabel="share in the top eigenvectors", yscale="log", xlim=(-0.03, 1.03),
            joined=False,
            marks=[Level(r"random direction, $\sqrt{k/d}$", DIRECTIONAL, "share_random")],
        ),
    ],
    columns=2, each=EACH, setting=trained,
)  # fmt: skip

ATTENTION = Figure(
    "attention_and_acdc",
    "Square blocks pruned to 95 % sparsity in all layers but the ends (the first convolution, the last"
    " linear layer). Test accuracy and the sparsity of all layers in the course of training (means over"
    " the seeds): SequentialAttention++ prunes block after block, ACDC at once."
    " Between two evaluations nothing is seen.",
    [orders.ATTENTION.claim],
    [
        Curves(
            [
                Series(f"{method}, side {{}}", TRAINING, quantity, "history_step",
                       dict(method=method, sparsity=0.95), by="block")
                for method in (orders.ATTENTION.first, orders.ATTENTION.second)
            ],
            xlabel="step", ylabel=label,
        )
        for quantity, label in (("history_test_accuracy", "test accuracy"), ("history_sparsity", "sparsity"))
    ],
    each=EACH, setting=trained,
)  # fmt: skip


def mean_delta_rank(record: Record) -> float:
    """Over the layers but the last, which has as many rows as there are classes."""
    return float(np.mean(record.result("delta_rank").value[:-1]))


RANKED = ("gradual exponential", "RPG growth only", "RPG every step")

RANKS = Figure(
    "rank_of_trained_layers",
    "Pruned to 95 % sparsity on the same schedule for all. Left: test accuracy against the delta-rank"
    " (δ = .1), mean over the layers but the last, one marker for each run (with two standard errors"
    " where several have the same). Right: delta-rank of each layer, means over the seeds.",
    [order.claim for order in orders.RANK],
    [
        Curves(
            [
                Series(method, TRAINING, "test_accuracy", mean_delta_rank,
                       dict(method=method, sparsity=0.95))
                for method in RANKED
            ],
            xlabel="mean delta-rank", ylabel="test accuracy", joined=False,
        ),
        Curves(
            [
                Series(method, TRAINING, "delta_rank", where=dict(method=method, sparsity=0.95))
                for method in RANKED
            ],
            xlabel="number of the layer, from 0", ylabel="delta-rank",
        ),
    ],
    each=EACH, setting=trained,
)  # fmt: skip

DIRECT_EFFECTIVE = Figure(
    "direct_and_effective",
    "The number of weights on a path from an input to an output, against the direct compression. Left:"
    " pruned at random by three layer quotas (markers) and the exact expectation (lines). Right:"
    " pruned after training by scores; the line is the number of kept weights.",
    effective.CLAIMS,
    [
        Curves(
            [
                Series(method, EFFECTIVE, "active", "compression", dict(method=method),
                       line=effective.expected_at)
                for method in effective.QUOTA
            ],
            xlabel="direct compression", ylabel="weights on a path", xscale="log", yscale="log",
        ),
        Curves(
            [
                Series(method, EFFECTIVE, "active", "compression", dict(method=method))
                for method in ("SynFlow", "magnitude", "LAMP", "SNIP")
            ],
            xlabel="direct compression", ylabel="weights on a path", xscale="log", yscale="log",
            marks=[Reference("kept weights", effective.kept)],
        ),
    ],
    each=EACH, setting=on,
)  # fmt: skip

TABLE_CLAIMS = [claim for claim in orders.CLAIMS if claim.id.startswith("trials.table.")]
UNSTRUCTURED = (
    "gradual magnitude", "gradual exponential", "RPG growth only", "RPG every step", "SynFlow",
    "random IGQ",
)  # fmt: skip
ON_TABLE = dict(each=EACH, setting=trained)
DENSE = Level("dense", TRAINING, "test_accuracy", dict(method="dense"))
BARS = "Bars: two standard errors over the seeds."


def is_grda(method: str) -> bool:
    return method.startswith("gRDA")


def methods(y: Any, x: str = "sparsity") -> list[Series]:
    """Every method that prunes single weights, and gRDA at the sparsities that it reaches."""
    return [
        *(
            Series(method, TRAINING, y, x, dict(method=method, block=1), point="sparsity")
            for method in UNSTRUCTURED
        ),
        Series("gRDA over its (c, μ)", TRAINING, y, x, dict(method=is_grda), point="method"),
    ]


ACCURACY = Figure(
    "accuracy_and_sparsity",
    "Test accuracy against sparsity at the end of training, single weights pruned; gRDA at the"
    f" sparsities that it reaches, and the dense runs pruned by magnitude to the same. {BARS} Large"
    " hollow markers: published figures of the networks and data in the legend, if there are any on"
    " these data, from other recipes and budgets; beside ours, never as equal. Their sources:"
    f" {published.SOURCES}.",
    TABLE_CLAIMS,
    Curves(
        [
            *methods("test_accuracy"),
            Series("dense runs pruned to gRDA's sparsity", TRAINING, "magnitude_test_accuracy",
                   "sparsity", dict(method=is_grda), point="method"),
        ],
        xlabel="sparsity", ylabel="test accuracy", xscale="sparsity",
        marks=[DENSE, *published.UNSTRUCTURED],
    ),
    wide=True,
    **ON_TABLE,
)  # fmt: skip

BLOCKS = Figure(
    "blocks_and_sparsity",
    f"Test accuracy against sparsity at the end of training, square blocks pruned. {BARS} Large"
    f" hollow markers: published figures, if there are any on these data ({published.BLOCK_SOURCE}).",
    TABLE_CLAIMS,
    [
        Curves(
            [
                Series(method, TRAINING, "test_accuracy", "sparsity",
                       dict(method=method, block=side), point="sparsity")
                for method in (orders.ATTENTION.first, orders.ATTENTION.second)
            ],
            xlabel="sparsity", ylabel="test accuracy", xscale="sparsity",
            title=f"blocks of side {side}", marks=[DENSE, *published.blocks(side)],
        )
        for side in (4, 8, 16)
    ],
    **ON_TABLE,
)  # fmt: skip

RANK_AND_PATHS = Figure(
    "rank_and_compression",
    "Left: delta-rank (δ = .1), mean over the layers but the last, against sparsity. Right: effective"
    " compression (all weights / those on a path from the input to an output) against the direct one"
    f" (all / kept). {BARS}",
    TABLE_CLAIMS,
    [
        Curves(methods(mean_delta_rank), xlabel="sparsity", ylabel="mean delta-rank", xscale="sparsity"),
        Curves(
            methods("effective_compression", "compression"),
            xlabel="direct compression", ylabel="effective compression", xscale="log", yscale="log",
            marks=[Reference("effective = direct", lambda f, x: x)],
        ),
    ],
    **ON_TABLE,
)  # fmt: skip

LAYERS = Figure(
    "layer_densities",
    "The share of the weights that each layer keeps, in the order of the network, means over the seeds."
    " Left: all methods at 95 % sparsity. Right: gRDA at the sparsity that each of its settings"
    " reaches.",
    TABLE_CLAIMS,
    [
        Curves(
            [
                Series(method, TRAINING, "density", where=dict(method=method, block=1, sparsity=0.95))
                for method in UNSTRUCTURED
            ],
            xlabel="number of the layer, from 0", ylabel="share of weights kept", yscale="log",
            title="95 % sparse",
        ),
        Curves(
            [Series("{}", TRAINING, "density", where=dict(method=is_grda), by="method")],
            xlabel="number of the layer, from 0", ylabel="share of weights kept", yscale="log",
            title="gRDA",
        ),
    ],
    **ON_TABLE,
)  # fmt: skip

FIGURES = [
    NORM_GAP, VALLEY, ATTENTION, RANKS, DIRECT_EFFECTIVE, ACCURACY, BLOCKS, RANK_AND_PATHS, LAYERS,
]  # fmt: skip
