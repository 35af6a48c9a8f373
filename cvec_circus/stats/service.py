"""The statistics process at work: who is there, what they use, and telling it.

The main thread hears of processes, and publishes. The sampler thread looks at them: one pass over
/proc an interval, whatever the number of processes, and at none but theirs. Nothing here depends on
the daemon being there: while it is not, the processes that were known last are looked at.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence

import zmq

from cvec_circus import logger
from cvec_circus.base.worker import Worker
from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.client.connect import end_context
from cvec_circus.client.feed.questions import Pace, Questions
from cvec_circus.client.feed.sequence import EventSequence
from cvec_circus.client.feed.subscription import Subscription
from cvec_circus.control import endpoints
from cvec_circus.control.publisher import Publisher
from cvec_circus.exc import SocketError
from cvec_circus.stats import payloads
from cvec_circus.stats.census import Census
from cvec_circus.stats.inventory import STATISTICS, Inventory, sockets_of
from cvec_circus.stats.reads import SocketReads
from cvec_circus.stats.task import Task
from cvec_circus.system.procfs import Sampler
from cvec_circus.wire import progress

PACE = 1.0
"""Seconds from one question to the daemon to the next, at least."""

RETRY = 0.25
"""Seconds after which it is tried again to listen."""

PATIENCE = 5.0
"""Seconds for which it is tried: the process of a daemon that was killed may still be there."""

TAKEN = os.strerror(errno.EADDRINUSE)
"""How the error ends that may pass."""


class Service:
    """Measures and publishes. Owned by the main thread; `_measure` runs on the sampler thread.

    Attributes:
        loop: Everything but the measuring happens on it.
        failure: Why it cannot publish, once that is certain.
    """

    def __init__(self, task: Task) -> None:
        """Prepare; nothing is opened but the loop.

        Args:
            task: What to measure, and where to publish it.
        """
        self.loop = ZmqLoop(name="statistics")
        self.failure: SocketError | None = None
        self._task = task
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        daemon = {os.getpid(): STATISTICS}
        if task.daemon_pid is not None:
            daemon[task.daemon_pid] = "circusd"
        self._inventory = Inventory(daemon)
        self._inventory.sockets = sockets_of({"sockets": task.sockets})
        inherited = {one.name: one.fd for one in self._inventory.sockets}
        pace = Pace(PACE, self.loop.clock)
        self._questions = Questions(self.loop, self._context, task.endpoint, pace)
        self._census = Census(
            self.loop, self._questions, self._inventory, self._on_processes, self._on_sockets
        )
        self._census.asks_who = task.daemon_pid is None
        self._subscription = Subscription(
            self.loop,
            self._context,
            task.endpoint,
            task.pubsub_endpoint,
            EventSequence(),
            progress.of_its_own(),
            self._on_event,
            pace,
        )
        self._subscription.on_certain = self._census.renew
        self._reads = SocketReads(self.loop, inherited)
        self._sampler = Sampler()
        self._worker = Worker("sampler", _log_crash)
        self._is_busy = False
        self._has_begun = False
        self._has_told = False
        self._publisher: Publisher | None = None
        self._next_at = self.loop.clock.monotonic()
        self._last_try_at = self._next_at + PATIENCE

    def run(self) -> None:
        """Measure and publish until the loop is stopped.

        Raises:
            SocketError: One of the endpoints is none, or somebody else listens there.
        """
        try:
            self._listen()
            if self.failure is None:
                self._census.begin()
                self._subscription.open()
                self.loop.run()
        finally:
            self._close()
        if self.failure is not None:
            raise self.failure

    def _listen(self) -> None:
        """Open what is published on; later, where the one before us is still there."""
        task = self._task
        access = endpoints.Access(task.mode, task.owner)
        try:
            if task.listener is None:
                listener = endpoints.listen("stats_endpoint", task.stats_endpoint, access)
            else:
                listener = endpoints.inherited(task.listener, task.stats_endpoint)
        except SocketError as error:
            if self.loop.clock.monotonic() < self._last_try_at and str(error).endswith(TAKEN):
                self.loop.call_later(RETRY, self._listen)
            else:
                self.failure = error
                self.loop.stop()
            return
        self._publisher = Publisher(self.loop, listener)
        if not (task.by_daemon or endpoints.is_local(listener.address)):
            logger.warning("%s: other machines can listen to it", listener.address)
        logger.info("statistics are published at %s", listener.address)
        self._tick()

    def _close(self) -> None:
        # First: another daemon may be about to listen where the one that is gone has listened.
        self._reads.close()
        self._worker.stop()
        self._questions.drop()
        self._subscription.close()
        if self._publisher is not None:
            self._publisher.close()
        self._worker.join(1.0)
        self.loop.close()
        end_context(self._context)

    # -- what there is

    def _on_event(self, data: tuple[bytes, bytes]) -> bool:
        self._inventory.event(*data)
        return True

    def _on_processes(self) -> None:
        """Do not leave the first pass waiting for its time."""
        if not self._has_begun:
            self._has_begun = True
            self._pass()

    def _on_sockets(self) -> None:
        sockets = self._inventory.sockets
        self._reads.keep(sockets)
        if sockets and not self._task.by_daemon and not self._has_told:
            self._has_told = True
            logger.info("reads from sockets are only seen by a process that the daemon starts")

    # -- what they use

    def _tick(self) -> None:
        now = self.loop.clock.monotonic()
        self._next_at = max(self._next_at + self._task.interval, now)
        self.loop.call_at(self._next_at, self._tick)
        self._pass()

    def _pass(self) -> None:
        """Look at everybody, unless that is being done."""
        if self._is_busy or self._publisher is None:
            return
        self._is_busy = True
        inventory = self._inventory
        try:
            self._worker.do(self._measure, inventory.pids(), dict(inventory.daemon))
        except RuntimeError as error:  # no thread to be had
            self._is_busy = False
            logger.warning("this pass is left out: %s", error)

    def _measure(self, pids: Mapping[str, Sequence[int]], daemon: Mapping[int, str]) -> None:
        """On the sampler thread."""
        messages: list[payloads.Message] = []
        try:
            wanted = [pid for numbers in pids.values() for pid in numbers]
            rows = self._sampler.sample([*wanted, *daemon], children=False)
            messages = payloads.of_processes(pids, daemon, rows)
        finally:
            self.loop.post(self._publish, messages)

    def _publish(self, messages: list[payloads.Message]) -> None:
        self._is_busy = False
        seen = self._reads.seen(self._inventory.sockets)
        publisher = self._publisher
        if publisher is not None:
            publisher.publish([*messages, *payloads.of_sockets(seen, self._reads.take())])


def _log_crash(error: BaseException, description: str) -> None:
    logger.error("sampler: %s failed", description, exc_info=error)
