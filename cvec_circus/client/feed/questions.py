"""Asking a daemon from a thread that must not wait for the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Optional

import zmq

from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.base.timers import Timer
from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.client.connect import open_dealer
from cvec_circus.exc import MessageError
from cvec_circus.wire import messages

FIRST_PATIENCE, LONGEST_PATIENCE = 1.0, 10.0
"""Seconds until a question counts as lost, doubled each time until there is an answer."""

Then = Callable[[Optional[dict[str, Any]]], object]


class Pace:
    """Spaces out the questions of all who share it. Owned by the thread that asks."""

    def __init__(self, interval: float, clock: Clock = SYSTEM) -> None:
        """Begin; `interval` is in seconds, from one question to the next."""
        self._interval = interval
        self._clock = clock
        self._next_at = clock.monotonic()

    def reserve(self) -> float:
        """Take the next turn, and return the seconds until then; 0.0 for now."""
        now = self._clock.monotonic()
        turn = max(now, self._next_at)
        self._next_at = turn + self._interval
        return turn - now


class Questions:
    """Asks one question at a time. Owned by the thread of its loop."""

    def __init__(
        self,
        loop: ZmqLoop,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        pace: Pace | None = None,
    ) -> None:
        """Prepare; the first question connects. Without a pace, questions never wait."""
        self._loop = loop
        self._context = context
        self._endpoint = endpoint
        self._pace = pace
        self._dealer: zmq.Socket[bytes] | None = None
        self._question: str | None = None
        self._then: Then | None = None
        self._timer: Timer | None = None
        self._patience = FIRST_PATIENCE

    @property
    def busy(self) -> bool:
        """Whether a question is out."""
        return self._question is not None

    def ask(self, command: str, properties: Mapping[str, Any], then: Then) -> None:
        """Ask a question while none is out. Never waits, though the question may wait its turn.

        Args:
            command: The command's name.
            properties: Its properties.
            then: Called once with the reply, or with None when the question counts as lost; not
                at all after `drop`.

        Raises:
            SocketError: The endpoint is malformed.
        """
        if self.busy:
            raise AssertionError("one question at a time")
        message = messages.call(command, properties)
        self._question, self._then = message["id"], then
        delay = 0.0 if self._pace is None else self._pace.reserve()
        if delay > 0.0:
            self._timer = self._loop.call_later(delay, self._send, message)
        else:
            self._send(message)

    def _send(self, message: dict[str, Any]) -> None:
        self._timer = self._loop.call_later(self._patience, self._lost)
        if self._dealer is None:
            self._dealer = open_dealer(self._context, self._endpoint)
            self._loop.add_reader(self._dealer, self._read)
        # libzmq gives a connection up for good when what listens there is no socket for commands:
        # then it takes nothing, and the question will count as lost.
        with suppress(zmq.Again):
            self._dealer.send(messages.encode(message), zmq.NOBLOCK)

    def drop(self) -> None:
        """Forget the question, and close the socket, with the answer if it still comes."""
        self._settle()
        if self._dealer is not None:
            self._loop.remove_reader(self._dealer)
            self._dealer.close(0)
            self._dealer = None

    def _read(self) -> None:
        dealer = self._dealer
        while dealer is not None and dealer is self._dealer:
            try:
                reply = messages.decode(dealer.recv_multipart(zmq.NOBLOCK)[-1])
            except zmq.Again:
                return
            except MessageError:
                continue  # an answer to nothing: the question will count as lost
            if reply.get("id") == self._question:
                self._patience = FIRST_PATIENCE
                then = self._settle()
                if then is not None:
                    then(reply)

    def _lost(self) -> None:
        self._patience = min(self._patience * 2, LONGEST_PATIENCE)
        then = self._settle()
        self.drop()
        if then is not None:
            then(None)

    def _settle(self) -> Then | None:
        """End the question."""
        then, self._then, self._question = self._then, None, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return then
