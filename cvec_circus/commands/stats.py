"""stats: the resources that processes use."""

from __future__ import annotations

from typing import Any

from cvec_circus.commands.base import ANY_NAME, Call, Command, Fields, Property
from cvec_circus.commands.render import Table, process_table
from cvec_circus.exc import MessageError
from cvec_circus.options.kinds import to_boolean, to_integer
from cvec_circus.wire.messages import BAD_MESSAGE

_PROCESS = "One process of the watcher, by its pid."
_EXTENDED = "With what the hook `extended_stats` adds."


class Stats(Command):
    name = "stats"
    doc = "Show the resources that processes use, of all watchers or of one."
    properties = (
        ANY_NAME,
        Property("process", to_integer, low=1, doc=_PROCESS),
        Property("extended", to_boolean, default=False, switch=True, doc=_EXTENDED),
    )
    usage = "[NAME [PID]]"
    named = (("PID", "process"),)

    def execute(self, call: Call) -> Fields | None:
        target, answer = call.target, call.answer
        pid, extended = call.props["process"], call.props["extended"]
        if call.props["name"] is None:
            if pid is not None:
                raise MessageError("message invalid: process: name is missing")
            every = target.watchers()
            target.sample(every, None, lambda s: answer.ok(infos=s), answer.fail, extended)
            return None
        watcher = call.one()
        missing = f"process {pid} not found in {watcher.name!r}"
        if pid is not None and pid not in target.pids(watcher):
            raise MessageError(missing)

        def then(samples: dict[str, Any]) -> None:
            info = {str(key): row for key, row in samples.get(watcher.name, {}).items()}
            if pid is None:
                answer.ok(name=watcher.name, info=info)
            elif str(pid) in info:
                answer.ok(process=pid, info=info[str(pid)])
            else:
                answer.fail(missing, BAD_MESSAGE)

        target.sample([watcher], pid, then, answer.fail, extended)
        return None

    def words(self, reply: Fields) -> Table:
        if "infos" in reply:
            return process_table(reply["infos"])
        if "process" in reply:
            return process_table({"": {reply["process"]: reply["info"]}})
        return process_table({reply["name"]: reply["info"]})
