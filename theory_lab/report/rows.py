"""The cases of a claim that stand for all of them: predicted beside measured, at most six rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from theory_lab.core import Claim
from theory_lab.core.evidence import Evidence, Judged
from theory_lab.core.judge import Comparison
from theory_lab.report import numbers

MOST = 6


@dataclass(frozen=True)
class CaseRow:
    """One case at its worst entry."""

    case: str
    predicted: str
    measured: str
    margin: str
    verdict: str


@dataclass(frozen=True)
class CaseTable:
    """Rows, and what is common to them: `shared` parameters, the number of cases, the entries."""

    rows: Sequence[CaseRow]
    shared: str
    cases: int
    entries: int
    last_column: str


def case_table(evidence: Evidence) -> CaseTable:
    """The representative rows of a claim's inside cases."""
    chosen = representatives(evidence.inside)
    shared, own = factored([one.observation.label for one in chosen])
    relation = evidence.claim.relation
    rows = [_row(one, case, evidence.claim) for one, case in zip(chosen, own, strict=True)]
    heading = "deviation" if relation == "=" else "margin"
    return CaseTable(rows, shared, len(evidence.inside), evidence.entries, heading)


def representatives(inside: Sequence[Judged]) -> list[Judged]:
    """Cases that do not hold (half of the rows at most), the least margin, and an even spread."""
    count = len(inside)
    bad = [i for i, one in enumerate(inside) if one.verdict.status != "holds"][: MOST // 2]
    nearest = min(range(count), key=lambda i: (_margin(inside[i]), i), default=0)
    spread = [round(i * (count - 1) / max(1, MOST - 1)) for i in range(MOST)] if count else []
    chosen = list(dict.fromkeys([*bad, *([nearest] if count else []), *spread]))[:MOST]
    return [inside[i] for i in sorted(chosen)]


def _margin(one: Judged) -> float:
    if one.comparison is None or one.verdict.margin is None:
        return np.inf
    return float(_coarse(one.comparison, np.array(one.verdict.margin)))


def _coarse(comparison: Comparison, margins: np.ndarray) -> np.ndarray:
    """Margins in steps of a hundredth of the tolerance, so that rounding does not choose among
    cases or entries that are as good as equal."""
    tolerance = np.max(comparison.slack / _unit(comparison), initial=0.0)
    return np.round(margins / max(1e-7, tolerance / 100))


def _unit(comparison: Comparison) -> np.ndarray:
    return np.where(comparison.scale > 0, comparison.scale, 1.0)


def factored(labels: Sequence[str]) -> tuple[str, list[str]]:
    """What all labels share, and the rest of each; one label shares nothing.

    That nothing was replicated is not worth saying.
    """
    pieces = [_pieces(label) for label in labels]
    if len(pieces) < 2:
        return "", list(labels)
    common = [piece for piece in pieces[0] if all(piece in other for other in pieces[1:])]
    own = [", ".join(piece for piece in parts if piece not in common) for parts in pieces]
    return ", ".join(piece for piece in common if piece != "replicate 0"), own


def _pieces(label: str) -> list[str]:
    """A label at its commas, tuples left whole."""
    pieces, depth, begin = [], 0, 0
    for place, letter in enumerate(label):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            pieces.append(label[begin:place].strip())
            begin = place + 1
    return [*pieces, label[begin:].strip()] if label.strip() else []


def _row(one: Judged, case: str, claim: Claim) -> CaseRow:
    comparison = one.comparison
    assert comparison is not None
    at = worst_entry(comparison)
    predicted, low, high, scale, reach = (
        float(values.flat[at])
        for values in (comparison.predicted, comparison.low, comparison.high, comparison.scale,
                       comparison.reach)
    )  # fmt: skip
    unit = scale if scale > 0 else 1.0
    furthest = max(abs(low - predicted), abs(high - predicted))
    return CaseRow(
        case or numbers.NONE,
        numbers.beside(predicted, scale),
        numbers.interval(low, high, scale),
        numbers.margin(reach / unit)
        if claim.relation != "="
        else _deviation(furthest / unit, predicted, claim.tolerance),
        one.verdict.status,
    )


def _deviation(furthest: float, predicted: float, tolerance: float) -> str:
    """Counts agree or not; real numbers only up to rounding."""
    counted = furthest == 0 and predicted.is_integer()
    return "0" if counted else numbers.deviation(furthest, tolerance)


def worst_entry(comparison: Comparison) -> int:
    """The entry that says most; the first of equals.

    Of entries that are not finite or not inside the allowed set, the worst. Else, for a bound, the
    tightest of those that are not negligible against their scale; for an equation, the one that is
    furthest off.
    """
    if not np.all(comparison.finite):
        return int(np.argmin(comparison.finite))
    unit = _unit(comparison)
    margins = _coarse(comparison, comparison.reach / unit)
    size = np.maximum(np.abs(comparison.predicted), np.abs(comparison.low + comparison.high) / 2)
    counted = size > numbers.SMALL * unit
    if comparison.relation == "=" or not np.all(comparison.inside) or not np.any(counted):
        return int(np.argmin(margins))
    slack = np.divide(comparison.reach, size, out=np.full_like(size, np.inf), where=counted)
    return int(np.argmin(np.round(slack, 7)))
