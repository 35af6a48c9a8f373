"""The options of a plugin: its schema, and what the docstring of its class says of them.

Below `Options:` in the docstring, each key has a line, as arguments have in that of a function.
"""

from __future__ import annotations

import inspect
import re
from typing import Any, NamedTuple

from configobj.validate import Validator

from cvec_circus.plugins import CircusPlugin
from cvec_circus.runtime.schema import default


class PluginOption(NamedTuple):
    """An option of a plugin. Immutable.

    Attributes:
        kind: The name of its check: "integer", "option" ...
        choices: The values that it may have, for an "option".
        low: The smallest number, or the shortest length; None for no limit.
        high: The greatest number, or the greatest length; None for no limit.
        default: `MANDATORY` if it has none.
        doc: What it does.
    """

    key: str
    kind: str
    choices: tuple[str, ...]
    low: str | None
    high: str | None
    default: Any
    doc: str


def options(plugin: type[CircusPlugin]) -> list[PluginOption]:
    """Return the options of a plugin, in the order of its schema."""
    docs = _docs_of_options(plugin)
    listed = []
    for key, check in plugin.schema.items():
        kind = check.partition("(")[0].strip()
        recording = Validator({kind: lambda value, *values, **named: (values, named)})
        choices, limits = recording.check(check, "")
        low, high = limits.get("min"), limits.get("max")
        doc = docs.get(key, "")
        listed.append(PluginOption(key, kind, choices, low, high, default(check), doc))
    return listed


def _docs_of_options(plugin: type) -> dict[str, str]:
    """Return what the docstrings of a class and its bases say of its options."""
    docs: dict[str, str] = {}
    for each in reversed(plugin.__mro__):
        text = inspect.cleandoc(each.__doc__ or "") + "\n"
        found = re.search(r"^Options:\n((?:[ \t]+.*\n|\n)+)", text, re.MULTILINE)
        if found is not None:
            parts = re.split(r"^(\S+):[ \n]", inspect.cleandoc(found[1]), flags=re.MULTILINE)
            docs.update(zip(parts[1::2], (" ".join(doc.split()) for doc in parts[2::2])))
    return docs
