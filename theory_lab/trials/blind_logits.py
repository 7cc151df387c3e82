"""BatchNorm hides the scale of a filter, hence what the logits of a row of blocks have in common."""

from __future__ import annotations

from typing import Annotated, Any

from theory_lab.core import Claim, Condition, Experiment, Source
from theory_lab.core.checks import at_least, one_of
from theory_lab.core.reduce import each
from theory_lab.trials.problems import data_of, draw, fresh_model

TINY = 1e-30
"""eps of BatchNorm here: torch wants it positive; beside a variance it is 0."""


def run(
    at: dict[str, Any],
    *,
    block: Annotated[int, at_least(1)],
    follows: Annotated[str, one_of(("BatchNorm", "nothing"))],
    batch_size: Annotated[int, at_least(2)] = 64,
    rng: Any,
) -> dict[str, Any]:
    """The gradient of a batch's loss in the logits of all convolutions but the first.

    `row_sum`: the largest |sum over a row of blocks|, `size`: the largest entry of the gradient
    (float64, batch statistics). `follows="nothing"` replaces every BatchNorm
    by an identity.
    """
    import torch

    from theory_lab.networks.loader import Loader
    from theory_lab.networks.pruners import SequentialAttention

    model = fresh_model(at, "cpu").double()
    _prepare(model, follows)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    pruner = SequentialAttention(model, optimizer, sparsity=0.5, steps=100, block=block)
    inputs, labels = next(iter(Loader(data_of(at, "cpu"), batch_size, seed=at["seed"])))
    model.train()
    loss = torch.nn.functional.cross_entropy(model(inputs.double()), labels)
    gradients = torch.autograd.grad(loss, [layer.logits for layer in pruner.layers])
    return dict(
        row_sum=max(float(g.sum(1).abs().max()) for g in gradients),
        size=max(float(g.abs().max()) for g in gradients),
    )


def _prepare(model: Any, follows: str) -> None:
    """BatchNorm with next to no eps, or none at all."""
    import torch

    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, torch.nn.BatchNorm2d):
                child.eps = TINY
                if follows == "nothing":
                    setattr(module, name, torch.nn.Identity())


BLIND_LOGITS = Experiment("trials.blind_logits", draw, run)

CLAIM = Claim(
    "trials.blind_logits",
    Source("the lab", "invariance of BatchNorm under the scale of a filter"),
    "Where BatchNorm follows a layer, the gradients of SequentialAttention++'s logits sum to 0 over"
    " every row of blocks: the logits rank the blocks of a row, not the rows.",
    experiment=BLIND_LOGITS,
    observed=["size"],
    measure=each("row_sum"),
    predict=lambda f: 0.0,
    scale=lambda f: f["size"],
    tolerance=1e-9,
    conditions=[Condition("BatchNorm follows", lambda f: f["follows"] == "BatchNorm")],
    basis="finding",
    formula="Σ_b ∂L/∂ℓ_ab = 0 for every row a of blocks",
)
CLAIMS = [CLAIM]
