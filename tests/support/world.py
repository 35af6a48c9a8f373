"""A world for the core: a clock that jumps, processes that do as they are told, and a record of
it."""

from __future__ import annotations

import heapq
import itertools
import random
import signal
from typing import Any, Callable

from cvec_circus.core.facts import group_emptied, process_exited
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.roster import Roster
from cvec_circus.core.states import ProcessState
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.wire.outcome import Outcome, Wait

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
        self.roster = Roster(self, warmup_delay)
        self.events: list[tuple[float, str, str, dict[str, Any]]] = []
        self.notes: list[str] = []
        self.alive: dict[int, ManagedProcess] = {}
        self.groups: dict[int, ManagedProcess] = {}
        self.owner: dict[int, Watcher] = {}
        self.reaped: list[int] = []
        self.spawned: list[int] = []
        self.signals: list[tuple[int, int]] = []
        self.streams: list[tuple[str, str]] = []
        self.hook_calls: list[tuple[str, str, dict[str, Any]]] = []
        self.answers: dict[str, str | None] = {}
        self.hook_delay = 0.0
        self.open_questions: list[tuple[Watcher, str, Callable[[str], None]]] = []
        self.forgotten: list[str] = []
        self.listening: set[Watcher] = set()
        self.refuse: Exception | None = None
        self.temper = OBEDIENT
        self.stop_delay = 0.1
        self.leftovers: float | None = None
        self.spawns_a_turn = 0
        self._spawns_left = 0
        self._pids = itertools.count(100)
        self._order = itertools.count()
        self._heap: list[tuple[float, int, Callable[[], None]]] = []

    # -- the ports

    def now(self) -> float:
        return self.clock

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
        self.alive[pid] = process
        self.owner[pid] = watcher
        self.spawned.append(pid)
        return pid

    def signal(self, process: ManagedProcess, signum: int) -> None:
        assert process.pid in self.alive, f"a signal to {process!r}, which is not there"
        assert process.state is not ProcessState.PENDING
        self.signals.append((process.pid, signum))
        if signum == signal.SIGKILL and self.temper != IMMORTAL:
            self.at(0.0, lambda: self.die(process.pid, -signal.SIGKILL))
        elif signum == self.owner[process.pid].options["stop_signal"] and self.temper == OBEDIENT:
            self.at(self.stop_delay, lambda: self.die(process.pid, -signum))

    def stop_tree(self, process: ManagedProcess, signum: int) -> None:
        self.signal_children(process, signum)
        self.signal(process, signum)
        self.signal(process, signal.SIGCONT)

    def signal_children(self, process: ManagedProcess, signum: int) -> None:
        self.signals.append((-process.pid, signum))

    def kill_group(self, process: ManagedProcess) -> None:
        if process.has_leader:
            self.signal(process, signal.SIGKILL)
        elif self.temper != IMMORTAL:
            self.at(0.0, lambda: self.empty_group(process))

    def publish(self, watcher: Watcher, action: str, cause: str, **payload: Any) -> None:
        self.events.append((self.clock, watcher.name, action, {"cause": cause, **payload}))
        if action == "reap":
            self.reaped.append(payload["process_pid"])

    def note(self, watcher: Watcher, text: str) -> None:
        self.notes.append(f"{watcher.name}: {text}")

    def ask_hook(
        self, watcher: Watcher, name: str, then: Callable[[str], None], **facts: Any
    ) -> None:
        self.hook_calls.append((watcher.name, name, facts))
        self.open_questions.append((watcher, name, then))
        if self.answers.get(name, "") is not None:
            self.at(self.hook_delay, lambda: self.answer(name, self.answers.get(name) or ""))

    def forget(self, watcher: Watcher) -> None:
        self.forgotten.append(watcher.name)

    def await_connection(self, watcher: Watcher) -> None:
        assert watcher not in self.listening
        if not watcher.options["use_sockets"]:
            raise ValueError("it has no socket")
        self.listening.add(watcher)

    def ignore_connections(self, watcher: Watcher) -> None:
        self.listening.remove(watcher)

    def open_streams(self, watcher: Watcher) -> None:
        self.streams.append((watcher.name, "open"))

    def close_streams(self, watcher: Watcher) -> None:
        self.streams.append((watcher.name, "close"))

    # -- what a test makes happen

    def add(self, name: str = "web", **options: Any) -> Watcher:
        """Puts a watcher with these options on the roster."""
        helper = options.pop("helper", False)
        fatal = frozenset(options.pop("fatal_exit_codes", ()))
        hooks = dict.fromkeys(options.pop("hooks", ()))
        given = WATCHER_OPTIONS.convert({"cmd": "run", **options})
        full = {**WATCHER_OPTIONS.complete(given), "hooks": hooks}
        watcher = Watcher(name, full, helper, fatal)
        self.roster.add(watcher, "config")
        return watcher

    def up(self, name: str = "web", **options: Any) -> Watcher:
        """Adds a watcher and starts it."""
        watcher = self.add(name, **options)
        self.roster.start([watcher], "config", None)
        self.settle()
        return watcher

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
                question[2](reason)
                self.roster.touch(question[0])
                return
        raise AssertionError(f"nobody has asked {name}: {self.open_questions}")

    def connect(self, watcher: Watcher) -> None:
        """Somebody connects to its socket."""
        if watcher in self.listening:
            self.roster.demanded(watcher)

    def hooks_asked(self, name: str = "web") -> list[str]:
        """The hooks of a watcher in the order in which they were asked."""
        return [hook for watcher, hook, _ in self.hook_calls if watcher == name]

    def die(self, pid: int, exit_code: int = 0, report: str = "") -> None:
        """Ends a process, if it is there."""
        process = self.alive.pop(pid, None)
        if process is None:
            return
        watcher = self.owner[pid]
        left = self.leftovers is not None and not watcher.abandoned
        if left:
            self.groups[pid] = process
            if self.temper == OBEDIENT:
                self.at(self.leftovers or 0.0, lambda: self.empty_group(process))
        process_exited(watcher, process, self, exit_code, has_leftovers=left, report=report)
        self.roster.touch(watcher)

    def empty_group(self, process: ManagedProcess) -> None:
        """Ends what a process left behind."""
        if self.groups.pop(process.pid, None) is not None:
            watcher = self.owner[process.pid]
            group_emptied(watcher, process)
            self.roster.touch(watcher)

    def begin_turn(self) -> None:
        """Gives the core its share of time anew."""
        self._spawns_left = self.spawns_a_turn

    def settle(self) -> None:
        """Turns until there is nothing left to do at this instant."""
        for _ in range(10_000):
            self.begin_turn()
            if not self.roster.turn():
                next_at = self.roster.next_at()
                if next_at is None or next_at > self.clock:
                    return
        raise AssertionError("the core does not come to rest")

    def advance(self, seconds: float) -> None:
        """Lets time go by, stopping at everything that happens in it."""
        end = self.clock + seconds
        self.settle()
        while True:
            next_at = min(
                (at for at in (self._heap_at(), self.roster.next_at()) if at is not None),
                default=None,
            )
            if next_at is None or next_at > end:
                break
            self.clock = max(self.clock, next_at)
            while self._heap and self._heap[0][0] <= self.clock:
                heapq.heappop(self._heap)[2]()
            self.settle()
        self.clock = end

    def _heap_at(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    # -- what a test asks

    def pids(self, watcher: Watcher) -> list[int]:
        """Its running processes that nobody has asked to end, oldest first."""
        return [process.pid for process in [*watcher.stale, *watcher.fresh]]

    def since(self, mark: int) -> list[tuple[str, str]]:
        """Watcher and action of each event after the first `mark` ones."""
        return [(watcher, action) for _, watcher, action, _ in self.events[mark:]]

    def actions(self, name: str = "web") -> list[str]:
        """What was published about a watcher, in order."""
        return [action for _, watcher, action, _ in self.events if watcher == name]

    def payloads(self, action: str) -> list[dict[str, Any]]:
        """The payloads of every event of that kind."""
        return [payload for _, _, published, payload in self.events if published == action]
