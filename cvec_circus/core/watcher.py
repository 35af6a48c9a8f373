"""A watcher: a command and its processes, as one object that can be saved.

Orders change its goal and facts change its actual state; neither takes a step. `converge()` takes
the steps, once at the end of a turn, however many orders and facts came in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from cvec_circus.base.named import NamedTuple
from cvec_circus.core.conditions import (
    LASTING,
    TIMED,
    Condition,
    Connection,
    Gate,
    Question,
    Turn,
)
from cvec_circus.core.goal import THE_END, Failed, Goal, Rollout, Run
from cvec_circus.core.life import DOWN, RUNNING, STATUS, STEPS, UP, WAITING, Life
from cvec_circus.core.places import Places
from cvec_circus.core.process import ManagedProcess
from cvec_circus.options.generation import Generation, Settings, Undo
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.wire.cause import GIVE_UP, NONE, Cause
from cvec_circus.wire.outcome import Stray


class Kind(NamedTuple):
    """The role of a watcher for the daemon. Immutable."""

    is_helper: bool = False  # it serves the daemon (a plugin): helpers stop after all others
    useless_codes: tuple[int, ...] = ()  # exit codes after which a new start would not help


PROGRAM = Kind()


class Watcher:
    """A command and its processes. Owned by the supervisor thread."""

    name: str  # as written; commands find it in any case
    kind: Kind
    place: int  # its number in the order in which watchers were added
    is_removed: bool  # it has left the roster
    is_abandoned: bool  # with `nostop`: its processes keep running, and only their end is noted
    goal: Goal
    options: WatcherOptions  # as they are now; changed by `change` only
    settings: Settings  # how they came to be so
    life: Life  # changed by `enter` only
    rollout: Rollout | None
    failed: Failed | None  # the last rollout that failed
    gaps: int  # how many rollouts had to stop an old process before its successor was there
    age_retry: float  # seconds until the failed replacement of a too old process is retried
    is_told_ready: bool  # `ready` has been published since it began to start, or was not ready
    ready_at: float | None  # since when every place has had a ready process; None if one has not
    places: Places
    conditions: list[Condition]  # what it waits for before it starts, or is stopped
    gate: Gate | None  # the hook question that its next step waits for
    questions: dict[int, Question]  # what its hooks have not answered yet, by token
    last_token: int
    reason: str  # why it gave up; "" if it did not
    lives: int  # how often it has begun to start
    filled_life: int  # the one in which it was last filled
    filled_at: float
    run: Run | None  # the next one by its schedule; None without, and while it is not to be up
    last_run: Run | None  # the last one that came due
    due_cause: Cause  # of a run to begin as soon as possible; without text if none
    missed: str  # which runs were missed since the last one, a sentence; "" for none
    strays: tuple[Stray, ...]  # the known strays of its processes

    __slots__ = tuple(__annotations__)

    def __init__(self, name: str, options: WatcherOptions, kind: Kind = PROGRAM) -> None:
        self.name = name
        self.kind = kind
        self.is_removed = self.is_abandoned = False
        self.goal = Goal(options.numprocesses)
        self.options = options
        self.settings = Settings(Generation(1, options, NONE))
        self.life = DOWN
        self.places = Places(name)
        self.conditions = []
        self.questions = {}
        self.rollout = self.failed = self.gate = None
        self.is_told_ready = False
        self.age_retry = 0.0
        self.place = self.last_token = self.lives = self.filled_life = self.gaps = 0
        self.filled_at = 0.0
        self.ready_at = self.run = self.last_run = None
        self.due_cause = NONE
        self.reason = self.missed = ""
        self.strays = ()

    def __repr__(self) -> str:
        return f"<watcher {self.name} {self.life.value} {len(self.places.slots)} slots>"

    # -- questions

    @property
    def status(self) -> str:
        """Its state in the wire's words."""
        return STATUS[self.life]

    @property
    def is_running(self) -> bool:
        """Whether it keeps its processes running, or is about to have them all."""
        return self.life in RUNNING

    @property
    def is_up(self) -> bool:
        """Whether it is filled."""
        return self.life is UP

    @property
    def is_gone(self) -> bool:
        """Whether it is down, with nothing left."""
        return self.life in (DOWN, WAITING)

    @property
    def wants_to_run(self) -> bool:
        """Whether it is to be up, with this life."""
        return self.goal.up and not self.goal.cycle

    @property
    def goes_on(self) -> bool:
        """Whether it keeps its processes running: wanted, or not asked to stop yet."""
        return not self.reason and (self.wants_to_run or self.is_held(starts=False))

    @property
    def one_shot(self) -> bool:
        """Whether a process that ends by itself is not replaced: never, or not before the next
        connection."""
        return self.is_job or self.options.on_demand

    @property
    def is_job(self) -> bool:
        """Whether its processes do their work and end, once or at each time of its schedule."""
        return not self.options.respawn or bool(self.options.schedule)

    @property
    def finishes_run(self) -> bool:
        """Whether what runs keeps the options that its run began with, unless an order replaces
        it: as with cron, other ones count from the next run on."""
        return bool(self.options.schedule) and self.rollout is None

    @property
    def is_outdated(self) -> bool:
        """Whether a process keeps options that are no longer those of the watcher."""
        return any(one.generation < self.goal.generation for one in self.places.fresh)

    @property
    def stops_first(self) -> bool:
        """Whether a stale process ends before its successor starts."""
        is_recreated = self.rollout is not None and self.rollout.surge == 0
        return self.options.singleton or is_recreated

    @property
    def is_ready(self) -> bool:
        """Whether every place has a process that is proved, and ready still."""
        return self.is_manned and self.places.unwell.keys().isdisjoint(self.places.fresh)

    @property
    def is_manned(self) -> bool:
        """Whether every place has a process that is proved."""
        places = self.places
        if self.life is not UP or places.pending or places.unproved:
            return False
        return self.is_full if self.one_shot else len(places.fresh) >= self.goal.numprocesses

    @property
    def lacks(self) -> int:
        """How many places have neither a ready process nor one that serves until it is replaced."""
        places = self.places
        lacking = self.goal.numprocesses - places.ready_count()
        if self.one_shot:
            lacking = len(places.pending) + len(places.unproved)
        serving = sum(one.is_ready and one not in places.trials for one in places.stale)
        return max(0, lacking - serving)

    @property
    def has_completed(self) -> bool:
        """Whether all its processes have done their work, and are not replaced."""
        return self.is_gone and self.goal.word == THE_END

    @property
    def replaced(self) -> int:
        """How many processes the rollout has replaced by proved ones."""
        if self.rollout is None:
            return 0
        began_at, proved = self.rollout.began_at, self.places.fresh.keys() - self.places.unproved
        news = sum(process.spawned_at >= began_at for process in proved)
        return min(self.rollout.total, news)

    @property
    def is_full(self) -> bool:
        """Whether no further slot is to be opened."""
        places = self.places
        return places.held >= self.goal.numprocesses or (self.one_shot and not places.grants)

    @property
    def has_room(self) -> bool:
        """Whether a slot is to be opened now; of a singleton, only when there is none."""
        return not (self.is_full or (self.options.singleton and self.places.slots))

    @property
    def has_all(self) -> bool:
        """Whether every place has its process, and after_spawn said yes to each.

        Does not wait for the successor of a process that died by itself.
        """
        return self.is_full and not self.places.awaited and not self.places.trials

    @property
    def connection(self) -> Connection | None:
        """The connection that it waits for, or that has just arrived."""
        return next((one for one in self.conditions if isinstance(one, Connection)), None)

    @property
    def rests(self) -> bool:
        """Whether it waits for what may come at any time, such as a connection."""
        return self.life is WAITING and isinstance(self.unmet(), LASTING)

    @property
    def is_due(self) -> bool:
        """Whether a scheduled run is to begin as soon as possible."""
        return bool(self.due_cause.text)

    def unmet(self) -> Condition | None:
        """Return the first condition that is not met."""
        return next((one for one in self.conditions if not one.is_met()), None)

    def at_stake(self) -> tuple[str, ...]:
        """Return the names of the options that are rolled back if the current rollout fails."""
        return () if self.rollout is None else self.rollout.undo.names

    def is_held(self, starts: bool) -> bool:
        """Tell whether an order to all has not reached it yet: to start, or to stop."""
        return any(isinstance(one, Turn) and one.stage.starts is starts for one in self.conditions)

    def has_hook(self, name: str) -> bool:
        """Tell whether it has that hook, and there is time for it."""
        return name in self.options.hooks and not (self.goal.mute or self.is_abandoned)

    def patience(self, graceful_timeout: float | None = None) -> float:
        """Return how many seconds a process has until SIGKILL; the goal may limit it."""
        own = self.options.graceful_timeout if graceful_timeout is None else graceful_timeout
        return own if self.goal.patience is None else min(own, self.goal.patience)

    def next_deadline(self) -> float | None:
        """Return the instant at which to look at it without news."""
        places = self.places
        at = places.agenda.next_at()
        if self.life is WAITING:
            own = (one.due_at for one in self.conditions if isinstance(one, TIMED))
            at = min((one for one in (at, *own) if one is not None), default=None)
        elif self.run is not None and (at is None or self.run.at < at):
            at = self.run.at
        if places.ready and not places.asked_for and (at is None or places.next_spawn_at < at):
            return places.next_spawn_at
        return at

    # -- changes, each of which keeps the parts in step

    def enter(self, life: Life) -> None:
        """Change the life, which must be a step of the table."""
        assert life in STEPS[self.life], f"{self!r} cannot become {life.value}"
        self.life = life

    def release(self, *kinds: bool) -> None:
        """Hold it back no longer: from starting (True), from stopping (False)."""
        held = [
            one for one in self.conditions if isinstance(one, Turn) and one.stage.starts in kinds
        ]
        for turn in held:
            self.conditions.remove(turn)

    def change(self, options: Mapping[str, Any], dropped: Collection[str] = ()) -> list[str]:
        """Give options other values, drop freeform ones, and return the names that differ."""
        changed = self.settings.change(options, dropped)
        self.options = self.settings.generation.options
        return changed

    def ordered(self, word: str, cause: Cause, up: bool, cycle: bool = False) -> None:
        """Take a new goal: an order has decided whether it is to run."""
        goes_on = up and self.wants_to_run and not cycle
        size_cause = self.goal.size_cause if goes_on else cause
        self.goal = self.goal._replace(
            word=word, cause=cause, size_cause=size_cause, up=up, cycle=cycle
        )
        self.reason = ""
        if self.failed is not None:
            self.failed = self.failed._replace(is_over=True)
        self.release(True, False)

    def settle(self, cause: Cause) -> None:
        """Note that it matches its configuration: what an earlier such order failed to achieve is
        no longer wanted."""
        failed = self.failed
        if failed is not None and failed.text and failed.cause.text == cause.text:
            self.failed = failed._replace(is_over=True)

    def withdraw(self, name: str, wid: int, pid: int = 0) -> None:
        """Withdraw the questions to hooks about a process: their answers decide nothing."""
        about = (name, wid, pid)
        asked = self.questions.items()
        for token in [t for t, one in asked if (one.name, one.wid, one.pid) == about]:
            del self.questions[token]

    def drop(self, process: ManagedProcess) -> None:
        """Remove a slot that waits for its spawn."""
        if self.places.asked_for == process.wid:
            self.withdraw("before_spawn", process.wid)
            self.places.asked_for = 0
        self.places.remove(process)

    def give_up(self, reason: str) -> None:
        """Want it down because it cannot run; with a schedule, until its next run."""
        if self.options.schedule:
            self.goal = self.goal._replace(word=THE_END, cause=GIVE_UP, cycle=False)
        else:
            self.ordered("giveup", GIVE_UP, up=False)
        self.reason = self.places.refused = reason

    def resize(self, numprocesses: int, cause: Cause) -> bool:
        """Want a number of processes; return whether it has changed."""
        more = numprocesses - self.goal.numprocesses
        if more:
            self.goal = self.goal._replace(numprocesses=numprocesses, size_cause=cause)
            self.places.grants = max(0, self.places.grants + more)
            self.change({"numprocesses": numprocesses})
        return bool(more)

    def make_stale(self, process: ManagedProcess, cause: Cause) -> None:
        """Mark a running process as one to be replaced."""
        self.places.grants += self.one_shot
        self.places.make_stale(process, cause)

    def undo(self, undo: Undo) -> None:
        """Want the previous generation again."""
        self.settings.undo(undo)
        self.goal = self.goal._replace(generation=undo.number)
        self.options = self.settings.generation.options
