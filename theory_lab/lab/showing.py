"""A claim as text for people: statement, conditions, and the code of its prediction."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from theory_lab.core import Claim
from theory_lab.lab import catalogue, keys


def describe_claim(claim: Claim) -> str:
    """Everything that a reader needs to check the claim against the paper."""
    return "\n".join(_lines(claim))


def _lines(claim: Claim) -> Iterator[str]:
    yield f"{claim.id}  ({claim.basis})"
    yield f"source      {claim.source}"
    yield f"statement   {claim.statement}"
    if claim.formula:
        yield f"formula     {claim.formula}"
    yield f"relation    {claim.measure.name} {claim.relation} predict(facts)"  # type: ignore[union-attr]
    yield f"tolerance   {claim.tolerance:g} x {_scale(claim)}"
    yield f"experiment  {claim.experiment.id}"
    yield f"devices     {', '.join(catalogue.devices(claim))}"
    yield from (f"condition   {condition.name}" for condition in claim.conditions)
    yield from (f"observed    {name}" for name in claim.observed)
    yield from (f"rival       {name}" for name in claim.rivals)
    yield "\npredict:\n"
    yield keys.source_lines(claim.predict)
    yield from _helpers(claim)


def _scale(claim: Claim) -> str:
    if claim.scale is None:
        return "|prediction|"
    return keys.source_lines(claim.scale) if callable(claim.scale) else f"{claim.scale:g}"


def _helpers(claim: Claim) -> Iterator[str]:
    """The source of the formulas that predict calls."""
    for place in keys.formulas(claim.predict):
        tree = keys.definition(place)
        if isinstance(tree, (ast.FunctionDef, ast.ClassDef)):
            yield f"\n# {place.file.name}"
            yield keys.written(place)
