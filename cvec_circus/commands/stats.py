"""stats: the resources that processes use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cvec_circus.commands.base import (
    ANY_NAMES,
    MATCH,
    Call,
    Command,
    Fields,
    Property,
)
from cvec_circus.commands.naming import names_and_numbers
from cvec_circus.commands.render import Table, process_lines, process_table
from cvec_circus.commands.target import Watchers
from cvec_circus.exc import MessageError, NoProcessError
from cvec_circus.options.kinds import to_boolean, to_integer
from cvec_circus.wire.messages import BAD_MESSAGE

_PROCESS = "One process of the watcher, by its pid."
_EXTENDED = "Include what the hook `extended_stats` adds."


class Stats(Command):
    name = "stats"
    doc = "Show the resources that processes use, of all watchers or of some."
    properties = (
        ANY_NAMES,
        MATCH,
        Property("process", to_integer, low=1, doc=_PROCESS),
        Property("extended", to_boolean, default=False, switch=True, doc=_EXTENDED),
    )
    usage = "[NAME [NAME ...] [PID]]"
    named = (("PID", "process"),)

    def execute(self, call: Call) -> Fields | None:
        target, answer = call.target, call.answer
        pid, extended = call.props["process"], call.props["extended"]
        if pid is not None:
            if call.props["name"] is None:
                raise MessageError("message invalid: process: name is missing")
            watchers: Watchers = [call.one()]
        else:
            found = call.several()
            watchers = target.watchers() if found is None else found
            if found is None or not call.names(found):
                target.sample(watchers, None, lambda s: answer.ok(infos=s), answer.fail, extended)
                return None
        [watcher] = watchers
        missing = f"process {pid} not found in {watcher.name!r}"
        if pid is not None and pid not in target.pids(watcher):
            raise NoProcessError(missing)

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

    def properties_of(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        return self.typed({**names_and_numbers(args, "process"), **switches})

    def words(self, reply: Fields) -> Table:
        if "infos" in reply:
            return process_table(reply["infos"])
        if "process" in reply:
            return process_table({"": {reply["process"]: reply["info"]}})
        return process_table({reply["name"]: reply["info"]})

    def script(self, reply: Fields) -> str:
        if "process" in reply:
            return "\n".join(_script_lines({reply["process"]: reply["info"]}))
        infos = reply["infos"] if "infos" in reply else {reply["name"]: reply["info"]}
        lines: list[str] = []
        for name, processes in infos.items():
            lines += [f"{name}:", *_script_lines(processes or {})]
        return "\n".join(lines)


def _script_lines(processes: Mapping[Any, Any]) -> Iterator[str]:
    """Yield what circusctl prints of processes: each behind its pid, its children below it."""
    for pid, info in processes.items():
        first, *children = process_lines(info)
        yield f"{pid}: {first}"
        yield from (f"   {line}" for line in children)
