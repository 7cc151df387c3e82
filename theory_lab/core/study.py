"""A study declares which cases, controls and figures show a list of claims; it computes nothing."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from typing import Any

from theory_lab.core import reduce
from theory_lab.core.errors import UsageError
from theory_lab.core.types import Case, Claim, Control, Experiment

PRESETS = ("quick", "full")

ClaimNames = Iterable[Claim | str]


def grid(
    *,
    claims: ClaimNames = (),
    over: Mapping[str, Sequence[Any]] | None = None,
    replicates: int = 1,
    **axes: Any,
) -> list[Case]:
    """One case for each combination of the axes: lists are swept, everything else is one value.

    `over` holds the rungs of a ladder: cells that are judged together, with the replicates, by the
    reductions that need them. `claims` says whom the cases serve (all claims, if left empty).
    """
    if type(replicates) is not int or replicates < 1:
        raise UsageError(f"replicates is {replicates!r}, but it must be a whole number from 1 on.")
    ladder = {name: _rungs(name, rungs) for name, rungs in (over or {}).items()}
    swept = [_rungs(n, v) if isinstance(v, list) else (v,) for n, v in axes.items()]
    return [
        Case(dict(zip(axes, values, strict=True)), ladder, replicates, _ids(claims))
        for values in itertools.product(*swept)
    ]


def _rungs(name: str, values: Any) -> tuple[Any, ...]:
    if not isinstance(values, (list, tuple)) or not values:
        raise UsageError(f"{name} sweeps {values!r}; give a list with at least one value.")
    return tuple(values)


def drops(
    condition: str,
    *,
    claims: ClaimNames = (),
    over: Mapping[str, Sequence[Any]] | None = None,
    replicates: int = 1,
    **axes: Any,
) -> Control:
    """A control: cases in which exactly this condition is false, and which must break the claim."""
    cases = grid(claims=claims, over=over, replicates=replicates, **axes)
    return Control("dropped condition", condition, tuple(cases), _ids(claims))


def instead(
    name: str,
    *,
    claims: ClaimNames = (),
    measure: Any = None,
    experiment: Experiment | None = None,
    over: Mapping[str, Sequence[Any]] | None = None,
    replicates: int = 1,
    **axes: Any,
) -> Control:
    """A control: a rival computation, which must fail against the right prediction.

    Another `measure` or `experiment`, or (axes) cases with another method. Without axes it is
    judged on the claim's own cases.
    """
    cases = grid(claims=claims, over=over, replicates=replicates, **axes) if axes else []
    reduction = None if measure is None else reduce.as_reduction(measure)
    return Control("rival computation", name, tuple(cases), _ids(claims), reduction, experiment)


def _ids(claims: ClaimNames) -> tuple[str, ...]:
    return tuple(claim if isinstance(claim, str) else claim.id for claim in claims)


@dataclass(frozen=True)
class Study:
    """Claims and the evidence for them.

    `cases` and `controls` are lists, or functions of the preset (and of the options, if `options`
    is a dataclass; its fields become flags of the command line). `figures` are `report.plots`
    figures. `presets` names those that the functions know; `full` must contain `quick`.
    `order(params, replicate)` is the key by which cells are measured, the least first: what a
    deadline should not cut off. Without it they are measured in the order of the claims.
    `smoke`: values that `--smoke` gives to parameters of these names, where a case has them.
    """

    id: str
    claims: Sequence[Claim]
    cases: Sequence[Case] | Callable[..., Sequence[Case]]
    controls: Sequence[Control] | Callable[..., Sequence[Control]] = ()
    figures: Sequence[Any] = ()
    title: str = ""
    options: type | None = None
    presets: Sequence[str] = PRESETS
    order: Callable[[Mapping[str, Any], int], Any] | None = None
    smoke: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not all(isinstance(claim, Claim) for claim in self.claims):
            raise UsageError(f"Study {self.id!r}: claims must be a list of claims.")
        names = [claim.id for claim in self.claims]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise UsageError(f"Study {self.id!r} lists {', '.join(sorted(twice))} twice.")
        if self.options is not None and not is_dataclass(self.options):
            raise UsageError(f"Study {self.id!r}: options must be a dataclass.")

    def claim(self, name: str) -> Claim:
        for claim in self.claims:
            if claim.id == name:
                return claim
        raise UsageError(f"Study {self.id!r} has no claim {name!r}.")

    def cases_of(self, preset: str, options: Any = None) -> list[Case]:
        """The cases of one preset, each naming claims that the study has."""
        return [self._known(case) for case in self._of(self.cases, Case, preset, options)]

    def controls_of(self, preset: str, options: Any = None) -> list[Control]:
        """The controls of one preset; a condition that no claim has is an error."""
        controls = self._of(self.controls, Control, preset, options)
        for control in controls:
            self._require_known(control)
        return controls

    def _of(self, declared: Any, wanted: type, preset: str, options: Any) -> list[Any]:
        if preset not in self.presets:
            there = ", ".join(self.presets)
            raise UsageError(f"Study {self.id!r} has no preset {preset!r}; it has {there}.")
        if callable(declared):
            declared = self._asked(declared, (preset,) if options is None else (preset, options))
        if not all(isinstance(one, wanted) for one in declared):
            raise UsageError(
                f"Study {self.id!r} needs a flat list of {wanted.__name__}s; join the lists of"
                " grid(…) with +."
            )
        return list(declared)

    def _asked(self, declared: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        try:
            return declared(*arguments)
        except UsageError:
            raise
        except Exception as error:
            raise UsageError(
                f"Study {self.id!r}: its cases or controls raised {type(error).__name__} at"
                f" {arguments}: {error}."
            ) from error

    def _known(self, case: Case) -> Case:
        for name in case.claims:
            self.claim(name)
        return case

    def _require_known(self, control: Control) -> None:
        concerned = [self.claim(name) for name in control.claims] or list(self.claims)
        if control.kind != "dropped condition":
            return
        having = [claim for claim in concerned if claim.condition(control.name)]
        if not having or (control.claims and len(having) < len(concerned)):
            conditions = sorted({c.name for claim in concerned for c in claim.conditions})
            raise UsageError(
                f"Study {self.id!r} drops the condition {control.name!r}, which its claims do not"
                f" state; they state {', '.join(map(repr, conditions)) or 'none'}."
            )

    def main(self) -> None:
        """Run this study from its own file: `python my_study.py [options]`."""
        from theory_lab.cli import main

        main(["run", sys.modules["__main__"].__file__ or "", *sys.argv[1:]])
