"""What commands expect of the daemon that carries them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable, Protocol

if TYPE_CHECKING:
    from cvec_circus.wire.orders import Order
    from cvec_circus.wire.outcome import Wait

Fields = dict[str, Any]


class TargetWatcher(Protocol):
    """Owned by the supervisor thread. What a command may read of a watcher."""

    @property
    def name(self) -> str:
        """The name as written."""

    @property
    def status(self) -> str:
        """Where it is in its life: stopped, starting, active or stopping."""

    @property
    def options(self) -> Mapping[str, Any]:
        """All its options, typed."""


Watchers = Sequence[TargetWatcher]


class CommandTarget(Protocol):
    """Owned by the supervisor thread. What the commands ask of the supervisor.

    Look-ups raise `MessageError` ("program web not found"). A `Wait` given along is answered
    exactly once, now or later; None means that nobody waits. `watchers` None is the whole arbiter;
    of a list of several, watchers that are stopped and not started by themselves are left out.
    """

    @property
    def stopping(self) -> bool:
        """Whether the daemon is on its way out."""

    def watchers(self) -> Watchers:
        """All watchers, by name."""

    def find(self, name: str) -> TargetWatcher:
        """The watcher of that name, in any case."""

    def known(self, name: str | None = None) -> Watchers:
        """The watcher of that name, or all by name: those left out of the configuration too."""

    def matching(self, pattern: str, match: str) -> Watchers:
        """The watchers whose names match; a name that one of them bears stands for that one."""

    def reason(self, watcher: Any) -> str:
        """Why it is not simply running, in a sentence; "" when there is nothing to say."""

    def detail(self, watcher: Any) -> Fields:
        """What `status` tells of it with `details`: numbers, the last death, the reason."""

    def pids(self, watcher: Any) -> list[int]:
        """The pids of its processes, oldest first."""

    def options(self, watcher: Any) -> Fields:
        """Its options as the wire shows them, freeform ones too."""

    def global_options(self) -> Fields:
        """The daemon's own options: the endpoints and check_delay."""

    def sockets(self) -> list[Fields]:
        """The managed sockets."""

    def description(self) -> Fields:
        """What `ping` answers: pid, version, run, uptime."""

    def events(self, since: int, limit: int, marker: str | None) -> Fields:
        """Events after `since` out of the history, as `EventStream.since` returns them."""

    def last_lines(self, watcher: Any, channel: str, count: int) -> Fields:
        """The last lines that its processes have written: lines, next, more, missed."""

    def next_lines(
        self,
        watcher: Any,
        channel: str,
        since: int,
        timeout: float,
        then: Callable[[Fields], None],
    ) -> None:
        """The same of what was written after a place, now or when there is a line."""

    def give(self, order: Order, wait: Wait | None = None) -> None:
        """Give an order; `AlreadyExist` for an `Add` of a name that is taken."""

    def new_watcher(self, name: str, options: Fields) -> Any:
        """Make a watcher with converted options, for an `Add`."""

    def processes(self, watcher: Any, pid: int | None) -> list[Any]:
        """The processes of a watcher, or the one of that number."""

    def sample(
        self,
        watchers: Any,
        pid: int | None,
        then: Callable[[dict[str, Any]], None],
        refuse: Callable[[str], None],
        extended: bool = False,
    ) -> None:
        """Measure processes off this thread: `then` gets ``{name: {pid: process info}}``.

        `refuse` gets the reason instead, if nothing can be measured. With `extended`, hooks add to
        it first.
        """

    def sample_daemon(self, then: Callable[[Fields], None], refuse: Callable[[str], None]) -> None:
        """Measure the daemon itself off this thread: `then` gets its process info."""

    def reload_configuration(self, props: Fields, answer: Any) -> None:
        """Read the configuration again, and change what differs; answered later."""
