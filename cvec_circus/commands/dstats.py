"""dstats: the resources that the daemon itself uses."""

from __future__ import annotations

from cvec_circus.commands.base import Call, Command, Fields
from cvec_circus.commands.render import Table, process_lines, process_table


class Dstats(Command):
    name = "dstats"
    doc = "Show the resources that the daemon itself uses."

    def execute(self, call: Call) -> Fields | None:
        answer = call.answer
        call.target.sample_daemon(lambda info: answer.ok(info=info), answer.fail)
        return None

    def words(self, reply: Fields) -> Table:
        return process_table({"": {"": reply["info"]}})

    def script(self, reply: Fields) -> str:
        first, *rest = process_lines(reply["info"])
        children = ["Children:", *(f"    {line}" for line in rest)] if rest else []
        return "\n".join(["Main Process:", f"    {first}", *children])


Daemontats = Dstats
"""As Circus spells it."""
