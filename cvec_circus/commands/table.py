"""Every command by its name; a command's module is loaded when somebody first asks for it.

The command line loads the one command it was given, so that it answers in a blink. The daemon calls
`load_all` once it is up: what it runs must not depend on files that an upgrade may replace.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from cvec_circus.options.nearest import LONGEST_WORD, nearest_to

if TYPE_CHECKING:
    from cvec_circus.commands.base import Command

_CLASSES = {
    "add": "cvec_circus.commands.add:Add",
    "decr": "cvec_circus.commands.incr:Decr",
    "dstats": "cvec_circus.commands.dstats:Dstats",
    "events": "cvec_circus.commands.events:Events",
    "get": "cvec_circus.commands.get:Get",
    "globaloptions": "cvec_circus.commands.globaloptions:GlobalOptions",
    "incr": "cvec_circus.commands.incr:Incr",
    "kill": "cvec_circus.commands.kill:Kill",
    "list": "cvec_circus.commands.list:List",
    "listen": "cvec_circus.commands.listen:Listen",
    "listsockets": "cvec_circus.commands.listsockets:ListSockets",
    "logs": "cvec_circus.commands.logs:Logs",
    "numprocesses": "cvec_circus.commands.numprocesses:NumProcesses",
    "numwatchers": "cvec_circus.commands.numwatchers:NumWatchers",
    "options": "cvec_circus.commands.options:Options",
    "ping": "cvec_circus.commands.ping:Ping",
    "quit": "cvec_circus.commands.quit:Quit",
    "reload": "cvec_circus.commands.reload:Reload",
    "reloadconfig": "cvec_circus.commands.reloadconfig:ReloadConfig",
    "restart": "cvec_circus.commands.restart:Restart",
    "rm": "cvec_circus.commands.rm:Rm",
    "set": "cvec_circus.commands.set:Set",
    "signal": "cvec_circus.commands.signal:Signal",
    "start": "cvec_circus.commands.start:Start",
    "stats": "cvec_circus.commands.stats:Stats",
    "status": "cvec_circus.commands.status:Status",
    "stop": "cvec_circus.commands.stop:Stop",
}
NAMES = tuple(_CLASSES)

_loaded: dict[str, Command] = {}


def find(name: str) -> Command | None:
    """Find a command by its name in any case; None when there is none."""
    command = _loaded.get(name)
    if command is None:
        name = name.lower()
        where = _CLASSES.get(name)
        if where is None:
            return None
        command = _loaded.get(name) or _load(name, where)
    return command


def near(name: str) -> str:
    """Make the hint that follows an unknown name; "" when none is near."""
    meant = nearest(name)
    return f"; did you mean {meant}?" if meant else ""


def nearest(name: str, known: tuple[str, ...] = NAMES) -> str:
    """Return the known name that was probably meant, or "" when none is near."""
    return nearest_to(name[:LONGEST_WORD], frozenset(known))


def load_all() -> dict[str, Command]:
    """Load every command; returns them by name."""
    for name, where in _CLASSES.items():
        if name not in _loaded:
            _load(name, where)
    return {name: _loaded[name] for name in NAMES}


def _load(name: str, where: str) -> Command:
    module, _, class_name = where.partition(":")
    command: Command = getattr(importlib.import_module(module), class_name)()
    _loaded[name] = command
    return command
