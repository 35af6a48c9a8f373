"""The outside world of the core: a protocol for each desk.

Called on the supervisor thread only; nothing here waits. Each desk has one real implementation in
`supervisor/` and one fake in `tests/support/world.py`. A desk reports what has happened to
`core.facts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, Protocol

from cvec_circus.base.named import NamedTuple

if TYPE_CHECKING:
    from cvec_circus.core.goal import Run
    from cvec_circus.core.process import ManagedProcess
    from cvec_circus.core.watcher import Watcher
    from cvec_circus.wire.cause import Cause
    from cvec_circus.wire.orders import Order
    from cvec_circus.wire.outcome import Wait


Ends = Optional[Sequence["ManagedProcess"]]
"""The processes that an order ends; None if it names none."""


class TurnClock(Protocol):
    """The time, and how much of it this turn has left."""

    def now(self) -> float:
        """Return the instant on the monotonic clock, in seconds."""

    def time(self) -> float:
        """Return seconds since 1970. It can jump: for messages and times of day, not for waits."""

    def random(self) -> float:
        """Return a number in [0, 1) for jitter."""

    def turn_is_over(self) -> bool:
        """Tell whether this turn of the loop has worked long enough; the rest is left to the next
        one, so that a mass death does not keep clients waiting."""


class Launcher(Protocol):
    def spawn(self, watcher: Watcher, process: ManagedProcess) -> int:
        """Start a process in that slot of the watcher and return its pid.

        Raises:
            OSError: The system refused; `errno` tells whether trying again may help.
            ValueError: No command can be made from the options.
            MemoryError: There is none left.
        """

    def limit(self, watcher: Watcher) -> None:
        """Apply the watcher's current limits to everything it runs, soon."""


class Signals(Protocol):
    """Signals processes, and sees what they leave behind."""

    def send(self, process: ManagedProcess, signum: int) -> None:
        """Send a signal to the leader; does nothing if it has ended."""

    def stop_tree(self, process: ManagedProcess, signum: int) -> None:
        """Send a signal, then SIGCONT, to every descendant of the leader, then to it, soon."""

    def kill(self, process: ManagedProcess) -> None:
        """Send SIGKILL to the leader, its group, and what `stop_tree` has found."""

    def signal_children(self, process: ManagedProcess, signum: int, recursive: bool) -> None:
        """Send a signal to the children of the leader, or to all its descendants, soon."""

    def signal_child(self, process: ManagedProcess, child: int, signum: int) -> None:
        """Send a signal to one descendant of the leader, if it is one, soon."""

    def abandon(self, process: ManagedProcess) -> None:
        """Stop waiting for a dead leader's leftovers: they are strays from now on."""

    def is_settled(self, watcher: Watcher) -> bool:
        """Tell whether the strays of the watcher's dead leaders are known, and the killed ones
        gone; otherwise `Strayed` follows, soon."""


class Hooks(Protocol):
    def ask(self, watcher: Watcher, name: str, token: int, facts: Mapping[str, object]) -> None:
        """Call a hook of the watcher with these facts, after those asked before it, and report the
        answer with that token; with 0 none is needed."""


class Outputs(Protocol):
    """Reads what processes write."""

    def open(self, watcher: Watcher) -> None:
        """Open the watcher's streams, and apply their changed options."""

    def reopen(self, watchers: Sequence[Watcher] | None) -> None:
        """Open the files of watchers, or of all, anew."""

    def release(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Note that nothing is left of a process, or that it is no longer waited for."""

    def close(self, watcher: Watcher) -> None:
        """Drain and close the watcher's streams; those of a removed one are not needed again."""


class Probes(Protocol):
    """Checks whether processes are ready, and whether they are alive.

    The desk keeps the state of each check, and reports `facts.Probed` when the verdict on all
    checks of `ready`, or on all of `live`, has changed. Each process keeps the checks of `ready`
    that its watcher had when it was spawned.
    """

    def watch(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Begin the checks of `ready` of a process that was spawned just now."""

    def proved(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Begin the process's `live` checks too, as it has been ready; or apply their changes, if
        they have begun."""

    def release(self, watcher: Watcher, process: ManagedProcess) -> None:
        """End all checks of a process that is being stopped or has ended. May be called twice."""

    def unmet(self, process: ManagedProcess) -> str:
        """Say which check of `ready` does not hold, and what it last answered."""


class Doorbell(Protocol):
    def listen(self, watcher: Watcher) -> None:
        """Report when a client connects to one of the watcher's sockets.

        Raises:
            ValueError: It has none.
        """

    def ignore(self, watcher: Watcher) -> None:
        """Stop watching for connections: the watcher's processes accept them from now on, or none
        does."""


class Timetable(Protocol):
    """Knows the calendar. It reports `facts.Rescheduled` when the wall clock has been set, and
    `facts.Missed` when runs were missed."""

    def next_run(self, watcher: Watcher, last: Run | None) -> Run:
        """Work out the next run of a watcher with a schedule, after its last one."""

    def missed(self, run: Run) -> str:
        """Say which runs of a job have come from one on until now, "" for none."""

    def forget(self, watcher: Watcher) -> None:
        """Note that a watcher has no next run: it should be down, or no longer has a schedule."""


class Events(Protocol):
    def publish(self, watcher: Watcher, action: str, cause: Cause, **payload: object) -> None:
        """Publish that something happened."""

    def note(self, watcher: Watcher, text: str) -> None:
        """Log what no event says."""


class Waits(Protocol):
    """Answers senders that wait for the end of an order."""

    def before(
        self, wait: Wait, order: Order, watchers: Sequence[Watcher], ends: Ends = None
    ) -> None:
        """Record the state of watchers before an order is applied to them, or one of several that
        are given as one."""

    def begin(self, wait: Wait, order: Order) -> Iterable[Watcher]:
        """Begin to wait, now that the order has been applied, and return the watchers to look
        at."""

    def settle(self, watcher: Watcher) -> None:
        """Answer senders whose wait for this watcher is decided."""

    def abandon(self, watcher: Watcher) -> None:
        """Answer senders that wait for a watcher that is released."""


class Turns(Protocol):
    """Applies an order to all to one watcher after the other, by giving each its `Turn`."""

    def begin(self, stops: Sequence[Watcher], starts: Sequence[Watcher]) -> None:
        """Begin anew: stop watchers, then start watchers. Those held back before go at once."""

    def join(self, watchers: Sequence[Watcher]) -> None:
        """Let more watchers start with it, each before the held ones of a lower priority."""

    def stop(self, watchers: Sequence[Watcher]) -> None:
        """Stop watchers before anything else, dependants first."""

    @property
    def is_over(self) -> bool:
        """Whether it has asked all watchers, and waits for none."""

    def asks(self, starts: bool) -> bool:
        """Tell whether there are watchers to start, or to stop."""

    def saw(self, watcher: Watcher) -> None:
        """Note that a watcher was looked at: it may have moved."""

    def advance(self) -> tuple[Sequence[Watcher], float | None]:
        """Give the turns that are possible now; return the watchers to look at, and the instant at
        which to call this again without news, None for never."""

    def forget(self, watcher: Watcher) -> None:
        """Drop a watcher that is removed."""

    def release_all(self) -> None:
        """Let every turn come at once."""

    def to_state(self, number: Mapping[Watcher, int]) -> dict[str, Any]:
        """Return all of it in JSON's types; watchers by their numbers."""

    def restore(self, state: Mapping[str, Any], watchers: list[Watcher]) -> None:
        """Resume a saved campaign."""


class Ledger(Protocol):
    """Records what the next daemon must know after a crash of this one."""

    def spawned(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Note a process that was spawned just now."""

    def stopping(self, watcher: Watcher, process: ManagedProcess, kill_at: float) -> None:
        """Note that a process is asked to end, and its deadline."""

    def proved(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Note that a process has been ready once."""

    def unwell(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Note why a process is not ready and whether it is doubted, or that neither is so now."""

    def ended(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Note that the leader has ended, which its watcher has recorded."""

    def saw(self, watcher: Watcher) -> None:
        """Note how a watcher stands after a pass, if that is new."""


class Ports(NamedTuple):
    """All desks. Immutable."""

    clock: TurnClock
    launcher: Launcher
    signals: Signals
    hooks: Hooks
    outputs: Outputs
    probes: Probes
    doorbell: Doorbell
    timetable: Timetable
    events: Events
    ledger: Ledger
    waits: Waits
    campaign: Turns
    said: Callable[[Watcher, int], str | None]
    """Returns the last output of a process, by its pid; None if that is not known yet."""
    forget: Callable[[Watcher], None]
    """Releases what the desks keep for a watcher that is removed and gone. May be called twice."""
