"""A process of a watcher: one slot, from the decision to start it until nothing of it is left.

=========  ==================================  ================================================
state      meaning                             what comes next
=========  ==================================  ================================================
PENDING    the slot waits for its spawn: its   spawned → RUNNING · the spawn failed → PENDING
           turn in the warm-up, the end of a   again after a wait, or the watcher gives up · no
           backoff, a before_spawn             longer wanted → removed (nothing runs: never
                                               signalled)
RUNNING    alive                               it exits → LEFTOVER or removed · not wanted any
                                               more, or its turn to be replaced → STOPPING
STOPPING   has been sent its stop signal       it exits → LEFTOVER or removed · its time is up
                                               → KILLED
KILLED     has been sent SIGKILL, with its     it exits → LEFTOVER or removed · still there
           whole process group                 after 5 s → named unkillable, and it stays
LEFTOVER   it is gone, but what it started     the group is empty → removed · leftover_timeout
           in its process group is not: the    is up → SIGKILL for what is left · still there
           slot is not free yet                5 s after that → named strays, removed
=========  ==================================  ================================================

Only the leader is asked to stop (its children too with `stop_children`): a master such as gunicorn
ends its own workers, and would be broken by a signal to the whole group. What the leader leaves
behind gets SIGTERM the moment the leader is gone, whatever ended it.

**A process holds a place** when it counts towards `numprocesses`. It keeps the place until its slot
is free, leftovers and all, so its successor is spawned only then: a port may still be held, and two
generations would be two copies. The successor is a new slot with the same wid, after the wait that
its predecessor's death has earned.

A process gives its place up before that in two cases. There is one too many. Or it is *stale*: a
reload makes every process stale, `max_age` and `kill --surge` some, and its successor may start
beside it: see `rollout`. In both cases what fails goes first, such as the slot of a crash loop;
then a slot without a process, then what is not proved yet, and what is ready last; of equals, the
oldest first.

**A process is proved** when it has been ready once: all its checks of `ready` have held or, without
any, it has lived `min_uptime`. See `proof`.
"""

from __future__ import annotations

import enum

from cvec_circus.base.named import NamedTuple
from cvec_circus.wire.cause import LIVE, NONE, Cause


class ProcessState(enum.Enum):
    """The state of a slot. Immutable."""

    __hash__ = object.__hash__  # Enum's own is a function of Python, and steps are looked up often

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    KILLED = "killed"
    LEFTOVER = "leftover"
    REMOVED = "removed"


PROCESS_STEPS: dict[ProcessState, tuple[ProcessState, ...]] = {
    ProcessState.PENDING: (ProcessState.RUNNING, ProcessState.REMOVED),
    ProcessState.RUNNING: (ProcessState.STOPPING, ProcessState.LEFTOVER, ProcessState.REMOVED),
    ProcessState.STOPPING: (ProcessState.KILLED, ProcessState.LEFTOVER, ProcessState.REMOVED),
    ProcessState.KILLED: (ProcessState.LEFTOVER, ProcessState.REMOVED),
    ProcessState.LEFTOVER: (ProcessState.REMOVED,),
    ProcessState.REMOVED: (),
}
"""From each state of a process, those it may enter next."""

LEADING = (ProcessState.RUNNING, ProcessState.STOPPING, ProcessState.KILLED)


class Purpose(enum.IntEnum):
    """The purpose of a deadline; a process may have one of each."""

    SPAWN = 1
    EXPIRE = 2
    KILL = 3  # the process, or what it left behind
    COMPLAIN = 4
    READY_BY = 5


PURPOSES = tuple(Purpose)


class Sent(NamedTuple):
    """A signal that a client sent. Immutable."""

    signum: int = 0  # 0 for none
    actor: str = ""
    why: str = ""  # the reason that was given
    at: float = 0.0


NEVER_SIGNALLED = Sent()


class ManagedProcess:
    """One slot: a `wid`, and a pid while something runs in it. Owned by the supervisor thread."""

    name: str  # of the watcher it belongs to
    wid: int  # the number that `$(circus.wid)` shows, unique among the watcher's slots
    state: ProcessState  # changed by `enter` only
    pid: int  # of the leader, and the number of its process group; 0 before the spawn
    generation: int  # the number of the one it was spawned from; 0 before the spawn
    holds_place: bool  # it counts towards `numprocesses`
    stale: bool  # it is to be replaced: of an older generation than the goal's, or too old
    cause: Cause  # what asked it to end; without text while nothing did
    spawn_cause: Cause  # what made it start
    is_respawn: bool  # it succeeds one that died by itself, so no order waits for it
    spawned_at: float
    started: float  # the same by the wall clock, for `stats`
    killed: bool  # SIGKILL has been sent
    unkillable: bool  # it is still there long after SIGKILL
    cleared: bool  # its before_spawn has said yes
    checked: bool  # it has checks of `ready`
    has_watchdog: bool  # it was asked at its start to send WATCHDOG=1
    proved: bool  # it has been ready once
    doubted: bool  # it succeeds one that `live` ended, and its own checks have not held yet
    unready: str  # why it is not ready, or not alive; "" while it is, and before its time is up
    well_for: float  # seconds for which its checks of `live` had held before they failed
    signalled: Sent  # the last one; not those that ask it to end
    refusal: str  # how before_signal blocked its last signal of any kind, "" if it did not
    exit_code: int | None  # of the leader; negative for a signal; None until it has ended

    __slots__ = tuple(__annotations__)

    def __init__(self, name: str, wid: int, spawn_cause: Cause) -> None:
        self.name, self.wid = name, wid
        self.spawn_cause, self.cause, self.signalled = spawn_cause, NONE, NEVER_SIGNALLED
        self.state, self.exit_code = ProcessState.PENDING, None
        self.pid = self.generation = 0
        self.holds_place = True
        self.stale = self.killed = self.unkillable = self.cleared = self.is_respawn = False
        self.checked = self.has_watchdog = self.proved = False
        self.doubted = spawn_cause.text == LIVE.text
        self.unready = self.refusal = ""
        self.spawned_at = self.started = self.well_for = 0.0

    def __repr__(self) -> str:
        return f"<{self.name}:{self.wid} {self.state.value} pid={self.pid}>"

    @property
    def is_ready(self) -> bool:
        """Whether it has been ready once, and still is."""
        return self.proved and not self.unready

    @property
    def has_leader(self) -> bool:
        """Whether the process itself exists, not only its leftovers."""
        return self.state in LEADING

    def enter(self, state: ProcessState) -> None:
        """Change the state, which must be a step of the table."""
        assert state in PROCESS_STEPS[self.state], f"{self!r} cannot become {state.value}"
        self.state = state
