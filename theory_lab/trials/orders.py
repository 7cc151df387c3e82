"""Which of two methods ends better, at the same sparsity, on the same problems, in the same time."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np

from theory_lab.core import Claim, Condition, Record, Source
from theory_lab.core.reduce import Quantity, paired_contrast, paired_difference
from theory_lab.core.types import ENOUGH_SEEDS, Relation
from theory_lab.trials import levels
from theory_lab.trials.training import TRAINING

ATTENTION_PAPER, RANK_PAPER = "arXiv:2402.17902", "arXiv:2311.17493"
BASELINE = "gradual magnitude"
SAME_RAMP = "gradual exponential"
"""Gradual magnitude pruning on the schedule of RPG: what is left is the rank loss."""
NOT_DIVERGED = Condition("no training diverged", lambda f: not np.any(f["diverged"]))


class Order(NamedTuple):
    """Two methods and the claim that compares them; `first` is None where a case names it."""

    first: str | None
    second: str
    claim: Claim


def contrast(
    name: str,
    source: Source,
    statement: str,
    first: str | None,
    second: str,
    quantity: Quantity,
    *,
    relation: Relation = ">=",
    predicted: float = 0.0,
    tolerance: float = 1e-7,
    formula: str,
) -> Order:
    """The mean over seeds of `quantity` under the first method minus that under the second."""
    claim = Claim(
        f"trials.{name}",
        source,
        statement,
        relation=relation,
        experiment=TRAINING,
        measure=paired_contrast(quantity, "method", first, second, level=levels.LEVEL),
        predict=lambda f: predicted,
        scale=1.0,
        tolerance=tolerance,
        observed=["diverged"],
        conditions=[ENOUGH_SEEDS, NOT_DIVERGED],
        basis="empirical",
        formula=formula,
    )
    return Order(first, second, claim)


def accuracy(name: str, source: Source, better: str, worse: str) -> Order:
    """The claim that one method is at least as accurate as another."""
    return contrast(
        name, source, f"The test accuracy of {better} is at least that of {worse}.",
        better, worse, "test_accuracy", formula="accuracy of the first − accuracy of the second ≥ 0",
    )  # fmt: skip


def log_delta_rank(record: Record) -> float:
    """log of the mean delta-rank of the layers but the last."""
    return math.log(float(np.mean(record.result("delta_rank").value[:-1])))


ATTENTION = accuracy(
    "attention.accuracy",
    Source(ATTENTION_PAPER, "experiments: SequentialAttention++ against ACDC"),
    "SequentialAttention++",
    "ACDC",
)

CLICKS = contrast(
    "attention.click_loss",
    Source(ATTENTION_PAPER, "experiments: click prediction"),
    "In click prediction the test loss of SequentialAttention++ is at most that of ACDC.",
    "SequentialAttention++", "ACDC", "test_loss",
    relation="<=", formula="test loss of the first − test loss of the second ≤ 0",
)  # fmt: skip

EVERY_STEP_RANK = contrast(
    "rank.every_step",
    Source(RANK_PAPER, "the rank loss, added to every step's loss"),
    "With the rank loss in every step the mean delta-rank of the layers but the last is at least 1.3"
    " times that of gradual magnitude pruning on the same schedule.",
    "RPG every step", SAME_RAMP, log_delta_rank,
    predicted=math.log(1.3), formula="log(delta-rank ratio) ≥ log 1.3",
)  # fmt: skip

GROWTH_ONLY_RANK = contrast(
    "rank.growth_only",
    Source(RANK_PAPER, "the rank loss at the updates of the mask, as in the authors' code"),
    "With the rank loss at the updates of the mask alone the mean delta-rank of the layers but the"
    " last is within 10 % of that of gradual magnitude pruning on the same schedule.",
    "RPG growth only", SAME_RAMP, log_delta_rank,
    relation="=", tolerance=math.log(1.1), formula="|log(delta-rank ratio)| ≤ log 1.1",
)  # fmt: skip

RPG_ACCURACY = accuracy(
    "rank.accuracy",
    Source(RANK_PAPER, "experiments: RPG against other pruners"),
    "RPG growth only",
    SAME_RAMP,
)

RANK = [EVERY_STEP_RANK, GROWTH_ONLY_RANK, RPG_ACCURACY]


def _slug(method: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", method.lower()).strip("_")


TABLE = [
    accuracy(f"table.{_slug(better)}", Source(paper, "experiments"), better, worse)
    for better, worse, paper in (
        ("SequentialAttention++", "ACDC", ATTENTION_PAPER),
        ("RPG growth only", SAME_RAMP, RANK_PAPER),
        ("RPG every step", SAME_RAMP, RANK_PAPER),
        ("SynFlow", "random IGQ", "arXiv:2006.05467"),
        (BASELINE, "SynFlow", "arXiv:1710.01878"),
    )
]
"""The orders of the scale-up table."""

GRDA_PAPER = "arXiv:2006.09358"

GRDA = Claim(
    "trials.table.grda",
    Source(GRDA_PAPER, "experiments: gRDA against magnitude pruning"),
    "The test accuracy of gRDA, sparse as its c and mu make it, is at least that of the dense run"
    " pruned by magnitude to the same sparsity, BatchNorm's statistics estimated anew.",
    relation=">=",
    experiment=TRAINING,
    measure=paired_difference("test_accuracy", "magnitude_test_accuracy", level=levels.LEVEL),
    predict=lambda f: 0.0,
    scale=1.0,
    observed=["diverged"],
    conditions=[ENOUGH_SEEDS, NOT_DIVERGED],
    basis="empirical",
    formula="accuracy of gRDA − accuracy of magnitude at its sparsity ≥ 0",
)

GRDA_AND_DENSE = contrast(
    "table.grda_dense",
    Source(GRDA_PAPER, "experiments: gRDA against SGD"),
    "The test accuracy of gRDA, sparse as its c and mu make it, is at least that of dense training.",
    None, "dense", "test_accuracy", formula="accuracy of gRDA − accuracy of dense training ≥ 0",
)  # fmt: skip

CLAIMS = [
    *(order.claim for order in (ATTENTION, CLICKS, *RANK, *TABLE, GRDA_AND_DENSE)),
    GRDA,
]
