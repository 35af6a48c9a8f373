"""add: add a watcher."""

from __future__ import annotations

from cvec_circus.commands.base import Call, Command, Fields, Property
from cvec_circus.commands.kinds import to_new_name
from cvec_circus.commands.set import (
    LOCATING,
    convert_accounts,
    convert_options,
    doubts_of,
    uses_of,
)
from cvec_circus.commands.target import Wanted
from cvec_circus.options.kinds import to_args, to_boolean, to_mapping, to_text
from cvec_circus.options.rights import ACCOUNTS
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.wire import orders
from cvec_circus.wire.outcome import Outcome


class Add(Command):
    name = "add"
    doc = "Add a watcher."
    properties = (
        Property("name", to_new_name, mandatory=True, null=False, doc="The new watcher's name."),
        Property("cmd", to_text, mandatory=True, doc="The program to run."),
        Property("args", to_args, doc="Its arguments: text as in a shell, or a list."),
        Property("options", to_mapping, default={}, doc="Options, as in a configuration file."),
        Property("start", to_boolean, default=False, switch=True, doc="Start it at once."),
    )
    usage = "NAME CMD [ARG ...]"
    named = (("ARG", "args"),)
    mutating = True
    proves = True
    ignores_unknown = True  # Circus' clients send what they know of a watcher

    def near(self, key: str) -> str:
        is_option = WATCHER_OPTIONS.find(key) is not None
        return " (it belongs in options)" if is_option else super().near(key)

    def wanted(self, call: Call) -> Wanted:
        given = call.props["options"]
        accounts = convert_accounts(given, dict.fromkeys(ACCOUNTS))
        hooks = uses_of(given, dict.fromkeys(LOCATING))
        return Wanted({} if accounts is None else {accounts: ""}, hooks)

    def execute(self, call: Call) -> Fields | None:
        props = call.props
        given = {**props["options"], "cmd": props["cmd"]}
        if props["args"] is not None:
            given["args"] = props["args"]
        options = convert_options(given, call.answer.is_program)
        watcher = call.target.new_watcher(props["name"], options)
        cause = call.cause
        call.target.give(orders.Add(watcher, cause))
        warnings = [*props.get("warnings", ()), *doubts_of(options, call.target)]
        more = {"warnings": warnings} if warnings else {}

        def started(outcome: Outcome) -> Fields:
            return {"started": outcome.started, "kept": outcome.kept, **more}

        if not props["start"]:
            return more
        reply = call.give(orders.Start([watcher], cause), started)
        return None if reply is None else {**reply, **more}
