"""Which cells a study needs, and which of them are judged together for which claim."""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from theory_lab.core import Case, Claim, Control, Experiment, Study, UsageError
from theory_lab.core.reduce import Reduction
from theory_lab.core.seeds import canonical_json


@dataclass(frozen=True)
class Cell:
    """The unit of work: one experiment, one complete set of parameters, one replicate."""

    experiment: str
    params: tuple[tuple[str, Any], ...]
    replicate: int

    @property
    def name(self) -> str:
        """Canonical text, part of the ledger's key."""
        return canonical_json([dict(self.params), self.replicate])

    def __str__(self) -> str:
        values = ", ".join(f"{name}={value}" for name, value in self.params)
        return f"{self.experiment}({values}, replicate {self.replicate})"


@dataclass(frozen=True)
class Unit:
    """Cells that one judgement rests on."""

    cells: tuple[Cell, ...]
    label: str


@dataclass(frozen=True)
class ClaimPlan:
    """The units of one claim: its cases, and those of its controls."""

    claim: Claim
    units: tuple[Unit, ...]
    controls: tuple[tuple[Control, tuple[Unit, ...]], ...]

    def cells(self) -> Iterator[Cell]:
        for unit in itertools.chain(self.units, *(units for _, units in self.controls)):
            yield from unit.cells

    def experiments(self) -> Iterator[Experiment]:
        """Those that its cells need."""
        if self.units:
            yield self.claim.experiment
        for control, units in self.controls:
            if units:
                yield control.experiment or self.claim.experiment

    def on(self, device: str) -> ClaimPlan:
        """The units and controls whose experiments run on a device."""
        controls = [
            (control, units)
            for control, units in self.controls
            if (control.experiment or self.claim.experiment).runs_on(device)
        ]
        units = self.units if self.claim.experiment.runs_on(device) else ()
        return ClaimPlan(self.claim, units, tuple(controls))


@dataclass(frozen=True)
class Plan:
    """A study at one preset: what is measured and how it is judged."""

    study: Study
    preset: str
    claims: tuple[ClaimPlan, ...]

    def cells(self) -> list[Cell]:
        """Every cell once, in the order that the study asks for, or in that of its claims."""
        cells = list(dict.fromkeys(cell for planned in self.claims for cell in planned.cells()))
        order = self.study.order
        return sorted(cells, key=lambda c: order(dict(c.params), c.replicate)) if order else cells

    def on(self, device: str) -> Plan:
        """What of it runs on a device: other claims have no case, other controls are left out."""
        return Plan(self.study, self.preset, tuple(claim.on(device) for claim in self.claims))

    def numpy_only(self) -> list[str]:
        """Experiments of its cells that run on no device but the CPU."""
        used = (e for planned in self.claims for e in planned.experiments() if not e.device_ready)
        return sorted({experiment.id for experiment in used})


def plan(
    study: Study,
    preset: str,
    options: Any = None,
    smoke: bool = False,
    patterns: Sequence[str] = (),
) -> Plan:
    """Lay out a study; UsageError for anything that its experiments do not accept.

    `patterns`: only the claims whose id one of them is a part of, `*` and `?` as in the shell.
    `smoke` keeps one case for each claim and control, with one replicate (two where a reduction
    pools them) and the study's own `smoke` sizes, so that every path is walked in seconds.
    """
    cases = study.cases_of(preset, options)
    controls = study.controls_of(preset, options)
    sizes = study.smoke if smoke else None
    claims = [claim for claim in study.claims if _is_asked_for(claim, patterns)]
    return Plan(
        study, preset, tuple(_claim_plan(claim, cases, controls, sizes) for claim in claims)
    )


def _is_asked_for(claim: Claim, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatch.fnmatchcase(claim.id, f"*{part}*") for part in patterns)


Sizes = Mapping[str, Any] | None
"""What `--smoke` sets; None without it."""


def _claim_plan(
    claim: Claim, cases: Sequence[Case], controls: Sequence[Control], sizes: Sizes
) -> ClaimPlan:
    own = _shrunk([case for case in cases if case.serves(claim)], sizes)
    units = _units(claim.experiment, claim.measure, own)
    planned = [
        (control, _control_units(claim, control, own, sizes))
        for control in controls
        if control.concerns(claim)
    ]
    return ClaimPlan(claim, units, tuple(planned))


def _shrunk(cases: Sequence[Case], sizes: Sizes) -> Sequence[Case]:
    if sizes is None:
        return cases
    return [
        Case(_resized(c.params, sizes), c.over, min(2, c.replicates), c.claims) for c in cases[:1]
    ]


def _resized(params: Mapping[str, Any], sizes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: sizes.get(name, value) for name, value in params.items()}


def _control_units(
    claim: Claim, control: Control, own: Sequence[Case], sizes: Sizes
) -> tuple[Unit, ...]:
    """The control's own cases, or the claim's where it only measures something else on them."""
    experiment = control.experiment or claim.experiment
    cases = _shrunk(control.cases, sizes) if control.cases else own
    if control.experiment is not None and not control.cases:
        cases = [_moved(case, experiment) for case in own]
    return _units(experiment, control.measure or claim.measure, cases)


def _moved(case: Case, experiment: Experiment) -> Case:
    """The case with what another experiment knows of its parameters."""
    known = experiment.problem_parameters | experiment.run_parameters
    params = {name: value for name, value in case.params.items() if name in known}
    over = {name: rungs for name, rungs in case.over.items() if name in known}
    return Case(params, over, case.replicates, case.claims)


def _units(experiment: Experiment, reduction: Any, cases: Sequence[Case]) -> tuple[Unit, ...]:
    assert isinstance(reduction, Reduction)
    units: dict[tuple[Cell, ...], Unit] = {}
    for case in cases:
        cells = tuple(_cells(experiment, case))
        groups = [cells] if reduction.grouped else [(cell,) for cell in cells]
        for group in groups:
            units.setdefault(group, Unit(group, _label(case, group, reduction.grouped)))
    return tuple(units.values())


def _cells(experiment: Experiment, case: Case) -> Iterator[Cell]:
    overlap = set(case.over) & set(case.params)
    if overlap:
        raise UsageError(f"{sorted(overlap)} stand both among the axes and in over; keep one.")
    for rungs in itertools.product(*case.over.values()):
        params = experiment.complete({**case.params, **dict(zip(case.over, rungs, strict=True))})
        for replicate in range(case.replicates):
            yield Cell(experiment.id, tuple(params.items()), replicate)


def _label(case: Case, cells: tuple[Cell, ...], grouped: bool) -> str:
    """How a unit is named to people: the parameters that the case gives."""
    values = ", ".join(f"{name}={_short(value)}" for name, value in case.params.items())
    if not grouped:
        rungs = "".join(f", {name}={_short(dict(cells[0].params)[name])}" for name in case.over)
        return f"{values}{rungs}, replicate {cells[0].replicate}"
    ladder = "".join(f", {len(rungs)} rungs of {name}" for name, rungs in case.over.items())
    return f"{values}{ladder}, {case.replicates} replicates"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple):
        return "(" + ", ".join(_short(entry) for entry in value) + ")"
    return str(value)
