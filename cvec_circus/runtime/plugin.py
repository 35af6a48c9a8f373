"""The base class of plugins: two threads, and what each of them calls when.

====================  ==================================================  ==========================
control thread        plugin thread                                       any thread
====================  ==================================================  ==========================
``__init__``
``start`` ...         ``initialize``, ``handle_init``                     ``call``, ``cast``,
... waits             ``handle_recv``, callbacks and timers of ``loop``   ``stop``, ``loop.*``
... is asked to stop  the last events, then nothing: it is *parked*
``handle_stop``       still alive, still parked
... returns           ends
====================  ==================================================  ==========================

The control thread is the one that calls `start`: the main thread under cvec_circus-plugin. This
module is what plugins see. `runtime.life` runs the two threads, and `client.feed.subscription`
makes sure that no event is missed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import zmq

from cvec_circus import exc
from cvec_circus.client import CALL_TIMEOUT
from cvec_circus.compat.members import Members
from cvec_circus.options.kinds import to_boolean
from cvec_circus.runtime.life import Life
from cvec_circus.runtime.schema import typed
from cvec_circus.wire import messages, topics


class CircusPlugin(Members):
    """A plugin: receives every event of the daemon, and can send it commands.

    A subclass must implement `handle_recv`, and may override the other methods that begin with
    ``handle_``. The daemon runs each plugin in its own process, and restarts it when it dies.

    A plugin runs on two threads. `start` blocks the *control thread*, which is the main thread of
    the plugin's process. `handle_init`, `handle_recv` and callbacks of `loop` run on the *plugin
    thread*, one at a time. `handle_stop` runs on the control thread, while the plugin thread is
    still alive but calls nothing more; so none of them needs a lock against another. `call`, `cast`
    and `stop` are safe from any thread, including threads that the plugin starts.

    Attributes:
        name: The plugin's name; a class attribute.
        call_timeout: Seconds that `call` waits for a reply; a class attribute.
        want_stats: Whether `handle_stats` is called; a class attribute.
        schema: The types of the configuration's values: a check of ConfigObj's validate for
            each key, such as ``{"window": "float(min=0, default=1.0)"}``; a class attribute.
            Without a schema, values stay as they were given.
            Each option in it is an attribute as well, unless the class has one of that name.
        config: The configuration: everything in the ``[plugin:NAME]`` section but ``use``, and
            ``name``, which is ``plugin:NAME``; with the types and defaults of the schema.
        active: Whether the plugin may be started: ``active`` in the configuration.
        check_delay: The daemon's check delay in seconds.
        endpoint: Where the daemon takes commands.
        pubsub_endpoint: Where the daemon publishes events.
        ssh_server: None; see ``__init__``.
        loop: Calls functions on the plugin thread, now or later: see `PluginLoop`.
    """

    _circus_class = "plugins.CircusPlugin"
    name = ""
    call_timeout = CALL_TIMEOUT
    want_stats = False
    schema: ClassVar[Mapping[str, str]] = {}

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
            ssh_server: None. The endpoints are local; ``cvec_circus-plugin --ssh`` forwards them.
            **config: The configuration.

        Raises:
            SocketError: An ssh server was named.
            OptionError: ``active`` is neither true nor false, or a value does not fit the schema.
            PluginError: The schema cannot be used.
        """
        if ssh_server:
            raise exc.SocketError(
                f"ssh {ssh_server}: a plugin opens no tunnel; use cvec_circus-plugin --ssh"
            )
        config = typed(self.schema, config)
        try:
            self.active = to_boolean(config.get("active", True))
        except ValueError as error:
            raise exc.OptionError("active", str(error)) from None
        self.endpoint = endpoint
        self.pubsub_endpoint = pubsub_endpoint
        self.check_delay = check_delay
        self.ssh_server = ssh_server
        self.config = config
        # One private attribute for the rest, so that subclasses can use any name for theirs.
        label = str(config.get("name") or type(self).__qualname__)
        self._life = Life(self, label, endpoint, pubsub_endpoint)
        self.loop = self._life.loop

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Return the value of an option that the schema has."""
            config = vars(self).get("config")
            if config is not None and name in type(self).schema:
                return config[name]
            return super().__getattr__(name)

    # -- to override ------------------------------------------------------------------------------

    def handle_init(self) -> None:
        """Called once on the plugin thread, before anything else there.

        Events that are published meanwhile are delivered afterwards. If it raises, the plugin ends
        with exit code 1, and neither `handle_recv` nor `handle_stop` is called.
        """

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Called on the plugin thread for every event, in the order of publication.

        Must be implemented. An exception is logged with its traceback, and the plugin continues. If
        the same line raises again, the log has the number, at most once a minute.

        Args:
            data: The topic and the payload as they were published, for `split_data` and
                `load_message`.
        """
        raise NotImplementedError(f"{type(self).__qualname__} does not implement handle_recv")

    def handle_stats(self, data: tuple[bytes, bytes]) -> None:
        """Called on the plugin thread with the statistics of processes, if `want_stats` is true.

        Called about once a second for every process, and for every watcher: see the page on
        statistics. The daemon must publish them (``statsd = True``); if it does not, a warning says
        so once. An exception is logged with its traceback, and the plugin continues. It is never
        called during or after `handle_stop`.

        Args:
            data: The topic and the payload as they were published.
        """

    def handle_stop(self) -> None:
        """Called once on the control thread, just before the plugin thread ends.

        Events published before the request to stop have been delivered, and nothing more is called
        on the plugin thread; `call` and `cast` still work. It is called only if `handle_init` has
        returned, and not when a second Ctrl-C ends the plugin.
        """

    def initialize(self) -> None:
        """Subscribe to the events. Called once on the plugin thread, before `handle_init`.

        A subclass that overrides this calls it first.
        """
        self._life.subscribe()
        if self.want_stats:
            self._life.subscribe_to_statistics(self.handle_stats)

    # -- to call ----------------------------------------------------------------------------------

    def call(self, command: str, **props: Any) -> dict[str, Any]:
        """Send a command to the daemon and wait for the reply. Any thread.

        Args:
            command: The command's name.
            **props: Its properties. With ``waiting=True`` there is no limit to the wait, otherwise
                it is `call_timeout`.

        Returns:
            The reply: a mapping whose ``status`` is "error" if the daemon refuses the command.

        Raises:
            CallError: There is no reply; its text is "Timed out." if none came in time.
        """
        timeout = None if props.get("waiting") else self.call_timeout
        message = {**messages.call(command, props), "actor": self._life.actor}
        return self._life.client.exchange(message, timeout)

    def cast(self, command: str, **props: Any) -> None:
        """Send a command to the daemon and do not wait: there is no reply. Any thread.

        Args:
            command: The command's name.
            **props: Its properties.

        Raises:
            CallError: The command cannot be sent.
        """
        self._life.client.send({**messages.cast(command, props), "actor": self._life.actor})

    @staticmethod
    def split_data(data: tuple[bytes, bytes]) -> tuple[str, str, bytes]:
        """Split the argument of `handle_recv`.

        Returns:
            The watcher's name as topics have it, lower-case and with ``_`` for blanks; the action,
            "spawn" for example; the payload. The name as the configuration spells it is in the
            payload: ``load_message(payload)["watcher"]``.
        """
        topic, payload = data
        _, name, action = topics.split(topic)
        return name, action, payload

    @staticmethod
    def load_message(msg: bytes | str) -> dict[str, Any]:
        """Decode the payload of an event."""
        message: dict[str, Any] = json.loads(msg)
        return message

    @property
    def context(self) -> zmq.Context[zmq.Socket[bytes]]:
        """The zmq context of the plugin, for sockets of its own; `handle_stop` closes them."""
        return self._life.client.context

    def stop(self) -> None:
        """Ask the plugin to stop. Any thread, any number of times; it does not wait.

        The daemon and signals stop a plugin by this method, on the control thread. A subclass that
        overrides it must call it. If called from the plugin thread, nothing more is called there
        after the current callback; from elsewhere, events published before are delivered first.
        """
        self._life.ask_to_stop()

    def start(self) -> None:
        """Run the plugin. Blocks until it has stopped; a plugin runs once.

        Raises:
            ValueError: The plugin is not active.
            PluginError: It has no `handle_recv`, or `handle_init` raised.
        """
        require_handle_recv(type(self))
        if not self.active:
            raise ValueError(f"{self._life.label} is not active")
        if self._life.started:
            raise RuntimeError(f"{self._life.label} has been started before")
        self._life.run()


def require_handle_recv(plugin: type[CircusPlugin]) -> None:
    """Refuse a class without a handle_recv of its own; raises PluginError."""
    if plugin.handle_recv is CircusPlugin.handle_recv:
        raise exc.PluginError(f"{plugin.__qualname__} does not implement handle_recv")
