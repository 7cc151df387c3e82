"""The validated algorithms on real networks: torch models, optimisers, pruners, training, export.

    from theory_lab import networks as nets

    model = nets.models.resnet(20)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    prune = nets.pruners.SequentialAttention(model, optimizer, block=(8, 8), sparsity=0.9, steps=9000)

The protocol of a training loop is that of `pruners.base`; `train.fit` is one. `measures` says what a
model is like, `export` makes it small.
"""

from theory_lab.networks import (
    datasets,
    distributed,
    export,
    graph,
    measures,
    models,
    pruners,
    train,
)
from theory_lab.networks.loader import Loader
from theory_lab.networks.optim import GRDA
from theory_lab.networks.recipe import Recipe

__all__ = [
    "GRDA",
    "Loader",
    "Recipe",
    "datasets",
    "distributed",
    "export",
    "graph",
    "measures",
    "models",
    "pruners",
    "train",
]
