"""From the records of a case to the enclosure that is judged.

`each` judges record by record. The others judge all cells of a case together: its replicates and
the rungs of its `over` ladder. Pooled reductions take the first axis of a result as runs (a scalar
is one run) and keep its further axes as entries that are judged one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory_lab.core.errors import UsageError
from theory_lab.core.measurement import Measurement, Record, as_measurement

LEVEL = 1e-6
"""Probability with which one statistical enclosure (all its entries together) may miss."""

LEAST_RUNGS = 6
"""A slope over fewer rungs shows nothing."""

Quantity = str | Callable[[Record], Any]


@dataclass(frozen=True)
class Reduction:
    """How records become a Measurement; `grouped` ones see all records of a case."""

    name: str
    compute: Callable[[Sequence[Record], str], Measurement]
    grouped: bool = True
    is_rate: bool = False

    def __call__(self, records: Sequence[Record], relation: str) -> Measurement:
        return self.compute(records, relation)


def as_reduction(measure: Any) -> Reduction:
    """A result's name as `each`, a plain function as a reduction of all records of a case."""
    if isinstance(measure, Reduction):
        return measure
    if isinstance(measure, str) and measure:
        return each(measure)
    if callable(measure):
        label = getattr(measure, "__name__", "function")
        return Reduction(label, lambda records, _: as_measurement(measure(records)))
    raise UsageError(
        "A claim's measure is a result's name, a reduction such as core.reduce.slope, or a function"
        " of the records."
    )


def each(quantity: Quantity) -> Reduction:
    """Every record on its own: a result by name, or a function of one record."""
    return Reduction(
        _label(quantity), lambda records, _: _quantity(quantity, records[0]), grouped=False
    )


def slope(quantity: Quantity, over: str) -> Reduction:
    """The exponent p in `quantity ~ over**p`: least squares through the logarithms of the rungs.

    With replicates, the interval of the replicates' slopes; without, the change when the coarsest
    or the finest rung is left out. Needs at least 6 rungs; a value that is not positive makes the
    slope NaN, hence unresolved.
    """

    def compute(records: Sequence[Record], _: str) -> Measurement:
        ladders: dict[int, list[Record]] = {}
        for record in records:
            ladders.setdefault(record.replicate, []).append(record)
        slopes = [_slopes(quantity, over, ladder) for ladder in ladders.values()]
        seen = [full for full, *_ in slopes] if len(slopes) > 1 else list(slopes[0])
        return Measurement.estimated(np.min(seen, axis=0), np.max(seen, axis=0))

    return Reduction(f"slope of {_label(quantity)} over {over}", compute, is_rate=True)


def _slopes(quantity: Quantity, over: str, ladder: Sequence[Record]) -> list[np.ndarray]:
    """The slope with all rungs, without the coarsest and without the finest."""
    if over not in ladder[0].params:
        raise UsageError(f"A slope over {over!r} needs a parameter of that name.")
    rungs = sorted(ladder, key=lambda record: record.params[over])
    places = [record.params[over] for record in rungs]
    if len(set(places)) < LEAST_RUNGS or len(set(places)) < len(places):
        raise UsageError(
            f"A slope over {over!r} needs at least {LEAST_RUNGS} rungs, one cell each, not {places}."
        )
    if places[0] <= 0:
        raise UsageError(f"A slope over {over!r} needs rungs above 0, not {places[0]}.")
    x = np.log(np.array(places, dtype=float))
    values = np.array([_quantity(quantity, record).value for record in rungs], dtype=float)
    y = np.log(np.where(values > 0, values, np.nan))
    return [_fit(x, y), _fit(x[1:], y[1:]), _fit(x[:-1], y[:-1])]


def _fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    centred = x - x.mean()
    return np.tensordot(centred, y, axes=1) / (centred @ centred)


def mean(quantity: Quantity, level: float = LEVEL) -> Reduction:
    """The mean over the runs of all records: Student's interval at `level`."""

    def compute(records: Sequence[Record], relation: str) -> Measurement:
        return _student(_pool(quantity, records), relation, level)

    return Reduction(f"mean of {_label(quantity)}", compute)


def paired_difference(first: Quantity, second: Quantity, level: float = LEVEL) -> Reduction:
    """The mean of `first - second`, run by run, with Student's interval at `level`."""

    def compute(records: Sequence[Record], relation: str) -> Measurement:
        return _student(_pool(first, records) - _pool(second, records), relation, level)

    return Reduction(f"{_label(first)} minus {_label(second)}", compute)


def paired_contrast(
    quantity: Quantity, over: str, first: Any, second: Any, level: float = LEVEL
) -> Reduction:
    """The mean over replicates of the quantity at `over = first` minus that at `over = second`.

    `first=None` is the one other rung. The rungs of a replicate met the same problem. Student's
    interval at `level`.
    """

    def compute(records: Sequence[Record], relation: str) -> Measurement:
        others = {record.params.get(over) for record in records} - {second}
        there = first if first is not None or len(others) != 1 else others.pop()
        one, two = (_rung(quantity, records, over, rung) for rung in (there, second))
        if not one or one.keys() != two.keys():
            raise UsageError(
                f"A contrast over {over!r} needs {first or 'one other rung'} and {second} in the"
                " same replicates."
            )
        return _student(np.array([one[r] - two[r] for r in sorted(one)]), relation, level)

    return Reduction(f"{_label(quantity)} of {first or 'the other'} minus {second}", compute)


def _rung(
    quantity: Quantity, records: Sequence[Record], over: str, rung: Any
) -> dict[int, np.ndarray]:
    """The quantity by replicate in the cells of one rung."""
    chosen = [record for record in records if record.params.get(over) == rung]
    return {record.replicate: np.asarray(_quantity(quantity, record).value) for record in chosen}


def _student(runs: np.ndarray, relation: str, level: float) -> Measurement:
    """Interval for the mean of runs (n, …), at `level` divided by the number of entries."""
    from scipy.special import stdtrit

    n = runs.shape[0]
    if n < 2:
        raise UsageError("A mean with an interval needs at least 2 runs; raise replicates.")
    centre = runs.mean(axis=0)
    error = runs.std(axis=0, ddof=1) / math.sqrt(n)
    reach = -stdtrit(n - 1, _tail(centre.size, relation, level)) * error
    return Measurement.statistical(centre - reach, centre + reach, level)


def frequency(quantity: Quantity, level: float = LEVEL) -> Reduction:
    """The probability that a 0/1 result is 1: Clopper–Pearson's interval at `level`."""

    def compute(records: Sequence[Record], relation: str) -> Measurement:
        from scipy.special import betaincinv

        runs = _pool(quantity, records)
        if not np.all((runs == 0) | (runs == 1)):
            raise UsageError(f"frequency({_label(quantity)!r}) needs results that are 0 or 1.")
        n, hits = runs.shape[0], runs.sum(axis=0)
        tail = _tail(hits.size, relation, level)
        low = np.where(hits > 0, betaincinv(np.maximum(hits, 1), n - hits + 1, tail), 0.0)
        high = np.where(hits < n, betaincinv(hits + 1, np.maximum(n - hits, 1), 1 - tail), 1.0)
        return Measurement.statistical(low, high, level)

    return Reduction(f"frequency of {_label(quantity)}", compute)


def distance_to_law(quantity: Quantity, law: str | Callable[[np.ndarray], np.ndarray]) -> Reduction:
    """Kolmogorov–Smirnov distance of the pooled runs to a law, ± sqrt(log(2/LEVEL)/(2n)).

    `law` is a distribution function or the name of one in scipy.stats ("norm"). The half-width is
    the Dvoretzky–Kiefer–Wolfowitz bound with Massart's constant.
    """

    def compute(records: Sequence[Record], _: str) -> Measurement:
        sample = np.sort(_pool(quantity, records).ravel())
        n = sample.size
        if n == 0:
            raise UsageError(f"The distance of {_label(quantity)} to a law needs at least one run.")
        expected = _distribution(law)(sample)
        steps = np.arange(n + 1) / n
        distance = float(np.max(np.maximum(steps[1:] - expected, expected - steps[:-1])))
        reach = math.sqrt(math.log(2 / LEVEL) / (2 * n))
        low, high = np.clip([distance - reach, distance + reach], 0.0, 1.0)
        return Measurement.statistical(low, high, LEVEL)

    return Reduction(f"distance of {_label(quantity)} to its law", compute)


def _distribution(law: str | Callable[[np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
    if callable(law):
        return law
    from scipy import stats

    return getattr(stats, law).cdf


def _tail(entries: int, relation: str, level: float) -> float:
    """The level of one end of one entry.

    Against an inequality, an enclosure errs to our cost at one end only: a `<=` that holds is
    wrong only if the true value lies above the upper end.
    """
    return level / max(1, entries) / (2 if relation == "=" else 1)


def _pool(quantity: Quantity, records: Sequence[Record]) -> np.ndarray:
    """Values of all records as runs (n, …)."""
    return np.concatenate([np.atleast_1d(_quantity(quantity, r).value) for r in records])


def _quantity(quantity: Quantity, record: Record) -> Measurement:
    if callable(quantity):
        return as_measurement(quantity(record))
    return record.result(quantity)


def _label(quantity: Quantity) -> str:
    return getattr(quantity, "__name__", "function") if callable(quantity) else quantity
