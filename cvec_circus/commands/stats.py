"""stats: what the processes use."""

from __future__ import annotations

from typing import Any

from cvec_circus.commands.base import (
    ANY_NAME,
    Answer,
    Command,
    CommandTarget,
    Fields,
    Property,
    Switch,
)
from cvec_circus.commands.render import Table, process_table
from cvec_circus.exc import MessageError
from cvec_circus.options.kinds import to_boolean, to_integer
from cvec_circus.wire.messages import BAD_MESSAGE


class Stats(Command):
    """Immutable. The command `stats`."""

    name = "stats"
    doc = "Show what the processes use, of all watchers or of one."
    properties = (
        ANY_NAME,
        Property("process", to_integer, low=1, doc="One process of the watcher, by its pid."),
        Property(
            "extended", to_boolean, default=False, doc="With what the hook `extended_stats` adds."
        ),
    )
    arguments = ("name", "process")
    usage = "[NAME [PID]]"
    named = (("PID", "process"),)
    switches = (Switch("extended", "extended", True),)

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Ask for a sample; the answer comes with it."""
        pid, extended = props["process"], props["extended"]
        if props["name"] is None:
            if pid is not None:
                raise MessageError("message invalid: process: name is missing")

            def then_all(samples: dict[str, Any]) -> None:
                answer.ok(infos=samples)

            target.sample(target.watchers(), None, then_all, answer.fail, extended)
            return None
        watcher = target.find(props["name"])
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
        """Show a table of processes."""
        if "infos" in reply:
            return process_table(reply["infos"])
        if "process" in reply:
            return process_table({"": {reply["process"]: reply["info"]}})
        return process_table({reply["name"]: reply["info"]})
