"""The life of a watcher: the table that everything else in the core follows.

The core is level-triggered. An *order* (start, stop, incr ...) only changes the goal; a *fact* (a
process has ended, a hook has answered) only changes the actual state; and `converge()` compares the
two and takes the next steps. No state means "a command is running", so a second command never
conflicts with a first: it changes the goal, and the next pass works towards that one.

A watcher is four things: a `Goal` (its desired state), a `Life` (the step it is at), a `Rollout`
(the replacement of its processes, if one is under way) and `Places` (its processes and their
counters). Its whole state is in these four, in the conditions it waits for and in the questions its
hooks have not answered; all of them can be saved and restored.

========  ========  ============================================  ==================================
life      wire      meaning                                       what comes next
========  ========  ============================================  ==================================
DOWN      stopped   nothing runs, nothing is left                 wanted up → WAITING
WAITING   stopped   wanted up; a condition is not met yet         all are met → OPENING · not wanted
                                                                  any more → DOWN
OPENING   starting  before_start is asked; then the streams open  yes → FILLING · no, or not wanted
                                                                  any more → DOWN: to clients it was
                                                                  never anything else
FILLING   starting  each place is spawned once; after_spawn and   filled → UP (`start` is published)
                    after_start are asked                         · an order, a no, nothing that
                                                                  could be started → CLOSING
UP        active    it is *filled*, and what dies is replaced.    an order, a give-up, the last
                    Deaths, backoff and rollouts are facts of     process of a one-shot → CLOSING
                    Places and Rollout and never lead back
CLOSING   stopping  before_stop is asked                          answered, whatever it says →
                                                                  STOPPING
STOPPING  stopping  its processes are being ended                 none is left → DOWN (`stop` is
                                                                  published); from there WAITING at
                                                                  once if it is wanted up by then,
                                                                  which is all a restart is
========  ========  ============================================  ==================================

*Filled* means that each place was spawned once and after_start said yes. Lower priorities wait for
it, and `start --waiting` is answered then. What a hook decides is in `hooks`, why a watcher waits
in `conditions`, how its processes live and end in `process`.
"""

from __future__ import annotations

import enum


class Life(enum.Enum):
    """The step a watcher is at. Immutable."""

    __hash__ = object.__hash__  # see `process.ProcessState`

    DOWN = "down"
    WAITING = "waiting"
    OPENING = "opening"
    FILLING = "filling"
    UP = "up"
    CLOSING = "closing"
    STOPPING = "stopping"


DOWN, WAITING, OPENING, FILLING, UP, CLOSING, STOPPING = Life  # quicker than Life.UP to 3.11

STATUS: dict[Life, str] = {
    DOWN: "stopped",
    WAITING: "stopped",
    OPENING: "starting",
    FILLING: "starting",
    UP: "active",
    CLOSING: "stopping",
    STOPPING: "stopping",
}
"""The words of the wire, which are Circus'."""

STEPS: dict[Life, tuple[Life, ...]] = {
    DOWN: (WAITING,),
    WAITING: (OPENING, DOWN),
    OPENING: (FILLING, DOWN),
    FILLING: (UP, CLOSING),
    UP: (CLOSING,),
    CLOSING: (STOPPING,),
    STOPPING: (DOWN,),
}
"""The steps that may follow each."""

RUNNING = (OPENING, FILLING, UP)
"""The lives in which it keeps its processes running, or is about to."""
