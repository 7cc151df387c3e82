"""A study's options: the fields of its dataclass, shown and read as flags."""

from __future__ import annotations

import argparse
import dataclasses
import typing
from collections.abc import Sequence
from typing import Any, NoReturn

from theory_lab.core import Study, UsageError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"Study {self.prog!r}: {message}; its options are {self.epilog}.")


def parse_options(study: Study, flags: Sequence[str]) -> Any:
    """The study's options with `flags` read into them; None for a study without options."""
    if study.options is None:
        if flags:
            raise UsageError(
                f"Study {study.id!r} has no option {flags[0]!r}, nor has the command; its --help"
                " lists those that it has."
            )
        return None
    described = _described(study.options)
    parser = _Parser(prog=study.id, add_help=False, allow_abbrev=False, epilog=described)
    hints = typing.get_type_hints(study.options)
    for option in dataclasses.fields(study.options):
        flag = "--" + option.name.replace("_", "-")
        kind = hints[option.name]
        if kind is bool:
            parser.add_argument(flag, dest=option.name, action=argparse.BooleanOptionalAction)
        else:
            parser.add_argument(flag, dest=option.name, type=kind)
    given = {
        name: value for name, value in vars(parser.parse_args(flags)).items() if value is not None
    }
    return study.options(**given)


def _described(options: type) -> str:
    """The options with their defaults and what help their fields carry, for people."""
    return ", ".join(
        f"--{option.name.replace('_', '-')} (default {option.default!r}"
        f"{', ' + option.metadata['help'] if 'help' in option.metadata else ''})"
        for option in dataclasses.fields(options)
    )
