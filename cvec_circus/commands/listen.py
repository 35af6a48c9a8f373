"""listen: what happens, as it happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cvec_circus.commands.base import Answer, Command, CommandTarget, Fields, Property
from cvec_circus.commands.kinds import to_names
from cvec_circus.exc import MessageError
from cvec_circus.wire.messages import COMMAND_FAILED


class Listen(Command):
    """Immutable. The command `listen`: the command line does all of it."""

    name = "listen"
    doc = "Show what happens as it happens, until Ctrl-C."
    properties = (
        Property("topics", to_names, doc="Beginnings of topics, or of names; all without any."),
    )
    usage = "[TOPIC ...]"
    named = (("TOPIC", "topics"),)

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Refuse: there is no answer that goes on."""
        raise MessageError("listen: subscribe to the pubsub_endpoint instead", COMMAND_FAILED)

    def message(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        """Take the topics."""
        return self.typed({"topics": list(args)} if args else {})
