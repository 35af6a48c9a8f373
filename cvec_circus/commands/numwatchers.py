"""numwatchers: how many watchers there are."""

from __future__ import annotations

from cvec_circus.commands.base import Answer, Command, CommandTarget, Fields


class NumWatchers(Command):
    """Immutable. The command `numwatchers`."""

    name = "numwatchers"
    doc = "Show how many watchers there are."

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Count them."""
        return {"numwatchers": len(target.watchers())}

    def words(self, reply: Fields) -> str:
        """Say the number."""
        return str(reply["numwatchers"])
