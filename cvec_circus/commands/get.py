"""get: some options of a watcher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cvec_circus.commands.base import (
    NAME,
    Answer,
    Command,
    CommandTarget,
    Fields,
    Property,
)
from cvec_circus.commands.kinds import to_names
from cvec_circus.commands.render import Table, key_lines
from cvec_circus.exc import ArgumentError, MessageError
from cvec_circus.options.nearest import did_you_mean


class Get(Command):
    """Immutable. The command `get`."""

    name = "get"
    doc = "Show some options of a watcher."
    properties = (NAME, Property("keys", to_names, mandatory=True, doc="The options' names."))
    usage = "NAME OPTION [OPTION ...]"
    named = (("OPTION", "keys"),)

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Pick the options out."""
        options = target.options(target.find(props["name"]))
        options.update({f"hooks.{name}": hook for name, hook in options.get("hooks", {}).items()})
        for key in props["keys"]:
            if key not in options:
                near = did_you_mean(key[:60], options)
                raise MessageError(f"{key[:60]!r} option not found{near}")
        return {"options": {key: options[key] for key in props["keys"]}}

    def message(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        """Take a name and the options' names."""
        if len(args) < 2:
            raise ArgumentError("NAME and at least one OPTION are wanted")
        return self.typed({"name": args[0], "keys": list(args[1:]), **switches})

    def words(self, reply: Fields) -> Table:
        """Show an option a line."""
        return key_lines(reply["options"])
