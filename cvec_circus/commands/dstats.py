"""dstats: what the daemon itself uses."""

from __future__ import annotations

from cvec_circus.commands.base import Answer, Command, CommandTarget, Fields
from cvec_circus.commands.render import Table, process_table


class Dstats(Command):
    """Immutable. The command `dstats`."""

    name = "dstats"
    doc = "Show what the daemon itself uses."

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Ask for a sample; the answer comes with it."""
        target.sample_daemon(lambda info: answer.ok(info=info), answer.fail)
        return None

    def words(self, reply: Fields) -> Table:
        """Show the daemon as `stats` shows a process."""
        return process_table({"daemon": {"": reply["info"]}})
