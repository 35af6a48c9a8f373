"""is-active: whether watchers are up, for scripts."""

from __future__ import annotations

from cvec_circus.commands.base import MATCH, NAMES, Call, Command, Fields
from cvec_circus.commands.render import Table, by_name
from cvec_circus.exc import EXIT_OK, EXIT_PROBLEM


class IsActive(Command):
    name = "is-active"
    doc = "Show the phases of watchers; the exit code is 0 if all are up."
    properties = (NAMES, MATCH)
    usage = "NAME [NAME ...]"

    def execute(self, call: Call) -> Fields | None:
        watchers = call.each(known=True)
        phases = {one.name: call.target.phase(one) for one in watchers}
        return {"active": all(map(call.target.is_active, watchers)), "phases": phases}

    def exit_code(self, reply: Fields) -> int:
        if reply.get("status") == "error":
            return super().exit_code(reply)
        return EXIT_OK if reply.get("active") else EXIT_PROBLEM

    def words(self, reply: Fields) -> str | Table:
        return phase_words(reply)


def phase_words(reply: Fields) -> str | Table:
    """Render the phases of a reply: a word, or a name and a word a line."""
    phases = reply["phases"]
    if len(phases) == 1:
        return str(next(iter(phases.values())))
    return Table((), by_name(phases)) if phases else "ok"
