"""The words of the lab: what a theorem says, on what it is measured, and what was found."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from theory_lab.core import parameters, reduce
from theory_lab.core.errors import UsageError
from theory_lab.core.measurement import Record
from theory_lab.core.reduce import Reduction

Relation = Literal["=", "<=", ">="]
Basis = Literal["theorem", "finding", "empirical"]
Status = Literal["holds", "fails", "unresolved", "outside"]
Facts = Mapping[str, Any]
Formula = Callable[[Facts], Any]

_ID = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")


@dataclass(frozen=True)
class Source:
    """Where a statement stands: the paper (arXiv id or other reference) and the place in it.

    `locus` is a theorem's number only where that is known, else a description.
    """

    paper: str
    locus: str

    def __str__(self) -> str:
        return f"{self.paper}, {self.locus}"


@dataclass(frozen=True)
class Experiment:
    """The only expensive code: `draw(<parameters>, rng=…)` makes a problem, `run(problem, …, rng=…)`
    measures on it. Neither knows a formula of the theory.

    `draw` returns a dict; its numbers, strings and arrays are facts, except under names that start
    with an underscore (working data for `run`). `run` returns a dict of results: numbers and arrays
    (exact) or `Measurement`s; under the name `trace`, a dict of arrays for figures.
    `checks` are functions of the parameters that raise `BadParameter` where a combination of them
    makes no sense. `device_ready` says that `run` is written in array API and may get the problem's
    arrays, those in dataclasses too, as tensors of another device.
    """

    id: str
    draw: Callable[..., Mapping[str, Any]]
    run: Callable[..., Mapping[str, Any]]
    checks: Sequence[Callable[[parameters.Params], None]] = ()
    device_ready: bool = False

    def __post_init__(self) -> None:
        _check_id("experiment", self.id)

    def runs_on(self, device: str) -> bool:
        """Every experiment runs on the CPU, on other devices those that say so."""
        return device == "cpu" or self.device_ready

    @property
    def problem_parameters(self) -> dict[str, parameters.Parameter]:
        return parameters.signature(self.draw)

    @property
    def run_parameters(self) -> dict[str, parameters.Parameter]:
        return parameters.signature(self.run, skip=1)

    def complete(self, given: parameters.Params) -> dict[str, Any]:
        """Every parameter of draw and run, coerced and checked; UsageError says what is wrong."""
        known = self.problem_parameters | self.run_parameters
        values = parameters.complete(self.id, known, given)
        for check in self.checks:
            check(values)
        return values

    def split(self, values: parameters.Params) -> tuple[dict[str, Any], dict[str, Any]]:
        """Complete parameters as (those of `draw`, the further ones of `run`)."""
        ours = self.problem_parameters
        problem = {name: value for name, value in values.items() if name in ours}
        asked = {name: value for name, value in values.items() if name in self.run_parameters}
        return problem, asked


@dataclass(frozen=True)
class Condition:
    """A hypothesis of a theorem, evaluated on the facts of every case."""

    name: str
    holds: Callable[[Facts], Any]


ENOUGH_SEEDS = Condition(
    "at least 5 paired seeds", lambda facts: np.unique(facts["seed"]).size >= 5
)
"""What an order of methods needs, beyond its interval: replicates with the fact `seed`."""


@dataclass(frozen=True)
class Claim:
    """A theorem: under `conditions`, `measure` stands in `relation` to `predict(facts)`.

    Give either an `experiment` or `draw` and `run`, which make one with the claim's id.
    `measure` is the name of a result (judged record by record), a `core.reduce` reduction, or a
    function of the records of a case that returns a number or a `Measurement`.
    `observed` names results that `predict` and the conditions may see (a bound stated at the point
    reached). The allowed deviation is `tolerance * scale`; `scale` is |prediction| unless it is
    declared as a number or a function of the facts, which a prediction of 0 needs.
    `rivals` are wrong formulas that the evidence must refute. `formula` is what the report prints.
    """

    id: str
    source: Source
    statement: str
    relation: Relation = "="
    predict: Formula = None  # type: ignore[assignment]
    measure: str | Reduction | Callable[[Sequence[Record]], Any] = ""
    experiment: Experiment = None  # type: ignore[assignment]
    draw: Callable[..., Mapping[str, Any]] | None = None
    run: Callable[..., Mapping[str, Any]] | None = None
    conditions: Sequence[Condition] = ()
    observed: Sequence[str] = ()
    tolerance: float = 1e-7
    scale: float | Formula | None = None
    rivals: Mapping[str, Formula] = field(default_factory=dict)
    basis: Basis = "theorem"
    formula: str = ""

    def __post_init__(self) -> None:
        _check_id("claim", self.id)
        if self.experiment is None and self.draw is not None and self.run is not None:
            object.__setattr__(self, "experiment", Experiment(self.id, self.draw, self.run))
        object.__setattr__(self, "measure", reduce.as_reduction(self.measure))
        self._require(self.experiment is not None, "give an experiment, or draw and run")
        self._require(callable(self.predict), "give predict, a function of the facts")
        self._require(self.relation in ("=", "<=", ">="), "its relation must be '=', '<=' or '>='")
        self._require(self.tolerance > 0, "its tolerance must be greater than 0")
        known = ("theorem", "finding", "empirical")
        self._require(self.basis in known, "its basis must be one of " + ", ".join(known))

    def _require(self, good: bool, cure: str) -> None:
        if not good:
            raise UsageError(f"Claim {self.id!r} is incomplete: {cure}.")

    @property
    def theory(self) -> str:
        return self.id.partition(".")[0]

    def condition(self, name: str) -> Condition | None:
        return next((c for c in self.conditions if c.name == name), None)


@dataclass(frozen=True)
class Case:
    """Cells that belong together: one parameter set, its replicates, and the rungs of `over`.

    `claims` are the ids of the claims it serves; empty means every claim of the study.
    """

    params: Mapping[str, Any]
    over: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    replicates: int = 1
    claims: tuple[str, ...] = ()

    def serves(self, claim: Claim) -> bool:
        return not self.claims or claim.id in self.claims


@dataclass(frozen=True)
class Verdict:
    """What the judge says of one observation.

    `margin` is the distance of the enclosure to the edge of the allowed set, in units of scale:
    positive inside, negative where it reaches out; None where nothing could be compared.
    """

    status: Status
    margin: float | None
    reason: str


@dataclass(frozen=True)
class Control:
    """A test of the test: something that must break the claim.

    kind `dropped condition`: cases in which exactly the condition `name` is false.
    kind `rival computation`: another `measure` or `experiment`, or cases with another method.
    (Rival formulas are declared in the claim itself.) `claims` empty means every claim of the
    study that has such a condition, or, for a rival computation, every claim.
    """

    kind: Literal["dropped condition", "rival computation"]
    name: str
    cases: tuple[Case, ...]
    claims: tuple[str, ...] = ()
    measure: Reduction | None = None
    experiment: Experiment | None = None

    def concerns(self, claim: Claim) -> bool:
        if self.claims:
            return claim.id in self.claims
        return self.kind == "rival computation" or claim.condition(self.name) is not None


def _check_id(what: str, name: str) -> None:
    if not _ID.fullmatch(name):
        raise UsageError(
            f"{name!r} is not an id for a {what}: use lower-case words joined by dots, as in"
            " 'matrix_sensing.kept_norms'."
        )
