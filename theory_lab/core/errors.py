"""The errors a user meets: one sentence that says what is wrong and what would be right."""


class TheoryLabError(Exception):
    """An error with a message for people; `exit_code` is what the command line returns for it."""

    exit_code = 1


class UsageError(TheoryLabError):
    """Something was asked for that cannot be: an unknown name, a parameter out of its range."""

    exit_code = 2


class StorageError(TheoryLabError):
    """The disk, the ledger or a data file cannot be read or written."""

    exit_code = 3
