"""Parameters of an experiment: read from the signatures of `draw` and `run`, coerced and checked.

The keywords of `draw` are the *problem parameters*; further keywords of `run` (method, step, …)
act on the same problem. A parameter is an int, a float, a str, a bool or a flat tuple of them.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import numpy as np

from theory_lab.core import checks
from theory_lab.core.errors import UsageError

Scalar = int | float | str | bool
Params = Mapping[str, Any]


class Parameter(typing.NamedTuple):
    """One keyword of `draw` or `run`; `type` is None where the signature does not say."""

    name: str
    type: Any
    validators: tuple[checks.Validator, ...]
    default: Any


@functools.cache
def signature(function: Callable[..., Any], skip: int = 0) -> dict[str, Parameter]:
    """The keywords of `draw` by name, or of `run` (skip=1: its first argument is the problem)."""
    try:
        hints = typing.get_type_hints(inspect.unwrap(function), include_extras=True)
    except (NameError, TypeError) as error:
        raise UsageError(
            f"The signature of {_name(function)} cannot be read ({error}); annotate parameters with"
            " int, float, str, bool or tuples of them."
        ) from error
    return {
        p.name: _parameter(function, p, hints.get(p.name))
        for p in list(inspect.signature(function).parameters.values())[skip:]
        if p.name != "rng"
    }


def _parameter(function: Any, parameter: inspect.Parameter, hint: Any) -> Parameter:
    if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
        raise UsageError(
            f"{_name(function)} takes {str(parameter)!r}; name its parameters one by one, as they"
            " say what a problem depends on."
        )
    validators: tuple[checks.Validator, ...] = ()
    if typing.get_origin(hint) is Annotated:
        hint, *extras = typing.get_args(hint)
        validators = tuple(extra for extra in extras if callable(extra))
    return Parameter(parameter.name, hint, validators, parameter.default)


def complete(owner: str, known: Mapping[str, Parameter], given: Params) -> dict[str, Any]:
    """`given` with defaults filled in, every value coerced and checked, in order of name.

    Raises UsageError for an unknown or a missing name and a value of the wrong type, and
    BadParameter for a value that a validator refuses.
    """
    for name in given:
        if name not in known:
            raise UsageError(_unknown(owner, name, known))
    values = {}
    for name in sorted(known):
        parameter = known[name]
        value = given.get(name, parameter.default)
        if value is inspect.Parameter.empty:
            raise UsageError(
                f"{owner} needs the parameter {name!r}, which this case does not give."
            )
        values[name] = _checked(owner, parameter, value)
    return values


def _unknown(owner: str, name: str, known: Mapping[str, Parameter]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"{owner} has no parameter {name!r}; it has {', '.join(sorted(known))}.{hint}"


def _checked(owner: str, parameter: Parameter, value: Any) -> Any:
    label = f"{owner}: {parameter.name}"
    value = coerce(label, parameter.type, value)
    for entry in value if isinstance(value, tuple) else (value,):
        if isinstance(entry, float):
            checks.finite(label, entry)
        for validator in parameter.validators:
            validator(label, entry)
    return value


def coerce(label: str, wanted: Any, value: Any) -> Any:
    """`value` as the type that a signature asks for; UsageError where that would lose something."""
    if isinstance(value, np.generic):
        value = value.item()
    if wanted is None or wanted is Any:
        wanted = tuple if isinstance(value, (tuple, list)) else type(value)
    if wanted is tuple or typing.get_origin(wanted) is tuple:
        return _coerce_tuple(label, typing.get_args(wanted), value)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if wanted not in (int, float, str, bool):
        raise UsageError(
            f"{label} is a {_name(wanted)}; parameters are int, float, str, bool or flat tuples."
        )
    if type(value) is not wanted:
        raise UsageError(f"{label} is {value!r}, but its signature asks for {_name(wanted)}.")
    return value + 0.0 if wanted is float else value  # -0.0 and 0.0 are one parameter


def _coerce_tuple(label: str, entries: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, (tuple, list)):
        raise UsageError(f"{label} is {value!r}, but its signature asks for a tuple.")
    if any(isinstance(entry, (tuple, list)) for entry in value):
        raise UsageError(f"{label} is a nested tuple; parameters are flat tuples.")
    wanted = entries[0] if entries else None
    return tuple(coerce(label, wanted, entry) for entry in value)


def _name(wanted: Any) -> str:
    return getattr(wanted, "__name__", str(wanted))
