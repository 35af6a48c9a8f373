"""What a configuration comes to: typed options of everything the daemon is to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cvec_circus.config.findings import Place


@dataclass
class WatcherConfig:
    """One watcher. Immutable by convention.

    Attributes:
        name: Its name as written.
        options: All its options, typed; freeform ones as they were given. `env` has what the
            configuration says; the daemon's environment comes under it at the start of a process.
        where: Where each given option stands, and the section itself under "".
    """

    name: str
    options: dict[str, Any]
    where: Mapping[str, Place] = field(default_factory=dict)


@dataclass
class SocketConfig:
    """One listening socket. Immutable by convention.

    Attributes:
        name: Its name as written.
        options: Its options, typed, named like the arguments of a managed socket.
        where: As for a watcher.
    """

    name: str
    options: dict[str, Any]
    where: Mapping[str, Place] = field(default_factory=dict)


@dataclass
class PluginConfig:
    """One plugin. Immutable by convention.

    Attributes:
        name: The name of its watcher: `plugin:NAME`.
        use: The full name of its class.
        config: What its constructor gets, but for `name`: the section less `use`. From a file it is
            text, byte for byte as written but for `$(circus.env.NAME)`, which is replaced.
        options: All options of its watcher, typed, but for `cmd`, which the daemon makes.
        active: False for one that is never started.
        where: As for a watcher.
    """

    name: str
    use: str
    config: dict[str, Any]
    options: dict[str, Any]
    active: bool = True
    where: Mapping[str, Place] = field(default_factory=dict)


@dataclass
class Configuration:
    """Everything that a configuration says. Immutable by convention.

    Attributes:
        circus: All options of the daemon, typed.
        watchers: In the order of the configuration.
        sockets: Likewise.
        plugins: Likewise.
        warnings: A line for each thing that is odd.
    """

    circus: dict[str, Any]
    watchers: list[WatcherConfig] = field(default_factory=list)
    sockets: list[SocketConfig] = field(default_factory=list)
    plugins: list[PluginConfig] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
