"""The statistics process at work.

The main thread tracks the processes and publishes. The sampler thread measures them: one pass over
/proc per interval, whatever the number of processes, and only over theirs. While the daemon is
away, the last known processes are measured.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import zmq

from cvec_circus import logger
from cvec_circus.base.complaints import tell_crash
from cvec_circus.base.thread import Worker
from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.client.connect import end_context
from cvec_circus.client.endpoints import (
    DEFAULT_ENDPOINT_DEALER,
    DEFAULT_ENDPOINT_STATS,
    DEFAULT_ENDPOINT_SUB,
)
from cvec_circus.client.feed.questions import Pace, Questions
from cvec_circus.client.feed.sequence import EventSequence
from cvec_circus.client.feed.subscription import Subscription
from cvec_circus.control import endpoints
from cvec_circus.control.events import Publisher
from cvec_circus.exc import SocketError
from cvec_circus.stats import payloads
from cvec_circus.stats.inventory import Census, Inventory
from cvec_circus.stats.reads import SocketReads
from cvec_circus.system import mounts
from cvec_circus.system.own_file import Finding
from cvec_circus.system.procfs import Sampler
from cvec_circus.wire import progress

PACE = 1.0
"""Seconds between two questions to the daemon, at least."""

RETRY = 0.25
"""Seconds between two tries to listen."""

PATIENCE = 5.0
"""How many seconds to try: the process of a killed daemon may still be running."""

LOOK_PERIOD = 10.0
"""Seconds between two checks that the file of the endpoint exists."""

TAKEN = os.strerror(errno.EADDRINUSE)
"""The end of the sentence for a temporary error."""


@dataclass
class Task:
    """What to measure, and where to publish it. Owned by the main thread.

    Attributes:
        log_output: The file to log to, or the URL of a syslog; "-" for standard error.
        ssh: The daemon's machine; None for this one.
        mode: The mode of the file of an ipc endpoint.
        owner: The owner of that file, by name or number; None for our own user.
        listener: A socket that listens at `stats_endpoint` already, by its number.
        sockets: The daemon's listening sockets, which were inherited: an answer to `listsockets`.
        lifeline: A file descriptor that reaches its end when the daemon is gone.
        report: A file descriptor for the reason why nothing can be published.
        by_daemon: Whether the daemon started this process.
    """

    endpoint: str = DEFAULT_ENDPOINT_DEALER
    pubsub_endpoint: str = DEFAULT_ENDPOINT_SUB
    stats_endpoint: str = DEFAULT_ENDPOINT_STATS
    interval: float = 1.0  # seconds
    log_level: str = "info"
    log_output: str = "-"
    ssh: str | None = None
    mode: int = 0o600
    owner: int | str | None = None
    listener: int | None = None
    sockets: list[dict[str, Any]] = field(default_factory=list)
    daemon_pid: int | None = None
    lifeline: int | None = None
    report: int | None = None
    by_daemon: bool = False


class Service:
    """Measures and publishes. Owned by the main thread; `_measure` runs on the sampler thread."""

    def __init__(self, task: Task) -> None:
        """Prepare; nothing is opened but the loop."""
        self.loop = ZmqLoop(name="statistics")
        self._failure: SocketError | None = None
        self._task = task
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        daemon = {os.getpid(): payloads.STATISTICS}
        if task.daemon_pid is not None:
            daemon[task.daemon_pid] = "circusd"
        self._inventory = Inventory(daemon)
        self._inventory.sockets = payloads.sockets_of({"sockets": task.sockets})
        inherited = {one.name: one.fd for one in self._inventory.sockets}
        pace = Pace(PACE, self.loop.clock)
        self._questions = Questions(self.loop, self._context, task.endpoint, pace)
        self._census = Census(
            self.loop,
            self._questions,
            self._inventory,
            self._on_processes,
            self._on_sockets,
            asks_who=task.daemon_pid is None,
        )
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
        self._worker = Worker("sampler", partial(tell_crash, "sampler"))
        self._is_busy = False
        self._has_begun = False
        self._has_told = False
        self._publisher: Publisher | None = None
        self._next_look_at = float("-inf")
        self._told = ""  # the last line about the file of the endpoint, if there is a problem
        self._next_at = self.loop.clock.monotonic()
        self._last_try_at = self._next_at + PATIENCE

    def run(self) -> None:
        """Measure and publish until the loop is stopped.

        Raises:
            SocketError: An endpoint is invalid, or another process listens there.
        """
        try:
            self._listen()
            if self._failure is None:
                self._census.begin()
                self._subscription.open()
                self.loop.run()
        finally:
            self._close()
        if self._failure is not None:
            raise self._failure

    def _listen(self) -> None:
        """Open the publishing socket; try again while a predecessor still listens there."""
        task = self._task
        access = endpoints.Access(task.mode, task.owner)
        try:
            if task.listener is None:
                listener = endpoints.listen("stats_endpoint", task.stats_endpoint, access)
            else:
                listener = endpoints.inherited(task.listener, task.stats_endpoint)
        except SocketError as error:
            if self.loop.clock.monotonic() < self._last_try_at and TAKEN in str(error):
                self.loop.call_later(RETRY, self._listen)
            else:
                self._failure = error
                self.loop.stop()
            return
        self._publisher = Publisher(self.loop, listener)
        if not (task.by_daemon or endpoints.is_local(listener.address)):
            logger.warning("%s: other machines can listen to it", listener.address)
        logger.info("statistics are published at %s", listener.address)
        self._tick()

    def _close(self) -> None:
        # First: another daemon may be about to listen at the inherited sockets' addresses.
        self._reads.close()
        self._worker.stop()
        self._questions.drop()
        self._subscription.close()
        if self._publisher is not None:
            self._publisher.close()
        self._worker.join(1.0)
        self.loop.close()
        end_context(self._context)

    def _on_event(self, data: tuple[bytes, bytes]) -> bool:
        self._inventory.event(*data)
        return True

    def _on_processes(self) -> None:
        """Begin the first pass early."""
        if not self._has_begun:
            self._has_begun = True
            self._pass()

    def _on_sockets(self) -> None:
        sockets = self._inventory.sockets
        self._reads.keep(sockets)
        if sockets and not self._task.by_daemon and not self._has_told:
            self._has_told = True
            logger.info("reads of sockets are only counted by a process that the daemon starts")

    def _tick(self) -> None:
        now = self.loop.clock.monotonic()
        self._next_at = max(self._next_at + self._task.interval, now)
        self.loop.call_at(self._next_at, self._tick)
        self._pass()

    def _pass(self) -> None:
        """Measure all processes, unless that is going on."""
        if self._is_busy or self._publisher is None:
            return
        self._is_busy = True
        inventory = self._inventory
        try:
            self._worker.do(self._measure, inventory.pids(), dict(inventory.daemon))
        except RuntimeError as error:  # no thread can be started
            self._is_busy = False
            logger.warning("this pass is skipped: %s", error)

    def _measure(self, pids: Mapping[str, Sequence[int]], daemon: Mapping[int, str]) -> None:
        """On the sampler thread."""
        messages: list[payloads.Message] = []
        try:
            wanted = [pid for numbers in pids.values() for pid in numbers]
            rows = self._sampler.sample(wanted, alone=daemon)
            messages = payloads.of_processes(pids, daemon, rows)
            self._look_after_file()
        finally:
            self.loop.post(self._publish, messages)

    def _look_after_file(self) -> None:
        """Restore the endpoint's file if it was deleted. On the sampler thread."""
        now = self.loop.clock.monotonic()
        if self._publisher is None or now < self._next_look_at:
            return
        self._next_look_at = now + LOOK_PERIOD
        door = self._publisher.door
        with contextlib.suppress(OSError):  # no file is left to read the table of mounts with
            mount = mounts.find(door.file, mounts.read())
            if door.file and not (mount is not None and mount.is_remote):
                self.loop.post(self._found, door.look_after())

    def _found(self, finding: Finding | None) -> None:
        text = ""
        if finding is not None:
            if finding.renew is not None:
                finding.renew()
            if finding.text != self._told:
                logger.warning("%s", finding.text)
            text = "" if finding.is_over else finding.text
        self._told = text

    def _publish(self, messages: list[payloads.Message]) -> None:
        self._is_busy = False
        seen = self._reads.seen(self._inventory.sockets)
        publisher = self._publisher
        if publisher is not None:
            publisher.publish([*messages, *payloads.of_sockets(seen, self._reads.take())])
