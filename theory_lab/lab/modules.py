"""Source files as their top-level names, and what a name in them stands for."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import theory_lab

PACKAGE = Path(theory_lab.__file__).resolve().parent


class Place(NamedTuple):
    """A top-level name of a module, by the module's file."""

    file: Path
    name: str


class Module(NamedTuple):
    """The top level of one source file: which statements bind a name, and what is imported.

    `imports` are the statements outside functions and classes.
    """

    definitions: dict[str, list[ast.stmt]]
    imports: list[ast.Import | ast.ImportFrom]


@functools.cache
def read(file: Path) -> Module:
    """The top level of a file without docstrings and annotations, which change no result.

    A name under an `if`, `for`, `try` is bound by all of it.
    """
    tree = _Cleaner().visit(ast.parse(file.read_text("utf-8")))
    definitions: dict[str, list[ast.stmt]] = {}
    imports: list[ast.Import | ast.ImportFrom] = []
    for statement in tree.body:
        imports += _imports(statement)
        for name in sorted(_bound(statement)):
            definitions.setdefault(name, []).append(statement)
    return Module(definitions, imports)


class _Cleaner(ast.NodeTransformer):
    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        self.generic_visit(node)
        node.annotation = ast.Constant(None)
        return node

    def visit_FunctionDef(self, node: Any) -> Any:
        node.returns = None
        return self._without_docstring(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        return self._without_docstring(node)

    def _without_docstring(self, node: Any) -> Any:
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            node.body = node.body[1:] or [ast.Pass()]
        return self.generic_visit(node)


_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _bound(node: ast.AST) -> set[str]:
    """Names that a statement binds or changes in place, as in `TABLE[1] = 2`, `TABLE.append(2)`."""
    if isinstance(node, _DEFINITIONS):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom, *_SCOPES)):
        return set()
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Store) else set()
    names: set[str] = set().union(*map(_bound, ast.iter_child_nodes(node)))
    return names | {chain[0] for part in _changed(node) for chain in dotted_names(part)}


def _changed(node: ast.AST) -> Iterator[ast.AST]:
    """What a statement changes in place: the target of an item or an attribute, of a method."""
    if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
        yield node.value
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        function = node.value.func
        if isinstance(function, ast.Attribute):
            yield function.value


def _imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Import statements below `tree`, but not inside the functions and classes it contains."""
    if isinstance(tree, (ast.Import, ast.ImportFrom)):
        yield tree
    elif not isinstance(tree, _DEFINITIONS):
        for child in ast.iter_child_nodes(tree):
            yield from _imports(child)


def dotted_names(tree: ast.AST) -> Iterator[tuple[str, ...]]:
    """Every name in `tree` with the attributes that follow it: `a.b.c` as ("a", "b", "c")."""
    chain: list[str] = []
    node: Any = tree
    while isinstance(node, ast.Attribute):
        chain.insert(0, node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        yield (node.id, *chain)
    for child in ast.iter_child_nodes(node):
        yield from dotted_names(child)


class Reader:
    """Follows names to their definitions in the package and in one folder, `home`."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def places(self, tree: ast.AST, file: Path) -> set[Place]:
        """The definitions that the names in `tree`, a part of `file`, stand for."""
        inside = [n for n in ast.walk(tree) if isinstance(n, (ast.Import, ast.ImportFrom))]
        found: set[Place] = set()
        for chain in dotted_names(tree):
            self._resolve(chain, file, inside, found, set())
        return found

    def _resolve(
        self,
        chain: tuple[str, ...],
        file: Path,
        inside: list[ast.Import | ast.ImportFrom],
        found: set[Place],
        asked: set[tuple[Path, tuple[str, ...]]],
    ) -> None:
        """Add what a chain stands for in a file; `inside` are imports of the function it is in."""
        if (file, chain) in asked:
            return
        asked.add((file, chain))
        module = read(file)
        if chain[0] in module.definitions:
            found.add(Place(file, chain[0]))
        for statement in (*inside, *module.imports):
            for target, known in self._targets(statement, chain, file):
                for source, rest in self._sources(target, known):
                    self._resolve(rest, source, [], found, asked)

    def _targets(
        self, statement: ast.Import | ast.ImportFrom, chain: tuple[str, ...], file: Path
    ) -> Iterator[tuple[tuple[str, ...], int]]:
        """The chain in full, as an absolute dotted name, if this import binds its first name; and
        how much of it is a module for sure."""
        head, *rest = chain
        for alias in statement.names:
            name = tuple(alias.name.split("."))
            if isinstance(statement, ast.ImportFrom):
                base = self._base(statement, file)
                if alias.name == "*":
                    yield (*base, *chain), len(base)
                elif (alias.asname or alias.name) == head:
                    yield (*base, *name, *rest), len(base)
            elif (alias.asname or name[0]) == head:
                yield (*(name if alias.asname else name[:1]), *rest), 1

    def _base(self, statement: ast.ImportFrom, file: Path) -> tuple[str, ...]:
        """The absolute name of the module that `from … import` names."""
        module = tuple((statement.module or "").split(".")) if statement.module else ()
        if not statement.level:
            return module
        root = PACKAGE.parent if PACKAGE in file.parents else self.home
        package = file.parent.relative_to(root).parts
        return (*package[: len(package) + 1 - statement.level], *module)

    def _sources(
        self, target: tuple[str, ...], known: int
    ) -> Iterator[tuple[Path, tuple[str, ...]]]:
        """Each way to read a dotted name as the file of a module, of `known` names or more, and
        names in it."""
        for length in range(max(1, known), len(target)):
            file = source(target[:length], self.home)
            if file is not None:
                yield file, target[length:]


@functools.cache
def source(name: tuple[str, ...], home: Path) -> Path | None:
    """The file of a module, if it lies in the package or in the study's folder."""
    root = PACKAGE.parent if name[0] == PACKAGE.name else home
    stem = root.joinpath(*name)
    files = (stem.with_name(stem.name + ".py"), stem / "__init__.py")
    return next((file for file in files if file.is_file()), None)
