"""The rooms of the package: nothing is imported against the arrows, also inside functions."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from theory_lab import Claim
from theory_lab.core.reduce import Reduction
from theory_lab.lab import catalogue, keys
from theory_lab.lab.modules import Place

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "theory_lab"


class Room(NamedTuple):
    """What may be imported: rooms of the package, and packages from outside, at the top of a file
    and inside functions. numpy and the standard library may be imported everywhere, but for what
    `PURE` keeps out."""

    rooms: frozenset[str]
    outside: frozenset[str] = frozenset()
    inside_functions: frozenset[str] = frozenset()
    rooms_inside_functions: frozenset[str] = frozenset()


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


ROOMS = {
    "core": Room(names(""), inside_functions=names("scipy.special scipy.stats")),
    "numerics": Room(names(""), names("array_api_compat"), names("scipy")),
    "solvers": Room(names("core numerics"), names("array_api_compat"), names("scipy cvxpy")),
    "data": Room(names("core"), inside_functions=names("sklearn pooch PIL pandas")),
    "bounds": Room(
        names("numerics bounds"),
        inside_functions=names("scipy.special scipy.integrate scipy.optimize"),
    ),
    "experiments": Room(
        names("core numerics solvers data experiments"), names("array_api_compat"), names("scipy")
    ),
    "strategies": Room(names("core bounds"), names("hypothesis")),
    "claims": Room(names("core bounds experiments claims")),
    "theorems": Room(names("")),
    "networks": Room(
        names("core numerics data"),
        names("torch pytorchcv rich"),
        names("safetensors torch_pruning"),
    ),
    "trials": Room(
        names("core numerics bounds"),
        inside_functions=names("torch filelock"),
        rooms_inside_functions=names("networks"),
    ),
    "lab": Room(names("core registry"), names("threadpoolctl"), names("torch array_api_compat")),
    "report": Room(
        names("core lab.ledger lab.assess lab.desk lab.plan"),
        names("pandas matplotlib jinja2 markupsafe PIL"),
    ),
    "registry": Room(names("")),
    "cli": Room(names("core lab report registry"), names("click rich")),
    "studies": Room(names("core bounds experiments claims trials report.plots")),
}

PURE = names("core numerics solvers bounds experiments claims strategies")
IMPURE = names(
    "os pathlib io tempfile shutil sqlite3 subprocess socket time datetime random secrets uuid"
    " threading multiprocessing concurrent asyncio"
)
EXCEPTIONS = {("core/study.py", "cli")}
"""`Study.main` starts the command line, from inside the function."""


class Import(NamedTuple):
    module: str
    line: int
    is_inside: bool


def imports(tree: ast.AST, package: str, is_inside: bool = False) -> Iterator[Import]:
    """Every module that is imported, by absolute name; `from a import b` as a.b."""
    for node in ast.iter_child_nodes(tree):
        inside = is_inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        inside |= isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, is_inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield from (Import(f"{base}.{a.name}", node.lineno, is_inside) for a in node.names)
        else:
            yield from imports(node, package, inside)


def room_of(path: Path) -> str:
    """The room of a file, by its path below the root of the repository."""
    if path.parts[0] != "theory_lab":
        return path.parts[0]
    inner = path.with_suffix("").parts[1:]
    if inner[0] == "theorems":
        return inner[2] if len(inner) > 2 and inner[2] != "__init__" else "theorems"
    return {"__init__": "core", "console": "cli"}.get(inner[0], inner[0])


def target_of(module: str) -> tuple[str, str, str]:
    """(room, theory or "", dotted path below theory_lab) of an import from the package."""
    below = module.split(".")[1:]
    if not below or not _is_module(below[0]):
        return "core", "", "core"  # `import theory_lab` and the words it re-exports
    if below[0] == "theorems":
        room = below[2] if len(below) > 2 else "theorems"
        return room, below[1] if len(below) > 1 else "", ".".join(below)
    return {"console": "cli"}.get(below[0], below[0]), "", ".".join(below)


def _is_module(name: str) -> bool:
    known = {*ROOMS, "theorems", "console"}
    return name in known or (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()


def violations(path: Path, source: str) -> list[str]:
    """Sentences about the imports of a file that the table does not allow."""
    room = room_of(path)
    rules = ROOMS[room]
    package = ".".join(path.with_suffix("").parts[:-1])
    return [
        f"{path}:{found.line} ({room}) imports {found.module}"
        for found in imports(ast.parse(source), package)
        if not is_allowed(path, room, rules, found)
    ]


def is_allowed(path: Path, room: str, rules: Room, found: Import) -> bool:
    top = found.module.partition(".")[0]
    if room == "studies" and (ROOT / "studies" / f"{top}.py").is_file():
        return True
    if top == "theory_lab":
        return is_inner_allowed(path, room, rules, found)
    if top in sys.stdlib_module_names:
        return room not in PURE or top not in IMPURE
    allowed = rules.outside | (rules.inside_functions if found.is_inside else frozenset())
    return top == "numpy" or any(covers(name, found.module) for name in allowed)


def is_inner_allowed(path: Path, room: str, rules: Room, found: Import) -> bool:
    target, theory, dotted = target_of(found.module)
    if found.is_inside and (str(path.relative_to("theory_lab")), target) in EXCEPTIONS:
        return True
    if theory and room in ("bounds", "experiments", "claims") and theory != path.parts[2]:
        return False
    rooms = rules.rooms | (rules.rooms_inside_functions if found.is_inside else frozenset())
    return target == room or any(name == target or covers(name, dotted) for name in rooms)


def covers(allowed: str, module: str) -> bool:
    return module == allowed or module.startswith(allowed + ".")


TIMING = {Path("studies/speed.py"), Path("studies/calibrate.py")}
"""Scripts that declare no study."""


def files() -> list[Path]:
    found = [*PACKAGE.rglob("*.py"), *(ROOT / "studies").glob("*.py")]
    relative = (file.relative_to(ROOT) for file in found)
    return sorted(path for path in relative if path not in TIMING)


@pytest.mark.parametrize("path", files(), ids=str)
def test_no_arrow_runs_upwards(path: Path) -> None:
    assert not violations(path, (ROOT / path).read_text("utf-8"))


BOUNDS, EXPERIMENTS, CLAIMS = (
    f"theory_lab/theorems/matrix_sensing/{room}/x.py"
    for room in ("bounds", "experiments", "claims")
)
PLANTED = [
    ("theory_lab/core/x.py", "from theory_lab.lab import ledger"),
    ("theory_lab/core/x.py", "def f():\n    from theory_lab.numerics import symmetric"),
    ("theory_lab/core/x.py", "from theory_lab import cli"),
    ("theory_lab/core/x.py", "from ..lab.ledger import Ledger"),
    ("theory_lab/core/x.py", "import time"),
    ("theory_lab/core/x.py", "from random import random"),
    ("theory_lab/core/x.py", "import scipy.stats"),
    ("theory_lab/core/x.py", "def f():\n    import scipy.linalg"),
    ("theory_lab/core/study.py", "from theory_lab.cli import main"),
    ("theory_lab/numerics/x.py", "import torch"),
    ("theory_lab/numerics/x.py", "def f():\n    import cvxpy"),
    ("theory_lab/numerics/x.py", "from theory_lab.core import Measurement"),
    ("theory_lab/solvers/x.py", "import cvxpy"),
    ("theory_lab/solvers/x.py", "from theory_lab.theorems.matrix_sensing import bounds"),
    ("theory_lab/solvers/x.py", "def f():\n    from theory_lab.data import digits"),
    ("theory_lab/data/x.py", "def f():\n    import torch"),
    ("theory_lab/data/x.py", "from theory_lab.numerics import symmetric"),
    (BOUNDS, "from theory_lab.solvers import descent"),
    (BOUNDS, "from theory_lab.theorems.matrix_sensing.experiments import losses"),
    (BOUNDS, "from ..experiments.losses import loss"),
    (BOUNDS, "from theory_lab.core import Claim"),
    (BOUNDS, "import scipy.special"),
    (BOUNDS, "def f():\n    from scipy import stats"),
    (BOUNDS, "import os"),
    (EXPERIMENTS, "from theory_lab.theorems.matrix_sensing.bounds import regulariser"),
    (EXPERIMENTS, "def f():\n    if True:\n        from ..bounds import regulariser"),
    (EXPERIMENTS, "def f():\n    import torch"),
    (EXPERIMENTS, "import matplotlib"),
    (EXPERIMENTS, "from theory_lab.theorems.matrix_sensing.claims import CLAIMS"),
    (CLAIMS, "from theory_lab.solvers import descent"),
    (CLAIMS, "from theory_lab.numerics import symmetric"),
    (CLAIMS, "from theory_lab.theorems.rank_pruning.bounds import tail"),
    (CLAIMS, "from pathlib import Path"),
    (CLAIMS, "import torch"),
    (CLAIMS, "from theory_lab.report import plots"),
    ("theory_lab/networks/x.py", "from theory_lab.theorems.matrix_sensing.bounds import f"),
    ("theory_lab/networks/x.py", "def f():\n    import cvxpy"),
    ("theory_lab/networks/x.py", "import safetensors"),
    ("theory_lab/trials/x.py", "from theory_lab.networks import train"),
    ("theory_lab/trials/x.py", "import torch"),
    ("theory_lab/trials/x.py", "from theory_lab.theorems.matrix_sensing.experiments import losses"),
    ("theory_lab/lab/x.py", "from theory_lab.theorems.matrix_sensing import claims"),
    ("theory_lab/lab/x.py", "from theory_lab.report import plots"),
    ("theory_lab/lab/x.py", "from theory_lab.numerics import symmetric"),
    ("theory_lab/lab/x.py", "import torch"),
    ("theory_lab/lab/x.py", "import click"),
    ("theory_lab/lab/x.py", "from theory_lab import console"),
    ("theory_lab/report/x.py", "from theory_lab.lab import runner"),
    ("theory_lab/report/x.py", "from theory_lab.solvers import descent"),
    ("theory_lab/report/x.py", "def f():\n    import torch"),
    ("theory_lab/registry.py", "from theory_lab.theorems.matrix_sensing import claims"),
    ("theory_lab/cli.py", "def f():\n    from theory_lab.theorems.matrix_sensing import claims"),
    ("theory_lab/console.py", "from theory_lab.solvers import descent"),
    ("studies/x.py", "from theory_lab.numerics import symmetric"),
    ("studies/x.py", "from theory_lab.report import html"),
    ("studies/x.py", "import matplotlib.pyplot as plt"),
]


@pytest.mark.parametrize(("path", "source"), PLANTED)
def test_planted_imports_are_caught(path: str, source: str) -> None:
    assert len(violations(Path(path), source)) == 1


WELCOME = [
    ("theory_lab/core/x.py", "def f():\n    from scipy import stats"),
    ("theory_lab/core/study.py", "def f():\n    from theory_lab.cli import main"),
    ("theory_lab/numerics/x.py", "from theory_lab.numerics import groups\nimport array_api_compat"),
    (
        BOUNDS,
        "from theory_lab.numerics import symmetric\nfrom .regulariser import psi\nimport math",
    ),
    (EXPERIMENTS, "from theory_lab import Measurement\nfrom theory_lab.data import digits"),
    (CLAIMS, "from theory_lab import Claim\nfrom theory_lab.theorems.matrix_sensing import bounds"),
    (
        "theory_lab/trials/x.py",
        "def f():\n    import torch\n    from theory_lab.networks import train",
    ),
    ("theory_lab/lab/x.py", "import sqlite3\nimport time\nfrom theory_lab import registry"),
    ("studies/x.py", "from theory_lab.report.plots import lines\nfrom theory_lab import Study"),
]


@pytest.mark.parametrize(("path", "source"), WELCOME)
def test_what_the_table_allows(path: str, source: str) -> None:
    assert violations(Path(path), source) == []


def numerics_of(places: set[Place]) -> set[Place]:
    """Those of the definitions that stand in numerics, array helpers excepted."""
    room = PACKAGE / "numerics"
    return {p for p in places if p.file.parent == room and p.file.name != "groups.py"}


def shared_numerics(claim: Claim) -> set[Place]:
    """What both the formula and the computation that it speaks of use of numerics."""
    assert isinstance(claim.measure, Reduction)
    computed = keys.reach(claim.experiment) | set(keys.formulas(claim.measure.compute))
    return numerics_of(set(keys.formulas(claim.predict))) & numerics_of(computed)


def test_no_formula_shares_numerics_with_its_measurement() -> None:
    claims = catalogue.registered_claims()
    assert claims
    shared = {claim.id: found for claim in claims if (found := shared_numerics(claim))}
    assert not shared


SHARING = """
    import numpy as np
    from theory_lab import Claim, Source, Study, grid
    from theory_lab.core import reduce
    from theory_lab.numerics import symmetric
    from theory_lab.numerics.symmetric import NAME as shared

    def draw(n: int, *, rng):
        return dict(n=n)

    def run(at, *, rng):
        return dict(v=RUN)

    def measured(record):
        return MEASURE

    def formula(x):
        return PREDICT

    CLAIM = Claim("toy.shared", Source("a", "b"), "says", draw=draw, run=run,
                  measure=reduce.each(measured), predict=lambda f: formula(f["n"]))
    STUDY = Study("toy", claims=[CLAIM], cases=grid(n=1))
"""


@pytest.mark.parametrize(
    ("run", "measure", "predict", "caught"),
    [
        ("shared(at)", "1.0", "symmetric.NAME(x)", True),
        ("1.0", "shared(record)", "shared(x)", True),
        ("symmetric.NAME(at)", "1.0", "x", False),
        ("1.0", "1.0", "shared(x)", False),
    ],
)
def test_planted_sharing_is_caught(
    run: str, measure: str, predict: str, caught: bool, tmp_path: Path
) -> None:
    name = next(iter(definitions("symmetric")))
    text = SHARING.replace("RUN", run).replace("MEASURE", measure).replace("PREDICT", predict)
    file = tmp_path / "toy.py"
    lines = text.replace("NAME", name).splitlines()
    file.write_text("\n".join(line[4:] for line in lines), encoding="utf-8")
    (claim,) = catalogue.load(file).claims
    assert bool(shared_numerics(claim)) == caught


def definitions(module: str) -> list[str]:
    tree = ast.parse((PACKAGE / "numerics" / f"{module}.py").read_text("utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
