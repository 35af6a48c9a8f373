"""stop: stop watchers."""

from __future__ import annotations

from collections.abc import Iterator

from cvec_circus.commands.base import (
    ANY_NAMES,
    MATCH,
    YES,
    Call,
    Command,
    Fields,
    Property,
)
from cvec_circus.commands.target import needing, strays
from cvec_circus.options.kinds import to_boolean
from cvec_circus.wire import orders

_WITH = "Also stop what depends on them, first."


class Stop(Command):
    name = "stop"
    doc = "Stop watchers; all of them without a name."
    properties = (
        ANY_NAMES,
        MATCH,
        Property(
            "failed", to_boolean, default=False, doc=("Mark them as failed: they cannot run.")
        ),
        Property("with_dependants", to_boolean, default=False, switch=True, doc=_WITH),
    )
    usage = "[NAME ...]"
    local = (YES,)
    mutating = True

    def execute(self, call: Call) -> Fields | None:
        chosen, with_dependants = call.several(), call.props["with_dependants"]
        order = orders.Stop(
            chosen,
            call.cause,
            failed=call.props["failed"],
            with_dependants=with_dependants and chosen is not None,
        )
        more: Fields = {}
        if chosen is not None and with_dependants:
            more = {"stopped": call.target.stop_order(chosen)}
        elif chosen is not None:
            more = needing(call.target, chosen)
        reply = call.give(order, lambda outcome: {"info": None, **strays(outcome), **more})
        return None if reply is None else {**reply, **more}

    def remarks(self, reply: Fields) -> Iterator[str]:
        """Say also what stops, and what depends on it and goes on."""
        yield from super().remarks(reply)
        if len(names := reply.get("stopped", ())) > 1:
            has_ended = "info" in reply
            yield f"{'stopped' if has_ended else 'stopping'}, in this order: {', '.join(names)}"
        yield from needs(
            reply,
            one="; `--with-dependants` stops it too",
            several="; `--with-dependants` stops them too",
        )


def needs(reply: Fields, one: str, several: str) -> Iterator[str]:
    """Say which parts stop with watchers, and what depends on them and goes on, with what that
    means for one or for several."""
    if parts := reply.get("parts"):
        yield f"{', '.join(parts)} {'stops' if len(parts) == 1 else 'stop'} with it"
    if names := reply.get("dependants"):
        is_one = len(names) == 1
        verb = "depends on it and goes on" if is_one else "depend on it and go on"
        yield f"{', '.join(names)} {verb}{one if is_one else several}"
