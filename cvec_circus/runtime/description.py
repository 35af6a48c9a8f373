"""What a plugin's class says of itself, for people: one line, and its options.

Both stand in the docstring of the class: its first sentence, and what follows `Options:`, where
each key of the schema has a line, as arguments do in the docstring of a function.
"""

from __future__ import annotations

import inspect
import re
import sys
from contextlib import redirect_stdout
from typing import Any, NamedTuple

from cvec_circus.ctl.output import say
from cvec_circus.exc import PluginError
from cvec_circus.plugins.plugin import CircusPlugin
from cvec_circus.runtime.catalogue import Listed, installed
from cvec_circus.runtime.load import load_class
from cvec_circus.runtime.schema import default, parameters

_SENTENCE = re.compile(r".*?[.!?](?=\s+[^\Wa-z]|\s*$)|.+", re.DOTALL)  # not up to an "e.g."
_PARAGRAPH = re.compile(r"\n\s*\n")
_SECTION = re.compile(r"^Options:\n((?:[ \t]+.*\n|\n)+)", re.MULTILINE)
_ENTRY = re.compile(r"^(\S+):[ \n]", re.MULTILINE)

MANDATORY = object()
"""Stands for the default of an option that has none."""


class PluginOption(NamedTuple):
    """An option of a plugin. Immutable.

    Attributes:
        key: Its key.
        kind: The name of its check: "integer", "option" ...
        choices: The values that it may have, for an "option".
        low: The smallest number, or the shortest length; None for no limit.
        high: The greatest number, or the greatest length; None for no limit.
        default: What it is when nothing is given; `MANDATORY` if something must be.
        doc: What it does.
    """

    key: str
    kind: str
    choices: tuple[str, ...]
    low: str | None
    high: str | None
    default: Any
    doc: str


def print_overview() -> None:
    """Print what is installed, as far as anybody reads it.

    Raises:
        OSError: It cannot be written.
    """
    say("\n".join(overview()))


def overview() -> list[str]:
    """Return a line for each plugin that is installed: its short name and what it does.

    Their modules are imported. A plugin whose class cannot be used has a line that says why.
    """
    listed = installed()
    width = max(len(one.name) for one in listed)
    lines = []
    for one in listed:
        origin = f" ({one.package})" if one.package else ""
        lines.append(f"{one.name:{width}}  {_summary_of(one)}{origin}")
    return lines


def _summary_of(one: Listed) -> str:
    try:
        with redirect_stdout(sys.stderr):  # what a module prints is no part of the list
            plugin = load_class(one.name)
        return summary(plugin) or one.dotted
    except PluginError as error:
        return str(error)


def summary(plugin: type) -> str:
    """Return the first sentence that a class says of itself, on one line; "" if it says nothing."""
    found = _SENTENCE.match(_PARAGRAPH.split(_docstring(plugin))[0])
    return " ".join(found[0].split()) if found else ""


def options(plugin: type[CircusPlugin]) -> list[PluginOption]:
    """Return the options of a plugin, in the order of its schema."""
    said = _entries(plugin)
    listed = []
    for key, check in plugin.schema.items():
        choices, limits = parameters(check)
        try:
            value = default(check)
        except KeyError:
            value = MANDATORY
        low, high = limits.get("min"), limits.get("max")
        kind = check.partition("(")[0].strip()
        listed.append(PluginOption(key, kind, choices, low, high, value, said.get(key, "")))
    return listed


def _docstring(plugin: type) -> str:
    """Return the docstring of the class itself: that of a base says what the base does."""
    return inspect.cleandoc(plugin.__doc__ or "")


def _entries(plugin: type) -> dict[str, str]:
    """Return what a class, or one that it derives from, says of its options."""
    said: dict[str, str] = {}
    for each in reversed(plugin.__mro__):
        found = _SECTION.search(_docstring(each) + "\n")
        if found is not None:
            parts = _ENTRY.split(inspect.cleandoc(found[1]))
            said.update(zip(parts[1::2], (" ".join(text.split()) for text in parts[2::2])))
    return said
