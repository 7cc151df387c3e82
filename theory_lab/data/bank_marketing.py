"""UCI Bank Marketing: 45,211 calls of a bank; did the client subscribe a deposit (11.7 % did)?

Source: S. Moro, P. Cortez, P. Rita, Decision Support Systems 62 (2014), CC BY 4.0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from theory_lab.core.errors import StorageError
from theory_lab.data.files import locate, places
from theory_lab.data.tables import Table, bucket_ids, category_ids, split_rows

FILES = ("bank_marketing/bank-full.csv", "bank_marketing/bank-full.csv.xz")
"""As UCI has it (semicolons and a header), or its bare rows separated by commas."""
ROWS, SUBSCRIBED = 45_211, 5_289
NUMBERS = ("age", "balance", "day", "campaign", "pdays", "previous")
COLUMNS = (
    "age", "job", "marital", "education", "default", "balance", "housing", "loan", "contact",
    "day", "month", "duration", "campaign", "pdays", "previous", "poutcome", "y",
)  # fmt: skip
BUCKETS = 32


def bank_marketing() -> Table:
    """All inputs but the length of the call, which is known only after its outcome: 15 columns.

    Numbers in at most 32 buckets. Rows are ordered by date; every fifth one is a test row. Raises
    StorageError if the file is missing or has other rows than the published ones.
    """
    file = locate(*FILES)
    if file is None:
        raise StorageError(
            f"The data file {FILES[0]} is missing: put UCI's bank-full.csv at {places(FILES[0])}."
        )
    frame = read(file)
    labels = (frame["y"] == "yes").to_numpy(np.uint8)
    if (len(frame), labels.sum()) != (ROWS, SUBSCRIBED):
        raise StorageError(
            f"{file} has {len(frame)} rows with {labels.sum()} yes, not {ROWS} with {SUBSCRIBED};"
            " replace it."
        )
    is_train = np.arange(ROWS) % 5 != 4
    columns = [_ids(frame[name], is_train) for name in COLUMNS[:-1] if name != "duration"]
    return split_rows(columns, labels, is_train)


def read(file: Path) -> Any:
    """A data frame of the rows of either form of the file, by the names of the columns."""
    import pandas as pd

    has_header = file.suffix == ".csv"
    return pd.read_csv(
        file,
        sep=";" if has_header else ",",
        header=0 if has_header else None,
        names=list(COLUMNS),
        keep_default_na=False,
    )


def _ids(column: Any, is_train: np.ndarray) -> tuple[np.ndarray, int]:
    if column.name in NUMBERS:
        return bucket_ids(column.to_numpy(np.float64), is_train, BUCKETS)
    return category_ids(column.to_numpy(str), is_train, min_count=1)
