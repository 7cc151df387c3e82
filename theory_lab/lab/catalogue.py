"""Finding studies and claims: by file, by name in ./studies, by id in the registry."""

from __future__ import annotations

import difflib
import functools
import hashlib
import importlib
import importlib.util
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from theory_lab import registry
from theory_lab.core import Claim, Experiment, Study, UsageError
from theory_lab.lab.backends import DEVICES

STUDIES = Path("studies")
_FOLDERS: set[Path] = set()
"""The folders of the studies that were loaded."""


def study_files() -> list[Path]:
    """The files in ./studies that declare a study, in order of name."""
    declared = re.compile(r"^STUDY\b", re.MULTILINE)
    files = sorted(STUDIES.glob("*.py"))
    return [f for f in files if declared.search(f.read_text("utf-8", errors="replace"))]


def find(name: str) -> Path:
    """The file of a study given as a file or as the name of one in ./studies."""
    given = Path(name)
    if given.suffix == ".py":
        if given.is_file():
            return given.resolve()
        raise UsageError(f"There is no file {name}; give the path of a study's file.")
    named = STUDIES / f"{name}.py"
    if named.is_file():
        return named.resolve()
    raise UsageError(_unknown("study", name, [file.stem for file in study_files()]))


def _unknown(what: str, name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    there = ", ".join(known) if known else "none (studies are looked up in ./studies)"
    return f"There is no {what} {name!r}; there are: {there}.{hint}"


@functools.cache
def load(file: Path) -> Study:
    """The STUDY that a file declares. Its folder is importable while it is used."""
    module = _import(file)
    study = getattr(module, "STUDY", None)
    if not isinstance(study, Study):
        raise UsageError(f"{file.name} declares no study; bind one to the name STUDY.")
    return study


def _import(file: Path) -> ModuleType:
    stem = re.sub(r"\W", "_", file.stem)
    name = f"{stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    specification = importlib.util.spec_from_file_location(name, file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    _put_first(file.parent)
    try:
        specification.loader.exec_module(module)
    except UsageError:
        raise
    except SyntaxError as error:
        where = Path(error.filename or file).name
        raise UsageError(f"{where}, line {error.lineno or 1}: {error.msg}.") from error
    except Exception as error:
        kind, reason = type(error).__name__, str(error).rstrip(".")
        raise UsageError(
            f"{file.name}{_line_of(error, file)} raises {kind} on import: {reason}."
        ) from error
    return module


def _put_first(folder: Path) -> None:
    """Let imports find this folder's modules, not those of the same name beside another study."""
    for name, module in list(sys.modules.items()):
        if _home(name, module) in _FOLDERS - {folder}:
            top = folder / name.partition(".")[0]
            if top.is_dir() or top.with_suffix(".py").is_file():
                del sys.modules[name]
    _FOLDERS.add(folder)
    sys.path[:] = [str(folder), *(place for place in sys.path if place != str(folder))]


def _home(name: str, module: ModuleType) -> Path | None:
    """The folder on the path in which a module, or the package it belongs to, was found."""
    file = Path(getattr(module, "__file__", None) or "")
    above = name.count(".") + (file.name == "__init__.py")
    return file.parents[above] if above < len(file.parents) else None


def _line_of(error: Exception, file: Path) -> str:
    """The last line of the study's own file on the way to an error."""
    steps = traceback.extract_tb(error.__traceback__)
    lines = [step.lineno for step in steps if step.filename == str(file)]
    return f", line {lines[-1]}," if lines else ""


def registered_claims() -> list[Claim]:
    """The claims of the package, theory by theory."""
    modules = [importlib.import_module(module) for module in registry.THEORIES.values()]
    return [claim for module in modules for claim in module.CLAIMS]


def claim(name: str, file: Path | None = None) -> Claim:
    """A claim by id, of the package or of a study's file."""
    known = {c.id: c for c in (load(file).claims if file else registered_claims())}
    if name in known:
        return known[name]
    if file is None:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise UsageError(
            f"There is no claim {name!r} in the package; `theory-lab list` names those that there"
            f" are, and --study FILE looks in a study of your own.{hint}"
        )
    raise UsageError(_unknown("claim", name, sorted(known)))


def experiments(study: Study) -> dict[str, Experiment]:
    """Every experiment of a study by id, those of its controls included."""
    options = study.options() if study.options else None
    controls = [c for preset in study.presets for c in study.controls_of(preset, options)]
    found: dict[str, Experiment] = {}
    used = [claim.experiment for claim in study.claims]
    for experiment in used + [c.experiment for c in controls if c.experiment is not None]:
        if found.setdefault(experiment.id, experiment) != experiment:
            raise UsageError(
                f"Study {study.id!r} has two experiments {experiment.id!r}; give each its own id."
            )
    return found


def devices(claim: Claim) -> list[str]:
    """Where the claim's experiment runs."""
    return [device for device in DEVICES if claim.experiment.runs_on(device)]


def describe(claim: Claim) -> dict[str, Any]:
    """The row of `list --json`."""
    return {
        "id": claim.id,
        "theory": claim.theory,
        "source": claim.source.paper,
        "locus": claim.source.locus,
        "basis": claim.basis,
        "relation": claim.relation,
        "statement": claim.statement,
        "conditions": [condition.name for condition in claim.conditions],
        "rivals": list(claim.rivals),
        "devices": devices(claim),
    }
