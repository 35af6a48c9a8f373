"""The one answer that a request gets, now or later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from cvec_circus import logger
from cvec_circus.wire import messages
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.outcome import Outcome, Wait

if TYPE_CHECKING:
    from cvec_circus.base.clock import Clock

#: What a sender learns of a fault of ours.
FAULT = "internal error; the daemon's log has more"

Send = Callable[[bytes], object]


class Reply:
    """Owned by the supervisor thread. The answer to one request: given once, or never for a cast.

    Attributes:
        actor: Who sent it.
        label: What is answered, for the log.
        message_id: The id that the answer carries, whatever the sender made it.
        cast: The sender wants no answer; whatever is given goes nowhere.
        timeout: Seconds after which an order that is waited for is answered with an error.
        answered: Whether the answer was given.
    """

    __slots__ = ("_clock", "_send", "actor", "answered", "cast", "label", "message_id", "timeout")

    def __init__(self, send: Send, clock: Clock) -> None:
        self._send = send
        self._clock = clock
        self.actor = "client"
        self.label = "a message"
        self.message_id: Any = None
        self.cast = False
        self.timeout: float | None = None
        self.answered = False

    def ok(self, **fields: Any) -> None:
        """Report success."""
        self.give(messages.ok(fields, self._clock.time()))

    def fail(self, reason: str, errno: int = messages.COMMAND_FAILED) -> None:
        """Report a failure in a sentence."""
        self.give(messages.error(reason, errno, self._clock.time()))

    def cause(self, text: str, why: str = "") -> Cause:
        """Make the cause of what the request orders."""
        return Cause(text, self.actor, why)

    def wait(self, shape: Callable[[Outcome], dict[str, Any]]) -> Wait:
        """Make what the core calls at the end of an order.

        Args:
            shape: Turns the outcome of an order that came to its end into the reply's fields.
        """

        def then(outcome: Outcome) -> None:
            if outcome.error is not None:
                self.fail(outcome.error)
            else:
                self.ok(**shape(outcome))

        return Wait(then, self.timeout)

    def give(self, reply: dict[str, Any]) -> None:
        """Send a reply, unless it is the second one: that is a fault of ours, and is logged."""
        if self.answered:
            logger.error("second answer to %s dropped: %.200r", self.label, reply)
            return
        self.answered = True
        if self.cast:
            return
        reply["id"] = self.message_id
        try:
            frame = messages.encode(reply)
        except (TypeError, ValueError) as problem:
            logger.error("the answer to %s has no JSON form", self.label, exc_info=problem)
            failed = messages.error(FAULT, messages.COMMAND_FAILED, self._clock.time())
            frame = messages.encode({**failed, "id": self.message_id})
        self._send(frame)
