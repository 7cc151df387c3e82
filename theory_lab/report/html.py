"""report/index.html: the same tables as paper_checks.md and the figures, as one file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from theory_lab.report.figures import Drawn
from theory_lab.report.tables import VERDICTS, StudyPart, false_alarms

SHARPNESS = 1.6
"""Pixels of a figure to one of the page."""


def page(parts: Sequence[StudyPart], drawn: Mapping[str, Sequence[Drawn]]) -> str:
    """The page: no script, nothing loaded from elsewhere."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("theory_lab.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["base64"] = lambda png: base64.b64encode(png).decode()
    environment.filters["breakable"] = breakable
    environment.filters["width"] = lambda png: round(width(png) / SHARPNESS)
    return environment.get_template("page.html.j2").render(
        parts=parts, drawn=drawn, verdicts=VERDICTS, false_alarms=false_alarms(parts)
    )


def width(png: bytes) -> int:
    """Pixels across, from the PNG's header."""
    return int.from_bytes(png[16:20])


def breakable(identifier: str) -> str:
    """An id with soft places for a line break after dots and underscores."""
    from markupsafe import Markup, escape

    text = str(escape(identifier))
    return Markup(text.replace(".", ".<wbr>").replace("_", "_<wbr>"))
