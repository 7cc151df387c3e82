"""The click-prediction network: an embedding for each column of a table, then an MLP.

Source: SequentialAttention++ (arXiv:2402.17902), its experiment on Criteo.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from theory_lab.core import UsageError
from theory_lab.networks.models.small import mlp


class ColumnEmbeddings(nn.Module):
    """Ids int64 (b, columns) -> (b, columns * width): one embedding a column, in one table.

    Column j holds ids below `vocabularies[j]` and owns that many rows of `table`.
    """

    offsets: Tensor

    def __init__(self, vocabularies: Sequence[int], width: int) -> None:
        super().__init__()
        offsets = [0, *itertools.accumulate(vocabularies)]
        self.table = nn.Embedding(offsets[-1], width)
        self.out_features = len(vocabularies) * width
        self.register_buffer("offsets", torch.tensor(offsets[:-1]), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        return self.table(ids + self.offsets).flatten(1)


def click_mlp(
    vocabularies: Sequence[int],
    *,
    classes: int = 2,
    embedding: int = 10,
    hidden: Sequence[int] = (400, 400, 400),
) -> nn.Module:
    """Embeddings of width `embedding` -> `hidden` layers with ReLU -> logits (b, classes).

    `classes` = 1 gives the one logit of binary cross-entropy. The linear layers are mlp.fc1, …: the
    first is (400, 10 * columns). UsageError for a table without columns or an empty vocabulary.
    """
    if not vocabularies or min(vocabularies) < 1:
        raise UsageError("The click network needs columns with at least one id each.")
    embeddings = ColumnEmbeddings(vocabularies, embedding)
    layers = mlp((embeddings.out_features, *hidden, classes))
    return nn.Sequential(OrderedDict(embeddings=embeddings, mlp=layers))
