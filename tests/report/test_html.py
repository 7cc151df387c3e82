"""The page: one file, all claims, statements as text, no sideways scrolling on a telephone."""

from __future__ import annotations

import contextlib
import html
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.report import toys
from theory_lab.report import figures, tables
from theory_lab.report.html import page

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)


def written() -> str:
    """The page of a study with evidence of another machine."""
    here = toys.judged()
    there = toys.elsewhere(here, stem="a_file_with_a_rather_long_name_" * 3)
    judgement = replace(here, elsewhere=[there])
    part = tables.study_part(judgement)
    return page([part], {part.id: figures.draw_all(judgement)})


@pytest.fixture(scope="module")
def text() -> str:
    return written()


class Elements(HTMLParser):
    """Tags with their attributes, and whether they are balanced."""

    EMPTY = ("meta", "img", "wbr", "br", "link")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_is_whole_and_loads_nothing(text):
    elements = Elements(text)
    assert elements.open == []
    assert "script" not in {tag for tag, _ in elements.found}
    assert "link" not in {tag for tag, _ in elements.found}
    sources = [a["src"] for _, a in elements.found if "src" in a]
    assert len(sources) == 4, "two figures, here and there"
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert all(a["href"].startswith("#") for _, a in elements.found if "href" in a)
    assert "url(" not in text
    assert len(text.encode()) < 3_000_000


def test_anchors_lead_somewhere_and_are_unique(text):
    elements = Elements(text)
    places = [a["id"] for _, a in elements.found if "id" in a]
    assert len(places) == len(set(places))
    assert {a["href"][1:] for _, a in elements.found if "href" in a} <= set(places)


def test_every_claim_has_a_section_with_its_verdict(text):
    for claim, verdict in zip(
        toys.CLAIMS, ("holds", "holds", "holds", "fails", "seen"), strict=True
    ):
        anchor = f"toy-{claim.id}".replace(".", "-")
        article = text[text.index(f'<article id="{anchor}">') :].partition("</article>")[0]
        assert f'<span class="verdict {verdict}">{verdict}</span>' in article


def test_a_statement_is_text(text):
    assert "<script>" not in text
    assert html.escape(toys.NASTY, quote=False).replace("'", "&#39;") in text
    assert toys.NASTY in "".join(Elements(text).words)


def test_the_same_page_twice(text):
    assert text == written()


def dumped_page(address: str, folder: Path, wanted: re.Pattern[str]) -> str:
    """The page as Chromium sees it; some Chromiums print it and then do not end, so they are ended
    with all their children."""
    dump = folder / "dump"
    arguments = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={folder / 'profile'}", "--dump-dom", address,
    ]  # fmt: skip
    with dump.open("w") as out:
        browser = subprocess.Popen(
            arguments, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        end = time.monotonic() + 30
        while browser.poll() is None and time.monotonic() < end:
            if wanted.search(dump.read_text()):
                break
            time.sleep(0.1)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
    return dump.read_text()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to lay the page out")
def test_no_sideways_scrolling(text, tmp_path):
    """In frames, because a window of Chromium cannot be as narrow as a telephone."""
    widths = (380, 1200)
    page_of = f'srcdoc="{html.escape(text)}"'
    frames = (
        f'<iframe style="width:{w}px;height:900px;border:0" {page_of}></iframe>' for w in widths
    )
    measure = (
        "onload = () => { document.title = [...document.querySelectorAll('iframe')].map(f => {"
        "const e = f.contentDocument.documentElement; return e.clientWidth + ' of ' + e.scrollWidth"
        "}).join(', ') }"
    )
    frame = tmp_path / "frame.html"
    frame.write_text("".join(frames) + f"<script>{measure}</script>")
    title = re.compile(r"<title>(\d+) of (\d+), (\d+) of (\d+)</title>")
    dumped = dumped_page(f"file://{frame}", tmp_path, title)
    found = title.search(dumped)
    assert found, dumped[-500:]
    numbers = [int(number) for number in found.groups()]
    for width, shown, needed in zip(widths, numbers[::2], numbers[1::2], strict=True):
        assert width - 20 <= shown <= width
        assert needed <= shown
