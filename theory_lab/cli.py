"""The command line: list, show, run, judge, challenge, report, export, doctor.

Imports of anything slow stand inside the commands, so that `list` and `--help` answer at once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from theory_lab import __version__
from theory_lab.core import StorageError, TheoryLabError, UsageError

if TYPE_CHECKING:
    from theory_lab.lab.desk import Desk, Judgement

WELL, FAILED, WORK_LEFT, STOPPED = 0, 1, 4, 130
RESULTS = Path("results")

_FLAGS = {"ignore_unknown_options": True}


def _shared(function: Callable[..., None]) -> Callable[..., None]:
    """Options of every command that judges a study."""
    for decorate in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON array of flat objects."),
        click.option("--out", type=click.Path(path_type=Path), default=RESULTS,
                     show_default=True, help="Folder of the ledger."),
        click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True,
                     help="Where problems are run; each device has a ledger of its own."),
        click.option("--preset", default="quick", show_default=True, help="quick, full, or the study's own."),
        click.argument("names", nargs=-1, type=click.UNPROCESSED, metavar="[NAME|FILE]... [STUDY OPTIONS]"),
    ):  # fmt: skip
        function = decorate(function)
    return function


_chosen = click.option(
    "-k", "--claims", "patterns", multiple=True, metavar="PATTERN",
    help="Only claims with this in their id (* and ? as in the shell); may be repeated.",
)  # fmt: skip


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """pytest for theorems: measure what they say, judge it, and try to break them.

    A study is given by its file or by its name in ./studies; without one, every study there is
    taken. Exit codes: 0 well, 1 something fails, 2 wrong usage, 3 disk or data, 4 work left.
    """


@cli.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array of flat objects.")
@click.argument("file", required=False)
def list_claims(file: str | None, as_json: bool) -> None:
    """List the claims of the package, or of a study's FILE."""
    from theory_lab.lab import catalogue

    claims = catalogue.load(catalogue.find(file)).claims if file else catalogue.registered_claims()
    if as_json:
        _print_json([catalogue.describe(claim) for claim in claims])
        return
    width = max((len(claim.id) for claim in claims), default=0)
    for claim in claims:
        click.echo(f"{claim.id:{width}}  {claim.relation:2}  {claim.statement}")


@cli.command()
@click.argument("claim")
@click.option("--study", help="The study or file that declares the claim, if the package does not.")
def show(claim: str, study: str | None) -> None:
    """Print a CLAIM: statement, source, conditions, and the source code of its prediction."""
    from theory_lab.lab import catalogue
    from theory_lab.lab.showing import describe_claim

    click.echo(describe_claim(catalogue.claim(claim, catalogue.find(study) if study else None)))


@cli.command(context_settings=_FLAGS)
@_shared
@_chosen
@click.option(
    "--jobs",
    type=click.IntRange(min=0),
    help="Worker processes; 0 runs in this process, for debuggers.",
)
@click.option(
    "--smoke",
    is_flag=True,
    help="A tiny version of any preset, in seconds, in a ledger of its own.",
)
@click.option(
    "--deadline",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Stop starting work after this time.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    default=3600.0,
    show_default=True,
    help="Longest time for one cell.",
)
@click.option(
    "--keep-stale",
    is_flag=True,
    help="Do not measure again what only the code's change made stale.",
)
def run(
    names: Sequence[str], preset: str, out: Path, device: str, as_json: bool, jobs: int | None, smoke: bool,
    deadline: float | None, timeout: float, keep_stale: bool, patterns: Sequence[str],
) -> None:  # fmt: skip
    """Measure what the ledger does not have yet, then judge."""
    from theory_lab import console
    from theory_lab.lab import backends, runner, workers
    from theory_lab.lab.desk import judge
    from theory_lab.lab.mending import open_mended

    backends.require(device)
    desks = _desks(names, preset, smoke, device, patterns)
    for desk in desks:
        console.tell_left_out(desk)
    jobs = runner.default_jobs() if jobs is None else jobs
    settings = runner.Settings(jobs, deadline, timeout, keep_stale, device)
    ledger, mended = open_mended(_ledger(out, device, smoke))
    with ledger, workers.crew() as members:
        if mended:
            console.note(mended)
        outcomes = []
        for desk in desks:
            with console.progress(desk.study.id) as progress:
                outcomes.append(
                    runner.run(desk.file, desk.cells, ledger, settings, progress, members)
                )
        judgements = [judge(desk, ledger) for desk in desks]
    for desk, outcome in zip(desks, outcomes, strict=True):
        console.tell_outcome(desk.study.id, outcome)
    _print_judgements(judgements, as_json)
    if any(o.lacks_data for o in outcomes):
        _exit(StorageError.exit_code)
    if any(o.failures for o in outcomes) or any(j.fails for j in judgements):
        _exit(FAILED)
    _exit(WORK_LEFT if any(o.left for o in outcomes) else WELL)


@cli.command(context_settings=_FLAGS)
@_shared
@_chosen
@click.option("--smoke", is_flag=True, help="Judge the records of `run --smoke`.")
def judge(
    names: Sequence[str], preset: str, out: Path, device: str, as_json: bool, smoke: bool,
    patterns: Sequence[str],
) -> None:  # fmt: skip
    """Judge every claim on the records that the ledger has."""
    judgements = _judged(names, preset, out, device, smoke, patterns)
    _print_judgements(judgements, as_json)
    if any(j.fails for j in judgements):
        _exit(FAILED)
    _exit(WORK_LEFT if any(j.missing for j in judgements) else WELL)


@cli.command(context_settings=_FLAGS)
@_shared
@_chosen
def challenge(
    names: Sequence[str],
    preset: str,
    out: Path,
    device: str,
    as_json: bool,
    patterns: Sequence[str],
) -> None:
    """Change every prediction and see whether the records notice."""
    from theory_lab import console
    from theory_lab.lab.mutants import challenge as challenge_claim

    judgements = _judged(names, preset, out, device, patterns=patterns)
    measured = [a for j in judgements for a in j.assessments if a.evidence.judged]
    found = [c for assessment in measured for c in challenge_claim(assessment)]
    if as_json:
        _print_json([{"claim": c.claim, "mutant": c.mutant, "class": c.verdict} for c in found])
    else:
        console.print_challenges(found)
    if any(c.verdict == "survivor" for c in found):
        _exit(FAILED)
    _exit(WORK_LEFT if any(j.missing for j in judgements) else WELL)


@cli.command(context_settings=_FLAGS)
@_shared
def report(names: Sequence[str], preset: str, out: Path, device: str, as_json: bool) -> None:
    """Write figures/, paper_checks.md and report/index.html from the ledger."""
    from theory_lab.report import write

    judgements = _judged(names, preset, out, device)
    folder = Path(".") if preset == "quick" else Path("figures") / preset
    try:
        written = write(judgements, folder, preset)
    except OSError as error:
        raise StorageError(
            f"{error.filename} cannot be written ({error.strerror}); make its folder writable, or"
            " run in another one."
        ) from error
    if as_json:
        _print_json([{"file": str(file)} for file in written])
    else:
        click.echo(f"{len(written)} files written, among them {folder / 'paper_checks.md'}.")


@cli.command(context_settings=_FLAGS)
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--preset", default="quick", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.argument("flags", nargs=-1, type=click.UNPROCESSED, metavar="[STUDY OPTIONS]")
def export(
    name: str, file: Path, preset: str, out: Path, device: str, flags: Sequence[str]
) -> None:
    """Write the records of study NAME to FILE (JSON lines, xz) as evidence for other machines."""
    from theory_lab.lab import evidence_file, runner

    (judgement,) = _judged([name, *flags], preset, out, device)
    desk = judgement.desk
    if not judgement.records:
        raise UsageError(f"No record of {name} is there to be written; measure some first.")
    records = [(runner.key(cell, desk.code), record) for cell, record in judgement.records.items()]
    count = evidence_file.write(desk.study.id, preset, flags, records, file)
    click.echo(f"{count} records written to {file}.")


@cli.command()
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def doctor(out: Path) -> None:
    """Check the installation, the folders that are written to, the ledger and the evidence files."""
    from theory_lab.lab.doctor import examine

    findings = examine(_ledger(out))
    for finding in findings:
        click.echo(f"{'ok ' if finding.well else 'BAD'}  {finding.text}")
    _exit(WELL if all(f.well for f in findings) else StorageError.exit_code)


def _desks(
    names: Sequence[str], preset: str, smoke: bool, device: str, patterns: Sequence[str]
) -> list[Desk]:
    """The studies that are asked for; what begins with a dash is for the study.

    With `patterns` only those that have such claims."""
    from theory_lab.lab import catalogue
    from theory_lab.lab.desk import lay_out

    first_flag = next((i for i, name in enumerate(names) if name.startswith("-")), len(names))
    asked = list(names[:first_flag]) or [str(file) for file in catalogue.study_files()]
    if not asked:
        raise UsageError("There is no study in ./studies; give the path of a study's file.")
    desks = [
        lay_out(name, preset, names[first_flag:], smoke=smoke, device=device, patterns=patterns)
        for name in asked
    ]
    found = [desk for desk in desks if desk.plan.claims]
    if patterns and not found:
        raise UsageError(
            f"No claim has {' or '.join(map(repr, patterns))} in its id; theory-lab list shows them."
        )
    return found if patterns else desks


def _ledger(out: Path, device: str = "cpu", smoke: bool = False) -> Path:
    """Records of different devices, and those of smoke tests, never meet in one file."""
    stem = "smoke" if smoke else "ledger"
    return out / (f"{stem}.sqlite" if device == "cpu" else f"{stem}-{device}.sqlite")


def _judged(
    names: Sequence[str], preset: str, out: Path, device: str, smoke: bool = False,
    patterns: Sequence[str] = (),
) -> list[Judgement]:  # fmt: skip
    from theory_lab import console
    from theory_lab.lab.desk import judge
    from theory_lab.lab.ledger import Ledger

    desks = _desks(names, preset, smoke, device, patterns)
    with Ledger(_ledger(out, device, smoke), readonly=True) as ledger:
        judgements = [judge(desk, ledger) for desk in desks]
    for judgement in judgements:
        console.tell_left_out(judgement.desk)
        console.tell_missing(judgement, () if out == RESULTS else ("--out", str(out)))
    return judgements


def _print_judgements(judgements: Sequence[Judgement], as_json: bool) -> None:
    from theory_lab import console
    from theory_lab.lab.assess import as_json as row

    if as_json:
        _print_json([row(a) for j in judgements for a in j.assessments])
        return
    for judgement in judgements:
        console.print_judgement(judgement)


def _print_json(rows: Sequence[dict[str, Any]]) -> None:
    click.echo(json.dumps([_finite(row) for row in rows], indent=1, ensure_ascii=False))


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: null."""
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value


def _exit(code: int) -> None:
    if code != WELL:
        raise SystemExit(code)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: errors as one sentence on stderr, and the right exit code."""
    try:
        cli.main(args=arguments, prog_name="theory-lab", standalone_mode=False)
    except TheoryLabError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        click.echo(f"Error: {error.format_message()}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except (click.Abort, KeyboardInterrupt):
        click.echo(
            "Stopped; finished cells are kept, and the next run goes on from there.", err=True
        )
        sys.exit(STOPPED)
