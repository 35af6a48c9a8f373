"""The kinds of helpers, and the list of those that a daemon starts with."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from cvec_circus import logger
from cvec_circus.config.configuration import Configuration, PluginConfig
from cvec_circus.control.events import EventStream
from cvec_circus.exc import SocketError
from cvec_circus.options.generation import read, written
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.sockets.registry import SocketRegistry
from cvec_circus.supervisor.helpers import Helper
from cvec_circus.system.handover import Handover, Inherited
from cvec_circus.wire.progress import LAYOUT

DEATHS = 2
"""After so many deaths in the same event, the plugin's next process does not get that event."""

ANY_PORT = ("*", "0")

INTERVAL = 1.0
"""Seconds from one look of the statistics at all processes to the next."""


def all_of(
    configuration: Configuration, events: EventStream, sockets: SocketRegistry
) -> list[Helper]:
    """Make the rows, in the order in which their watchers are shown.

    Raises:
        SocketError: The statistics cannot be published at their address.
    """
    rows: list[Helper] = []
    for plugin in configuration.plugins:
        if plugin.active:
            rows.append(Plugin(plugin, events, events.seq if plugin.options["autostart"] else None))
        else:
            logger.info("%s: not active, so not started", plugin.name)
    if configuration.circus["statsd"]:
        rows.append(Statistics(configuration.circus, sockets))
    return rows


class Plugin(Helper):
    """One plugin, and how far it has got. Owned by the supervisor thread.

    Daemon and plugin share a piece of memory; see `wire.progress`. A plugin that dies goes on where
    it was. One that an order has stopped begins with the present when it is started: what happened
    meanwhile is old by then, and Flapping, for one, must stop no watcher for deaths of long ago.

    Args:
        config: What it is; a changed one serves the next process.
        events: What the daemon publishes.
        since: The first process gets the events with higher numbers; None for those that are
            published from its start on.
    """

    module = "cvec_circus.runtime.runner"
    variable = "CVEC_CIRCUS_PLUGIN"

    def __init__(self, config: PluginConfig, events: EventStream, since: int | None = None) -> None:
        self.config = config
        self.name = config.name
        self._events = events
        self._since = since
        self._progress: int | None = None  # opened for the first process
        self._fatal_event = 0
        self._deaths = 0

    def own_options(self) -> WatcherOptions:
        """See `Helper`."""
        return self.config.options

    def message(self) -> dict[str, Any]:
        """See `Helper`."""
        if self._progress is None:
            self._progress = os.memfd_create("cvec_circus-progress", os.MFD_CLOEXEC)
        if self._since is None:
            self._since = self._events.seq
        os.pwrite(self._progress, LAYOUT.pack(self._since, 0), 0)
        return {
            "use": self.config.use,
            "config": {**self.config.config, "name": self.name},
            "sys_path": sys.path,
            "since": self._since,
            "progress": self._progress,
        }

    def descriptors(self) -> Sequence[int]:
        """See `Helper`."""
        return () if self._progress is None else (self._progress,)

    def exited(self, by_itself: bool, is_wanted: bool) -> None:
        """See `Helper`."""
        if self._progress is None:
            return
        delivered, current = LAYOUT.unpack(os.pread(self._progress, LAYOUT.size, 0))
        self._since = delivered if by_itself or is_wanted else None
        if by_itself and current > delivered:
            self._died_in(current)

    def hand_over(self, out: Handover) -> dict[str, Any]:
        """See `Helper`."""
        return {
            "use": self.config.use,
            "config": self.config.config,
            "options": written(self.config.options),
            "since": self._since,
            "progress": None if self._progress is None else out.file(self._progress),
            "fatal": [self._fatal_event, self._deaths],
        }

    @classmethod
    def taken_over(
        cls, name: str, inherited: Inherited, state: Mapping[str, Any], events: EventStream
    ) -> Plugin:
        """Return one as the program before had it."""
        config = PluginConfig(name, state["use"], state["config"], read(state["options"]))
        plugin = cls(config, events, state["since"])
        if state["progress"] is not None:
            plugin._progress = inherited.file(state["progress"])
        plugin._fatal_event, plugin._deaths = state["fatal"]
        return plugin

    def _died_in(self, event: int) -> None:
        self._deaths = self._deaths + 1 if event == self._fatal_event else 1
        self._fatal_event = event
        if self._deaths >= DEATHS:
            self._since = event
            found = self._events.since(event - 1, 1)
            is_kept = found["events"] and not found["lost"]
            topic = found["events"][0][0] if is_kept else "not kept"
            logger.warning("%s: event %d (%s) killed it twice; skipped", self.name, event, topic)

    def close(self) -> None:
        """See `Helper`."""
        if self._progress is not None:
            os.close(self._progress)
            self._progress = None


class Statistics(Helper):
    """The process that measures all others. Owned by the supervisor thread.

    Args:
        circus: The options of the daemon.
        sockets: The listening sockets, on which the process counts.

    Attributes:
        address: Where they are published. For "any free port" the port is taken here and handed to
            the process, so that the daemon can tell which one it is.

    Raises:
        SocketError: There is no free port at that address.
    """

    name = "circusd-stats"  # what it is called in Circus, too
    module = "cvec_circus.stats.program"
    variable = "CVEC_CIRCUS_STATS"
    has_sockets = True

    def __init__(self, circus: Mapping[str, Any], sockets: SocketRegistry) -> None:
        self.address: str = circus["stats_endpoint"]
        self._circus = circus
        self._sockets = sockets
        self._listener: socket.socket | None = None
        self._take_port()

    def own_options(self) -> WatcherOptions:
        """See `Helper`."""
        closes = self._circus["statsd_close_outputs"]
        given = {"close_child_stdout": closes, "close_child_stderr": closes}
        own = {"PYTHONSAFEPATH": "1"}  # no module of it is in the current directory
        return WATCHER_OPTIONS.complete({"cmd": self.module, "copy_env": True, "env": own, **given})

    def _take_port(self) -> None:
        host, _, port = self.address.partition("tcp://")[2].rpartition(":")
        if port not in ANY_PORT or not host:
            return
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.bind((host.strip("[]") if host != "*" else "", 0))
            listener.listen()
        except OSError as error:
            listener.close()
            text = f"stats_endpoint {self.address}: cannot listen: {error.strerror}"
            raise SocketError(text) from None
        listener.setblocking(False)
        self._listener = listener
        self.address = f"tcp://{host}:{listener.getsockname()[1]}"

    def hand_over(self, out: Handover) -> dict[str, Any]:
        """See `Helper`."""
        fd = None if self._listener is None else out.file(self._listener.fileno())
        return {"address": self.address, "listener": fd}

    @classmethod
    def taken_over(
        cls,
        inherited: Inherited,
        state: Mapping[str, Any],
        circus: Mapping[str, Any],
        sockets: SocketRegistry,
    ) -> Statistics:
        """Return them as the program before had them."""
        found = cls({**circus, "stats_endpoint": state["address"]}, sockets)
        if state["listener"] is not None:
            found._listener = socket.socket(fileno=inherited.file(state["listener"]))
        return found

    def message(self) -> dict[str, Any]:
        """See `Helper`."""
        message: dict[str, Any] = {
            "stats_endpoint": self.address,
            "interval": INTERVAL,
            "mode": self._circus["endpoint_mode"],
            "owner": self._circus["endpoint_owner"],
            "sockets": self._sockets.describe(),
            "daemon_pid": os.getpid(),
        }
        if self._listener is not None:
            message["listener"] = self._listener.fileno()
        return message

    def descriptors(self) -> Sequence[int]:
        """See `Helper`."""
        own = [] if self._listener is None else [self._listener.fileno()]
        return [*(one["fd"] for one in self._sockets.describe()), *own]

    def close(self) -> None:
        """Give the port back."""
        if self._listener is not None:
            self._listener.close()
