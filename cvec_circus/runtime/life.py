"""The life of a plugin: what its two threads do, in which order, and how they synchronise.

1. The control thread starts the plugin thread and sleeps in a loop of its own.
2. The plugin thread calls `initialize` and `handle_init`, then turns the plugin's loop.
3. A stop is requested. The control thread wakes and stops the loop, which delivers the events
   already published and then calls nothing more.
4. The plugin thread *parks*: it wakes the control thread and sleeps until it is *released*.
5. The control thread calls `handle_stop`, if `handle_init` had returned.
6. It releases the plugin thread, which closes its sockets and ends.

Step 4 has no time-out. If handle_recv hangs, handle_stop is not called at all, rather than beside
it: it may close the file that handle_recv writes. The daemon kills a plugin that takes longer than
its graceful_timeout.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Protocol

from cvec_circus import exc, logger
from cvec_circus.base.complaints import in_a_line, raised_at
from cvec_circus.base.overrides import IDLE, begins_to_idle, has_idle_tornado
from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.client import Client
from cvec_circus.client.feed.sequence import EventSequence
from cvec_circus.client.feed.subscription import Subscription
from cvec_circus.runtime.loop import INSTEAD, PluginLoop
from cvec_circus.wire import progress, topics

if TYPE_CHECKING:
    from cvec_circus.runtime.statistics import StatsFeed

LONGEST_ACTOR = 80
"""Characters that a daemon accepts."""

PATIENCE = 5.0
"""Seconds after which a stop that waits for the plugin's code says so in the log."""

SLOW = 10.0
"""Seconds after which a start that waits for the plugin's code says so in the log."""

OURS = b'{"run": "'
"""The beginning of our daemon's events, which need no completion."""

KEPT = 10_000
"""Killed processes that are remembered: Circus does not report the end of each."""


class Handlers(Protocol):
    """The methods of `CircusPlugin` that a life calls."""

    def initialize(self) -> None: ...
    def handle_init(self) -> None: ...
    def handle_recv(self, data: tuple[bytes, bytes]) -> None: ...
    def handle_stop(self) -> None: ...
    def stop(self) -> None: ...


def tell_failure(name: str, place: str, error: BaseException, deaths: int) -> None:
    """Log why a plugin ends: with the traceback, unless its processes end like that in a row.

    Args:
        name, place: The plugin, and what raised.
        deaths: How many of its processes died quickly, in a row, before this one.
    """
    if not deaths:
        logger.error("%s: %s raised", name, place, exc_info=error)
        return
    at = raised_at(error)
    where = f" at {at[0]}:{at[1]}" if at else ""
    logger.error("%s: %s raised%s: %s", name, place, where, in_a_line(error))
    logger.debug("%s: %s raised", name, place, exc_info=error)


class Life:
    """Runs the two threads of one plugin, once.

    `run` runs on the control thread, which sets the attributes from `sequence` to `control` before.
    The methods below "the plugin thread" run on that. Each flag is set by one thread, and never
    reset. `ask_to_stop` is safe from any thread.

    Attributes:
        label: The plugin's name in the log.
        actor: Its name as the actor of orders.
        loop: The plugin's loop.
        client: Sends the plugin's commands.
        sequence: The events to deliver.
        progress: The event in delivery; see `wire.progress`.
        helpers: The watchers of the daemon's plugins, this one's included, in lower case.
        deaths: How many of its processes died quickly, in a row, before this one.
        control: The loop of the control thread; None lets `run` make one.
        stop_asked: A stop has been requested.
        started: `run` has been called.
        is_up: `handle_init` has returned.
        is_over: Nothing more is called on the plugin thread.
    """

    def __init__(self, plugin: Handlers, label: str, endpoint: str, pubsub_endpoint: str) -> None:
        """Prepare; neither threads nor files are made before `run`."""
        self.label = label
        self.actor = actor(label)
        self.loop = PluginLoop(label)
        self.client = Client(endpoint)
        self.sequence = EventSequence()
        self.progress = progress.of_its_own()
        self.helpers: frozenset[str] = frozenset()
        self.deaths = 0
        self.control: ZmqLoop | None = None
        self.stop_asked = self.started = self.is_up = self.is_over = False
        self._thread = threading.Thread(target=self._live, name=label, daemon=True)
        self._own_control = True
        self._wakes = False
        self._plugin = plugin
        self._endpoints = endpoint, pubsub_endpoint
        self._subscription: Subscription | None = None
        self._statistics: StatsFeed | None = None
        self._older = OlderEvents()
        self._stopping = False
        self._released = threading.Event()
        self._failure: BaseException | None = None
        self._at = ""

    def ask_to_stop(self) -> None:
        """Request a stop. Any thread, any number of times; it does not wait.

        A signal handler may call this in the middle of anything, so it only sets and wakes.
        """
        self.stop_asked = True
        if self.loop._on_thread():
            self.loop.stop()
        if self.control is not None:
            self.control.wakeup.set()

    # -- the control thread -----------------------------------------------------------------------

    def run(self) -> None:
        """Run the plugin from beginning to end. Blocks; the calling thread is the control thread.

        Raises:
            PluginError: `initialize` or `handle_init` raised, which is already logged.
        """
        control = self._prepare()
        try:
            if not self.stop_asked:
                self._stay(control, partial(self._start, control))
        finally:
            self._let_go(control)

    def begin(self) -> None:
        """Do the first half of `run`, for tests: return once there is a plugin thread.

        `finish` follows on the same thread, after `ask_to_stop`.
        """
        control = self._prepare()
        try:
            self._start(control)
        except BaseException:
            self._let_go(control)
            raise

    def finish(self) -> None:
        """Do the second half of `run`; raises PluginError as it does."""
        assert self.control is not None
        try:
            self._stay(self.control, self.control.run)
        finally:
            self._let_go(self.control)

    def _prepare(self) -> ZmqLoop:
        self.started = True
        self._own_control = self.control is None  # else cvec_circus-plugin has made it
        if self.control is None:
            self.control = ZmqLoop(name=f"{self.label} control")
            self._wakes = wake_by_signals(self.control)
        return self.control

    def _start(self, control: ZmqLoop) -> None:
        control.each_turn(partial(self._look, control))
        control.call_later(SLOW, self._log_start)
        self._thread.start()

    def _let_go(self, control: ZmqLoop) -> None:
        if not self.client.close():
            logger.warning("%s: a socket of its zmq context was left open", self.label)
        if self._wakes:
            signal.set_wakeup_fd(-1)
        if self._own_control:
            control.close()

    def _stay(self, control: ZmqLoop, wait: Callable[[], None]) -> None:
        """Sleep until the plugin thread is parked, and finish."""
        while not self.is_over:
            try:
                wait()
            except KeyboardInterrupt:
                if self.stop_asked:
                    raise  # the second one ends it at once
                self._plugin.stop()
            wait = control.run
        try:
            if self.is_up:
                self._call_plain("handle_stop", self._plugin.handle_stop)
        except (Exception, SystemExit):
            logger.exception("%s: handle_stop raised", self.label)
        finally:
            self._released.set()
            self._thread.join()
        if self._failure is not None:
            raise exc.PluginError(f"{self.label}: {self._failure!r}") from self._failure

    def _look(self, control: ZmqLoop) -> bool:
        """Handle what happened while the control thread slept."""
        if self.is_over:
            control.stop()
        elif self.stop_asked and not self._stopping:
            self._stopping = True
            self.loop.stop()
            control.call_later(PATIENCE, self._log_wait)
        return False

    def _log_start(self) -> None:
        if not (self.is_up or self.is_over or self.stop_asked):
            said = "%s: %s has not returned for %g s; until it does, no event is handled"
            logger.warning(said, self.label, self._at, SLOW)

    def _log_wait(self) -> None:
        if not self.is_over:
            logger.warning("%s: still waiting for %s", self.label, self._at or "a callback")

    # -- the plugin thread ------------------------------------------------------------------------

    def subscribe(self) -> None:
        """Begin to receive events; they are delivered once the loop turns.

        Raises:
            SocketError: An endpoint is invalid.
        """
        loop, context = self.loop._open(), self.client.context
        self._subscription = Subscription(
            loop, context, *self._endpoints, self.sequence, self.progress, self._receive
        )
        self.loop._wind_down = self._subscription.finish
        self._subscription.open()

    def subscribe_to_statistics(self, handle: Callable[[tuple[bytes, bytes]], object]) -> None:
        """Begin to receive statistics, if the daemon has any; delivered once the loop turns."""
        from cvec_circus.runtime.statistics import StatsFeed  # most plugins want none

        loop, context = self.loop._open(), self.client.context
        deliver = partial(self._deliver, "handle_stats", handle)
        self._statistics = StatsFeed(loop, context, self._endpoints[0], self.label, deliver)
        self._statistics.open()

    def _live(self) -> None:
        try:
            self.loop._open()
            self._at = "initialize"
            self._call_plain("initialize", self._plugin.initialize)
            self._at = "handle_init"
            self._call_plain("handle_init", self._plugin.handle_init)
            if begins_to_idle() or has_idle_tornado():
                logger.warning("%s: %s: use self.loop.periodic instead", self.label, IDLE)
            self._at = ""
            self.is_up = True
            self.loop._run()
        except BaseException as error:  # even after sys.exit() the control thread must wake up
            self._failure = error
            if isinstance(error, exc.SocketError):
                logger.error("%s: %s", self.label, error)
            else:
                tell_failure(self.label, self._at or "the loop", error, self.deaths)
        finally:
            self._park()

    def _call_plain(self, name: str, fn: Callable[[], object]) -> None:
        """Call a method of the plugin; an error says if that is a coroutine function, in vain."""
        result = fn()
        if isinstance(result, CoroutineType):
            result.close()
            logger.error(
                "%s: %s is a coroutine, which no loop awaits; %s", self.label, name, INSTEAD
            )

    def _park(self) -> None:
        self.loop._end()
        self.is_over = True
        if self.control is not None:
            self.control.wakeup.set()
        self._released.wait()
        for feed in (self._subscription, self._statistics):
            if feed is not None:
                feed.close()
        self.loop._close()

    def _receive(self, data: tuple[bytes, bytes]) -> bool:
        if not data[1].startswith(OURS):
            data = (data[0], self._older.complete(*data))
        return self._deliver("handle_recv", self._plugin.handle_recv, data)

    def _deliver(
        self, name: str, handle: Callable[[tuple[bytes, bytes]], object], data: tuple[bytes, bytes]
    ) -> bool:
        """Call a handler, and tell whether to continue."""
        self._at = name
        self.loop._do(partial(handle, data))
        self._at = ""
        return not self.loop._ended


class OlderEvents:
    """Completes the events of Circus itself, which are not numbered. Owned by the plugin thread.

    They lack the watcher's name and the cause. The name that is added is the one in the topic. The
    death of a process after a `kill` event has the cause "command", any other death "exit"; the
    cause of other events is unknown.
    """

    def __init__(self) -> None:
        self._killed: dict[int, None] = {}

    def complete(self, topic: bytes, payload: bytes) -> bytes:
        """Return the payload of an event with `watcher` and `cause` in it."""
        try:
            message = json.loads(payload)
        except ValueError:
            return payload
        if not isinstance(message, dict) or "seq" in message:
            return payload
        _, name, action = topics.split(topic)
        cause = self._cause(action, message.get("process_pid"))
        return json.dumps({"watcher": name, "cause": cause, **message}).encode()

    def _cause(self, action: str, pid: Any) -> str:
        if not isinstance(pid, int) or action not in ("kill", "reap"):
            return "unknown"
        if action == "reap":
            return "command" if self._killed.pop(pid, 0) is None else "exit"
        self._killed[pid] = None
        if len(self._killed) > KEPT:
            del self._killed[next(iter(self._killed))]
        return "command"


def actor(label: str) -> str:
    """Return the name under which a plugin gives orders, in characters that a daemon accepts."""
    name = label if label.startswith("plugin:") else f"plugin:{label}"
    return printable(name)[:LONGEST_ACTOR]


def printable(line: str) -> str:
    """Replace what could end a line or move the cursor. Any thread."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in line)


def wake_by_signals(control: ZmqLoop) -> bool:
    """Let signals wake the control thread, if it is the main thread and the wakeup fd is free.

    Otherwise a signal between the loop's last check and its sleep would go unnoticed.

    Returns:
        Whether `signal.set_wakeup_fd` must be undone.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    former = signal.set_wakeup_fd(control.wakeup.write_fd, warn_on_full_buffer=False)
    if former != -1:
        signal.set_wakeup_fd(former)
    return former == -1
