"""The one answer that a request gets, now or later, and the name of its sender.

Events, log lines and reasons name who gave an order, the *actor*:

======================================  =====================================================
``client``                              a client that gives no name
``client NAME``                         one that gives a name, which proves nothing
``client NAME (pid 123, uid 1000)``     one on a unix socket, where the kernel says who it is
``plugin:NAME``                         a plugin; its runner gives this name
``hook:NAME``                           a hook of that name, while it runs
``program``                             the program that embeds the daemon
======================================  =====================================================
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Callable

from cvec_circus import logger
from cvec_circus.exc import MessageError
from cvec_circus.wire import messages
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.outcome import Outcome, Wait

if TYPE_CHECKING:
    from collections.abc import Hashable

    from cvec_circus.base.clock import Clock
    from cvec_circus.control.server import Request

PROGRAM = "program"
PLUGIN = "plugin:"

#: What a sender learns of a fault of ours.
FAULT = "internal error; the daemon's log has more"

#: Characters that a name may have.
LONGEST_NAME = 80

# Compiled at its first use: the larger classes of this one take half a millisecond.
_UNPRINTABLE = "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"

Send = Callable[[bytes], object]


def named(given: Any) -> str:
    """Return the name that a message gives its sender, in the key ``actor``; "" if none.

    Raises:
        MessageError: It is not text, too long, or not printable.
    """
    if given is None:
        return ""
    if not isinstance(given, str) or re.search(_UNPRINTABLE, given):
        raise MessageError("message invalid: actor: is not printable text")
    if len(given) > LONGEST_NAME:
        raise MessageError(f"message invalid: actor: is longer than {LONGEST_NAME} characters")
    return given.strip()


class Reply:
    """The answer to one request: given once, or never for a cast. Owned by the supervisor thread.

    Args:
        send: Takes the frame of the answer.
        clock: Gives the answer its time.
        request: What is answered; None if the program that embeds the daemon asks.
    """

    __slots__ = tuple(
        "_clock _request _send answered cast is_dead label message_id name timeout"
        " when_gone".split()
    )

    def __init__(self, send: Send, clock: Clock, request: Request | None = None) -> None:
        self._send = send
        self._clock = clock
        self._request = request
        self.label = "a message"  # what is answered, for the log
        self.message_id: Any = None  # the id that the answer carries, whatever JSON it is
        self.cast = False  # the sender wants no answer
        self.timeout: float | None = None  # seconds until a waiting order's answer is an error
        self.answered = False
        self.name = ""  # that the sender gives
        self.is_dead = False  # the client is gone
        self.when_gone: Callable[[], object] | None = None  # if the client goes first

    @property
    def actor(self) -> str:
        """Who sent the request: see the table above."""
        if self._request is None:
            return PROGRAM
        if self.name.startswith(PLUGIN):
            return self.name
        shown = f"client {self.name}" if self.name else "client"
        credentials = self._request.client.credentials()
        return shown if credentials is None else "{} (pid {}, uid {})".format(shown, *credentials)

    @property
    def client(self) -> Hashable:
        """What distinguishes the sender from others; None for the program."""
        return None if self._request is None else self._request.client

    def keep(self, waits: bool) -> None:
        """Note from now on when the client goes before its answer.

        Args:
            waits: Whether the answer may take long, as the request allows.

        Raises:
            MessageError: Too many answers are awaited already.
        """
        if self._request is not None and not self._request.keep(self, waits):
            reason = "too many requests wait for their answers; ask later, or without waiting"
            raise MessageError(reason, messages.COMMAND_FAILED)

    def client_gone(self) -> None:
        """Note that the client is gone. Once, and never after the answer."""
        self.is_dead = True
        gone, self.when_gone = self.when_gone, None  # or the two would keep each other alive
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
        """Make what the core calls at the end of an order; its `gone` is called if the client goes.

        Args:
            shape: Turns the outcome of a finished order into the reply's fields.
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
        """Send a reply; a second one, which is a fault of ours, is only logged."""
        if self.answered:
            logger.error("second answer to %s dropped: %.200r", self.label, reply)
            return
        self.answered = True
        self.when_gone = None
        if self._request is not None:
            self._request.release(self)
        if self.cast or self.is_dead:
            return
        reply["id"] = self.message_id
        try:
            frame = messages.encode(reply)
        except (TypeError, ValueError) as problem:
            logger.error("the answer to %s cannot be encoded as JSON", self.label, exc_info=problem)
            failed = messages.error(FAULT, messages.COMMAND_FAILED, self._clock.time())
            frame = messages.encode({**failed, "id": self.message_id})
        self._send(frame)
