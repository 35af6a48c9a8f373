"""add: a new watcher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cvec_circus.commands.base import (
    Answer,
    Command,
    CommandTarget,
    Fields,
    Property,
    Switch,
    later,
    waiter,
)
from cvec_circus.commands.conversion import convert_accounts, convert_options
from cvec_circus.commands.kinds import to_new_name
from cvec_circus.exc import ArgumentError
from cvec_circus.options.kinds import to_args, to_boolean, to_mapping, to_text
from cvec_circus.wire import orders

if TYPE_CHECKING:
    from cvec_circus.options.rights import Accounts
    from cvec_circus.wire.outcome import Outcome


def _started(outcome: Outcome) -> Fields:
    return {"started": outcome.started, "kept": outcome.kept}


class Add(Command):
    """Immutable. The command `add`."""

    name = "add"
    doc = "Add a watcher."
    properties = (
        Property("name", to_new_name, mandatory=True, null=False, doc="The new watcher's name."),
        Property("cmd", to_text, mandatory=True, doc="The program to run."),
        Property("args", to_args, doc="Its arguments: text as in a shell, or a list."),
        Property("options", to_mapping, default={}, doc="Options, as in a configuration file."),
        Property("start", to_boolean, default=False, doc="Start it at once."),
    )
    usage = "NAME CMD [ARG ...]"
    named = (("ARG", "args"),)
    switches = (Switch("start", "start", True),)
    mutating = True

    def accounts(self, target: CommandTarget, props: Fields) -> Accounts | None:
        """Look up whom its processes will run as."""
        return convert_accounts(props["options"])

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Convert the options and add the watcher."""
        given = {**props["options"], "cmd": props["cmd"]}
        if props["args"] is not None:
            given["args"] = props["args"]
        options = convert_options(given)
        watcher = target.new_watcher(props["name"], options)
        cause = answer.cause("command:add", props["reason"])
        target.give(orders.Add(watcher, cause))
        if not props["start"]:
            return {}
        wait = waiter(props, answer, _started)
        target.give(orders.Start([watcher], cause), wait)
        return later(wait)

    def message(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        """Take a command in one word as it is, the words of one as a program and its arguments."""
        if len(args) < 2:
            raise ArgumentError("NAME and CMD are wanted")
        name, cmd, *rest = args
        return self.typed(
            {"name": name, "cmd": cmd, **({"args": rest} if rest else {}), **switches}
        )
