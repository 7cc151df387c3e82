"""What a study's figures are drawn from: its records, and its claims as judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory_lab.core import Experiment, Record
from theory_lab.core.evidence import Evidence


class NothingToDraw(Exception):
    """The records that a figure shows are not there; the message says which."""


@dataclass(frozen=True, eq=False)
class Material:
    """Records in the order of the study's plan, and evidence by claim id."""

    records: Sequence[Record]
    evidence: Mapping[str, Evidence]

    def of(self, experiment: Experiment, where: Mapping[str, Any]) -> list[Record]:
        """The records of an experiment whose parameters are those of `where`.

        A list in `where` means any of its entries. NothingToDraw if there is no such record.
        """
        found = [
            record
            for record in self.records
            if record.experiment == experiment.id
            and all(_agrees(record.params.get(name), value) for name, value in where.items())
        ]
        if not found:
            asked = ", ".join(f"{name}={value}" for name, value in where.items())
            raise NothingToDraw(
                f"There is no record of {experiment.id} with {asked or 'any case'}."
            )
        return found


def _agrees(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return any(_agrees(value, one) for one in wanted)
    return value is not None and bool(np.array_equal(value, wanted))
