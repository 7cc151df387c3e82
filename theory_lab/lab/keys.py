"""The digest of an experiment: the code of `draw`, `run` and all they reach by name.

Syntax trees without comments, docstrings and annotations, function by function, within the package
and the study's own folder. A change that cannot change a result leaves the digest alone; a formula
in the same file does not count, as experiments do not reach it.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from theory_lab.core import Experiment, UsageError
from theory_lab.lab.modules import PACKAGE, Place, Reader, read


def digest(experiment: Experiment) -> str:
    """SHA-256 over every definition that `draw` and `run` reach, wherever their files lie."""
    reached: dict[Place, str] = {}
    for function in (experiment.draw, experiment.run):
        reached |= _reach([_top_level(experiment, function)], _home(function))
    text = "\n".join(sorted(f"{place.name}={code}" for place, code in reached.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def reach(experiment: Experiment) -> set[Place]:
    """The definitions that `draw` and `run` reach by name."""
    functions = (experiment.draw, experiment.run)
    return {p for f in functions for p in _reach([_top_level(experiment, f)], _home(f))}


def formulas(predict: Callable[..., Any]) -> list[Place]:
    """The definitions that a prediction reaches by name, in the order of their files and lines."""
    plain = _plain(predict)
    reached = _reach(Reader(_home(plain)).places(_tree(plain), _file(plain)), _home(plain))
    for function in _captured(plain):
        if function.__qualname__ in read(_file(function)).definitions:
            start = Place(_file(function), function.__qualname__)
            reached |= _reach([start], _home(function))
    return sorted(reached, key=lambda place: (place.file, definition(place).lineno))


def definition(place: Place) -> ast.stmt:
    """The statement that binds a name."""
    return read(place.file).definitions[place.name][-1]


def written(place: Place) -> str:
    """The source of a definition as it stands in its file."""
    return ast.get_source_segment(place.file.read_text("utf-8"), definition(place)) or ""


def source_lines(function: Callable[..., Any]) -> str:
    """The source of one function or lambda as written, for people to read."""
    file = _file(_plain(function)).read_text("utf-8")
    written = ast.get_source_segment(file, _tree(_plain(function)), padded=True)
    return textwrap.dedent(written or "")


def _plain(function: Callable[..., Any]) -> Any:
    """The function behind partials and decorators."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.unwrap(function)


def _file(function: Any) -> Path:
    return Path(inspect.getfile(function)).resolve()


def _home(function: Callable[..., Any]) -> Path:
    """The folder in which the imports of a study's file find their modules."""
    file = _file(_plain(function))
    if PACKAGE in file.parents:
        return PACKAGE
    return file.parents[_plain(function).__module__.count(".") + (file.name == "__init__.py")]


def _captured(function: Any) -> list[Any]:
    """The functions that a nested function holds on to."""
    cells = function.__closure__ or ()
    return [_plain(cell.cell_contents) for cell in cells if inspect.isfunction(cell.cell_contents)]


def _top_level(experiment: Experiment, function: Callable[..., Any]) -> Place:
    plain = _plain(function)
    bare = inspect.isfunction(plain) and not isinstance(function, functools.partial)
    if not bare or plain.__qualname__ not in read(_file(plain)).definitions:
        raise UsageError(
            f"{experiment.id}: draw and run must be functions defined at the top level of a file,"
            " so that their code can be followed; what they vary belongs into their parameters."
        )
    return Place(_file(plain), plain.__qualname__)


def _reach(starts: Iterable[Place], home: Path) -> dict[Place, str]:
    """Each definition reached from `starts`, as the text of its syntax trees."""
    seen: dict[Place, str] = {}
    waiting = list(starts)
    while waiting:
        place = waiting.pop()
        if place not in seen:
            seen[place], onwards = code_of(place, home)
            waiting.extend(onwards)
    return seen


@functools.cache
def code_of(place: Place, home: Path) -> tuple[str, set[Place]]:
    """The statements that bind a name, as text, and the places that they name."""
    reader, trees = Reader(home), read(place.file).definitions[place.name]
    onwards = set().union(*(reader.places(tree, place.file) for tree in trees))
    return ";".join(ast.dump(tree) for tree in trees), onwards


def _tree(function: Any) -> Any:
    """The syntax tree of a function or lambda, in its file."""
    code, name = function.__code__, function.__name__
    named = [
        node for node in functions_of(_file(function)) if getattr(node, "name", "<lambda>") == name
    ]
    here = [node for node in named if _first_line(node) == code.co_firstlineno]
    return next((node for node in here if _holds(node, code)), (here or named)[0])


@functools.cache
def functions_of(file: Path) -> list[ast.Lambda | ast.FunctionDef]:
    """Every function and lambda of a file."""
    nodes = ast.walk(ast.parse(file.read_text("utf-8")))
    return [node for node in nodes if isinstance(node, (ast.Lambda, ast.FunctionDef))]


def _first_line(node: ast.Lambda | ast.FunctionDef) -> int:
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else []
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _holds(node: ast.Lambda | ast.FunctionDef, code: Any) -> bool:
    """Whether the code was compiled from this node: tells the lambdas of one line apart."""
    first = node.body if isinstance(node, ast.Lambda) else node.body[0]
    spans = [(line, end, column, stop) for line, end, column, stop in code.co_positions()]
    return (first.lineno, first.end_lineno, first.col_offset, first.end_col_offset) in spans
