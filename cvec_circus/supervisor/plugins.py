"""Plugins as helpers: which event each begins with, and which one it is spared."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from cvec_circus import logger
from cvec_circus.config.configuration import PluginConfig
from cvec_circus.control.events import EventStream
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.supervisor.helpers import Helper
from cvec_circus.wire.progress import LAYOUT

DEATHS = 2
"""So many deaths in the same event, and the plugin's next process does not get it any more."""


class Plugin(Helper):
    """One plugin, and how far it has got. Owned by the supervisor thread.

    Daemon and plugin share a piece of memory; see `wire.progress`. A plugin that dies goes on where
    it was. One that an order has stopped begins with the present when it is started: what happened
    meanwhile is old by then, and Flapping, for one, must stop no watcher for deaths of long ago.

    Attributes:
        config: What it is; a changed one serves the next process.
    """

    module = "cvec_circus.runtime.runner"
    variable = "CVEC_CIRCUS_PLUGIN"

    def __init__(self, config: PluginConfig, events: EventStream, since: int | None = None) -> None:
        """Prepare; nothing is open before the first start.

        Args:
            config: What it is.
            events: What the daemon publishes.
            since: The first process gets the events with higher numbers; 0 for one that starts
                with the daemon, None for those that are published from its start on.
        """
        self.config = config
        self.name = config.name
        self._events = events
        self._since = since
        self._progress: int | None = None
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

    def _died_in(self, event: int) -> None:
        self._deaths = self._deaths + 1 if event == self._fatal_event else 1
        self._fatal_event = event
        if self._deaths >= DEATHS:
            self._since = event
            logger.warning(
                "%s: event %d (%s) killed it twice; skipped", self.name, event, self._topic(event)
            )

    def _topic(self, event: int) -> str:
        found = self._events.since(event - 1, 1)
        return found["events"][0][0] if found["events"] and not found["lost"] else "not kept"

    def close(self) -> None:
        """See `Helper`."""
        if self._progress is not None:
            os.close(self._progress)
            self._progress = None
