"""listen: events as they happen; the command line carries it out."""

from __future__ import annotations

from typing import Any

from cvec_circus.commands.base import Call, Command, Fields, Property
from cvec_circus.commands.kinds import to_names
from cvec_circus.exc import MessageError
from cvec_circus.wire.messages import COMMAND_FAILED

_TOPICS = "Prefixes of topics, or of names; by default all."


class Listen(Command):
    name = "listen"
    doc = "Show events as they happen, until Ctrl-C."
    properties = (Property("topics", to_names, doc=_TOPICS),)
    usage = "[TOPIC ...]"
    named = (("TOPIC", "topics"),)
    msg_type = "sub"

    def execute(self, call: Call) -> Fields | None:
        """Refuse it: a request has one answer."""
        raise MessageError("listen: subscribe to the pubsub_endpoint instead", COMMAND_FAILED)

    def message(self, *args: str, **opts: Any) -> list[str]:
        """Return the topics to subscribe to, as a program for Circus expects."""
        return list(args) or [""]
