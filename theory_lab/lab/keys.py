"""The digest of an experiment: the code of `draw`, `run` and all they reach by name.

Syntax trees without comments, docstrings and annotations, function by function, within the package
and the study's own folder. A change that cannot change a result leaves the digest alone; a formula
in the same file does not count, as experiments do not reach it.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import theory_lab
from theory_lab.core import Experiment, UsageError

PACKAGE = Path(theory_lab.__file__).resolve().parent


class Place(NamedTuple):
    """A top-level name of a module, by the module's file."""

    file: Path
    name: str


class Module(NamedTuple):
    """The top level of one source file: what each name is bound to, and where imports point."""

    definitions: dict[str, list[ast.stmt]]
    imports: dict[str, tuple[str, str | None]]
    package: str


def digest(experiment: Experiment) -> str:
    """SHA-256 over every definition that `draw` and `run` reach, in a fixed order."""
    functions = (experiment.draw, experiment.run)
    home = Path(inspect.getfile(_plain(functions[0]))).resolve().parent
    reached = {**_reach(_place(functions[0]), home), **_reach(_place(functions[1]), home)}
    text = "\n".join(f"{place.name}={reached[place]}" for place in sorted(reached))
    return hashlib.sha256(text.encode()).hexdigest()


def formulas(predict: Callable[..., Any]) -> list[Place]:
    """The definitions that a prediction reaches by name, in the order of their files and lines."""
    plain = _plain(predict)
    file = Path(inspect.getfile(plain)).resolve()
    tree = ast.parse(source_lines(predict))
    reached: dict[Place, str] = {}
    for start in _names(tree, file, file.parent):
        reached.update(_reach(start, file.parent))
    return sorted(reached, key=lambda place: (place.file, definition(place).lineno))


def definition(place: Place) -> ast.stmt:
    """The statement that binds a name."""
    return _read(place.file).definitions[place.name][-1]


def written(place: Place) -> str:
    """The source of a definition as it stands in its file."""
    return ast.get_source_segment(place.file.read_text("utf-8"), definition(place)) or ""


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function behind partials and decorators."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.unwrap(function)


def _place(function: Callable[..., Any]) -> Place:
    plain = _plain(function)
    name = plain.__qualname__.partition(".")[0]
    file = Path(inspect.getfile(plain)).resolve()
    if name not in _read(file).definitions:
        raise UsageError(
            f"{name!r} is not defined at the top level of {file.name}; define draw, run and predict"
            " there, so that their code can be read."
        )
    return Place(file, name)


def _reach(start: Place, home: Path) -> dict[Place, str]:
    """Each definition reached from `start`, as the text of its cleaned syntax tree."""
    seen: dict[Place, str] = {}
    waiting = [start]
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        trees = [_clean(tree) for tree in _read(place.file).definitions[place.name]]
        seen[place] = ";".join(ast.dump(tree) for tree in trees)
        waiting.extend(p for tree in trees for p in _names(tree, place.file, home))
    return seen


def _clean(tree: ast.stmt) -> ast.stmt:
    """A copy without docstrings and annotations."""
    return ast.fix_missing_locations(_Cleaner().visit(ast.parse(ast.unparse(tree)).body[0]))


class _Cleaner(ast.NodeTransformer):
    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        return self._without_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        return self._without_docstring(node)

    def _without_docstring(self, node: Any) -> Any:
        self.generic_visit(node)
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            node.body = node.body[1:] or [ast.Pass()]
        return node


def _names(tree: ast.AST, file: Path, home: Path) -> Iterator[Place]:
    """The places that names, attributes of modules and imports inside `tree` stand for."""
    module = _read(file)
    local = _imports(tree, module.package)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield from _resolve(node.value.id, node.attr, module, local, file, home)
        elif isinstance(node, ast.Name):
            yield from _resolve(node.id, None, module, local, file, home)
    for imported in local:
        yield from _resolve(imported, None, module, local, file, home)


def _resolve(
    name: str,
    attribute: str | None,
    module: Module,
    local: dict[str, tuple[str, str | None]],
    file: Path,
    home: Path,
) -> Iterator[Place]:
    imported = local.get(name) or module.imports.get(name)
    if imported is None:
        if name in module.definitions:
            yield Place(file, name)
        return
    yield from _follow(*imported, attribute, home)


def _follow(target: str, member: str | None, attribute: str | None, home: Path) -> Iterator[Place]:
    """What `from target import member` (or `import target`) and then `.attribute` stands for."""
    if member is not None:
        submodule = _source(f"{target}.{member}", home)
        if submodule is not None:
            yield from _member(submodule, attribute, home)
            return
        attribute = member
    source = _source(target, home)
    if source is not None:
        yield from _member(source, attribute, home)


def _member(source: Path, name: str | None, home: Path) -> Iterator[Place]:
    if name is None:
        return
    module = _read(source)
    if name in module.definitions:
        yield Place(source, name)
    elif name in module.imports:
        yield from _follow(*module.imports[name], None, home)


@functools.cache
def _source(name: str, home: Path) -> Path | None:
    """The file of a module, if it lies in the package or in the study's folder."""
    if name.partition(".")[0] == PACKAGE.name:
        stem = PACKAGE.joinpath(*name.split(".")[1:])
    else:
        stem = home.joinpath(*name.split("."))
    for file in (stem.with_suffix(".py"), stem / "__init__.py"):
        if file.is_file():
            return file.resolve()
    return None


@functools.cache
def _read(file: Path) -> Module:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    package = _package(file)
    found: dict[str, list[ast.stmt]] = {}
    for statement in _top_level(tree):
        for name in _bound(statement):
            found.setdefault(name, []).append(statement)
    return Module(found, _imports(tree, package), package)


def _package(file: Path) -> str:
    if PACKAGE not in file.parents:
        return ""
    return ".".join((PACKAGE.name, *file.parent.relative_to(PACKAGE).parts))


def _top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements of the module, those under a top-level `if` or `try` included."""
    for statement in tree.body:
        yield statement
        if isinstance(statement, (ast.If, ast.Try)):
            yield from _top_level(ast.Module(statement.body, []))


def _bound(statement: ast.stmt) -> list[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
    return []


def _imports(tree: ast.AST, package: str) -> dict[str, tuple[str, str | None]]:
    """Local name -> (module, member) for every import below `tree`."""
    found: dict[str, tuple[str, str | None]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.partition(".")[0]] = (alias.name, None)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            for alias in node.names:
                found[alias.asname or alias.name] = (base, alias.name)
    return found


def source_lines(function: Callable[..., Any]) -> str:
    """The source of one function or lambda as written, for people to read."""
    plain = _plain(function)
    lines, first = inspect.getsourcelines(plain)
    if plain.__name__ != "<lambda>":
        return inspect.cleandoc("".join(lines)) if lines[0][0] == " " else "".join(lines).rstrip()
    file = Path(inspect.getfile(plain)).read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(file)):
        if isinstance(node, ast.Lambda) and _is_code_of(node, plain, first):
            return ast.get_source_segment(file, node) or ast.unparse(node)
    return "".join(lines).strip()


def _is_code_of(node: ast.Lambda, function: Callable[..., Any], line: int) -> bool:
    """Same line, same arguments and same names: enough to tell lambdas of one line apart."""
    code = function.__code__
    if node.lineno != code.co_firstlineno and node.lineno != line:
        return False
    compiled = compile(ast.Expression(node), "<lambda>", "eval").co_consts[0]
    return bool(compiled.co_code == code.co_code and compiled.co_consts == code.co_consts)


