"""Checking files with ConfigObj's validate, from the tables of options.

The kinds of `cvec_circus.options.kinds` are the functions of the Validator, and a row of a table
becomes the check of its key: `integer(low=0)`. So a file and a message are judged alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Callable

from configobj import ConfigObj, flatten_errors
from configobj.validate import ValidateError, Validator

from cvec_circus.config.reader import Document
from cvec_circus.options.kinds import KINDS
from cvec_circus.options.option import Option
from cvec_circus.options.table import OptionTable


def validate(document: Document, tables: Mapping[str, OptionTable]) -> set[tuple[str, str]]:
    """Turn the text of the known options into what it means; freeform keys stay text.

    Only what is written is checked. What is not has the default of its table.

    Args:
        document: Its tree gets the typed values, its findings what is wrong.
        tables: The table for each section that has one.

    Returns:
        The keys (section, key) with a value that their option does not take.
    """
    spec = ConfigObj(list_values=False, interpolation=False)
    for section, table in tables.items():
        spec[section] = _checks(document.tree[section], table)
    document.tree.configspec = spec
    result = document.tree.validate(Validator(_CHECKERS), preserve_errors=True)
    refused = set()
    for (section,), key, error in flatten_errors(document.tree, result):
        refused.add((section, key))
        document.findings.problem(document.place(section, key), str(error), section, key)
    return refused


def _checks(section: dict[str, Any], table: OptionTable) -> dict[str, str]:
    """Return the check of every known key of a section.

    What is not available has none: that it is refused is all there is to say. Nothing after the
    `=` is None for an option whose default is None.
    """
    checks = {}
    for key, value in section.items():
        option = table.find(key)
        if option is None or not option.available:
            continue
        if option.default is None and value == "":
            section[key] = None
        else:
            checks[key] = check_of(option)
    return checks


def check_of(option: Option) -> str:
    """Return an option's check in the language of validate: `integer(low=0)`."""
    return _check(option.kind, option.choices, option.low, option.high)


@cache
def _check(kind: str, choices: tuple[str, ...], low: float | None, high: float | None) -> str:
    arguments = [f'"{choice}"' for choice in choices]
    arguments += [f"low={low}"] if low is not None else []
    arguments += [f"high={high}"] if high is not None else []
    return f"{kind}({', '.join(arguments)})"


def _checker(kind: Callable[..., Any]) -> Callable[..., Any]:
    def check(value: Any, *choices: str, **bounds: str) -> Any:
        try:
            return kind(value, *choices, **bounds)
        except ValueError as error:
            raise ValidateError(str(error)) from None

    return check


_CHECKERS = {name: _checker(kind) for name, kind in KINDS.items()}
