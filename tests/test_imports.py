"""What `import theory_lab` and the list of claims load."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"torch", "cvxpy", "scipy.stats", "sklearn", "matplotlib", "pandas", "sqlite3"}


def loaded_by(statement: str) -> set[str]:
    script = f"import sys; {statement}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import theory_lab",
        "import theory_lab.cli",
        "from theory_lab.lab import catalogue; catalogue.registered_claims()",
    ],
)
def test_nothing_heavy_is_loaded(statement: str) -> None:
    loaded = loaded_by(statement)
    assert "numpy" in loaded
    assert not HEAVY & loaded
