"""A supervisor that runs nothing: it remembers its orders and answers them as a test wants."""

from __future__ import annotations

import enum
import fnmatch
from collections.abc import Sequence
from typing import Any, Callable

from cvec_circus.exc import AlreadyExist, MessageError
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.system.doctor import Check
from cvec_circus.wire import orders
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.outcome import Outcome, Wait


class State(enum.Enum):
    STOPPED = "stopped"
    ACTIVE = "active"


class FakeWatcher:
    """A watcher with made-up pids.

    Attributes:
        given: The options that a test shows; `options` has all of them.
    """

    def __init__(self, name: str, pids: list[int], **rest: Any) -> None:
        self.name = name
        self.pids = pids
        self.numprocesses = max(1, len(pids))
        self.state = State.ACTIVE if pids else State.STOPPED
        self.reason = rest.pop("reason", "")
        self.restarts = rest.pop("restarts", 0)
        self.last_death: dict[str, Any] | None = rest.pop("last_death", None)
        self.rollout: dict[str, Any] | None = rest.pop("rollout", None)
        self.strays: list[dict[str, Any]] = rest.pop("strays", [])
        self.given = {"numprocesses": self.numprocesses, "cmd": "sleep 1000", **rest}
        self.options = WatcherOptions({**WATCHER_OPTIONS.defaults(), **self.given})

    @property
    def status(self) -> str:
        return self.state.value

    def resize(self, size: int) -> None:
        """Wants that many processes."""
        self.numprocesses = size
        self.options = self.options.replace({"numprocesses": size})


class FakeTarget:
    """See CommandTarget. Owned by the thread of the loop that a test runs.

    Attributes:
        orders: What was asked, in order, as `told` shows it.
        causes: The cause of each order that `give` took.
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
        self.parts_of_solo: list[str] = []
        self.dependants_of_solo: list[str] = []

    def watchers(self) -> list[FakeWatcher]:
        return sorted(self.all.values(), key=lambda watcher: watcher.name)

    def find(self, name: str) -> FakeWatcher:
        try:
            return self.all[name.lower()]
        except KeyError:
            raise MessageError(f"program {name} not found") from None

    def known(self) -> list[FakeWatcher]:
        return self.watchers()

    def to_start(self, watchers: list[FakeWatcher]) -> list[FakeWatcher]:
        return [one for one in watchers if one.options.autostart or one.pids]

    def matching(self, pattern: str, match: str, known: bool = False) -> list[FakeWatcher]:
        if match == "simple" or pattern.lower() in self.all:
            return [self.find(pattern)]
        found = [w for key, w in self.all.items() if fnmatch.fnmatchcase(key, pattern.lower())]
        if not found:
            raise MessageError(f"program {pattern} not found")
        return found

    def reason(self, watcher: FakeWatcher) -> str:
        return watcher.reason

    def phase(self, watcher: FakeWatcher) -> str:
        return {"active": "up", "stopped": "failed" if watcher.reason else "stopped"}[
            watcher.status
        ]

    def is_active(self, watcher: FakeWatcher) -> bool:
        return self.phase(watcher) in ("up", "reloading")

    def explain(self, watcher: FakeWatcher) -> dict[str, Any]:
        return {
            "name": watcher.name,
            "state": watcher.status,
            "phase": self.phase(watcher),
            "sentence": f"{watcher.name} is {self.phase(watcher)}",
            "deaths": [],
            "waits_for": [],
            "rollout": None,
            "failed_rollout": "",
            "checks": {},
            "signals": [],
            "strays": watcher.strays,
            "unkept": "",
            "lost": {},
        }

    def examine_machine(self, then: Any) -> None:
        then([Check("pidfd", "all is well").row, Check("files", "10", "few run", "more").row])

    def graph(self) -> dict[str, Any]:
        nothing: dict[str, Any] = {"depends_on": {}, "part_of": [], "waits_for": ""}
        return {one.name: {"phase": self.phase(one), **nothing} for one in self.watchers()}

    def needing(self, watchers: list[FakeWatcher]) -> dict[str, list[str]]:
        return (
            {"parts": self.parts_of_solo, "dependants": self.dependants_of_solo}
            if watchers[0].name == "solo"
            else {}
        )

    def stop_order(self, watchers: list[FakeWatcher]) -> list[str]:
        first = self.dependants_of_solo if watchers[0].name == "solo" else []
        return [*first, *(watcher.name for watcher in watchers)]

    def leaving(self, name: str) -> list[FakeWatcher]:
        return [self.all[name.lower()]] if name.lower() in self.all else []

    def await_state(self, watchers: list[FakeWatcher], state: str, wait: Wait) -> None:
        self._order(("await", [watcher.name for watcher in watchers], state), wait)

    def detail(self, watcher: FakeWatcher, deaths: bool = False) -> dict[str, Any]:
        return {
            "state": watcher.state.value,
            "phase": self.phase(watcher),
            **({"deaths": [], "checks": {}} if deaths else {}),
            "rollout": watcher.rollout,
            "processes": len(watcher.pids),
            "numprocesses": watcher.numprocesses,
            "restarts": watcher.restarts,
            "last_death": watcher.last_death,
            "uptime": 4000.25 if watcher.pids else None,
            "reason": watcher.reason,
            "strays": watcher.strays,
        }

    def pids(self, watcher: FakeWatcher) -> list[int]:
        return list(watcher.pids)

    def options(self, watcher: FakeWatcher) -> dict[str, Any]:
        return dict(watcher.given)

    def global_options(self) -> dict[str, Any]:
        return {
            "endpoint": "tcp://127.0.0.1:15555",
            "stats_endpoint": "tcp://127.0.0.1:15557",
            "pubsub_endpoint": "tcp://127.0.0.1:15556",
            "check_delay": 1.0,
            "multicast_endpoint": None,
        }

    def sockets(self, leaving: bool = False) -> list[dict[str, Any]]:
        if leaving:
            return []
        return [{"fd": 7, "name": "sock", "backlog": 2048, "host": "127.0.0.1", "port": 18088}]

    def description(self) -> dict[str, Any]:
        return {"pid": 1, "version": "0", "run": "ab", "uptime": 1.5}

    def events(self, since: int | None, limit: int, marker: str | None) -> dict[str, Any]:
        self.orders.append(("events", since, limit, marker))
        return {"events": [], "more": False, "lost": 0, "seq": 9, "run": "ab"}

    def last_lines(
        self, watcher: Any, channel: str, count: int, age: float | None
    ) -> dict[str, Any]:
        self.orders.append(("last_lines", watcher.name, channel, count))
        return {"lines": [], "next": 7, "more": False, "missed": 0}

    def next_lines(
        self,
        watcher: Any,
        channel: str,
        since: int,
        timeout: float,
        then: Callable[..., None],
        age: float | None,
    ) -> None:
        self.orders.append(("next_lines", watcher.name, channel, since, timeout))
        then({"lines": [], "next": 7, "more": False, "missed": 0})

    def all_outputs(self) -> FakeTarget:
        return self

    def wanted(self, names: list[str] | None, match: str, channels: Sequence[str]) -> Any:
        return names, tuple(channels)

    def unkept(self, watchers: Any, channels: Sequence[str]) -> tuple[bool, dict[str, str]]:
        return True, {}

    def last(self, wanted: Any, count: int, age: float | None, then: Callable[..., None]) -> None:
        self.orders.append(("last", wanted, count, age))
        then({"lines": [], "next": "ab:7", "more": False, "missed": [], "several": []})

    def after(
        self, wanted: Any, since: str, timeout: float, age: float | None, then: Callable[..., None]
    ) -> None:
        self.orders.append(("after", wanted, since, timeout, age))
        then({"lines": [], "next": "ab:7", "more": False, "missed": [], "several": []})

    def give(self, order: orders.Order, wait: Wait | None = None) -> None:
        if isinstance(order, orders.Add) and order.watcher.name.lower() in self.all:
            raise AlreadyExist(f"{order.watcher.name!r} already exist")
        shown = told(order)
        for one in order.orders if isinstance(order, orders.Configure) else [order]:
            if isinstance(one, orders.Resize):
                one.watcher.resize(one.numprocesses)
        self.causes.append(order.cause)
        self._order(shown, wait)

    def new_watcher(self, name: str, options: dict[str, Any]) -> FakeWatcher:
        watcher = FakeWatcher(name, [])
        watcher.given = options
        return watcher

    def processes(self, watcher: FakeWatcher, pid: int | None) -> list[int]:
        chosen = [each for each in watcher.pids if pid in (None, each)]
        if pid is not None and not chosen:
            raise MessageError(f"process {pid} not found in {watcher.name}")
        return chosen

    def sample(
        self,
        watchers: Any,
        pid: int | None,
        then: Callable[[Any], None],
        refuse: Callable[[str], None],
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

    def sample_daemon(self, then: Callable[[Any], None], refuse: Callable[[str], None]) -> None:
        self._sampled(lambda: then({"pid": 1, "cpu": 0.0, "cmdline": "python3", "children": []}))

    def reopen(self, watchers: Any) -> None:
        self._order(("reopen", watchers and [watcher.name for watcher in watchers]), None)

    def rehearse(self, order: Any) -> list[dict[str, Any]]:
        chosen = self.watchers() if order.watchers is None else order.watchers
        names = [watcher.name for watcher in chosen]
        return [{"name": name, "action": "start", "processes": []} for name in names]

    def reload_configuration(self, props: dict[str, Any], answer: Any) -> None:
        self._order(("reload_configuration", props), None)
        plan = {"changes": False, "watchers": [], "plugins": [], "sockets": [], "circus": []}
        answer.ok(plan=plan)

    def upgrade(self, props: dict[str, Any], answer: Any) -> None:
        self._order(("upgrade", props), None)
        told = dict.fromkeys(("version", "python", "path", "previous_version"), "1")
        answer.ok(**told, previous_python="1", pause=0.1)

    def settle(self, outcome: Outcome) -> None:
        """Bring everything that is waited for to its end."""
        waits, self.waits = self.waits, []
        for wait in waits:
            wait.then(outcome)

    def _order(self, shown: tuple[Any, ...], wait: Wait | None) -> None:
        if self.raises is not None:
            problem, self.raises = self.raises, None
            raise problem
        self.orders.append(shown)
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


def told(order: orders.Order) -> tuple[Any, ...]:
    """Show an order: its name, then what it says, watchers by name, and its reason if it has one.

    Of options only those are shown that are to be others.
    """
    shown: list[Any] = [type(order).__name__.lower()]
    for key, value in order._asdict().items():
        if key == "watchers":
            value = None if value is None else [watcher.name for watcher in value]
        elif key == "watcher":
            value = value.name
        elif key == "orders":
            value = [told(one) for one in value]
        elif key == "options":
            now = order.watcher.options
            value = {name: value[name] for name in value if now.get(name) != value[name]}
        if key == "with_dependants":
            shown += [key] if value else []
        elif key not in UNSHOWN:
            shown.append(value)
    if isinstance(order, orders.Add):
        shown.append(order.watcher.given)
    return (*shown, *filter(None, [order.cause.why]))


UNSHOWN = {"cause", "beside", "fresh", "dropped", "bases", "settled", "joined"}
"""What a command cannot say, and the cause, of which only the reason is shown."""
