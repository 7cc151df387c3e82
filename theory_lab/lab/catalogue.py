"""Finding studies and claims: by file, by name in ./studies, by id in the registry."""

from __future__ import annotations

import difflib
import functools
import hashlib
import importlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from theory_lab import registry
from theory_lab.core import Claim, Experiment, Study, UsageError

STUDIES = Path("studies")


def study_files() -> list[Path]:
    """The files in ./studies that declare a study, in order of name."""
    declared = re.compile(r"^STUDY\b", re.MULTILINE)
    return [f for f in sorted(STUDIES.glob("*.py")) if declared.search(f.read_text("utf-8"))]


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
    name = f"{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    specification = importlib.util.spec_from_file_location(name, file)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    try:
        specification.loader.exec_module(module)
    except SyntaxError as error:
        raise UsageError(f"{file.name}, line {error.lineno}: {error.msg}.") from error
    except ImportError as error:
        raise UsageError(f"{file.name} cannot be imported: {error}.") from error
    return module


def registered_claims() -> list[Claim]:
    """The claims of the package, theory by theory."""
    modules = [importlib.import_module(module) for module in registry.THEORIES.values()]
    return [claim for module in modules for claim in module.CLAIMS]


def claim(name: str, file: Path | None = None) -> Claim:
    """A claim by id, of the package or of a study's file."""
    known = {c.id: c for c in (load(file).claims if file else registered_claims())}
    if name in known:
        return known[name]
    raise UsageError(_unknown("claim", name, sorted(known)))


def experiments(study: Study) -> dict[str, Experiment]:
    """Every experiment of a study by id, those of its controls included."""
    found = {claim.experiment.id: claim.experiment for claim in study.claims}
    for preset in study.presets:
        options = study.options() if study.options else None
        for control in study.controls_of(preset, options):
            if control.experiment is not None:
                found[control.experiment.id] = control.experiment
    return found


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
    }
