"""The list of the helpers that a daemon starts with: a later one is one more row."""

from __future__ import annotations

from cvec_circus import logger
from cvec_circus.config.configuration import Configuration
from cvec_circus.control.events import EventStream
from cvec_circus.sockets.registry import SocketRegistry
from cvec_circus.supervisor.helpers import Helper
from cvec_circus.supervisor.plugins import Plugin
from cvec_circus.supervisor.statistics import Statistics


def all_of(
    configuration: Configuration, events: EventStream, sockets: SocketRegistry
) -> list[Helper]:
    """Make the rows, in the order in which their watchers are shown. The supervisor thread.

    Args:
        configuration: What the daemon runs.
        events: What it publishes.
        sockets: Its listening sockets.

    Raises:
        SocketError: One of them would publish where it cannot.
    """
    rows: list[Helper] = []
    for plugin in configuration.plugins:
        if plugin.active:
            rows.append(Plugin(plugin, events, 0 if plugin.options["autostart"] else None))
        else:
            logger.info("%s: not active, so not started", plugin.name)
    if configuration.circus["statsd"]:
        rows.append(Statistics(configuration.circus, sockets))
    return rows
