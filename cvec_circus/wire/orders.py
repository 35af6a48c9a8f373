"""Orders: what anybody may want of the watchers, as values.

Names and patterns are resolved before an order is made. `watchers` of None is all of them, in the
sequence of a campaign; of several, one that is not to start by itself (`autostart`) is left alone
while it is stopped. `cause` says who gave the order, and why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional, Union

from cvec_circus.wire.cause import Cause

Watcher = Any
"""A `core.watcher.Watcher`: what is below the core only hands it on."""

ManagedProcess = Any
"""A `core.process.ManagedProcess`; likewise."""

Chosen = Optional[Sequence[Watcher]]


class Start(NamedTuple):
    """Want watchers up. Immutable.

    Attributes:
        beside: Whether a start of all that is going on goes on, and these join it by priority.
    """

    watchers: Chosen
    cause: Cause
    beside: bool = False


class Stop(NamedTuple):
    """Want watchers down. Immutable."""

    watchers: Chosen
    cause: Cause


class Restart(NamedTuple):
    """Want watchers down once and then up. Immutable."""

    watchers: Chosen
    cause: Cause


class Reload(NamedTuple):
    """Want every process replaced, or sent SIGHUP where `send_hup` says so. Immutable.

    Attributes:
        sequential: Whether one is stopped and replaced after the other.
        graceful: False stops all of them before one is started, as a restart does.
    """

    watchers: Chosen
    cause: Cause
    sequential: bool = False
    graceful: bool = True


class Resize(NamedTuple):
    """Want another number of processes. Immutable."""

    watcher: Watcher
    numprocesses: int
    cause: Cause


class SetOptions(NamedTuple):
    """Give options other values; what needs fresh processes begins a rollout. Immutable.

    Attributes:
        options: The new values by name, typed.
        fresh: Whether a rollout begins in any case.
        dropped: Freeform options to take away.
    """

    watcher: Watcher
    options: Mapping[str, Any]
    cause: Cause
    fresh: bool = False
    dropped: frozenset[str] = frozenset()


class Add(NamedTuple):
    """Put a watcher on the roster, stopped. Immutable."""

    watcher: Watcher
    cause: Cause


class Remove(NamedTuple):
    """Take a watcher off the roster, and stop it, unless `nostop`. Immutable."""

    watcher: Watcher
    cause: Cause
    nostop: bool = False


class Kill(NamedTuple):
    """End processes now; their places are filled again. Immutable.

    Attributes:
        signum: The signal to begin with; None for the watcher's own.
        graceful_timeout: Seconds until SIGKILL; None for the watcher's own.
    """

    watcher: Watcher
    processes: Sequence[ManagedProcess]
    cause: Cause
    signum: int | None = None
    graceful_timeout: float | None = None


class Signal(NamedTuple):
    """Send a client's signal to processes, or to their children. Immutable.

    Attributes:
        processes: The processes.
        childpid: The one descendant of theirs that gets it; None for any other.
        children: Whether their children get it and they do not.
        recursive: Whether all their descendants get it.
    """

    watcher: Watcher
    processes: Sequence[ManagedProcess]
    signum: int
    cause: Cause
    childpid: int | None = None
    children: bool = False
    recursive: bool = False


class Configure(NamedTuple):
    """Want what a configuration that was read again says: several orders as one. Immutable.

    Attributes:
        orders: What it comes to, in the order in which it is given.
        bases: What the configuration gives each watcher from now on, by name of option.
    """

    orders: Sequence[Any]
    bases: Sequence[tuple[Watcher, Mapping[str, Any]]]
    cause: Cause


class Quit(NamedTuple):
    """Want everything down for good: first all but the helpers, then these. Immutable."""

    cause: Cause


Order = Union[
    Start, Stop, Restart, Reload, Resize, SetOptions, Add, Remove, Kill, Signal, Configure, Quit
]
