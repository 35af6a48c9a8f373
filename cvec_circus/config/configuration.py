"""A configuration: typed options of everything that the daemon runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cvec_circus.base.named import NamedTuple
from cvec_circus.config.section import Section
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.options.variables import Variables

FORGOTTEN = Section("", "", "")
"""In place of the section that something was read from, after `Configuration.forget_places`."""


class WatcherConfig(NamedTuple):
    """One watcher. Immutable by convention.

    Attributes:
        name: Its name as written.
        options: All its options, typed; freeform ones as they were given. `env` has what the
            configuration says; the daemon's environment comes under it at the start of a process.
        section: The section that it was read from.
    """

    name: str
    options: WatcherOptions
    section: Section = FORGOTTEN


class SocketConfig(NamedTuple):
    """One listening socket. Immutable by convention.

    Attributes:
        name: Its name as written.
        options: Its options, typed, named like the arguments of a managed socket.
        section: The section that it was read from.
    """

    name: str
    options: dict[str, Any]
    section: Section = FORGOTTEN


class PluginConfig(NamedTuple):
    """One plugin. Immutable by convention.

    Attributes:
        name: The name of its watcher: `plugin:NAME`; from a program the one that it gives.
        use: The full name of its class.
        config: What its constructor gets, but for `name`: the section less `use`. From a file it is
            text, byte for byte as written but for `$(circus.env.NAME)`, which is replaced.
        options: All options of its watcher, typed, but for `cmd`, which the daemon makes.
        active: False for one that is never started.
        section: The section that it was read from.
    """

    name: str
    use: str
    config: dict[str, Any]
    options: WatcherOptions
    active: bool = True
    section: Section = FORGOTTEN


class LeftOut(NamedTuple):
    """A watcher or plugin with problems, without which the others run. Immutable."""

    name: str  # of its watcher, as written
    problems: list[str]  # a line each


class Configuration:
    """Everything that a configuration says. Immutable by convention.

    Attributes:
        circus: All options of the daemon, typed.
        watchers, sockets, plugins: In the order of the configuration.
        warnings: The warnings, a line each.
        left_out: The watchers and plugins that are not run because they have problems.
        sources: The files that were read, and the folders or files that `include` names, by path.
        absent: What `include` names and was not there, by path.
        strangers: The headers of sections of no known kind.
        variables: The `$(circus.env.NAME)` in it, whose values no error shows.
    """

    def __init__(self, circus: dict[str, Any]) -> None:
        self.circus = circus
        self.watchers: list[WatcherConfig] = []
        self.sockets: list[SocketConfig] = []
        self.plugins: list[PluginConfig] = []
        self.warnings: list[str] = []
        self.left_out: list[LeftOut] = []
        self.sources: frozenset[str] = frozenset()
        self.absent: frozenset[str] = frozenset()
        self.strangers: list[str] = []
        self.variables = Variables()

    def forget_places(self) -> None:
        """Release the sections, which only messages about the configuration need.

        They are half of what a configuration of 1000 watchers takes: 1.2 MiB.
        """
        self.watchers = [watcher._replace(section=FORGOTTEN) for watcher in self.watchers]
        self.sockets = [socket._replace(section=FORGOTTEN) for socket in self.sockets]
        self.plugins = [plugin._replace(section=FORGOTTEN) for plugin in self.plugins]


class Origin(NamedTuple):
    """Where a configuration comes from, so that it can be read again. Immutable.

    Attributes:
        path: The file, absolute; None if a program has made the configuration.
        environ: The environment that it was read with; None for that of the process.
        cwd: The folder that it was read in; None for that of the process.
        set_level: Sets the level of the log; None if the configuration does not decide on it.
        reopen: Opens the daemon's log anew; None if the program that embeds it has the log.
        examine: Called with a configuration before it is used; it may warn.
    """

    path: str | None = None
    environ: Mapping[str, str] | None = None
    cwd: str | None = None
    set_level: Callable[[str], object] | None = None
    reopen: Callable[[], object] | None = None
    examine: Callable[[Configuration], object] | None = None


FROM_PROGRAM = Origin()
"""The origin of a configuration that no file has made."""
