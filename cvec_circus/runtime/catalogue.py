"""Which plugins are installed: those that come with cvec_circus, and those of other packages.

Each has a short name that can stand for the dotted name of its class. Another package gives its
plugins short names by entry points of the group `cvec_circus.plugins`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from cvec_circus.exc import PluginError
from cvec_circus.options.nearest import did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "cvec_circus.plugins"
"""The group of entry points, which is also the package that ours are in."""

BUILT_IN = {
    "autoscaler": "autoscaler:Autoscaler",
    "command-reloader": "command_reloader:CommandReloader",
    "flapping": "flapping:Flapping",
    "full-stats": "statsd:FullStats",
    "http": "http_observer:HttpObserver",
    "logger": "logger:Logger",
    "mail": "mail:MailNotifier",
    "redis": "redis_observer:RedisObserver",
    "resource-watcher": "resource_watcher:ResourceWatcher",
    "statsd": "statsd:StatsdEmitter",
    "watchdog": "watchdog:WatchDog",
    "webhook": "webhook:Webhook",
}
"""Ours: the short name, the module within the package, and the class in it."""


class Listed(NamedTuple):
    """A plugin that is installed. Immutable.

    Attributes:
        name: The short name.
        module: The module that its class is in.
        attribute: The class; with dots, if it stands within another one.
        package: The package that it comes with, and its version; "" for our own.
    """

    name: str
    module: str
    attribute: str
    package: str = ""

    @property
    def dotted(self) -> str:
        """The full name of the class."""
        return f"{self.module}.{self.attribute}"


def find(name: str) -> Listed:
    """Return the plugin that a short or a dotted name means, without importing anything of it.

    Raises:
        PluginError: It is neither. The text is one line.
    """
    ours = name.replace("_", "-")  # people mix them up
    if ours in BUILT_IN:
        return _built_in(ours)
    place, dot, attribute = name.rpartition(".")
    if dot and all(part.isidentifier() for part in name.split(".")):
        return Listed(name, place, attribute)
    others = entry_points()
    for one in others:
        if one.name == name:
            return one
    near = did_you_mean(name, [*BUILT_IN, *(one.name for one in others)])
    what = "no dotted name of a class, such as myproject.plugins.Logger"
    if not dot:
        what = "no short name of an installed plugin, and " + what
    raise PluginError(f"{name!r} is {what}{near}")


def installed() -> list[Listed]:
    """Return all plugins that have short names: ours, then those of others."""
    return [*map(_built_in, BUILT_IN), *(one for one in entry_points() if one.name not in BUILT_IN)]


def entry_points() -> list[Listed]:
    """Return what other packages have announced, by name."""
    # It takes as long to import as half of a plugin's start, for a name that is seldom asked for.
    from importlib.metadata import entry_points as announced

    ours = announced(group=GROUP) if sys.version_info >= (3, 10) else announced().get(GROUP, ())
    listed = {one.name: _announced(one) for one in reversed(list(ours))}  # the first one counts
    return [listed[name] for name in sorted(listed)]


def _built_in(name: str) -> Listed:
    module, _, attribute = BUILT_IN[name].partition(":")
    return Listed(name, f"{GROUP}.{module}", attribute)


def _announced(point: EntryPoint) -> Listed:
    module, _, attribute = (part.strip() for part in point.value.partition(":"))
    package = getattr(point, "dist", None)  # Python 3.9 does not tell
    origin = f"{package.metadata['Name']} {package.version}" if package else "another package"
    return Listed(point.name, module, attribute.partition("[")[0].strip(), origin)
