"""The figures of the trials: what networks do, beside the lines that theory or a criterion draws."""

from __future__ import annotations

from theory_lab.report.plots import (
    Curves,
    Figure,
    Histogram,
    Mark,
    PredictedMeasured,
    Series,
    entry,
)
from theory_lab.trials import channels, directional, effective, orders
from theory_lab.trials.channels import CHANNELS
from theory_lab.trials.directional import DIRECTIONAL
from theory_lab.trials.effective import EFFECTIVE
from theory_lab.trials.training import TRAINING

DIGITS = dict(data="digits")
RESNET = DIGITS | dict(net="resnet8w8", beta=0.01)

NORM_GAP = Figure(
    "channel_norms",
    "ResNet-8 of width 8 on digits. Left: norms of the inner channels (the share of the variance that"
    " a channel passes on) with the smoothed group LASSO (λ = 1 nat) and without; the dashed line is"
    " the threshold 2 sqrt(β). Right: training loss after the removal of the channels below it,"
    " against the loss before; with BatchNorm's statistics estimated anew; after the removal of as many"
    " random ones; and with the norms of the raw filters (λ = 3), which BatchNorm hides.",
    [channels.NEAR, channels.SIDES, channels.REMOVAL, channels.UNPENALISED],
    [
        Histogram(
            [
                Series("λ = {}", CHANNELS, "norms", where=RESNET | dict(norm="", strength=[0.0, 1.0]),
                       by="strength"),
            ],
            xlabel="norm of a channel", ylabel="channels", bins=30,
            marks=[Mark(r"$2\sqrt{\beta}$", channels.threshold, vertical=True)],
        ),
        Curves(
            [
                Series("below it removed", CHANNELS, "loss_zeroed", "loss_before",
                       RESNET | dict(norm="", strength=1.0), line=channels.allowed_loss),
                Series("BatchNorm anew", CHANNELS, "loss_reestimated", "loss_before",
                       RESNET | dict(norm="", strength=1.0)),
                Series("random ones", CHANNELS, "loss_random", "loss_before",
                       RESNET | dict(norm="", strength=1.0)),
                Series("raw filter norms", CHANNELS, "loss_zeroed", "loss_before",
                       RESNET | dict(norm="filter", strength=3.0)),
            ],
            xlabel="training loss before the removal", ylabel="after it", xscale="log", yscale="log", joined=False,
        ),
    ],
    note="line: the criterion 1.25 x + .01",
)  # fmt: skip

RUN = dict(strength=0.01, exponent=0.75)

VALLEY = Figure(
    "straight_line",
    "MLP 64-128-10 on digits, 50 epochs. Left: training loss on the straight line and on a trained"
    " Bézier curve from SGD to gRDA (same start, same batches; c = .01, μ = .75), and on the straight"
    " line between two independent SGD runs. Middle:"
    " training loss of gRDA and of SGD pruned by magnitude to the same sparsity. Right: the share of"
    " the displacement in the top 10 eigenvectors of the Hessian, against that of a random direction.",
    directional.CLAIMS,
    [
        Curves(
            [
                Series("SGD to gRDA", DIRECTIONAL, "line", "position", RUN | dict(independent=False)),
                Series("on a curve", DIRECTIONAL, "curve", "position", RUN | dict(independent=False)),
                Series("SGD to another SGD", DIRECTIONAL, "line_independent", "position", RUN | dict(independent=True)),
            ],
            xlabel="position on the line or curve", ylabel="training loss",
        ),
        Curves(
            [
                Series("gRDA", DIRECTIONAL, "loss_grda", "sparsity", dict(independent=False)),
                Series("SGD pruned by magnitude", DIRECTIONAL, "loss_magnitude", "sparsity", dict(independent=False)),
            ],
            xlabel="sparsity", ylabel="training loss", yscale="log", joined=False,
        ),
        PredictedMeasured([directional.HESSIAN_SHARE], xlabel=r"random direction: $\sqrt{k/d}$", ylabel="share of the displacement"),
    ],
)  # fmt: skip

ATTENTION = Figure(
    "attention_and_acdc",
    "MLP 64-256-256-10 on digits, blocks of side 16 at 95 % sparsity. Test accuracy and sparsity in the"
    " course of training (means over the seeds): SequentialAttention++ prunes block after block, ACDC"
    " at once.",
    [orders.ATTENTION.claim],
    [
        Curves(
            [
                Series(method, TRAINING, quantity, "history_step",
                       DIGITS | dict(method=method, block=16, sparsity=0.95, net="mlp-64-256-256-10"))
                for method in (orders.ATTENTION.first, orders.ATTENTION.second)
            ],
            xlabel="step", ylabel=label,
        )
        for quantity, label in (("history_test_accuracy", "test accuracy"), ("history_sparsity", "sparsity"))
    ],
)  # fmt: skip

RANKED = ("gradual exponential", "RPG growth only", "RPG every step")

RANKS = Figure(
    "rank_of_trained_layers",
    "MLP 64-128-128-10 on digits at 95 % sparsity, the same schedule for all. Left: test accuracy"
    " against the delta-rank (δ = .1) of the second layer, one marker for each rank met, with two"
    " standard errors where several seeds met it. Right: delta-rank of each layer, means over the"
    " seeds.",
    [order.claim for order in orders.RANK],
    [
        Curves(
            [
                Series(method, TRAINING, "test_accuracy", entry("delta_rank", 1),
                       DIGITS | dict(method=method, sparsity=0.95, net="mlp-64-128-128-10"))
                for method in RANKED
            ],
            xlabel="delta-rank of the second layer", ylabel="test accuracy", joined=False,
        ),
        Curves(
            [
                Series(method, TRAINING, "delta_rank",
                       where=DIGITS | dict(method=method, sparsity=0.95, net="mlp-64-128-128-10"))
                for method in RANKED
            ],
            xlabel="number of the layer, from 0", ylabel="delta-rank",
        ),
    ],
)  # fmt: skip

NET = DIGITS | dict(net="mlp-64-300-100-10")

DIRECT_EFFECTIVE = Figure(
    "direct_and_effective",
    "MLP 64-300-100-10 on digits: the number of weights on a path from an input to an output, against"
    " the direct compression. Left: pruned at random by three layer quotas (markers) and the exact"
    " expectation (lines). Right: pruned after training by scores; the line is the number of kept"
    " weights.",
    effective.CLAIMS,
    [
        Curves(
            [
                Series(method, EFFECTIVE, "active", "compression", NET | dict(method=method, epochs=0),
                       line=effective.expected_at)
                for method in effective.QUOTA
            ],
            xlabel="direct compression", ylabel="weights on a path", xscale="log", yscale="log",
        ),
        Curves(
            [
                Series("SynFlow", EFFECTIVE, "active", "compression", NET | dict(method="SynFlow", epochs=5),
                       line=effective.kept),
                *(
                    Series(method, EFFECTIVE, "active", "compression", NET | dict(method=method, epochs=5))
                    for method in ("magnitude", "LAMP", "SNIP")
                ),
            ],
            xlabel="direct compression", ylabel="weights on a path", xscale="log", yscale="log",
        ),
    ],
)  # fmt: skip

TABLE_METHODS = (
    "gradual magnitude", "gradual exponential", "RPG growth only", "RPG every step", "SynFlow", "random IGQ",
    "SequentialAttention++", "ACDC",
)  # fmt: skip

TABLE = Figure(
    "accuracy_and_sparsity",
    "Test accuracy, delta-rank and effective compression of pruned residual networks against their"
    " sparsity; SequentialAttention++ and ACDC in blocks of side 4. Bars: two standard errors over"
    " the seeds.",
    [order.claim for order in orders.TABLE],
    [
        Curves(
            [
                Series(method, TRAINING, quantity, "sparsity",
                       dict(method=method, net=["resnet20", "resnet18"], data=["cifar10", "cifar10_jpeg"],
                            block=[1, 4], sparsity=[0.9, 0.95, 0.98, 0.99]))
                for method in TABLE_METHODS
            ],
            xlabel="sparsity", ylabel=label, yscale=scale,
        )
        for quantity, label, scale in (
            ("test_accuracy", "test accuracy", "linear"),
            ("delta_rank", "mean delta-rank", "linear"),
            ("effective_compression", "effective compression", "log"),
        )
    ],
)  # fmt: skip

FIGURES = [NORM_GAP, VALLEY, ATTENTION, RANKS, DIRECT_EFFECTIVE, TABLE]
