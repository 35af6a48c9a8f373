"""Orders to the watchers, as values.

Names and patterns are resolved before an order is made. `watchers` of None means all, in the
sequence of a campaign; stopped ones without `autostart` are then left alone. `cause` says who gave
the order, and why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from cvec_circus.base.named import NamedTuple
from cvec_circus.wire.cause import Cause

Watcher = Any
"""A `core.watcher.Watcher`: modules below the core only pass it on."""

ManagedProcess = Any
"""A `core.process.ManagedProcess`, likewise."""

Chosen = Optional[Sequence[Watcher]]


class Start(NamedTuple):
    """Start watchers. Immutable."""

    watchers: Chosen
    cause: Cause
    beside: bool = False  # join a start of all that is going on, by priority


class Stop(NamedTuple):
    """Stop watchers. Immutable."""

    watchers: Chosen
    cause: Cause
    failed: bool = False  # the sender marks them as failed
    with_dependants: bool = False  # what depends on them first


class Restart(NamedTuple):
    """Stop watchers, then start them. Immutable."""

    watchers: Chosen
    cause: Cause


class Reload(NamedTuple):
    """Replace every process, or send it SIGHUP where `send_hup` is set. Immutable.

    An order to all covers those that are wanted up or have given up; named ones start if down.
    """

    watchers: Chosen
    cause: Cause
    sequential: bool = False  # stop and replace one after the other
    graceful: bool = True

    @property
    def restarts(self) -> bool:
        """Whether it stops all processes before it starts any, as a restart does."""
        return not (self.graceful or self.sequential)


class Resize(NamedTuple):
    """Change the number of processes. Immutable."""

    watcher: Watcher
    numprocesses: int
    cause: Cause


class SetOptions(NamedTuple):
    """Change options; those that need fresh processes begin a rollout. Immutable."""

    watcher: Watcher
    options: Mapping[str, Any]  # the new values by name, typed
    cause: Cause
    fresh: bool = False  # begin a rollout in any case
    dropped: frozenset[str] = frozenset()  # freeform options to remove


class Add(NamedTuple):
    """Put a watcher on the roster, stopped. Immutable."""

    watcher: Watcher
    cause: Cause


class Remove(NamedTuple):
    """Take a watcher off the roster and stop it, unless `nostop`. Immutable."""

    watcher: Watcher
    cause: Cause
    nostop: bool = False


class Kill(NamedTuple):
    """End processes now; their slots are filled again. Immutable."""

    watcher: Watcher
    processes: Sequence[ManagedProcess]
    cause: Cause
    signum: int | None = None  # the first signal; None for the watcher's own
    graceful_timeout: float | None = None  # seconds until SIGKILL; None for the watcher's own
    surge: bool = False  # a rollout of these alone, if no other one is under way


class Signal(NamedTuple):
    """Send a client's signal to processes, or to their children. Immutable."""

    watcher: Watcher
    processes: Sequence[ManagedProcess]
    signum: int
    cause: Cause
    childpid: int | None = None  # only this descendant gets it
    children: bool = False  # their children get it, and they do not
    recursive: bool = False  # all their descendants get it


class Configure(NamedTuple):
    """Several orders as one: of a configuration, or to several watchers. Immutable."""

    orders: Sequence[Any]  # in the order in which they are given
    bases: Sequence[tuple[Watcher, Mapping[str, Any]]]  # each watcher's configured options
    cause: Cause
    settled: Sequence[Watcher] = ()  # those that are as the configuration wants them
    joined: Sequence[Watcher] = ()  # those that a rollout under way brings there


class Quit(NamedTuple):
    """Stop everything for good: first all but the helpers, then these. Immutable."""

    cause: Cause


Order = Union[
    Start, Stop, Restart, Reload, Resize, SetOptions, Add, Remove, Kill, Signal, Configure, Quit
]


def together(each: Sequence[Order], cause: Cause) -> Order:
    """Make one order of orders to one watcher each."""
    return each[0] if len(each) == 1 else Configure(each, (), cause)
