"""The one answer that a request gets, now or later."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Callable, Protocol

from cvec_circus import logger
from cvec_circus.control import actors
from cvec_circus.exc import MessageError
from cvec_circus.wire import messages
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.outcome import Outcome, Wait

if TYPE_CHECKING:
    from cvec_circus.base.clock import Clock

#: What a sender learns of a fault of ours.
FAULT = "internal error; the daemon's log has more"

Send = Callable[[bytes], object]


class Peer(Protocol):
    """Owned by the supervisor thread. The client that a reply goes to.

    Attributes:
        client: What tells it from other clients.
    """

    @property
    def client(self) -> Hashable: ...

    def credentials(self) -> tuple[int, int] | None:
        """Return its pid and uid; None where only the network knows."""

    def keep(self, reply: Reply, waits: bool) -> bool:
        """Call `client_gone` when it is gone; whether there is room for one more that waits."""

    def release(self, reply: Reply) -> None:
        """Forget a reply that has been given."""


class Reply:
    """Owned by the supervisor thread. The answer to one request: given once, or never for a cast.

    Attributes:
        label: What is answered, for the log.
        message_id: The id that the answer carries, whatever the sender made it.
        cast: The sender wants no answer; whatever is given goes nowhere.
        timeout: Seconds after which an order that is waited for is answered with an error.
        answered: Whether the answer was given.
        name: What the sender calls itself; "" if it does not say.
        is_dead: Whether the client is gone: an answer goes nowhere.
        when_gone: Called when the client goes before its answer; None for nothing.
    """

    __slots__ = (
        "_clock",
        "_peer",
        "_send",
        "answered",
        "cast",
        "is_dead",
        "label",
        "message_id",
        "name",
        "timeout",
        "when_gone",
    )

    def __init__(self, send: Send, clock: Clock, peer: Peer | None = None) -> None:
        """Prepare an answer.

        Args:
            send: Takes its frame.
            clock: Gives it its time.
            peer: The client; None for the program that this daemon is embedded in.
        """
        self._send = send
        self._clock = clock
        self._peer = peer
        self.label = "a message"
        self.message_id: Any = None
        self.cast = False
        self.timeout: float | None = None
        self.answered = False
        self.name = ""
        self.is_dead = False
        self.when_gone: Callable[[], object] | None = None

    @property
    def actor(self) -> str:
        """Who sent the request, for people: see `actors`."""
        if self._peer is None:
            return actors.PROGRAM
        return actors.client(self.name, self._peer.credentials())

    @property
    def client(self) -> Hashable:
        """What tells the sender from others; None for the program."""
        return None if self._peer is None else self._peer.client

    def keep(self, waits: bool) -> None:
        """Notice from now on when the client goes before its answer.

        Args:
            waits: Whether the answer may take long, as the request asks for it.

        Raises:
            MessageError: Too many answers are awaited already.
        """
        if self._peer is not None and not self._peer.keep(self, waits):
            reason = "too many requests wait for their answers; ask later, or without waiting"
            raise MessageError(reason, messages.COMMAND_FAILED)

    def client_gone(self) -> None:
        """Note that the client is gone; once, and never after the answer."""
        self.is_dead = True
        gone, self.when_gone = self.when_gone, None  # or the two would keep each other
        if gone is not None:
            gone()

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

        Returns:
            The wait; its `gone` is called when the client goes.
        """

        def then(outcome: Outcome) -> None:
            if outcome.error is not None:
                self.fail(outcome.error)
            else:
                self.ok(**shape(outcome))

        wait = Wait(then, self.timeout)
        self.when_gone = wait.gone
        return wait

    def give(self, reply: dict[str, Any]) -> None:
        """Send a reply, unless it is the second one: that is a fault of ours, and is logged."""
        if self.answered:
            logger.error("second answer to %s dropped: %.200r", self.label, reply)
            return
        self.answered = True
        self.when_gone = None
        if self._peer is not None:
            self._peer.release(self)
        if self.cast or self.is_dead:
            return
        reply["id"] = self.message_id
        try:
            frame = messages.encode(reply)
        except (TypeError, ValueError) as problem:
            logger.error("the answer to %s has no JSON form", self.label, exc_info=problem)
            failed = messages.error(FAULT, messages.COMMAND_FAILED, self._clock.time())
            frame = messages.encode({**failed, "id": self.message_id})
        self._send(frame)
