"""numprocesses: how many processes there are."""

from __future__ import annotations

from cvec_circus.commands.base import ANY_NAME, Answer, Command, CommandTarget, Fields


class NumProcesses(Command):
    """Immutable. The command `numprocesses`."""

    name = "numprocesses"
    doc = "Show how many processes there are, in all or of one watcher."
    properties = (ANY_NAME,)
    arguments = ("name",)
    usage = "[NAME]"

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Count them."""
        if props["name"] is None:
            return {"numprocesses": sum(len(target.pids(w)) for w in target.watchers())}
        watcher = target.find(props["name"])
        return {"numprocesses": len(target.pids(watcher)), "watcher_name": watcher.name}

    def words(self, reply: Fields) -> str:
        """Say the number."""
        return str(reply["numprocesses"])
