"""The base class of plugins: two threads, and what each of them calls when.

====================  ==================================================  ==========================
control thread        plugin thread                                       any thread
====================  ==================================================  ==========================
``__init__``
``start`` ...         ``initialize``, ``handle_init``                     ``call``, ``cast``,
... waits             ``handle_recv``, callbacks and timers of ``loop``   ``stop``, ``loop.*``
... is told to stop   the last events, then nothing: it is *parked*
``handle_stop``       still there, still parked
... returns           ends
====================  ==================================================  ==========================

The control thread is the one that calls `start`: the main thread under cvec_circus-plugin.
"""

from __future__ import annotations

import json
import signal
import threading
from functools import partial
from typing import Any

import zmq

from cvec_circus import exc, logger
from cvec_circus.base.loop import Loop
from cvec_circus.client import CALL_TIMEOUT, Client
from cvec_circus.connect import refuse_ssh
from cvec_circus.options.kinds import to_boolean
from cvec_circus.plugins.loop import PluginLoop
from cvec_circus.plugins.sequence import EventSequence
from cvec_circus.plugins.subscription import Subscription
from cvec_circus.wire import messages, topics

PATIENCE = 5.0
"""Seconds after which a stop that waits for the plugin's code says so in the log."""


class CircusPlugin:
    """A plugin: receives every event of the daemon, and can send it commands.

    Subclass it and implement `handle_recv`; there is no plugin without. The other methods that
    begin with ``handle_`` may be overridden as well. The daemon runs each plugin in a process of
    its own, and restarts it when it dies.

    A plugin lives in two threads. `start` blocks the *control thread*, which is the main thread of
    the plugin's process. `handle_init`, `handle_recv` and whatever `loop` calls run on the *plugin
    thread*, one at a time. `handle_stop` runs on the control thread, while the plugin thread is
    still alive but calls nothing any more; so none of them needs a lock against another.
    `call`, `cast` and `stop` are safe from any thread, those that the plugin starts included.

    Attributes:
        name: What the plugin is called; a class attribute.
        call_timeout: Seconds that `call` waits for a reply; a class attribute.
        config: The configuration: everything in the ``[plugin:NAME]`` section but ``use``, and
            ``name``, which is ``plugin:NAME``.
        active: Whether it is to be started: ``active`` in the configuration.
        check_delay: The daemon's check delay in seconds.
        endpoint: Where the daemon takes commands.
        pubsub_endpoint: Where the daemon publishes events.
        ssh_server: None; there are no tunnels in this version.
        loop: Calls functions on the plugin thread, now or later: see `PluginLoop`.
    """

    name = ""
    call_timeout = CALL_TIMEOUT

    def __init__(
        self,
        endpoint: str,
        pubsub_endpoint: str,
        check_delay: float,
        ssh_server: str | None = None,
        **config: Any,
    ) -> None:
        """Make a plugin. A subclass that overrides this calls it first.

        Afterwards `loop`, `call` and `cast` may be used; nothing is connected before.

        Args:
            endpoint: Where the daemon takes commands.
            pubsub_endpoint: Where the daemon publishes events.
            check_delay: The daemon's check delay in seconds.
            ssh_server: Not available in this version.
            **config: The configuration.

        Raises:
            SocketError: An ssh server was named.
            ValueError: ``active`` is neither true nor false.
        """
        refuse_ssh(ssh_server)
        self.endpoint = endpoint
        self.pubsub_endpoint = pubsub_endpoint
        self.check_delay = check_delay
        self.ssh_server = ssh_server
        self.config = config
        self.active = to_boolean(config.get("active", True))
        self._label = str(config.get("name") or type(self).__qualname__)
        self.loop = PluginLoop(self._label)
        self._client = Client(endpoint)
        self._sequence = EventSequence()
        self._progress = memoryview(bytearray(8)).cast("Q")
        self._subscription: Subscription | None = None
        # What the two threads tell each other. The control thread sleeps in its loop; a signal or
        # stop() wakes it, and it looks. The plugin thread sleeps on _released when it is parked.
        self._control: Loop | None = None
        self._stop_asked = False
        self._stopping = False
        self._initialised = False
        self._parked = False
        self._released = threading.Event()
        self._finished = threading.Event()
        self._failure: BaseException | None = None
        self._started = False
        self._at = ""

    # -- to override ------------------------------------------------------------------------------

    def handle_init(self) -> None:
        """Called once on the plugin thread, before everything else there.

        Events that are published meanwhile are delivered afterwards. If it raises, the plugin ends
        with exit code 1, and neither `handle_recv` nor `handle_stop` is called.
        """

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Called on the plugin thread for every event, in the order they were published.

        Must be implemented. An exception is logged with its traceback, and the plugin goes on.

        Args:
            data: The topic and the payload as they were published, for `split_data` and
                `load_message`.
        """
        raise NotImplementedError(f"{type(self).__qualname__} does not implement handle_recv")

    def handle_stop(self) -> None:
        """Called once on the control thread, just before the plugin thread ends.

        By then the events that had been published when the plugin was told to stop are delivered,
        and nothing is called on the plugin thread any more; `call` and `cast` still work. It is
        called only if `handle_init` has returned, and not when a second signal ends the plugin.
        """

    def initialize(self) -> None:
        """Subscribe to the events. Called once on the plugin thread, before `handle_init`.

        A subclass that overrides this calls it first.
        """
        self._subscription = Subscription(
            self.loop._open(),
            self.context,
            self.endpoint,
            self.pubsub_endpoint,
            self._sequence,
            self._progress,
            self._receive,
        )
        self.loop._wind_down = self._subscription.finish
        self._subscription.open()

    # -- to call ----------------------------------------------------------------------------------

    def call(self, command: str, **props: Any) -> dict[str, Any]:
        """Send a command to the daemon and wait for the reply. Any thread.

        Args:
            command: The command's name.
            **props: Its properties. With ``waiting=True`` it waits as long as the daemon needs,
                otherwise for `call_timeout`.

        Returns:
            The reply: a mapping whose ``status`` is "error" if the daemon refuses the command.

        Raises:
            CallError: There is no reply; its text is "Timed out." if none came in time.
        """
        timeout = None if props.get("waiting") else self.call_timeout
        return self._client.exchange(messages.call(command, props), timeout)

    def cast(self, command: str, **props: Any) -> None:
        """Send a command to the daemon and do not wait: there is no reply. Any thread.

        Args:
            command: The command's name.
            **props: Its properties.

        Raises:
            CallError: The command cannot be sent.
        """
        self._client.cast(command, **props)

    @staticmethod
    def split_data(data: tuple[bytes, bytes]) -> tuple[str, str, bytes]:
        """Take apart what `handle_recv` is given.

        Args:
            data: The topic and the payload.

        Returns:
            The watcher's name as topics have it, lower-case and with ``_`` for blanks; what
            happened, "spawn" for example; the payload. The name as it is written in the
            configuration stands in the payload: ``load_message(payload)["watcher"]``.
        """
        topic, payload = data
        _, name, action = topics.split(topic)
        return name, action, payload

    @staticmethod
    def load_message(msg: bytes | str) -> dict[str, Any]:
        """Decode a payload.

        Args:
            msg: The payload of an event.

        Returns:
            What it tells.
        """
        message: dict[str, Any] = json.loads(msg)
        return message

    @property
    def context(self) -> zmq.Context[zmq.Socket[bytes]]:
        """The zmq context of the plugin, for sockets of its own; `handle_stop` closes them."""
        return self._client.context

    def stop(self) -> None:
        """Ask the plugin to stop. Any thread, any number of times; it does not wait.

        The daemon and signals end a plugin by this method, on the control thread. A subclass that
        overrides it calls it too. From the plugin thread, nothing more is called there after the
        current callback; from elsewhere, the events that are published already come first.
        """
        # A signal handler may call this in the middle of anything, so it only sets and wakes.
        self._stop_asked = True
        if self.loop._on_thread():
            self.loop.stop()
        control = self._control
        if control is not None:
            control.wakeup.set()

    def stop_and_wait(self, timeout: float | None = None) -> bool:
        """Ask the plugin to stop and wait for its end. Neither on the control nor plugin thread.

        Args:
            timeout: Seconds to wait at most; None waits as long as it takes.

        Returns:
            Whether it has ended.
        """
        self.stop()
        if not self._started:
            return self._client.close()
        return self._finished.wait(timeout)

    # -- the control thread -----------------------------------------------------------------------

    def start(self) -> None:
        """Run the plugin. Blocks until it has stopped; a plugin runs once.

        Raises:
            ValueError: The plugin is not active.
            PluginError: It has no `handle_recv`, or `handle_init` raised.
        """
        require_handle_recv(type(self))
        if not self.active:
            raise ValueError(f"{self._label} is not active")
        if self._started:
            raise RuntimeError(f"{self._label} has been started before")
        self._started = True
        control = self._control or Loop(name=f"{self._label} control")
        own, self._control = self._control is None, control  # else cvec_circus-plugin has made it
        wakes = own and wake_by_signals(control)
        try:
            if not self._stop_asked:
                self._run_threads(control)
        finally:
            if not self._client.close():
                logger.warning("%s: somebody has left a socket open", self._label)
            if wakes:
                signal.set_wakeup_fd(-1)
            if own:
                control.close()
            self._finished.set()
        if self._failure is not None:
            raise exc.PluginError(f"{self._label}: {self._failure!r}") from self._failure

    def _run_threads(self, control: Loop) -> None:
        """Start the plugin thread, wait until it is parked, call handle_stop, and let it end."""
        thread = threading.Thread(target=self._live, name=self._label, daemon=True)
        control.each_turn(self._look)
        wait = thread.start
        while not self._parked:
            try:
                wait()
            except KeyboardInterrupt:
                if self._stop_asked:
                    raise  # the second one ends it at once
                self.stop()
            wait = control.run
        try:
            if self._initialised:
                self._call_handle_stop()
        finally:
            self._released.set()
            thread.join()

    def _look(self) -> bool:
        """See what has happened while the control thread slept."""
        control = self._control
        assert control is not None
        if self._parked:
            control.stop()
        elif self._stop_asked and not self._stopping:
            self._stopping = True
            self.loop.stop()
            control.call_later(PATIENCE, self._say_what_is_waited_for)
        return False

    def _say_what_is_waited_for(self) -> None:
        if not self._parked:
            logger.warning("%s: still waiting for %s", self._label, self._at or "a callback")

    def _call_handle_stop(self) -> None:
        try:
            self.handle_stop()
        except (Exception, SystemExit):
            logger.exception("%s: handle_stop raised", self._label)

    # -- the plugin thread ------------------------------------------------------------------------

    def _live(self) -> None:
        """The life of the plugin thread."""
        try:
            self.loop._open()
            self._at = "initialize"
            self.initialize()
            self._at = "handle_init"
            self.handle_init()
            self._at = ""
            self._initialised = True
            self.loop._run()
        except BaseException as error:  # not even sys.exit() may leave the control thread waiting
            self._failure = error
            self._say_failure(error)
        finally:
            self._park()

    def _park(self) -> None:
        """Call nothing any more; wait until handle_stop has been called, and end."""
        self.loop._end()
        self._parked = True
        if self._control is not None:
            self._control.wakeup.set()
        self._released.wait()
        if self._subscription is not None:
            self._subscription.close()
        self.loop._close()

    def _say_failure(self, error: BaseException) -> None:
        if isinstance(error, exc.SocketError):
            logger.error("%s: %s", self._label, error)
        else:
            logger.error("%s: %s raised", self._label, self._at or "the loop", exc_info=error)

    def _receive(self, data: tuple[bytes, bytes]) -> bool:
        """Deliver an event, and tell whether to go on."""
        self._at = "handle_recv"
        self.loop._do(partial(self.handle_recv, data))
        self._at = ""
        return not self.loop._ended


def wake_by_signals(control: Loop) -> bool:
    """Have signals wake the control thread, if it is the main thread and nobody else wants that.

    A signal between the loop's last look and its sleep would go unnoticed otherwise.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    former = signal.set_wakeup_fd(control.wakeup.write_fd, warn_on_full_buffer=False)
    if former != -1:
        signal.set_wakeup_fd(former)
    return former == -1


def require_handle_recv(plugin: type[CircusPlugin]) -> None:
    """Refuse a class that cannot do what a plugin is for.

    Raises:
        PluginError: It has no handle_recv of its own.
    """
    if plugin.handle_recv is CircusPlugin.handle_recv:
        raise exc.PluginError(f"{plugin.__qualname__} does not implement handle_recv")
