"""The report: paper_checks.md, figures and one self-contained page, from judged studies."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from theory_lab.lab.desk import Judgement


def write(judgements: Sequence[Judgement], folder: Path, preset: str) -> list[Path]:
    """Write the report into `folder` and return the files in the order of writing.

    `paper_checks.md` and `report/index.html` go into the folder; figures (PNG and CSV) into its
    `figures/` for the quick preset, and beside them for the others, whose folder is
    `figures/<preset>`. Files there of a declared figure, or of a version of it, that is not drawn
    any more are removed. Raises OSError where something cannot be written.
    """
    from theory_lab.report import figures, html, paper_checks, tables

    parts = [tables.study_part(judgement) for judgement in judgements]
    drawn = {part.id: figures.draw_all(j) for part, j in zip(parts, judgements, strict=True)}
    beside = "figures/" if preset == "quick" else ""
    contents: dict[Path, bytes] = {}
    for one in (one for study in drawn.values() for one in study if one.is_drawn):
        contents[folder / beside / f"{one.figure.id}.png"] = one.png
        contents[folder / beside / f"{one.figure.id}.csv"] = one.csv.encode()
    contents[folder / "paper_checks.md"] = paper_checks.markdown(parts, drawn, beside).encode()
    contents[folder / "report" / "index.html"] = html.page(parts, drawn).encode()
    for path, content in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for judgement in judgements:
        _remove_outdated([f.id for f in figures.declared(judgement)], folder / beside, contents)
    return list(contents)


def _remove_outdated(names: Sequence[str], folder: Path, written: Container[Path]) -> None:
    """Remove the files of these figures that were not written now; `name.…` are its versions."""
    for name in names:
        for suffix in ("png", "csv"):
            for path in (*folder.glob(f"{name}.{suffix}"), *folder.glob(f"{name}.*.{suffix}")):
                if path not in written:
                    path.unlink()
