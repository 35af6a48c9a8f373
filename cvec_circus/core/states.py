"""The states of a process and of a watcher: the two tables everything else in the core follows.

The core is level-triggered. An *order* (start, stop, incr, ...) only changes what is wanted; a
*fact* (a process has ended, a deadline has come) only changes what is so; and `converge()` compares
the two and takes the next steps. No state stands for "which command is running", so there is
nothing that a second command could run into: it changes the goal, and the next pass works towards
that one.

**A process** is one slot of a watcher: a `wid` and, while something runs in it, a pid.

========  ==================================  =================================================
state     meaning                             what comes next
========  ==================================  =================================================
PENDING   the slot waits for its spawn: its   spawned → RUNNING · the spawn failed → PENDING
          turn in the warm-up, the end of a   again after a wait, or the watcher gives up · no
          backoff, a before_spawn             longer wanted → removed (nothing runs: never
                                              signalled)
RUNNING   alive                               it exits → LEFTOVER or removed · not wanted any
                                              more, or its turn to be replaced → STOPPING
STOPPING  has been sent its stop signal       it exits → LEFTOVER or removed · its time is up
                                              → KILLED
KILLED    has been sent SIGKILL, with its     it exits → LEFTOVER or removed · still there
          whole process group                 after 5 s → named unkillable, and it stays
LEFTOVER  it is gone, but what it started     the group is empty → removed · its time is up →
          in its process group is not: the    SIGKILL for what is left · still there 5 s after
          slot is not free yet                that → named unkillable, and it stays
========  ==================================  =================================================

Only the leader is asked to stop (its children too with `stop_children`): a master such as gunicorn
ends its own workers, and would be broken by a signal to the whole group. What the leader leaves
behind gets SIGTERM the moment the leader is gone, whatever ended it, and SIGKILL when the leader's
time would have been up; a leader that ended by itself leaves it `graceful_timeout` seconds.

**A process holds a place** when it counts towards `numprocesses`. It keeps the place until its slot
is free, leftovers and all, so its successor is spawned only then: a port may still be held, and two
generations would be two copies. The successor is a new slot with the same wid, after the wait that
its predecessor's death has earned.

A process gives its place up before that in two cases. One is too many: the oldest goes, though
what does not run goes first. Or it is *stale*, which is what a reload makes of every process and
`max_age` of one at a time: its successor starts beside it, and when no slot waits for its spawn
any more, the stale ones are stopped. Where the watcher stops first (a singleton, or a sequential
reload) a stale process keeps its place, and one after the other is stopped and then replaced.

**A watcher**:

========  ===========================================  ========================================
state     meaning                                      what comes next
========  ===========================================  ========================================
STOPPED   nothing runs, nothing is left                wanted up → STARTING, once a removed
                                                       watcher of the same name is gone, and
                                                       with `on_demand` once somebody connects
STARTING  before_start is asked; then the streams are  each place filled once, and after_start
          opened and its first processes spawned       says yes → ACTIVE (`start` is published)
                                                       · stop, restart, or give-up → STOPPING
ACTIVE    wanted up, and was up since the start        stop, restart, give-up → STOPPING · the
                                                       last one-shot process ends → STOPPING
STOPPING  before_stop is asked; then its processes     none is left → STOPPED (`stop` is
          are stopped                                  published, streams closed); and from
                                                       there STARTING at once if it is wanted
                                                       up by then, which is all a restart is
========  ===========================================  ========================================

An order to all watchers reaches each of them in its turn: see `campaign`. Until then the watcher
goes on as it was, though its goal is the new one already.

What a hook decides is in `hooks`. A watcher whose before_start has not said yes goes back to
STOPPED without a `stop`: for all to see it has never been anything else.
"""

from __future__ import annotations

import enum


class ProcessState(enum.Enum):
    """Where a slot stands. Immutable."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    KILLED = "killed"
    LEFTOVER = "leftover"
    REMOVED = "removed"


class WatcherState(enum.Enum):
    """Where a watcher stands; the values are the words of the wire. Immutable."""

    STOPPED = "stopped"
    STARTING = "starting"
    ACTIVE = "active"
    STOPPING = "stopping"


PROCESS_STEPS: dict[ProcessState, frozenset[ProcessState]] = {
    ProcessState.PENDING: frozenset({ProcessState.RUNNING, ProcessState.REMOVED}),
    ProcessState.RUNNING: frozenset(
        {ProcessState.STOPPING, ProcessState.LEFTOVER, ProcessState.REMOVED}
    ),
    ProcessState.STOPPING: frozenset(
        {ProcessState.KILLED, ProcessState.LEFTOVER, ProcessState.REMOVED}
    ),
    ProcessState.KILLED: frozenset({ProcessState.LEFTOVER, ProcessState.REMOVED}),
    ProcessState.LEFTOVER: frozenset({ProcessState.REMOVED}),
    ProcessState.REMOVED: frozenset(),
}
"""From each state of a process, those it may enter next."""

WATCHER_STEPS: dict[WatcherState, frozenset[WatcherState]] = {
    WatcherState.STOPPED: frozenset({WatcherState.STARTING}),
    WatcherState.STARTING: frozenset({WatcherState.ACTIVE, WatcherState.STOPPING}),
    WatcherState.ACTIVE: frozenset({WatcherState.STOPPING}),
    WatcherState.STOPPING: frozenset({WatcherState.STOPPED}),
}
"""From each state of a watcher, those it may enter next."""
