"""list: the names of the watchers, or the pids of one."""

from __future__ import annotations

from cvec_circus.commands.base import ANY_NAME, Answer, Command, CommandTarget, Fields


class List(Command):
    """Immutable. The command `list`."""

    name = "list"
    doc = "Show the names of all watchers, or the pids of one."
    properties = (ANY_NAME,)
    arguments = ("name",)
    usage = "[NAME]"

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Look them up."""
        if props["name"] is not None:
            return {"pids": target.pids(target.find(props["name"]))}
        return {"watchers": sorted(watcher.name.lower() for watcher in target.watchers())}

    def words(self, reply: Fields) -> str:
        """Show them with commas between, as Circus does."""
        entries = reply["watchers"] if "watchers" in reply else reply["pids"]
        return ",".join(map(str, entries))
