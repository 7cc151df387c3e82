"""Records as bytes: canonical JSON for facts and results, npz for the trace. Exact both ways."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from theory_lab.core import Measurement, Record, UsageError
from theory_lab.core.measurement import as_measurement
from theory_lab.core.seeds import canonical_json

PAYLOAD_LIMIT = 64 * 1024
TRACE_LIMIT = 256 * 1024


def _encode(value: Any) -> Any:
    """A JSON value; arrays keep dtype, shape and bytes, floats that JSON lacks their name."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tuple, list)):
        return {"$tuple": [_encode(entry) for entry in value]}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufcU":
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"$array": [value.dtype.str, list(value.shape), data]}
    raise TypeError(type(value).__name__)


def _decode(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((tag, content),) = value.items()
    if tag == "$float":
        return float(content)
    if tag == "$tuple":
        return tuple(_decode(entry) for entry in content)
    dtype, shape, data = content
    flat = np.frombuffer(base64.b64decode(data), dtype=np.dtype(dtype))
    return flat.reshape(shape).copy()


def _encode_measurement(value: Measurement) -> list[Any]:
    low = _encode(value.low if value.low.ndim else value.low.item())
    exact = np.array_equal(value.low, value.high, equal_nan=True)
    high = None if exact else _encode(value.high if value.high.ndim else value.high.item())
    return [low, high, value.kind, value.level]


def _decode_measurement(encoded: list[Any]) -> Measurement:
    low, high, kind, level = encoded
    bottom = _decode(low)
    return Measurement(bottom, bottom if high is None else _decode(high), kind, level)


def facts_of(
    experiment: str, problem: Mapping[str, Any], params: Mapping[str, Any]
) -> dict[str, Any]:
    """The parameters and what draw's dict says of the problem (names without an underscore).

    Arrays are copied, so that a `run` that works in place does not change the facts.
    """
    drawn = {n: _kept(v) for n, v in problem.items() if not n.startswith("_")}
    for name in drawn.keys() & params.keys():
        if not np.array_equal(drawn[name], params[name]):
            raise UsageError(
                f"{experiment}: draw returns another {name!r} than the parameter of that name; give"
                " it a name of its own."
            )
    return {**params, **drawn}


def _kept(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def enclosures(experiment: str, results: Mapping[str, Any]) -> dict[str, Measurement]:
    """run's results as measurements; UsageError names the one that is none."""
    return {
        name: _named(experiment, name, value, as_measurement) for name, value in results.items()
    }


def encode(record: Record) -> tuple[bytes, bytes]:
    """(payload, trace) of a record; UsageError names the entry that is too large or of no use."""
    name = record.experiment
    payload = canonical_json(
        {
            "facts": {n: _named(name, n, v, _encode) for n, v in record.facts.items()},
            "params": {n: _encode(v) for n, v in record.params.items()},
            "replicate": record.replicate,
            "results": {n: _encode_measurement(v) for n, v in record.results.items()},
        }
    ).encode()
    trace = _named(name, "trace", record.trace, _pack)
    _limit(record, "Facts and results", payload, PAYLOAD_LIMIT, "name draw's working arrays with a")
    _limit(record, "The trace", trace, TRACE_LIMIT, "thin it out; working arrays in draw take a")
    return payload, trace


def _named(experiment: str, name: str, value: Any, encoder: Any) -> Any:
    try:
        return encoder(value)
    except (TypeError, ValueError, AttributeError) as error:
        reason = str(error).rstrip(".")
        raise UsageError(
            f"{experiment}: {name!r} cannot be recorded ({reason}); records hold numbers,"
            " strings and arrays (in draw, a leading underscore keeps a name out of the record)."
        ) from None


def _limit(record: Record, what: str, data: bytes, limit: int, cure: str) -> None:
    if len(data) > limit:
        raise UsageError(
            f"{what} of {record.experiment} take {len(data) // 1024} KiB, more than"
            f" {limit // 1024} KiB; {cure} leading underscore to keep them out of the record."
        )


def _pack(trace: Mapping[str, np.ndarray]) -> bytes:
    if not trace:
        return b""
    buffer = io.BytesIO()
    with np.errstate(over="ignore"):
        arrays = {n: np.asarray(trace[n]).astype(np.float32) for n in sorted(trace)}
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _unpack(trace: bytes) -> dict[str, np.ndarray]:
    if not trace:
        return {}
    with np.load(io.BytesIO(trace), allow_pickle=False) as arrays:
        return dict(arrays)


def decode(experiment: str, payload: bytes, trace: bytes) -> Record:
    """The record that `encode` wrote."""
    content = json.loads(payload)
    return Record(
        experiment,
        {n: _decode(v) for n, v in content["params"].items()},
        content["replicate"],
        {n: _decode(v) for n, v in content["facts"].items()},
        {n: _decode_measurement(v) for n, v in content["results"].items()},
        _unpack(trace),
    )
