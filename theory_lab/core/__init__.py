"""The words of the lab; pure: no disk, no clock, no global random state."""

from theory_lab.core.checks import BadParameter
from theory_lab.core.errors import StorageError, TheoryLabError, UsageError
from theory_lab.core.measurement import Measurement, Record
from theory_lab.core.study import Study, drops, grid, instead
from theory_lab.core.types import Case, Claim, Condition, Control, Experiment, Source, Verdict

__all__ = [
    "BadParameter", "Case", "Claim", "Condition", "Control", "Experiment", "Measurement", "Record",
    "Source", "StorageError", "Study", "TheoryLabError", "UsageError", "Verdict", "drops", "grid",
    "instead",
]  # fmt: skip
