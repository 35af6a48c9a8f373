"""quit: stop everything and end the daemon."""

from __future__ import annotations

from cvec_circus.commands.base import (
    Answer,
    Command,
    CommandTarget,
    Fields,
    ended,
    later,
    waiter,
)
from cvec_circus.wire import orders


class Quit(Command):
    """Immutable. The command `quit`."""

    name = "quit"
    doc = "Stop everything and end the daemon."
    mutating = True
    urgent = True

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Begin the end; several may wait for it."""
        wait = waiter(props, answer, ended)
        target.give(orders.Quit(answer.cause("command:quit", props["reason"])), wait)
        return later(wait)
