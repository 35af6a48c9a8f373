"""options: all options of watchers; and how options are shown."""

from __future__ import annotations

from cvec_circus.commands.base import MATCH, NAMES, Call, Command, Fields
from cvec_circus.commands.render import Table, by_name, key_lines, option_lines
from cvec_circus.options.secrets import conceal


class OptionsCommand(Command):
    """A command whose reply has options. Immutable."""

    def concealed(self, reply: Fields) -> Fields:
        if "watchers" in reply:
            each = {name: self.concealed(one) for name, one in reply["watchers"].items()}
            return {**reply, "watchers": each}
        return {**reply, "options": conceal("", reply["options"])}

    def words(self, reply: Fields) -> Table:
        """Render an option a line; of several watchers behind the name."""
        if "watchers" not in reply:
            return key_lines(reply["options"])
        rows = [
            (f"{name}: {key}", value)
            for name, one in by_name(reply["watchers"])
            for key, value in self.words(one).rows
        ]
        return Table((), rows)

    def script(self, reply: Fields) -> str:
        if "watchers" not in reply:
            return option_lines(reply["options"])
        return "\n".join(
            f"{name}: {option_lines({key: value})}"
            for name, one in by_name(reply["watchers"])
            for key, value in one["options"].items()
        )


class Options(OptionsCommand):
    name = "options"
    doc = "Show all options of watchers."
    properties = (NAMES, MATCH)
    usage = "NAME [NAME ...]"

    def execute(self, call: Call) -> Fields | None:
        target = call.target
        return call.tell(call.each(), lambda watcher: {"options": target.options(watcher)})
