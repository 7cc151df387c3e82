"""The example of the README runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import Lab

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture
def example() -> str:
    text = README.read_text("utf-8")
    blocks = re.findall(r"^```python\n(# my_study\.py.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1
    return blocks[0]


def test_the_example_is_short(example: str) -> None:
    assert len(example.splitlines()) <= 60


def test_the_example_runs_and_its_claim_holds(example: str, lab: Lab) -> None:
    (lab.folder / "my_study.py").write_text(example, encoding="utf-8")
    ran = lab("run", "my_study.py")
    assert ran.code == 0
    assert "260 measured" in ran.err
    challenged = lab("challenge", "my_study.py")
    assert challenged.code == 0
    assert "survivor" not in challenged.out


def test_the_network_example_prunes(capsys: pytest.CaptureFixture[str]) -> None:
    text = README.read_text("utf-8")
    (block,) = re.findall(r"^```python\n(import torch\n.*?)^```", text, re.DOTALL | re.MULTILINE)
    exec(compile(block, "README.md", "exec"), {})
    accuracy, sparsity = re.findall(r"\d\.\d+", capsys.readouterr().out)[-2:]
    assert float(accuracy) > 0.5
    assert 0.8 < float(sparsity) < 0.9, "the first convolution and the last layer stay dense"
