"""ping: whether the daemon answers, and which one it is."""

from __future__ import annotations

from cvec_circus.base.figures import duration
from cvec_circus.commands.base import Call, Command, Fields
from cvec_circus.commands.render import Table, key_lines


class Ping(Command):
    name = "ping"
    doc = "Check that the daemon answers, and show which one it is."

    def execute(self, call: Call) -> Fields | None:
        return call.target.description()

    def words(self, reply: Fields) -> Table:
        return key_lines({**_facts(reply), "uptime": duration(reply["uptime"])})

    def script(self, reply: Fields) -> Table:
        return key_lines(_facts(reply))


def _facts(reply: Fields) -> Fields:
    return {key: reply[key] for key in reply if key not in ("status", "time", "id")}
