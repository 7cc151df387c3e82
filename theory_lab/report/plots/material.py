"""What a study's figures are drawn from: its records, and its claims as judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from theory_lab.core import Experiment, Record
from theory_lab.core.evidence import Evidence


class NothingToDraw(Exception):
    """The records that a figure shows are not there; the message says which."""


@dataclass(frozen=True, eq=False)
class Material:
    """Records in the order of the study's plan, and evidence by claim id.

    `cases`: the records of each claim's cases and controls, by its id. With `partial` a series
    without a record is left out, and its figure is drawn without it.
    """

    records: Sequence[Record]
    evidence: Mapping[str, Evidence]
    cases: Mapping[str, Sequence[Record]] = field(default_factory=dict)
    partial: bool = False

    def of(self, experiment: Experiment, where: Mapping[str, Any]) -> list[Record]:
        """The records of an experiment whose parameters are those of `where`.

        In `where` a list means any of its entries, and a function those that it is true for.
        NothingToDraw if there is no such record.
        """
        found = self.some(experiment, where)
        if not found:
            asked = ", ".join(
                f"{name}={getattr(value, '__name__', value)}" for name, value in where.items()
            )
            raise NothingToDraw(
                f"There is no record of {experiment.id} with {asked or 'any case'}."
            )
        return found

    def some(self, experiment: Experiment, where: Mapping[str, Any]) -> list[Record]:
        """The same, which may be none."""
        return [
            record
            for record in self.records
            if record.experiment == experiment.id and agree(record.params, where)
        ]

    def split(self, names: Sequence[str], claims: Sequence[str]) -> Iterator[Material]:
        """The material of these claims alone, by the values of these parameters that occur in it."""
        serving = {id(record) for claim in claims for record in self.cases.get(claim, ())}
        records = [record for record in self.records if id(record) in serving]
        values = {tuple(record.params.get(name) for name in names): None for record in records}
        for value in values:
            yield self._only(records, dict(zip(names, value, strict=True)))

    def _only(self, records: Sequence[Record], where: Mapping[str, Any]) -> Material:
        evidence = {
            name: replace(one, judged=[j for j in one.judged if agree(j.observation.facts, where)])
            for name, one in self.evidence.items()
        }
        chosen = [record for record in records if agree(record.params, where)]
        return Material(chosen, evidence, partial=True)


def agree(values: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Whether values are those of `where`: equal to them, among the entries of a list, accepted by a
    function."""
    return all(_agrees(values.get(name), wanted) for name, wanted in where.items())


def _agrees(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return any(_agrees(value, one) for one in wanted)
    if callable(wanted):
        return bool(wanted(value))
    return value is not None and bool(np.array_equal(value, wanted))
