"""Every command by its name. The module of a command is imported when the command is first needed.

The command line loads only the command it was given, to answer fast. The daemon calls `load_all`
once it is up: what it runs must not depend on files that an upgrade may replace.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cvec_circus.commands.base import Command

NAMES = tuple(
    "add decr doctor dstats events get globaloptions graph incr is-active kill list listen "
    "listsockets logs numprocesses numwatchers options ping quit reload reloadconfig reopen "
    "restart rm set signal start stats status stop upgrade wait why".split()
)
"""Each is the name of a module here, but for `decr`, and of a class in it, whatever the case and
without dashes."""

_loaded: dict[str, Command] = {}


def find(name: str) -> Command | None:
    """Find a command by its name, in any case; None if there is none."""
    command = _loaded.get(name)
    if command is None and name.lower() in NAMES:
        return _loaded.get(name.lower()) or _load(name.lower())
    return command


def load_all() -> dict[str, Command]:
    """Load every command, and return them by name."""
    return {name: _loaded.get(name) or _load(name) for name in NAMES}


def _load(name: str) -> Command:
    file = "incr" if name == "decr" else name.replace("-", "_")
    module = importlib.import_module(f"cvec_circus.commands.{file}")
    classes = {key.lower(): value for key, value in vars(module).items() if key[0].isupper()}
    command: Command = classes[name.replace("-", "")]()
    _loaded[name] = command
    return command
