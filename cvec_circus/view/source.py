"""The source of the facts.

It asks the daemon for states, restarts and reasons once a second. Usage comes from the published
statistics if there are any: then the daemon measures nothing for its clients, however many.
Otherwise it also asks for `stats`, after a rest many times as long as the answer took.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import zmq

from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.client.connect import connect, open_subscriber, received
from cvec_circus.client.feed.questions import Questions
from cvec_circus.exc import SocketError
from cvec_circus.stats.payloads import STAT, STATISTICS, read
from cvec_circus.view.facts import Facts

Reply = dict[str, Any]

SHORTEST = 1.0
"""Seconds between two rounds of questions, at least."""

REST = 5.0
"""Minimum length of the rest after a round, as a multiple of the round."""

SILENCE = 3.0
"""Seconds without published statistics after which the daemon is asked instead."""

TRYING = " yet, still trying"
"""The end of the sentence for a temporary trouble."""

READ_A_TURN = 256


class Source:
    """Brings facts. Owned by the main thread.

    Attributes:
        published: Whether the processes' figures come from published statistics.
    """

    def __init__(
        self,
        loop: ZmqLoop,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        facts: Facts,
        interval: float,
        reach: Callable[[str], str],
        on_news: Callable[[], object],
        conceals: bool = False,
    ) -> None:
        """Prepare; `open` begins.

        Args:
            endpoint: Where the daemon answers; or where statistics are published, which are then
                the only source.
            interval: Seconds between two rounds.
            reach: Returns where to connect to for an endpoint that the daemon names.
            on_news: Called when something has arrived.
            conceals: Whether the daemon leaves known secrets out of its answers.
        """
        self.published = False
        self._loop = loop
        self._context = context
        self._endpoint = endpoint
        self._facts = facts
        self._interval = max(interval, SHORTEST)
        self._reach = reach
        self._on_news = on_news
        self._always = {"conceal": True} if conceals else {}
        self._questions = Questions(loop, context, endpoint)
        self._subscriber: zmq.Socket[bytes] | None = None
        self._subscribed_to: str | None = None
        self._stats_endpoint: str | None = None
        self._heard_at: float | None = None
        self._began_at = 0.0
        self._knows_options = False
        self._is_in_doubt = True  # it may be another daemon now, which publishes elsewhere

    def open(self) -> None:
        """Begin to ask.

        Raises:
            SocketError: The endpoint is invalid.
        """
        self._begin_round()

    def close(self) -> None:
        """Close the sockets."""
        self._questions.drop()
        self._unsubscribe()

    # -- questions

    def _begin_round(self) -> None:
        self._began_at = self._loop.clock.monotonic()
        if self._is_in_doubt:
            self._ask("globaloptions", self._on_options)
        else:
            self._ask("status", self._on_status, details=True)

    def _ask(self, command: str, then: Callable[[Reply], None], **properties: Any) -> None:
        def answered(reply: Reply | None) -> None:
            if reply is None:
                self._on_silence()
            else:
                then(reply)

        self._questions.ask(command, {**properties, **self._always}, answered)

    def _on_options(self, reply: Reply) -> None:
        self._knows_options, self._is_in_doubt = True, False
        self._stats_endpoint = (reply.get("options") or {}).get("stats_endpoint")
        if self._subscribed_to != self._stats_endpoint:
            self._unsubscribe()
        self._ask("status", self._on_status, details=True)

    def _on_status(self, reply: Reply) -> None:
        try:
            self._facts.status(reply)
            self._facts.trouble = ""
        except (KeyError, TypeError, AttributeError):
            self._facts.trouble = f"the daemon does not list its watchers: {reply.get('reason')}"
        states = reply.get("statuses") or {}
        if states.get(STATISTICS) == "active":
            if self._stats_endpoint:
                self._subscribe(self._stats_endpoint)
            else:
                self._is_in_doubt = True
        if self._is_publishing():
            self._end_round()
        else:
            self._is_in_doubt |= self.published
            self.published = False
            self._ask("stats", self._on_stats)

    def _on_stats(self, reply: Reply) -> None:
        try:
            self._facts.stats(reply)
        except (KeyError, TypeError, AttributeError):
            self._facts.trouble = f"the daemon gives no statistics: {reply.get('reason')}"
        self._end_round()

    def _end_round(self) -> None:
        now = self._loop.clock.monotonic()
        took = now - self._began_at
        next_at = max(self._began_at + self._interval, now + REST * took)
        self._loop.call_at(next_at, self._begin_round)
        self._on_news()

    def _on_silence(self) -> None:
        """Test whether an endpoint that does not answer publishes statistics."""
        if not self._knows_options:
            self._subscribe(self._endpoint)
        if not self._is_publishing():
            self._facts.trouble = f"no answer from {self._endpoint}{TRYING}"
        self._on_news()
        self._is_in_doubt = True
        self._begin_round()

    # -- what is published

    def _is_publishing(self) -> bool:
        """Tell whether statistics arrived recently, or may arrive any moment."""
        if self._heard_at is None:
            return False
        return self._loop.clock.monotonic() - self._heard_at < max(SILENCE, 3 * self._interval)

    def _subscribe(self, endpoint: str) -> None:
        if self._subscriber is not None:
            return
        subscriber = open_subscriber(self._context, [f"{STAT}.".encode()])
        try:
            connect(subscriber, endpoint if endpoint == self._endpoint else self._reach(endpoint))
        except SocketError as error:
            self._facts.trouble = f"no statistics: {error}"
            subscriber.close(0)
            return
        self._subscriber, self._subscribed_to = subscriber, endpoint
        self._loop.add_reader(subscriber, self._read)
        if self._knows_options:
            self._heard_at = self._loop.clock.monotonic()

    def _unsubscribe(self) -> None:
        if self._subscriber is not None:
            self._loop.remove_reader(self._subscriber)
            self._subscriber.close(0)
            self._subscriber = self._subscribed_to = self._heard_at = None

    def _read(self) -> None:
        facts, now = self._facts, self._loop.clock.monotonic()
        passes = facts.passes
        if self._subscriber is None:
            return
        for frames in received(self._subscriber, READ_A_TURN):
            try:
                facts.stat(*read(frames[0], frames[1]), now)
            except (ValueError, IndexError, RecursionError):
                continue  # not of a daemon's statistics
        self._heard_at, self.published = now, True
        if not self._knows_options:
            facts.trouble = ""
        if facts.passes != passes:
            self._on_news()
