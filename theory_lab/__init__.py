"""theory_lab: pytest for theorems. A theorem becomes a claim, and the lab tries to break it."""

from theory_lab.core import (
    BadParameter,
    Case,
    Claim,
    Condition,
    Control,
    Experiment,
    Measurement,
    Record,
    Source,
    StorageError,
    Study,
    TheoryLabError,
    UsageError,
    Verdict,
    drops,
    grid,
    instead,
)

__version__ = "0.1.0"

__all__ = [
    "BadParameter", "Case", "Claim", "Condition", "Control", "Experiment", "Measurement", "Record",
    "Source", "StorageError", "Study", "TheoryLabError", "UsageError", "Verdict", "drops", "grid",
    "instead",
]  # fmt: skip
