"""A watcher: what is wanted of a command and its processes.

Orders change what is wanted and facts change what is so; neither takes a step. The steps are taken
by `converge()`, once at the end of a turn, however many orders and facts came in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.slots import Slots
from cvec_circus.core.states import WATCHER_STEPS, ProcessState, WatcherState

_ABSENT = object()
"""Stands for the value of an option that was not there."""


class Question:
    """What a hook has been asked about a watcher's next step. Owned by the supervisor thread.

    Attributes:
        name: The hook's.
        answer: "" for yes, otherwise why not; None while there is none.
    """

    __slots__ = ("answer", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.answer: str | None = None

    def settle(self, answer: str) -> None:
        """Notes the answer."""
        self.answer = answer


class Watcher(Slots):
    """A command and its processes. Owned by the supervisor thread.

    Args:
        name: As written; commands find it in any case.
        options: Every option of `options.watcher`, typed, and the freeform ones. The watcher owns
            it.
        helper: Whether it serves the daemon (a plugin): helpers stop after everybody else.
        fatal_exit_codes: Exit codes after which there is no point in starting it again.

    Attributes:
        goal_up: What is wanted: up, or down.
        impatient: Whether slots that wait out a backoff are to spawn at once, after an order.
        must_cycle: Whether it has to be down once before it is up again: a restart.
        stop_held, start_held: Whether an order to all watchers has not come to this one yet.
        predecessor: A removed watcher of the same name that is not all gone: this one waits for it.
        removed: Whether it has left the roster.
        abandoned: Whether it was removed with `nostop`: its processes are nobody's any more.
        cause: Who or what last decided whether it is to be up, as published.
        size_cause: Who or what last decided how many processes it is to have.
        last_order: The word for the last order: "start", "stop", ...
        reason: Why it gave up; "" if it did not.
        lives: How often it has begun to start.
        active_life: The number of the life in which it was last active.
        reloading: The cause of the reload in progress; "" if there is none.
        next_reload: The cause of the one that follows it; "" if there is none.
        next_spawn_at: The instant from which the warm-up allows another spawn.
        is_open: Whether this life has got past its before_start.
        is_closing: Whether it has got past its before_stop, too.
        question: What a hook has been asked about the watcher's next step; None for nothing.
        asked_for: The slot that before_spawn has been asked about.
        listens: With `on_demand`: whether it waits for a connection.
        demanded: Whether there has been one.
    """

    __slots__ = (
        "_loaded",
        "abandoned",
        "active_life",
        "asked_for",
        "cause",
        "demanded",
        "fatal_exit_codes",
        "goal_up",
        "helper",
        "impatient",
        "is_closing",
        "is_open",
        "last_order",
        "listens",
        "lives",
        "must_cycle",
        "next_reload",
        "next_spawn_at",
        "predecessor",
        "question",
        "reason",
        "reloading",
        "removed",
        "size_cause",
        "start_held",
        "state",
        "stop_held",
    )

    def __init__(
        self,
        name: str,
        options: dict[str, Any],
        helper: bool = False,
        fatal_exit_codes: frozenset[int] = frozenset(),
    ) -> None:
        super().__init__(name, options)
        self.helper = helper
        self.fatal_exit_codes = fatal_exit_codes
        self.state = WatcherState.STOPPED
        self.goal_up = False
        self.impatient = False
        self.must_cycle = False
        self.stop_held = False
        self.start_held = False
        self.predecessor: Watcher | None = None
        self.removed = False
        self.abandoned = False
        self.cause = ""
        self.size_cause = ""
        self.last_order = ""
        self.reason = ""
        self.lives = 0
        self.active_life = 0
        self.reloading = ""
        self.next_reload = ""
        self.next_spawn_at = 0.0
        self.is_open = False
        self.is_closing = False
        self.question: Question | None = None
        self.asked_for: ManagedProcess | None = None
        self.listens = False
        self.demanded = False
        self._loaded: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"<watcher {self.name} {self.state.value} {len(self.slots)} slots>"

    # -- what others may ask

    @property
    def is_up(self) -> bool:
        """Whether it keeps its processes running, or is about to have them all."""
        return self.state in (WatcherState.STARTING, WatcherState.ACTIVE)

    @property
    def is_active(self) -> bool:
        """Whether it is up with all that it wanted."""
        return self.state is WatcherState.ACTIVE

    @property
    def wants_to_run(self) -> bool:
        """Whether it is to be up, with this life."""
        return self.goal_up and not self.must_cycle

    @property
    def goes_on(self) -> bool:
        """Whether it keeps its processes running: wanted, or not asked to stop yet."""
        return not self.reason and (self.wants_to_run or self.stop_held)

    @property
    def is_gone(self) -> bool:
        """Whether nothing of it runs and nothing is left."""
        return self.state is WatcherState.STOPPED

    def next_deadline(self) -> float | None:
        """The instant at which it has to be looked at without an order or a fact."""
        at = self.agenda.next_at()
        if self.ready and self.asked_for is None and (at is None or self.next_spawn_at < at):
            return self.next_spawn_at
        return at

    def why(self, now: float) -> str:
        """The reason of its state for a person, "" if there is nothing to explain."""
        unkillable = self.unkillable()
        if unkillable:
            pids = ", ".join(str(process.pid) for process in unkillable)
            return f"process {pids} does not end, not even by SIGKILL"
        if hook := self._awaited_hook():
            return f"waits for the answer of its hook {hook}"
        if self.listens:
            return "waits for a connection"
        before = self.predecessor
        if self.goal_up and before is not None and not before.is_gone:
            left = before.why(now) or "it is stopping"
            return f"waits for the end of the one that was removed: {left}"
        if self.reason or not self.pending or not self.goal_up:
            return self.reason
        pending = (p for p in self.slots.values() if p.state is ProcessState.PENDING)
        process = min(pending, key=lambda process: process.due_at or now)
        spawn_at = max(process.due_at or now, self.next_spawn_at, now)
        left = f"next start in {spawn_at - now:.1f} s"
        memory = self._backoffs.get(process.wid)
        deaths = memory.deaths if memory else 0
        if self.trouble:
            return f"{self.trouble}; {left}"
        return f"process {process.wid} died quickly {deaths} times; {left}" if deaths else left

    def _awaited_hook(self) -> str:
        if self.question is not None:
            return self.question.name
        if self.asked_for is not None:
            return "before_spawn"
        return "after_spawn" if self.trials and self.is_up else ""

    # -- orders: what is wanted

    def order_start(self, cause: str, word: str = "start") -> None:
        """Wants it up."""
        self._ordered(word, cause)
        self.goal_up = True

    def order_stop(self, cause: str, word: str = "stop") -> None:
        """Wants it down."""
        self._ordered(word, cause)
        self.goal_up = False
        self.must_cycle = False

    def order_restart(self, cause: str) -> None:
        """Wants it up, with processes that start after it has been down once."""
        self._ordered("restart", cause)
        self.goal_up = True
        self.must_cycle = self.is_up

    def order_reload(self, cause: str, sequential: bool = False) -> None:
        """Wants it up, with every process of now replaced by a fresh one.

        A reload that comes while another one is in progress begins when that one has ended, and all
        that come meanwhile are one. Otherwise a storm of reloads would have as many generations
        running side by side.
        """
        self._ordered("reload", cause)
        self.goal_up = True
        if not self.is_up or self.must_cycle:
            return
        self.sequential = sequential
        if self.reloading:
            self.next_reload = cause
        else:
            self.begin_reload(cause)
        if not self.stops_first:
            for process in self.stale:
                self.release_place(process)

    def begin_reload(self, cause: str) -> None:
        """Marks every running process as one to be replaced."""
        self.reloading = cause
        self.next_reload = ""
        for process in list(self.fresh):
            self.make_stale(process, cause)

    def order_size(self, numprocesses: int, cause: str, reason: str = "") -> dict[str, object]:
        """Wants another number of processes; returns what an event tells of that, and why."""
        told: dict[str, object] = {"reason": reason} if reason else {}
        if numprocesses != self.numprocesses:
            self.size_cause = cause
            told["numprocesses"] = numprocesses
        self.impatient = True
        self.grants = max(0, self.grants + numprocesses - self.numprocesses)
        self.override("numprocesses", numprocesses)
        return told

    def _ordered(self, word: str, cause: str) -> None:
        self.last_order = word
        self.cause = cause
        self.size_cause = cause
        self.reason = ""
        self.stop_held = False
        self.start_held = False
        self.impatient = True

    def give_up(self, reason: str) -> None:
        """Wants it down because it cannot run."""
        self.goal_up = False
        self.must_cycle = False
        self.reason = reason
        self.last_order = "giveup"
        self.cause = "giveup"

    # -- steps: what is so

    def enter(self, state: WatcherState) -> None:
        """Changes the state, which must be a step of the table."""
        assert state in WATCHER_STEPS[self.state], f"{self!r} cannot become {state.value}"
        self.state = state

    def begin_to_start(self, now: float) -> None:
        """STOPPED → STARTING, from nothing: with no memory of the life before."""
        self.enter(WatcherState.STARTING)
        self.lives += 1
        self.is_open = False
        self.trouble = ""
        self.grants = self.numprocesses
        self.next_spawn_at = now
        self.forget_wids()
        if self.demanded:
            # Unlike an order, a connection cannot make what dies at once start any faster.
            self.cause = self.size_cause = "connection"
            self.forget_causes()
        else:
            self.hasten(now)
        self.demanded = False
        self.impatient = False

    def drop_pending(self) -> None:
        """Removes every slot that waits for its spawn, or for a hook's leave to be spawned."""
        self.asked_for = None
        super().drop_pending()

    def begin_to_stop(self) -> None:
        """STARTING, ACTIVE → STOPPING, which ends every reload too."""
        self.enter(WatcherState.STOPPING)
        self.question = None
        self.must_cycle = False
        self.reloading = ""
        self.next_reload = ""
        self.sequential = False
        self.expired.clear()

    # -- its options, and what they were loaded as

    def change(self, options: Mapping[str, Any]) -> list[str]:
        """Takes over new values of options and returns the names of those that differ."""
        changed = [name for name, value in options.items() if self.options.get(name) != value]
        for name in changed:
            self.override(name, options[name])
        if self.one_shot and not {"respawn", "on_demand"}.isdisjoint(changed):
            missing = max(0, self.numprocesses - self.places)
            self.grants = missing + sum(p.holds_place for p in self.slots.values() if p.stale)
        return changed

    def override(self, name: str, value: Any) -> None:
        """Gives an option another value for as long as the daemon runs."""
        before = self.options.get(name, _ABSENT)
        if value == before:
            return
        if self._loaded is None:
            self._loaded = {}
        self._loaded.setdefault(name, before)
        self.options[name] = value

    def loaded(self) -> dict[str, Any]:
        """Its options as the configuration had them, whatever was changed since."""
        options = {**self.options, **(self._loaded or {})}
        return {name: value for name, value in options.items() if value is not _ABSENT}

    def rebase(self, loaded: Mapping[str, Any]) -> None:
        """From now on these are the options that the configuration has."""
        names = {**self.options, **loaded}
        differ = {
            name: loaded.get(name, _ABSENT)
            for name in names
            if self.options.get(name, _ABSENT) != loaded.get(name, _ABSENT)
        }
        self._loaded = differ or None
