"""A world for the core: a clock that jumps, faked processes, and a record of what was done."""

from __future__ import annotations

import heapq
import itertools
import json
import math
import random
import signal
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, Callable

from cvec_circus.core.facts import Answered, Connected, Emptied, Exited, Facts, Probed
from cvec_circus.core.ports import Ports
from cvec_circus.core.process import ManagedProcess, ProcessState
from cvec_circus.core.roster import Roster
from cvec_circus.core.watcher import Kind, Watcher
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.supervisor.answers.reason import why
from cvec_circus.supervisor.answers.waiting import WaitDesk
from cvec_circus.supervisor.campaign import Campaign, Pace
from cvec_circus.supervisor.survival.bookkeeper import Bookkeeper, Launched
from cvec_circus.system.collecting import Exit
from cvec_circus.wire import orders
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.outcome import Outcome, Wait
from tests.support.desks import FakeOutputs, FakeProbes, FakeSignals, FakeTimetable

OBEDIENT = "obedient"
STUBBORN = "stubborn"
IMMORTAL = "immortal"


class FakeWorld:
    """The ports of the core, faked whole. Owned by the test's thread.

    A test is a history: orders to `roster`, `advance(seconds)`, `die(pid)`, then questions to
    `events` and to the watchers. A process obeys its stop signal after `stop_delay` seconds; a
    STUBBORN one ends by SIGKILL only, an IMMORTAL one not even so. `leftovers` says for how many
    seconds what a process started goes on after it, None for nothing left. `luck` is what the
    core draws for jitter: 0.5 for none, None for chance.

    A hook answers after `hook_delay` seconds with what `answers` has for its name: "" for yes,
    which is the default, a reason for no, None for nothing, until the test calls `answer`.
    """

    def __init__(self, seed: int = 0, warmup_delay: float = 0.0) -> None:
        self.rng = random.Random(seed)
        self.luck: float | None = None
        self.clock = 1000.0
        self.events: list[tuple[float, str, str, dict[str, Any]]] = []
        self.readiness: list[tuple[float, str, str, dict[str, Any]]] = []
        """Of `ready` and `unready`: most histories are about other events."""
        self.notes, self.forgotten = list[str](), list[str]()
        self.alive, self.groups = dict[int, ManagedProcess](), dict[int, ManagedProcess]()
        self.owner: dict[int, Watcher] = {}
        self.reaped, self.spawned = list[int](), list[int]()
        self.signals, self.streams = list[tuple[int, int]](), list[tuple[str, str]]()
        self.hook_calls: list[tuple[str, str, dict[str, Any]]] = []
        self.answers: dict[str, str | None] = {}
        self.hook_delay, self.stop_delay = 0.0, 0.1
        self.now = self.time = lambda: self.clock
        self.open_questions: list[tuple[Watcher, str, int]] = []
        self.limited, self.abandoned = list[Watcher](), list[int]()
        self.limit = self.limited.append  # its limits count anew
        self.listening, self.unsettled = set[Watcher](), set[Watcher]()
        self.refuse: Exception | None = None
        self.temper = OBEDIENT
        self.leftovers: float | None = None
        self.spawns_a_turn = 0
        self._spawns_left, self._pids = 0, itertools.count(100)
        self._order = itertools.count()
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self.ready_after: float | None = None  # seconds until a check holds; None for never
        self.probes, self.timetable = FakeProbes(self), FakeTimetable(self)
        self.output: dict[int, str | None] = {}  # what processes have written last
        self.books, self.facts = Bookkeeper(), Facts()
        self.waits = WaitDesk(self.now)
        self.campaign = Campaign(Pace(warmup_delay), self.now, self.note, self.why)
        self.ports = Ports(
            self,
            self,
            FakeSignals(self),
            SimpleNamespace(ask=self.ask_hook),
            FakeOutputs(self),
            self.probes,
            self,
            self.timetable,
            self,
            self.books,
            self.waits,
            self.campaign,
            lambda watcher, pid: self.output.get(pid, ""),
            self.forget,
        )
        self.roster = Roster(self.ports, self.facts)

    # -- the ports

    def random(self) -> float:
        return self.rng.random() if self.luck is None else self.luck

    def turn_is_over(self) -> bool:
        if not self.spawns_a_turn:
            return False
        self._spawns_left -= 1
        return self._spawns_left <= 0

    def spawn(self, watcher: Watcher, process: ManagedProcess) -> int:
        if self.refuse is not None:
            # Without the traces of the times before, which would all be kept.
            raise self.refuse.with_traceback(None)
        pid = next(self._pids)
        self.books.intends(watcher)
        self.books.launched(process, Launched(pid, 0))
        self.alive[pid], self.owner[pid] = process, watcher
        self.spawned.append(pid)
        return pid

    def send(self, process: ManagedProcess, signum: int) -> None:
        assert process.pid in self.alive, f"a signal to {process!r}, which is not there"
        assert process.state is not ProcessState.PENDING
        pid = process.pid
        self.signals.append((pid, signum))
        if signum == signal.SIGKILL and self.temper != IMMORTAL:
            self.at(0.0, lambda: self.die(pid, -signal.SIGKILL))
        elif signum == self.owner[pid].options.stop_signal and self.temper == OBEDIENT:
            self.at(self.stop_delay, lambda: self.die(pid, -signum))

    def stop_tree(self, process: ManagedProcess, signum: int) -> None:
        self.signals.append((-process.pid, signum))
        self.send(process, signum)
        self.send(process, signal.SIGCONT)

    def kill_group(self, process: ManagedProcess) -> None:
        pid = process.pid
        if process.has_leader:
            self.send(process, signal.SIGKILL)
        elif self.temper != IMMORTAL:
            self.at(0.0, lambda: self.empty_group(pid))

    def abandon(self, process: ManagedProcess) -> None:
        self.groups.pop(process.pid)
        self.abandoned.append(process.pid)

    def publish(self, watcher: Watcher, action: str, cause: Cause, **payload: Any) -> None:
        row = (self.clock, watcher.name, action, {"cause": cause.text, **payload})
        (self.readiness if action in ("ready", "unready") else self.events).append(row)
        if action == "reap":
            self.reaped.append(payload["process_pid"])

    def note(self, watcher: Watcher, text: str) -> None:
        self.notes.append(f"{watcher.name}: {text}")

    def ask_hook(self, watcher: Watcher, name: str, token: int, facts: dict[str, Any]) -> None:
        self.hook_calls.append((watcher.name, name, facts))
        self.open_questions.append((watcher, name, token))
        if self.answers.get(name, "") is not None:
            self.at(self.hook_delay, lambda: self.answer(name, self.answers.get(name) or ""))

    def forget(self, watcher: Watcher) -> None:
        self.forgotten.append(watcher.name)
        self.books.forget(watcher)

    def listen(self, watcher: Watcher) -> None:
        assert watcher not in self.listening
        if not watcher.options.use_sockets:
            raise ValueError("it has no socket")
        self.listening.add(watcher)

    def ignore(self, watcher: Watcher) -> None:
        self.listening.remove(watcher)

    # -- what a test makes happen

    def add(self, name: str = "web", **options: Any) -> Watcher:
        """Puts a watcher with these options on the roster."""
        helper = options.pop("helper", False)
        fatal = tuple(options.pop("fatal_exit_codes", ()))
        more = {"hooks": dict.fromkeys(options.pop("hooks", ()))}
        more["schedule"] = options.pop("schedule", None)  # seconds: see FakeTimetable
        given = WATCHER_OPTIONS.convert({"cmd": "run", **options})
        full = WatcherOptions({**WATCHER_OPTIONS.complete(given), **more})
        watcher = Watcher(name, full, Kind(helper, fatal))
        self.roster.give(orders.Add(watcher, Cause("config")))
        return watcher

    def up(self, name: str = "web", **options: Any) -> Watcher:
        """Adds a watcher and starts it."""
        watcher = self.add(name, **options)
        self.start([watcher], "config", None)
        self.settle()
        return watcher

    # -- the orders, as tests give them: what, the cause, and who waits

    def start(
        self, watchers: list[Watcher] | None, cause: str, wait: Wait | None, beside: bool = False
    ) -> None:
        self.roster.give(orders.Start(watchers, Cause(cause), beside), wait)

    def start_beside(self, watchers: list[Watcher], cause: str, wait: Wait | None) -> None:
        self.start(watchers, cause, wait, beside=True)

    def stop(self, watchers: list[Watcher] | None, cause: str, wait: Wait | None) -> None:
        self.roster.give(orders.Stop(watchers, Cause(cause)), wait)

    def restart(self, watchers: list[Watcher] | None, cause: str, wait: Wait | None) -> None:
        self.roster.give(orders.Restart(watchers, Cause(cause)), wait)

    def reload(
        self, watchers: list[Watcher] | None, cause: str, sequential: bool, wait: Wait | None
    ) -> None:
        self.roster.give(orders.Reload(watchers, Cause(cause), sequential), wait)

    def resize(
        self, watcher: Watcher, size: int, cause: str, wait: Wait | None, reason: str = ""
    ) -> None:
        self.roster.give(orders.Resize(watcher, size, Cause(cause, "", reason)), wait)

    def set_options(
        self,
        watcher: Watcher,
        options: dict[str, Any],
        cause: str,
        wait: Wait | None,
        reason: str = "",
        fresh: bool = False,
    ) -> None:
        self.roster.give(orders.SetOptions(watcher, options, Cause(cause, "", reason), fresh), wait)

    def remove(self, watcher: Watcher, cause: str, nostop: bool, wait: Wait | None) -> None:
        self.roster.give(orders.Remove(watcher, Cause(cause), nostop), wait)

    def kill(
        self,
        watcher: Watcher,
        processes: Iterable[ManagedProcess],
        signum: int | None,
        graceful_timeout: float | None,
        wait: Wait | None,
        surge: bool = False,
    ) -> None:
        cause = Cause("command:kill")
        order = orders.Kill(watcher, list(processes), cause, signum, graceful_timeout, surge)
        self.roster.give(order, wait)

    def signal(self, watcher: Watcher, process: ManagedProcess, signum: int) -> None:
        self.roster.give(orders.Signal(watcher, [process], signum, Cause("command:signal")))

    def shut_down(self, cause: str, wait: Wait | None = None) -> None:
        self.roster.give(orders.Quit(Cause(cause)), wait)

    def why(self, watcher: Watcher) -> str:
        """The reason that a person is shown."""
        return why(watcher, self.clock)

    def wait(self, timeout: float | None = None) -> tuple[list[Outcome], Wait]:
        """Somebody who waits, and the list his outcome will be in."""
        outcomes: list[Outcome] = []
        return outcomes, Wait(outcomes.append, timeout)

    def at(self, delay: float, fn: Callable[[], None]) -> None:
        """Makes something happen after that many seconds."""
        heapq.heappush(self._heap, (self.clock + delay, next(self._order), fn))

    def answer(self, name: str, reason: str = "", watcher: Watcher | None = None) -> None:
        """Answers the oldest question to a hook of that name."""
        for question in self.open_questions:
            if question[1] == name and watcher in (None, question[0]):
                self.open_questions.remove(question)
                self.answered(*question, reason)
                return
        raise AssertionError(f"nobody has asked {name}: {self.open_questions}")

    def answered(self, watcher: Watcher, name: str, token: int, reason: str) -> None:
        """A hook has answered."""
        if token:
            self.facts.append(Answered(watcher, token, reason))
            self.roster.take_facts()

    def restore(self) -> list[Watcher]:
        """Goes on with a core that was written down as JSON; returns its watchers."""
        state = json.loads(json.dumps(self.roster.to_state()))
        before = [*self.roster._watchers.values(), *self.roster._leaving]
        self.facts = Facts()
        self.listening.clear()
        self.probes.watched.clear()
        self.probes.live.clear()
        self.roster = self.another_roster(Pace(), self.facts)
        self.ports, self.campaign = self.roster.ports, self.roster.campaign
        after = self.roster.restore(state)
        new = dict(zip(before, after))
        for pid, watcher in self.owner.items():
            self.owner[pid] = new.get(watcher, watcher)
        for rows in (self.alive, self.groups):
            for pid, process in rows.items():
                watcher = self.owner[pid]
                if not watcher.is_abandoned:
                    rows[pid] = watcher.places.slots[process.wid]
        self.open_questions = [(new.get(w, w), n, t) for w, n, t in self.open_questions]
        return after

    def another_roster(self, pace: Pace, facts: Facts) -> Roster:
        """An empty one on the same desks."""
        campaign = Campaign(pace, self.now, self.note, self.why)
        return Roster(self.ports._replace(campaign=campaign), facts)

    def connect(self, watcher: Watcher) -> None:
        """Somebody connects to its socket."""
        if watcher in self.listening:
            self.facts.append(Connected(watcher))

    def probed(self, pid: int, failure: str = "", is_live: bool = False, well: float = 0.0) -> None:
        """The verdict on the checks of a process has changed, if it still has any."""
        process = (self.probes.live if is_live else self.probes.watched).get(pid)
        if process is not None:
            self.facts.append(Probed(self.owner[pid], process, is_live, failure, well))
            self.roster.take_facts()

    def hooks_asked(self, name: str = "web") -> list[str]:
        """The hooks of a watcher in the order in which they were asked."""
        return [hook for watcher, hook, _ in self.hook_calls if watcher == name]

    def die(self, pid: int, exit_code: int = 0, report: str = "") -> None:
        """Ends a process, if it is there."""
        process = self.alive.pop(pid, None)
        if process is None:
            return
        watcher = self.owner[pid]
        left = self.leftovers is not None and not watcher.is_abandoned
        if left:
            self.groups[pid] = process
            if self.temper == OBEDIENT:
                self.at(self.leftovers or 0.0, lambda: self.empty_group(pid))
        self.facts.append(Exited(watcher, process, Exit(exit_code), left, report))
        self.roster.take_facts()

    def empty_group(self, pid: int) -> None:
        """Ends what a process left behind."""
        process = self.groups.pop(pid, None)
        if process is not None:
            self.facts.append(Emptied(self.owner[pid], process))
            self.roster.take_facts()

    def begin_turn(self) -> None:
        """Gives the core its share of time anew."""
        self._spawns_left = self.spawns_a_turn

    def settle(self) -> None:
        """Turns until there is nothing left to do at this instant."""
        for _ in range(10_000):
            self.begin_turn()
            self.waits.time_out()
            if not self.roster.turn() and self.next_at() > self.clock:
                return
        raise AssertionError("the core does not come to rest")

    def advance(self, seconds: float) -> None:
        """Lets time go by, stopping at everything that happens in it."""
        end = self.clock + seconds
        self.settle()
        while True:
            next_at = min(self._heap[0][0] if self._heap else math.inf, self.next_at())
            if next_at > end:
                break
            self.clock = max(self.clock, next_at)
            while self._heap and self._heap[0][0] <= self.clock:
                heapq.heappop(self._heap)[2]()
            self.settle()
        self.clock = end

    def next_at(self) -> float:
        """The instant at which a turn is due though nothing happens."""
        instants = (self.roster.next_at(), self.waits.next_at())
        return min((at for at in instants if at is not None), default=math.inf)

    # -- what a test asks

    def pids(self, watcher: Watcher) -> list[int]:
        """Its running processes that nobody has asked to end, oldest first."""
        return [process.pid for process in (*watcher.places.stale, *watcher.places.fresh)]

    def since(self, mark: int) -> list[tuple[str, str]]:
        """Watcher and action of each event after the first `mark` ones."""
        return [(watcher, action) for _, watcher, action, _ in self.events[mark:]]

    def actions(self, name: str = "web") -> list[str]:
        """What was published about a watcher, in order."""
        return [action for _, watcher, action, _ in self.events if watcher == name]

    def payloads(self, action: str) -> list[dict[str, Any]]:
        """The payloads of every event of that kind."""
        return [payload for _, _, published, payload in self.events if published == action]
