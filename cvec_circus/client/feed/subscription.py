"""Every event of a daemon: a subscription, and questions that fill its gaps.

Subscribing is not ordered with anything on another socket: of 200 events published right after a
reply, 187 were never received where it was measured. So the daemon is asked again and again which
events there are, each time with a marker that it publishes right after its answer. Once a marker
comes in, the subscription works: events from before it are in the answer, later ones come in by
themselves. From then on a gap in the numbers shows dropped events, unless the last one was dropped;
so the daemon is also asked at the first pause after some hundred messages and, as at the beginning,
after every new connection.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import zmq

from cvec_circus import logger
from cvec_circus.base.figures import counted
from cvec_circus.base.loop import READABLE
from cvec_circus.base.timers import Timer
from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.client.connect import connect, open_subscriber
from cvec_circus.client.feed.questions import Pace, Questions
from cvec_circus.client.feed.sequence import EventSequence
from cvec_circus.wire import messages, topics
from cvec_circus.wire.progress import CURRENT, DELIVERED

Data = tuple[bytes, bytes]

PAGE = 500
"""Events in one answer: the daemon's maximum."""

READ_A_TURN = 256
"""Messages taken from the socket before others get their turn."""

READY_KEPT = 1000
"""Undelivered events that stop the reading."""

DELIVERING = 0.005
"""Seconds of delivering before timers and callbacks get their turn."""

UNCHECKED = 500
"""Messages since the last question; after more, the publisher may have dropped the last one."""

FIRST_RETRY, LONGEST_RETRY = 0.01, 1.0
"""Seconds until the daemon is asked again after an incomplete answer, doubled each time."""

UNREACHABLE = 5.0
"""Seconds after which the log says that there is no daemon; where nothing listens, at once."""

LAST_EVENTS = 2.0
"""Seconds to wait at the end for events already published."""

NOBLOCK = int(zmq.NOBLOCK)
"""A plain number, as `READABLE` is."""

MARKER = topics.sync("").encode()

WATCHED = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CONNECT_RETRIED


class Subscription:
    """Receives the events of a daemon and delivers each once, in order.

    Owned by the thread of its loop. It never waits: readers and timers of the loop drive it, so a
    missing daemon delays nothing.

    Attributes:
        on_certain: Called whenever it is certain that no event is missed: some time after the
            beginning, and after every new connection.
    """

    def __init__(
        self,
        loop: ZmqLoop,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        pubsub_endpoint: str,
        sequence: EventSequence,
        progress: memoryview,
        deliver: Callable[[Data], bool],
        pace: Pace | None = None,
    ) -> None:
        """Prepare a subscription; `open` begins it.

        Args:
            loop, context: The loop of the thread, and the context to open sockets in.
            endpoint, pubsub_endpoint: Where the daemon takes commands, and where it publishes.
            sequence: The events wanted.
            progress: Where to record the event in delivery: see `wire.progress`.
            deliver: Called with topic and payload of each event; returns whether to go on.
            pace: The pace of the questions, if any.
        """
        self._loop = loop
        self._endpoint, self._pubsub_endpoint = endpoint, pubsub_endpoint
        self._sequence = sequence
        self._progress = progress
        self._deliver = deliver
        self.on_certain: Callable[[], object] = lambda: None
        self._was_certain = False
        self._questions = Questions(loop, context, endpoint, pace)
        self._token = messages.new_id()
        self._subscriber = open_subscriber(
            context, [f"{topics.WATCHER}.".encode(), topics.sync(self._token).encode()]
        )
        self._monitor = self._subscriber.get_monitor_socket(WATCHED)
        self._absent = False  # whether nothing is published, as far as that shows
        self._connections = 0
        self._unchecked = 0  # messages since the last question
        self._lives = 0
        self._silent = False  # whether an older daemon has no events to ask for
        self._ask_again = False
        self._timer: Timer | None = None
        self._warning: Timer | None = None
        self._retry = FIRST_RETRY
        # Questions are numbered, and so are their markers. The connection in use began with
        # question _first; _seen is the last one whose marker came in, _answered the last answered.
        self._asked = 0
        self._first = 1
        self._seen = 0
        self._answered = 0
        # Set by finish(): what to call in the end, the first question after it, the last event.
        self._then: Callable[[], None] | None = None
        self._last_question = 0
        self._last_event: int | None = None
        self._draining = False

    # -- the life ---------------------------------------------------------------------------------

    def open(self) -> None:
        """Subscribe, and ask which events there are.

        Raises:
            SocketError: One of the endpoints is malformed.
        """
        self._loop.add_reader(self._monitor, self._read_monitor)
        self._loop.add_reader(self._subscriber, self._read_subscriber)
        self._loop.each_turn(self._deliver_some)
        self._warning = self._loop.call_later(UNREACHABLE, self._log_unreachable)
        connect(self._subscriber, self._pubsub_endpoint)
        self._ask()

    def finish(self, then: Callable[[], None]) -> None:
        """Deliver what is published up to now, for two seconds at most, then call `then`."""
        if self._then is not None:
            return
        self._then = then
        self._last_question = self._asked + 1
        self._loop.call_later(LAST_EVENTS, self._give_up)
        if self._absent or self._silent:
            self._draining = True
        else:
            self._ask()

    def close(self) -> None:
        """Close the sockets; nothing is delivered after that."""
        self._questions.drop()
        self._loop.remove_reader(self._monitor)
        self._loop.remove_reader(self._subscriber)
        if not self._subscriber.closed:  # as it is when its endpoint was malformed
            self._subscriber.disable_monitor()
            self._subscriber.close(0)
        self._monitor.close(0)

    # -- what comes in ----------------------------------------------------------------------------

    def _read_subscriber(self) -> None:
        for _ in range(READ_A_TURN):
            if len(self._sequence.ready) >= READY_KEPT:
                break
            if not self._has_input():
                if self._unchecked > UNCHECKED:
                    self._ask()
                break
            frames = self._subscriber.recv_multipart(NOBLOCK)
            self._unchecked += 1
            if len(frames) == 2:
                topic, payload = frames
                if topic.startswith(MARKER):
                    self._seen = int(topic.rpartition(b"-")[2])
                else:
                    self._sequence.live(topic, payload)
        if self._sequence.incomplete and self._timer is None and not self._questions.busy:
            self._ask()

    def _has_input(self) -> bool:
        return bool(int(self._subscriber.get(zmq.EVENTS)) & READABLE)

    def _read_monitor(self) -> None:
        while True:
            try:
                frames = self._monitor.recv_multipart(NOBLOCK)
            except zmq.Again:
                return
            (event,) = struct.unpack_from("=H", frames[0])
            self._absent = event != zmq.EVENT_HANDSHAKE_SUCCEEDED
            if self._absent:
                self._draining = self._then is not None
                if self._warning is not None and not self._connections:
                    self._warning.cancel()
                    self._log_unreachable()
            else:
                self._begin_connection()

    def _begin_connection(self) -> None:
        self._connections += 1
        if self._connections > 1:  # neither a marker nor a question from before counts
            self._questions.drop()
            self._first = self._asked + 1
            self._retry = FIRST_RETRY
        if not self._questions.busy:
            self._ask()

    # -- questions --------------------------------------------------------------------------------

    @property
    def _certain(self) -> bool:
        """Whether the subscription certainly works, and all earlier events are known."""
        return self._first <= self._seen <= self._answered

    def _ask(self) -> None:
        """Ask for the events after the known ones, now or after the next answer."""
        if self._silent:
            return
        if self._questions.busy:
            self._ask_again = True
            return
        self._ask_again = False
        self._unchecked = 0
        self._set_timer(None)
        self._asked += 1
        known = self._sequence.known
        properties: dict[str, Any] = {"since": known or 0, "limit": 1 if known is None else PAGE}
        if not self._certain:
            properties["marker"] = f"{self._token}-{self._asked}"
        self._questions.ask("events", properties, self._on_answer)

    def _on_answer(self, reply: dict[str, Any] | None) -> None:
        if reply is None:
            self._on_silence()
        elif reply.get("status") != "ok":
            self._on_refusal(reply)
        else:
            known = self._sequence.known
            try:
                usable = self._sequence.answer(reply)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                self._on_refusal({"reason": f"unusable answer: {error!r}"})
                return
            if usable:
                self._answered = self._asked
                if self._last_event is None and 0 < self._last_question <= self._asked:
                    self._last_event = int(reply["seq"])
            self._go_on(not usable or self._sequence.known != known)

    def _go_on(self, progress: bool) -> None:
        """Ask again after an answer, now, later, or not at all."""
        if self._ask_again or (progress and self._sequence.incomplete):
            self._retry = FIRST_RETRY
            self._ask()
        elif self._sequence.incomplete or not self._certain:
            self._set_timer(self._retry)
            self._retry = min(self._retry * 2, LONGEST_RETRY)

    def _on_silence(self) -> None:
        if not self._absent:
            self._ask()
        elif self._sequence.known is None and not self._connections:
            self._sequence.begin_after(0)  # the events of a daemon that comes later are all new

    def _on_refusal(self, reply: dict[str, Any]) -> None:
        if reply.get("errno") == messages.UNKNOWN_COMMAND:
            self._silent = True
            self._draining = self._then is not None
        else:
            logger.warning("the daemon refuses to list its events: %s", reply.get("reason"))
            self._set_timer(LONGEST_RETRY)

    def _set_timer(self, delay: float | None) -> None:
        """Ask again after a delay, if that is still necessary then; None for not at all."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if delay is None else self._loop.call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._sequence.incomplete or not self._certain:
            self._ask()

    # -- what goes out ----------------------------------------------------------------------------

    def _deliver_some(self) -> bool:
        """Deliver for a while, at the end of every turn; return whether more is left."""
        ready, clock = self._sequence.ready, self._loop.clock
        until = clock.monotonic() + DELIVERING
        while ready and not self._is_finished():
            event = ready.popleft()
            self._progress[CURRENT] = event.seq
            go_on = self._deliver((event.topic, event.payload))
            if event.seq:
                self._progress[DELIVERED] = event.seq
                self._progress[CURRENT] = 0
            if not go_on:
                return False
            if clock.monotonic() > until:
                break
        self._log_changes()
        certain = self._certain or (self._silent and not self._absent)
        if certain != self._was_certain:
            self._was_certain = certain
            if certain:
                self.on_certain()
        if self._then is not None and self._is_finished():
            self._then()
        return bool(ready)

    def _is_finished(self) -> bool:
        """Tell whether everything published before `finish` is delivered."""
        ready, known = self._sequence.ready, self._sequence.known
        if self._draining:
            if not ready and not self._has_input():
                self._sequence.flush()
                return not ready
        elif self._last_event is not None and known is not None:
            return known >= self._last_event and not (ready and ready[0].seq <= self._last_event)
        return False

    def _give_up(self) -> None:
        if self._then is not None:
            why = "the daemon does not answer" if self._last_event is None else "too many"
            logger.warning("stopped without the last events after %g s: %s", LAST_EVENTS, why)
            self._then()

    # -- the log ----------------------------------------------------------------------------------

    def _log_changes(self) -> None:
        if self._sequence.lives > self._lives:
            self._lives = self._sequence.lives
            logger.info("the daemon has been restarted: run %s", self._sequence.run)
        if self._sequence.lost:
            lost, self._sequence.lost = self._sequence.lost, 0
            logger.warning("%s missed: the daemon no longer has them", counted(lost, "event"))

    def _log_unreachable(self) -> None:
        self._warning = None
        if not self._connections:
            logger.warning("no daemon publishes at %s yet; still trying", self._pubsub_endpoint)
        elif not self._answered and not self._silent:
            logger.warning("no daemon answers at %s yet; still trying", self._endpoint)
