"""The smoothed group LASSO on the channels of a network: a gap of norms, removal, fine-tuning.

The theory of matrix sensing at scale: columns become channels, and the norm of a channel that
BatchNorm follows is its share of the variance (`networks.pruners.channel_norms.share`). Source:
arXiv:2303.11453 for the regulariser and its threshold; the criteria were fixed beforehand.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Annotated, Any

from theory_lab.core import Claim, Experiment, Source
from theory_lab.core.checks import at_least, nonnegative, one_of, positive
from theory_lab.core.reduce import each
from theory_lab.trials.copies import renewed
from theory_lab.trials.problems import data_of, draw
from theory_lab.trials.recipes import dense_model, recipe

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from theory_lab.networks.datasets import Dataset
    from theory_lab.networks.pruners import ChannelGroupLasso

PAPER = "arXiv:2303.11453"
NORMS = ("", "share", "incoming", "filter", "affine", "relative_affine")
EVERY = 5
"""Fine-tuning steps between two looks at the training loss."""
BACK = 1.05
"""Fine-tuning has brought the loss back at this multiple of what it was before the removal."""


def run(
    at: dict[str, Any],
    *,
    strength: Annotated[float, nonnegative],
    beta: Annotated[float, positive],
    norm: Annotated[str, one_of(NORMS)] = "",
    dense_epochs: Annotated[int, at_least(1)] = 10,
    penalised_epochs: Annotated[int, at_least(1)] = 15,
    tuning_epochs: Annotated[int, at_least(1)] = 3,
    batch_size: Annotated[int, at_least(1)] = 64,
    lr: Annotated[float, positive] = 0.1,
    engine: str = "eager",
    rng: Any,
) -> dict[str, Any]:
    """Train densely, then with the penalty `strength` (nats) and `beta`; remove the channels with a
    norm of at most 2 sqrt(beta); fine-tune without the penalty. `norm=""`: the network's usual one.

    Losses are means over the training set: `loss_before` the removal, `loss_zeroed` right after it,
    `loss_reestimated` with BatchNorm's statistics estimated anew, `loss_random` after the removal
    of as many random channels instead. `near`: the share of norms within a factor 2 of the
    threshold; `below`, `above`: how many are on its sides. `recovery`: fine-tuning steps until the
    loss is back at 1.05 times `loss_before`; `budget` + 1 where all of them did not suffice.
    """
    import torch

    from theory_lab.networks import train

    data = data_of(at, rng.device)
    model = dense_model(
        at, rng.device, engine=engine, epochs=dense_epochs, batch_size=batch_size, lr=lr
    )
    plan = recipe(at, epochs=penalised_epochs, batch_size=batch_size, lr=lr)
    options = dict(strength=strength, beta=beta, norm=norm or None)
    penalty = _penalised(model, data, plan, options, engine)
    norms = torch.cat(penalty.norms()).double()
    kept, split = penalty.selected(), penalty.split()
    before = train.evaluate(model, data, train=True).loss
    random = _removed(model, _as_many(kept, at["seed"]), options)
    penalty.prune()
    zeroed = train.evaluate(model, data, train=True)
    anew = renewed(model, data)
    tuning = recipe(
        at, epochs=tuning_epochs, batch_size=batch_size, lr=lr / 10, schedule="constant"
    )
    return dict(
        near=split.near,
        below=int((norms <= penalty.threshold).sum()),
        above=int((norms > penalty.threshold).sum()),
        kept=split.kept,
        loss_before=before,
        loss_zeroed=zeroed.loss,
        loss_reestimated=train.evaluate(anew, data, train=True).loss,
        loss_random=train.evaluate(random, data, train=True).loss,
        accuracy=train.evaluate(model, data).accuracy,
        **_tuned(model, data, tuning, options, kept, BACK * before),
        trace=dict(norms=norms.cpu().numpy()),
    )


def _penalised(
    model: nn.Module, data: Dataset, plan: Any, options: dict[str, Any], engine: str
) -> ChannelGroupLasso:
    """The model trained with the penalty, in place; returns the penalty, nothing removed yet."""
    from theory_lab.networks import train
    from theory_lab.networks.pruners import ChannelGroupLasso

    made: list[ChannelGroupLasso] = []

    def make(model: Any, optimizer: Any, steps: int, batches: Any) -> ChannelGroupLasso:
        made.append(ChannelGroupLasso(model, optimizer, steps=steps, prune_at=None, **options))
        return made[0]

    train.fit(model, data, plan, pruner=make, evaluate_every=0, engine=engine, progress=False)
    return made[0]


def _removed(model: nn.Module, kept: list[Tensor], options: dict[str, Any]) -> nn.Module:
    """A copy of the model without the other channels."""
    smaller = copy.deepcopy(model)
    _holding(smaller, kept, options)
    return smaller


def _holding(
    model: nn.Module, kept: list[Tensor], options: dict[str, Any], optimizer: Any = None
) -> ChannelGroupLasso:
    """A pruner without penalty that keeps just these channels."""
    import torch

    from theory_lab.networks.pruners import ChannelGroupLasso

    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=1.0)
    holding = ChannelGroupLasso(
        model, optimizer, steps=1, prune_at=None, **options | dict(strength=0.0)
    )
    holding.prune(kept)
    return holding


def _as_many(kept: list[Tensor], seed: int) -> list[Tensor]:
    """As many channels of each layer as `kept` has, at random."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return [mask[torch.randperm(len(mask), generator=generator).to(mask.device)] for mask in kept]


def _tuned(
    model: nn.Module,
    data: Dataset,
    plan: Any,
    options: dict[str, Any],
    kept: list[Tensor],
    wanted: float,
) -> dict[str, float]:
    """Fine-tune until the training loss is at most `wanted`: the number of steps, and the budget."""
    from theory_lab.networks import train
    from theory_lab.networks.loader import Loader

    loader = Loader(data, plan.batch_size, seed=plan.seed)
    optimizer = plan.sgd(model)
    holding = _holding(model, kept, options, optimizer)
    budget, step = plan.total_steps(len(loader)), 0
    while True:
        for inputs, labels in loader:
            looks = step % EVERY == 0 or step == budget
            if looks and train.evaluate(model, data, train=True).loss <= wanted:
                return dict(recovery=step, budget=budget)
            if step == budget:
                return dict(recovery=budget + 1, budget=budget)
            _step(model, optimizer, holding, inputs, labels)
            step += 1


def _step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    holding: ChannelGroupLasso,
    inputs: Tensor,
    labels: Tensor,
) -> None:
    import torch

    model.train()
    model.zero_grad()
    torch.nn.functional.cross_entropy(model(inputs), labels).backward()
    if holding.after_backward():
        optimizer.step()
    holding.after_step()


CHANNELS = Experiment("trials.channels", draw, run, device_ready=True)
SOURCE = Source(PAPER, "the columns' norms and the threshold, on the channels of a network")


def threshold(f: Any) -> float:
    """2 sqrt(beta): channels of at most this norm are removed."""
    return 2 * f["beta"] ** 0.5


def allowed_loss(f: Any, before: float) -> float:
    """The training loss that a removal may leave, from the loss before it."""
    return 1.25 * before + 0.01


NEAR = Claim(
    "trials.norm_gap.near",
    SOURCE,
    "With the penalty at most 10 % of the channel norms lie within a factor 2 of 2·sqrt(beta).",
    relation="<=",
    experiment=CHANNELS,
    measure=each("near"),
    predict=lambda f: 0.1,
    basis="empirical",
    formula="#{c : √β ≤ r_c ≤ 4 √β} / #{c} ≤ .1",
)

SIDES = Claim(
    "trials.norm_gap.both_sides",
    SOURCE,
    "With the penalty there are channels on both sides of 2·sqrt(beta).",
    relation=">=",
    experiment=CHANNELS,
    measure=each(lambda record: min(record.result("below").value, record.result("above").value)),
    predict=lambda f: 1.0,
    basis="empirical",
    formula="min(#{r_c ≤ 2√β}, #{r_c > 2√β}) ≥ 1",
)

REMOVAL = Claim(
    "trials.norm_gap.removal",
    SOURCE,
    "Removing the channels with a norm of at most 2·sqrt(beta) leaves the training loss at most"
    " 1.25 times what it was, plus .01.",
    relation="<=",
    experiment=CHANNELS,
    observed=["loss_before"],
    measure=each("loss_zeroed"),
    predict=lambda f: allowed_loss(f, f["loss_before"]),
    basis="empirical",
    formula="L(after) ≤ 1.25 L(before) + .01",
)

UNPENALISED = Claim(
    "trials.norm_gap.unpenalised",
    SOURCE,
    "Without the penalty no channel has a norm of at most 2·sqrt(beta).",
    experiment=CHANNELS,
    measure=each("below"),
    predict=lambda f: 0.0,
    scale=1.0,
    tolerance=0.5,
    basis="empirical",
    formula="#{r_c ≤ 2√β} = 0 at λ = 0",
)

REESTIMATED = Claim(
    "trials.prune_then_tune.batch_norm",
    SOURCE,
    "Estimating BatchNorm's statistics anew after the removal does not raise the training loss.",
    relation="<=",
    experiment=CHANNELS,
    observed=["loss_zeroed"],
    measure=each("loss_reestimated"),
    predict=lambda f: f["loss_zeroed"],
    tolerance=1e-3,
    basis="empirical",
    formula="L(BN anew) ≤ L(after)",
)

RECOVERY = Claim(
    "trials.prune_then_tune.recovery",
    SOURCE,
    "Fine-tuning brings the training loss back to 1.05 times what it was before the removal within"
    " its budget of epochs.",
    relation="<=",
    experiment=CHANNELS,
    observed=["budget"],
    measure=each("recovery"),
    predict=lambda f: f["budget"],
    basis="empirical",
    formula="steps until L ≤ 1.05 L(before) ≤ budget",
)

SPLIT = [NEAR, SIDES, REMOVAL, REESTIMATED, RECOVERY]
"""The claims about a penalised network."""
WITHOUT_NORMS = [NEAR, SIDES, REMOVAL, RECOVERY]
"""Those that say something where there is no BatchNorm."""
CLAIMS = [*SPLIT, UNPENALISED]
