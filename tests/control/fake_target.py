"""A supervisor that runs nothing: it remembers its orders and answers them as a test wants."""

from __future__ import annotations

import enum
import fnmatch
from typing import Any, Callable

from cvec_circus.exc import AlreadyExist, MessageError
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.wire import orders
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.outcome import Outcome, Wait


class State(enum.Enum):
    STOPPED = "stopped"
    ACTIVE = "active"


class FakeWatcher:
    """A watcher with made-up pids."""

    def __init__(self, name: str, pids: list[int], **rest: Any) -> None:
        self.name = name
        self.pids = pids
        self.numprocesses = max(1, len(pids))
        self.state = State.ACTIVE if pids else State.STOPPED
        self.status = self.state.value
        self.reason = rest.pop("reason", "")
        self.is_singleton = rest.pop("singleton", False)
        self.restarts = rest.pop("restarts", 0)
        self.last_death: dict[str, Any] | None = rest.pop("last_death", None)
        self.shown = {"numprocesses": self.numprocesses, "cmd": "sleep 1000", **rest}
        self.options = WATCHER_OPTIONS.complete(self.shown)


class FakeTarget:
    """See CommandTarget. Owned by the thread of the loop that a test runs.

    Attributes:
        orders: What was asked, in order: the method's name and its arguments without the wait.
        causes: The cause of each order that was given.
        outcome: What an order that is waited for comes to at once; None keeps its wait in `waits`.
        raises: Raised by the next order.
    """

    def __init__(self) -> None:
        self.all = {
            watcher.name.lower(): watcher
            for watcher in (
                FakeWatcher("One Shot", [], reason="exited with 3"),
                FakeWatcher("web", [6178, 6179], **{"flapping.max_retry": "3"}),
                FakeWatcher("solo", [42], singleton=True),
            )
        }
        self.orders: list[tuple[Any, ...]] = []
        self.causes: list[Cause] = []
        self.outcome: Outcome | None = Outcome(started=[1, 2], stopped=[3], kept=[4])
        self.waits: list[Wait] = []
        self.samplings: list[Callable[[], None]] = []
        self.hold_samples = False
        self.raises: Exception | None = None
        self.stopping = False

    def watchers(self) -> list[FakeWatcher]:
        return sorted(self.all.values(), key=lambda watcher: watcher.name)

    def find(self, name: str) -> FakeWatcher:
        try:
            return self.all[name.lower()]
        except KeyError:
            raise MessageError(f"program {name} not found") from None

    def known(self, name: str | None = None) -> list[FakeWatcher]:
        return self.watchers() if name is None else [self.find(name)]

    def matching(self, pattern: str, match: str) -> list[FakeWatcher]:
        if match == "simple":
            return [self.find(pattern)]
        found = [w for key, w in self.all.items() if fnmatch.fnmatchcase(key, pattern.lower())]
        if not found:
            raise MessageError(f"program {pattern} not found")
        return found

    def reason(self, watcher: FakeWatcher) -> str:
        return watcher.reason

    def detail(self, watcher: FakeWatcher) -> dict[str, Any]:
        return {
            "state": watcher.state.value,
            "processes": len(watcher.pids),
            "numprocesses": watcher.numprocesses,
            "restarts": watcher.restarts,
            "last_death": watcher.last_death,
            "uptime": 4000.25 if watcher.pids else None,
            "reason": watcher.reason,
        }

    def pids(self, watcher: FakeWatcher) -> list[int]:
        return list(watcher.pids)

    def options(self, watcher: FakeWatcher) -> dict[str, Any]:
        return dict(watcher.shown)

    def global_options(self) -> dict[str, Any]:
        return {
            "endpoint": "tcp://127.0.0.1:15555",
            "stats_endpoint": "tcp://127.0.0.1:15557",
            "pubsub_endpoint": "tcp://127.0.0.1:15556",
            "check_delay": 1.0,
            "multicast_endpoint": None,
        }

    def sockets(self) -> list[dict[str, Any]]:
        return [{"fd": 7, "name": "sock", "backlog": 2048, "host": "127.0.0.1", "port": 18088}]

    def description(self) -> dict[str, Any]:
        return {"pid": 1, "version": "0", "run": "ab", "uptime": 1.5}

    def events(self, since: int, limit: int, marker: str | None) -> dict[str, Any]:
        self.orders.append(("events", since, limit, marker))
        return {"events": [], "more": False, "lost": 0, "seq": 9, "run": "ab"}

    def last_lines(self, watcher: Any, channel: str, count: int) -> dict[str, Any]:
        self.orders.append(("last_lines", watcher.name, channel, count))
        return {"lines": [], "next": 7, "more": False, "missed": 0}

    def next_lines(
        self, watcher: Any, channel: str, since: int, timeout: float, then: Callable[..., None]
    ) -> None:
        self.orders.append(("next_lines", watcher.name, channel, since, timeout))
        then({"lines": [], "next": 7, "more": False, "missed": 0})

    def new_watcher(self, name: str, options: dict[str, Any]) -> FakeWatcher:
        watcher = FakeWatcher(name, [])
        watcher.shown = options
        return watcher

    def processes(self, watcher: FakeWatcher, pid: int | None) -> Any:
        return pid

    def give(self, order: orders.Order, wait: Wait | None = None) -> None:
        """Remember an order: its name, its watchers, its other fields, and why if it says so."""
        if isinstance(order, orders.Add) and order.watcher.name.lower() in self.all:
            raise AlreadyExist(f"{order.watcher.name!r} already exist")
        if isinstance(order, orders.Resize):
            order.watcher.numprocesses = order.numprocesses
        if isinstance(order, orders.SetOptions):
            before = order.watcher.options.items()
            order = order._replace(
                options={
                    key: value for key, value in order.options.items() if (key, value) not in before
                }
            )
        said = [
            value.name if isinstance(value, FakeWatcher) else value
            for key, value in order._asdict().items()
            if key not in ("cause", "watchers", *order._field_defaults)
        ]
        if hasattr(order, "watchers"):
            said.insert(0, _names(order.watchers))
        given = {key: getattr(order, key) for key in order._field_defaults}
        said += [value for key, value in given.items() if value != order._field_defaults[key]]
        if isinstance(order, orders.Add):
            said.append(order.watcher.shown)
        self.causes.append(order.cause)
        self._order(type(order).__name__.lower(), wait, *said, *filter(None, [order.cause.why]))

    def sample(
        self,
        watchers: Any,
        pid: int | None,
        then: Callable[[Any], None],
        extended: bool = False,
    ) -> None:
        sample = {
            watcher.name: {
                each: {"pid": each, "cpu": 0.5, "cmdline": "sleep", "children": []}
                for each in watcher.pids
                if pid in (None, each)
            }
            for watcher in watchers
        }
        self._sampled(lambda: then(sample))

    def sample_daemon(self, then: Callable[[Any], None]) -> None:
        self._sampled(lambda: then({"pid": 1, "cpu": 0.0, "cmdline": "python3", "children": []}))

    def reload_configuration(self, props: dict[str, Any], answer: Any) -> None:
        self._order("reload_configuration", None, props)
        plan = {"changes": False, "watchers": [], "plugins": [], "sockets": [], "circus": []}
        answer.ok(plan=plan)

    def settle(self, outcome: Outcome) -> None:
        """Bring everything that is waited for to its end."""
        waits, self.waits = self.waits, []
        for wait in waits:
            wait.then(outcome)

    def _order(self, name: str, wait: Wait | None, *args: Any) -> None:
        if self.raises is not None:
            problem, self.raises = self.raises, None
            raise problem
        self.orders.append((name, *args))
        if wait is not None:
            if self.outcome is None:
                self.waits.append(wait)
            else:
                wait.then(self.outcome)

    def _sampled(self, then: Callable[[], None]) -> None:
        if self.hold_samples:
            self.samplings.append(then)
        else:
            then()


def _names(watchers: Any) -> list[str] | None:
    return None if watchers is None else [watcher.name for watcher in watchers]
