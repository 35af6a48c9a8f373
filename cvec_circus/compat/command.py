"""What programs for Circus do with the commands that `get_commands` returns."""

from __future__ import annotations

from typing import Any

from cvec_circus.compat.members import Members
from cvec_circus.compat.messages import make_message


class MessageMaker(Members):
    """Makes the messages of a command. Immutable, safe from any thread."""

    _circus_class = "commands.base.Command"
    name = ""
    msg_type = "dealer"

    def make_message(self, **props: Any) -> dict[str, Any]:
        """Make a message of this command, with its properties, for `CircusClient.call`."""
        return make_message(props.pop("command", self.name), **props)
