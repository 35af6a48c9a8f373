"""A watcher: a command and its processes, as one thing that can be written down.

Orders change its goal and facts change what is so; neither takes a step. The steps are taken by
`converge()`, once at the end of a turn, however many orders and facts came in.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from cvec_circus.core.conditions import Condition, Connection, Turn
from cvec_circus.core.goal import Generation, Goal, Settings
from cvec_circus.core.life import RUNNING, STATUS, STEPS, Life
from cvec_circus.core.places import Places
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.questions import Gate, Question
from cvec_circus.core.rollout import Rollout, Strategy
from cvec_circus.core.stray import Stray
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.wire.cause import GIVE_UP, NONE, Cause


class Kind(NamedTuple):
    """What a watcher is to the daemon. Immutable.

    Attributes:
        is_helper: Whether it serves the daemon (a plugin): helpers stop after all others.
        useless_codes: Exit codes after which there is no point in starting it again.
    """

    is_helper: bool = False
    useless_codes: frozenset[int] = frozenset()


PROGRAM = Kind()


class Standing(enum.Enum):
    """Where a watcher stands with the roster. Immutable.

    ABANDONED is one that was removed with `nostop`: its processes run on, and nothing of it is
    looked at but their end.
    """

    LISTED = "listed"
    REMOVED = "removed"
    ABANDONED = "abandoned"


class Watcher:
    """A command and its processes. Owned by the supervisor thread.

    Attributes:
        name: As written; commands find it in any case.
        kind: What it is to the daemon.
        place: Its number in the order in which watchers were added.
        standing: Where it stands with the roster.
        goal: What is wanted.
        settings: Its options, and what the configuration gave it.
        life: Where it stands; changed by `enter` only.
        rollout: The replacement of its processes that is under way, if one is.
        places: Its processes.
        conditions: What it waits for before it starts.
        turn_to_stop: With an order to all: holds it up though its goal is to be down.
        gate: The hook's question that its next step waits for.
        questions: What its hooks were asked and have not answered, by token.
        last_token: The last token given out.
        reason: Why it gave up; "" if it did not.
        lives: How often it has begun to start.
        filled_life: The number of the life in which it was last filled.
        filled_at: The instant at which that was.
        strays: What its processes left behind, as far as it is known.
    """

    name: str
    kind: Kind
    place: int
    standing: Standing
    goal: Goal
    settings: Settings
    life: Life
    rollout: Rollout | None
    places: Places
    conditions: list[Condition]
    turn_to_stop: Turn | None
    gate: Gate | None
    questions: dict[int, Question]
    last_token: int
    reason: str
    lives: int
    filled_life: int
    filled_at: float
    strays: tuple[Stray, ...]

    __slots__ = tuple(__annotations__)

    def __init__(self, name: str, options: WatcherOptions, kind: Kind = PROGRAM) -> None:
        self.name = name
        self.kind = kind
        self.standing = Standing.LISTED
        self.goal = Goal(options.numprocesses)
        self.settings = Settings(Generation(1, options, NONE))
        self.life = Life.DOWN
        self.rollout = None
        self.places = Places(name)
        self.conditions = []
        self.turn_to_stop = None
        self.gate = None
        self.questions = {}
        self.last_token = self.lives = self.filled_life = self.place = 0
        self.reason = ""
        self.filled_at = 0.0
        self.strays = ()

    def __repr__(self) -> str:
        return f"<watcher {self.name} {self.life.value} {len(self.places.slots)} slots>"

    # -- questions

    @property
    def options(self) -> WatcherOptions:
        """Its options as they are now."""
        return self.settings.generation.options

    @property
    def status(self) -> str:
        """The wire's word for where it stands."""
        return STATUS[self.life]

    @property
    def numprocesses(self) -> int:
        """How many processes are wanted when it is up."""
        return self.goal.numprocesses

    @property
    def is_helper(self) -> bool:
        """Whether it serves the daemon."""
        return self.kind.is_helper

    @property
    def is_singleton(self) -> bool:
        """Whether it may never run two processes, not even for a moment."""
        return self.options.singleton

    @property
    def is_removed(self) -> bool:
        """Whether it has left the roster."""
        return self.standing is not Standing.LISTED

    @property
    def is_abandoned(self) -> bool:
        """Whether its processes run on, unwatched."""
        return self.standing is Standing.ABANDONED

    @property
    def is_running(self) -> bool:
        """Whether it keeps its processes running, or is about to have them all."""
        return self.life in RUNNING

    @property
    def is_up(self) -> bool:
        """Whether it is filled."""
        return self.life is Life.UP

    @property
    def is_gone(self) -> bool:
        """Whether nothing of it runs and nothing is left."""
        return self.life in (Life.DOWN, Life.WAITING)

    @property
    def wants_to_run(self) -> bool:
        """Whether it is to be up, with this life."""
        return self.goal.up and not self.goal.cycle

    @property
    def goes_on(self) -> bool:
        """Whether it keeps its processes running: wanted, or not asked to stop yet."""
        return not self.reason and (self.wants_to_run or self.turn_to_stop is not None)

    @property
    def one_shot(self) -> bool:
        """Whether a process that ends by itself is not replaced: never, or not before the next
        connection."""
        return not self.options.respawn or self.options.on_demand

    @property
    def stops_first(self) -> bool:
        """Whether a stale process ends before its successor starts."""
        rollout = self.rollout
        return self.is_singleton or (rollout and rollout.strategy) is Strategy.RECREATE

    @property
    def is_full(self) -> bool:
        """Whether no further slot is to be opened."""
        places = self.places
        return places.held >= self.goal.numprocesses or (self.one_shot and not places.grants)

    @property
    def has_all(self) -> bool:
        """Whether every place has its process, and every process its after_spawn's yes.

        The successor of a process that has died by itself is not waited for.
        """
        return self.is_full and not self.places.awaited and not self.places.trials

    @property
    def listens(self) -> bool:
        """Whether it waits for a connection, with nothing before that."""
        first = self.unmet()
        return self.life is Life.WAITING and isinstance(first, Connection)

    def unmet(self) -> Condition | None:
        """Return the first condition that is not met."""
        return next((one for one in self.conditions if not one.is_met()), None)

    def is_held(self, starts: bool) -> bool:
        """Whether an order to all has not come to it yet: to start, or to stop."""
        if not starts:
            return self.turn_to_stop is not None
        return any(isinstance(one, Turn) for one in self.conditions)

    def hooked_until(self) -> float:
        """Return the instant until which one of its hooks has time to answer; 0 for none."""
        limit = self.options.hook_timeout
        if limit is None:
            return 0.0
        return max((one.asked_at + limit for one in self.questions.values()), default=0.0)

    def next_deadline(self) -> float | None:
        """Return the instant at which to look at it without an order or a fact."""
        places = self.places
        at = places.agenda.next_at()
        if places.ready and not places.asked_for and (at is None or places.next_spawn_at < at):
            return places.next_spawn_at
        return at

    # -- changes, each of which keeps the parts in step

    def enter(self, life: Life) -> None:
        """Change the life, which must be a step of the table."""
        assert life in STEPS[self.life], f"{self!r} cannot become {life.value}"
        self.life = life

    def hold(self, turn: Turn) -> None:
        """Hold it back until its turn in an order to all."""
        if turn.stage.starts:
            self.conditions.insert(0, turn)
        else:
            self.turn_to_stop = turn

    def let_go(self, starts: bool) -> None:
        """Hold it back no longer, from starting or from stopping."""
        if starts:
            self.conditions = [one for one in self.conditions if not isinstance(one, Turn)]
        else:
            self.turn_to_stop = None

    def ordered(self, word: str, cause: Cause, up: bool, cycle: bool = False) -> None:
        """Take a new goal: an order has decided whether it is to run."""
        self.goal = self.goal.ordered(word, cause, up, cycle)
        self.reason = ""
        self.let_go(True)
        self.let_go(False)

    def give_up(self, reason: str) -> None:
        """Want it down because it cannot run."""
        self.goal = self.goal.ordered("giveup", GIVE_UP, up=False)
        self.reason = reason

    def resize(self, numprocesses: int, cause: Cause) -> bool:
        """Want another number of processes; return whether it is another one."""
        before, self.goal = self.goal.numprocesses, self.goal._replace(numprocesses=numprocesses)
        if numprocesses == before:
            return False
        self.goal = self.goal._replace(size_cause=cause)
        self.places.grants = max(0, self.places.grants + numprocesses - before)
        self.settings.change({"numprocesses": numprocesses})
        return True

    def renew(self, cause: Cause) -> None:
        """Want processes of a new generation, of the options of now."""
        self.goal = self.goal._replace(generation=self.settings.renew(cause))

    def make_stale(self, process: ManagedProcess, cause: Cause) -> None:
        """Mark a running process as one to be replaced."""
        self.places.grants += self.one_shot
        self.places.make_stale(process, cause, keeps_place=self.stops_first)
