"""The life of a plugin: what its two threads do, in which order, and how they meet.

1. The control thread starts the plugin thread and sleeps in a loop of its own.
2. The plugin thread calls `initialize` and `handle_init`, then turns the plugin's loop.
3. Somebody asks for the end. The control thread wakes and tells the loop to stop: it delivers the
   events that are published already and calls nothing any more.
4. The plugin thread *parks*: it wakes the control thread and sleeps until it is *released*.
5. The control thread calls `handle_stop`, if `handle_init` had returned.
6. It releases the plugin thread, which closes what it has opened and ends.

Step 4 has no time-out. Where handle_recv hangs, handle_stop is not called, rather than called
beside it: it may close the file that handle_recv writes. The daemon kills a plugin that takes
longer than its graceful_timeout.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol

from cvec_circus import exc, logger
from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.client import Client
from cvec_circus.client.feed.sequence import EventSequence
from cvec_circus.client.feed.subscription import Subscription
from cvec_circus.runtime.line import printable
from cvec_circus.runtime.loop import PluginLoop
from cvec_circus.runtime.older import OURS, OlderEvents
from cvec_circus.wire import progress

if TYPE_CHECKING:
    from cvec_circus.runtime.statistics import StatsFeed

PREFIX = "plugin:"

LONGEST_ACTOR = 80
"""Characters that a daemon takes."""

PATIENCE = 5.0
"""Seconds after which a stop that waits for the plugin's code says so in the log."""


class Handlers(Protocol):
    """What a life calls. Owned by whoever implements it."""

    def initialize(self) -> None:
        """Called on the plugin thread, first."""

    def handle_init(self) -> None:
        """Called on the plugin thread, next."""

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Called on the plugin thread for every event."""

    def handle_stop(self) -> None:
        """Called on the control thread."""

    def stop(self) -> None:
        """Called on the control thread when it is interrupted from the keyboard."""


class Life:
    """Runs the two threads of one plugin, once.

    `run` belongs to the control thread, and so does what is set before it: `sequence`, `progress`
    and `control`. What follows "the plugin thread" below belongs to that. The flags go one way,
    from false to true, and each is set by one thread. `ask_to_stop` is safe from any thread.

    Attributes:
        label: What the plugin is called in the log.
        actor: What it is called by the daemon as the one who gives an order.
        loop: The plugin's loop.
        client: What the plugin asks the daemon with.
        sequence: The events wanted.
        progress: Which event it is in; see `wire.progress`.
        control: The loop that the control thread sleeps in; `run` makes one if there is none.
        stop_asked: Somebody has asked for the end.
        started: `run` has been called.
        finished: Set when `run` returns.
    """

    def __init__(self, plugin: Handlers, label: str, endpoint: str, pubsub_endpoint: str) -> None:
        """Prepare; neither threads nor files are made before `run`.

        Args:
            plugin: What to call.
            label: What the plugin is called in the log.
            endpoint: Where the daemon takes commands.
            pubsub_endpoint: Where the daemon publishes events.
        """
        self.label = label
        self.actor = actor(label)
        self.loop = PluginLoop(label)
        self.client = Client(endpoint)
        self.sequence = EventSequence()
        self.progress = progress.of_its_own()
        self.control: ZmqLoop | None = None
        self.stop_asked = False
        self.started = False
        self.finished = threading.Event()
        self._thread = threading.Thread(target=self._live, name=label, daemon=True)
        self._own_control = True
        self._wakes = False
        self._plugin = plugin
        self._endpoints = endpoint, pubsub_endpoint
        self._subscription: Subscription | None = None
        self._statistics: StatsFeed | None = None
        self._older = OlderEvents()
        self._stopping = False
        self._initialised = False
        self._parked = False
        self._released = threading.Event()
        self._failure: BaseException | None = None
        self._at = ""

    @property
    def is_up(self) -> bool:
        """Whether `handle_init` has returned."""
        return self._initialised

    @property
    def is_over(self) -> bool:
        """Whether nothing is called on the plugin thread any more."""
        return self._parked

    def ask_to_stop(self) -> None:
        """Ask for the end. Any thread, any number of times; it does not wait.

        A signal handler may call this in the middle of anything, so it only sets and wakes.
        """
        self.stop_asked = True
        if self.loop._on_thread():
            self.loop.stop()
        control = self.control
        if control is not None:
            control.wakeup.set()

    # -- the control thread -----------------------------------------------------------------------

    def run(self) -> None:
        """Live from beginning to end. Blocks; the calling thread is the control thread.

        Raises:
            PluginError: `initialize` or `handle_init` raised, which is in the log already.
        """
        self._prepare()
        try:
            if not self.stop_asked:
                self._stay(self._start)
        finally:
            self._let_go()
        self._raise_failure()

    def begin(self) -> None:
        """The first half of `run`, for tests: returns once there is a plugin thread.

        The control thread is the calling one. `finish` follows there, after `ask_to_stop`.
        """
        self._prepare()
        try:
            self._start()
        except BaseException:
            self._let_go()
            raise

    def finish(self) -> None:
        """The second half of `run`: the end of the plugin thread, and of everything else.

        Raises:
            PluginError: See `run`.
        """
        assert self.control is not None
        try:
            self._stay(self.control.run)
        finally:
            self._let_go()
        self._raise_failure()

    def _prepare(self) -> None:
        self.started = True
        self._own_control = self.control is None  # else cvec_circus-plugin has made it
        if self.control is None:
            self.control = ZmqLoop(name=f"{self.label} control")
        self._wakes = self._own_control and wake_by_signals(self.control)

    def _start(self) -> None:
        assert self.control is not None
        self.control.each_turn(self._look)
        self._thread.start()

    def _let_go(self) -> None:
        assert self.control is not None
        if not self.client.close():
            logger.warning("%s: somebody has left a socket open", self.label)
        if self._wakes:
            signal.set_wakeup_fd(-1)
        if self._own_control:
            self.control.close()
        self.finished.set()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise exc.PluginError(f"{self.label}: {self._failure!r}") from self._failure

    def _stay(self, wait: Callable[[], None]) -> None:
        """Sleep until the plugin thread is parked, and see it out."""
        assert self.control is not None
        while not self._parked:
            try:
                wait()
            except KeyboardInterrupt:
                if self.stop_asked:
                    raise  # the second one ends it at once
                self._plugin.stop()
            wait = self.control.run
        try:
            if self._initialised:
                self._call_handle_stop()
        finally:
            self._released.set()
            self._thread.join()

    def _look(self) -> bool:
        """See what has happened while the control thread slept."""
        assert self.control is not None
        if self._parked:
            self.control.stop()
        elif self.stop_asked and not self._stopping:
            self._stopping = True
            self.loop.stop()
            self.control.call_later(PATIENCE, self._say_what_is_waited_for)
        return False

    def _say_what_is_waited_for(self) -> None:
        if not self._parked:
            logger.warning("%s: still waiting for %s", self.label, self._at or "a callback")

    def _call_handle_stop(self) -> None:
        try:
            self._plugin.handle_stop()
        except (Exception, SystemExit):
            logger.exception("%s: handle_stop raised", self.label)

    # -- the plugin thread ------------------------------------------------------------------------

    def subscribe(self) -> None:
        """Begin to receive events; they are delivered once the loop turns.

        Raises:
            SocketError: One of the endpoints is none.
        """
        self._subscription = Subscription(
            self.loop._open(),
            self.client.context,
            *self._endpoints,
            self.sequence,
            self.progress,
            self._receive,
        )
        self.loop._wind_down = self._subscription.finish
        self._subscription.open()

    def subscribe_to_statistics(self, handle: Callable[[tuple[bytes, bytes]], object]) -> None:
        """Begin to receive statistics, if the daemon has any; delivered once the loop turns."""
        from cvec_circus.runtime.statistics import StatsFeed  # most plugins want none

        def deliver(data: tuple[bytes, bytes]) -> bool:
            self._at = "handle_stats"
            self.loop._do(partial(handle, data))
            self._at = ""
            return not self.loop._ended

        endpoint = self._endpoints[0]
        loop, context = self.loop._open(), self.client.context
        self._statistics = StatsFeed(loop, context, endpoint, self.label, deliver)
        self._statistics.open()

    def _live(self) -> None:
        try:
            self.loop._open()
            self._at = "initialize"
            self._plugin.initialize()
            self._at = "handle_init"
            self._plugin.handle_init()
            self._at = ""
            self._initialised = True
            self.loop._run()
        except BaseException as error:  # not even sys.exit() may leave the control thread waiting
            self._failure = error
            self._say_failure(error)
        finally:
            self._park()

    def _park(self) -> None:
        self.loop._end()
        self._parked = True
        if self.control is not None:
            self.control.wakeup.set()
        self._released.wait()
        if self._subscription is not None:
            self._subscription.close()
        if self._statistics is not None:
            self._statistics.close()
        self.loop._close()

    def _receive(self, data: tuple[bytes, bytes]) -> bool:
        """Deliver an event, and tell whether to go on."""
        if not data[1].startswith(OURS):
            data = (data[0], self._older.complete(*data))
        self._at = "handle_recv"
        self.loop._do(partial(self._plugin.handle_recv, data))
        self._at = ""
        return not self.loop._ended

    def _say_failure(self, error: BaseException) -> None:
        if isinstance(error, exc.SocketError):
            logger.error("%s: %s", self.label, error)
        else:
            logger.error("%s: %s raised", self.label, self._at or "the loop", exc_info=error)


def actor(label: str) -> str:
    """Make the name under which a plugin gives orders, in characters that a daemon takes."""
    name = label if label.startswith(PREFIX) else PREFIX + label
    return printable(name)[:LONGEST_ACTOR]


def wake_by_signals(control: ZmqLoop) -> bool:
    """Have signals wake the control thread, if it is the main thread and nobody else wants that.

    A signal between the loop's last look and its sleep would go unnoticed otherwise.

    Returns:
        Whether `signal.set_wakeup_fd` is to be undone.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    former = signal.set_wakeup_fd(control.wakeup.write_fd, warn_on_full_buffer=False)
    if former != -1:
        signal.set_wakeup_fd(former)
    return former == -1
