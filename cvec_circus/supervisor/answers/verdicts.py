"""Verdicts: whether an order has come to its end, for one watcher, or why it never will.

A verdict is `DONE`, None for "not yet", or a sentence that says why not. The table `ENDS` says what
the end of each kind of order is, and `STATES` what clients wait for without an order.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from cvec_circus.base.named import NamedTuple
from cvec_circus.core.conditions import Dependency
from cvec_circus.core.goal import THE_END
from cvec_circus.core.life import DOWN, WAITING
from cvec_circus.core.phase import FAILING, phase
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.answers.obstacles import (
    about,
    exhausted,
    failed_since,
    held_up,
    is_hopeless,
    is_void,
    left_of,
    not_up,
    overtaken,
    rolled_back,
    shut_down,
    stayed_up,
    stuck,
)
from cvec_circus.supervisor.answers.part import (
    ANY_SIZE,
    DONE,
    NO_OPTIONS,
    WAIT,
    Part,
    Verdict,
    mark,
)
from cvec_circus.supervisor.answers.reason import unready, why
from cvec_circus.system.collecting import ended
from cvec_circus.wire import orders
from cvec_circus.wire.cause import LIVE, OWN_ENDS
from cvec_circus.wire.outcome import lasting

RECONFIGURED = "command:reloadconfig"
"""The cause of the orders that a configuration comes to."""

KILLED = "command:kill"

RESIZED = "change of numprocesses"
"""The word for the order of another number of processes."""


def part_of(
    order: orders.Order | Await,
    watcher: Watcher,
    before: frozenset[int],
    ends: tuple[ManagedProcess, ...] | None,
    proves: bool = False,
) -> Part:
    """Return a watcher's part of the answer to an order, which is not applied yet.

    Args:
        before: The pids of the watcher.
        ends: The processes that must be gone; None if it is about none.
        proves: Whether its processes must be proved, where that makes sense.
    """
    if isinstance(order, Await):
        return Part(WAIT, STATES[order.state], watcher, before, ends or ())
    word, reached = ENDS[type(order)]
    restarts = isinstance(order, orders.Reload) and order.restarts
    options = NO_OPTIONS
    if restarts:
        reached = is_up
    if ends is not None and isinstance(order, orders.SetOptions):
        reached, options = is_reloaded, order.options
    if ends is not None and type(order) is orders.Stop:
        reached = is_killed  # a part, which stays wanted up
    if type(order) is orders.Kill and order.surge:
        reached = is_replaced
    return Part(
        "reloadconfig" if order.cause.text == RECONFIGURED else word,
        reached,
        watcher,
        before,
        ends or (),
        options,
        _sizes(order, watcher.goal.numprocesses),
        goes_down=restarts or type(order) is orders.Restart,
        proves=proves and reached in (is_up, is_reloaded, is_sized),
    )


def _sizes(order: orders.Order, before: int) -> range:
    """Return the numbers of processes with which an order has its wish: `incr` wants more, and one
    more `incr` does not undo that."""
    if isinstance(order, orders.SetOptions) and "numprocesses" in order.options:
        size = order.options["numprocesses"]
        return range(size, size + 1)
    size = order.numprocesses if isinstance(order, orders.Resize) else before
    if size == before:
        return ANY_SIZE
    return range(size, sys.maxsize) if size > before else range(size + 1)


def judge(part: Part) -> tuple[Verdict, int]:
    """Return the verdict on a part, and the pid of the process that it blames, 0 for none."""
    if part.proves and (blamed := died_unproved(part) or held_by_failure(part)) is not None:
        return blamed
    verdict = part.reached(part)
    return is_proved(part) if part.proves and verdict is DONE else (verdict, 0)


# -- the end of each kind of order, for one watcher


def is_up(part: Part) -> Verdict:
    """`start`, `restart`: it was filled."""
    watcher = part.watcher
    if watcher.rests and watcher.reason:
        return not_up(part)  # a job, which waits for its next run
    if watcher.filled_life >= part.life or watcher.rests:
        return DONE
    if not watcher.goal.up or stayed_up(part):
        return not_up(part)
    if watcher.is_running:
        return exhausted(part)
    return held_up(part)


def is_reloaded(part: Part) -> Verdict:
    """`reload`: every process of before is gone, and every place is filled."""
    watcher, places = part.watcher, part.watcher.places
    if watcher.goal.word == THE_END and failed_since(part):
        return rolled_back(part)  # a job, of which nothing is left
    if not watcher.goal.up or stayed_up(part):
        return not_up(part)
    if failed_since(part):
        return rolled_back(part)
    if void := is_void(part):
        return void
    if watcher.rests:
        return DONE
    is_filled = watcher.is_up and watcher.filled_life >= part.life
    is_rolling = watcher.rollout is not None and not watcher.rollout.is_partial
    if is_filled and not (left_of(part) or is_rolling or places.awaited or places.trials):
        return DONE
    return exhausted(part) or held_up(part)


def is_sized(part: Part) -> Verdict:
    """`incr`, `decr`, `set`: as many processes as wanted, and none beside them."""
    watcher, places = part.watcher, part.watcher.places
    if not watcher.goal.up:
        return not_up(part) if part.wanted_up else DONE
    if void := is_void(part):
        return void
    if is_hopeless(watcher):  # an option is set all the same, but no process comes
        return held_up(part) if part.order == RESIZED else DONE
    if watcher.rests:
        return DONE
    # Where processes grow old fast, there is always one that is being replaced.
    beside = [*places.stale, *(p for p in places.ending if p.stale or not p.holds_place)]
    settled = watcher.has_all and all(process.cause.text == "max_age" for process in beside)
    if settled and watcher.is_up and not watcher.goal.cycle:
        return DONE
    return exhausted(part) or stuck(part, watcher)


def is_down(part: Part) -> Verdict:
    """`stop`, `quit`, `rm`: nothing runs and nothing is left, or it was to go on unwatched."""
    watcher = part.watcher
    if watcher.is_abandoned or (watcher.is_gone and not watcher.goal.up):
        return DONE
    return overtaken(part) if watcher.goal.up else stuck(part, watcher)


def is_killed(part: Part) -> Verdict:
    """`kill`: those processes are gone, with all that they left behind."""
    left = left_of(part)
    if not left:
        return DONE
    return stuck(part, part.watcher) if any(process.unkillable for process in left) else None


def is_replaced(part: Part) -> Verdict:
    """`kill` with `surge`: those processes are gone, and their successors are proved."""
    failed, rollout = part.watcher.failed, part.watcher.rollout
    if failed is not None and failed_since(part) and failed.cause.text == KILLED:
        if any(one.pid in failed.kept or one.cause is failed.cause for one in part.processes):
            return rolled_back(part)  # their own rollout, not one before or after it
    if rollout is not None and any(one.cause is rollout.cause for one in part.processes):
        return stuck(part, part.watcher)
    return is_killed(part)


# -- what is proved


def died_unproved(part: Part) -> tuple[Verdict, int] | None:
    """Blame the first process that has ended by itself since the order, before it was ready, or
    that was not alive and is newer than the order; None if there is none, or a rollout judges them.
    """
    watcher = part.watcher
    if part.reached is is_reloaded and failed_since(part):
        return None  # it says more
    found = None
    for death in reversed(watcher.places.deaths):
        if mark(death) == part.since or death.life < part.life:
            break
        is_judged = death.was_rolled and part.had_proved and part.reached is not is_up
        is_own = not (death.was_proved or death.failure) and death.cause in OWN_ENDS
        if not is_judged and (is_own or _was_not_alive(part, death.pid, death.cause)):
            found = death
    if found is not None and found.cause != LIVE.text:
        how = f"{ended(found.exit_code, found.oom)} after {lasting(found.lived)}"
        return f"{about(part)}: process {found.pid} {how}, before it was ready", found.pid
    ill = (one for one in watcher.places.ending if not one.stale)
    ends = ((one.pid, one.cause.why) for one in ill if _was_not_alive(part, one.pid, one.cause[0]))
    blamed = next(ends, None) if found is None else (found.pid, found.why)
    return blamed and (f"{about(part)}: process {blamed[0]} was not alive: {blamed[1]}", blamed[0])


def _was_not_alive(part: Part, pid: int, cause: str) -> bool:
    """Tell whether that ended a process which is newer than the order."""
    return cause == LIVE.text and pid not in part.before


def held_by_failure(part: Part) -> tuple[Verdict, int] | None:
    """Blame what a watcher waits for, if that has failed and is tried again: whether it will ever
    be ready is not known. None otherwise."""
    first = part.watcher.unmet() if part.watcher.life is WAITING else None
    if not isinstance(first, Dependency):
        return None
    _, other = first.last()
    if other is None or phase(other) not in FAILING:
        return None
    return f"{part.title}: it {first.why(_failure)}", 0


def _failure(watcher: Watcher) -> str:
    """Say how a watcher has failed; not when it is tried again, which changes."""
    told, death = unready(watcher) or watcher.reason, watcher.places.last_death
    if told or death is None:
        return told or watcher.places.trouble
    return watcher.places.trouble or f"process {death.pid} {ended(death.exit_code)}"


def is_proved(part: Part) -> tuple[Verdict, int]:
    """Judge what is filled, or reloaded, or as large as wanted: whether it is ready as well."""
    watcher = part.watcher
    if watcher.rests or phase(watcher) == "up":
        return DONE, 0
    if part.reached is is_sized and is_hopeless(watcher):
        return DONE, 0
    if not watcher.goal.up:
        is_not_meant = part.reached is is_sized and not part.wanted_up
        return DONE if is_not_meant else not_up(part), 0
    for process in watcher.places.fresh:
        if process.unready and not process.doubted:
            return f"{about(part)}: {process.unready}", process.pid
    return exhausted(part), 0


# -- the states that clients wait for


class Await(NamedTuple):
    """Wait until watchers are in one of `STATES`; nothing is ordered. Immutable."""

    state: str


def stands_up(part: Part) -> Verdict:
    """`up`: every place has its process, if only for now, or it has done its work."""
    watcher = part.watcher
    is_manned = watcher.is_up and not watcher.places.pending and phase(watcher) != "backoff"
    return DONE if is_manned else lost(part)


def stands_ready(part: Part) -> Verdict:
    """`ready`: every place has a process that is ready, or it has done its work."""
    return DONE if phase(part.watcher) == "up" else lost(part)


def stands_stopped(part: Part) -> Verdict:
    """`stopped`: nothing of it runs, and it is not to run."""
    watcher = part.watcher
    is_down = watcher.is_abandoned or (watcher.life is DOWN and not watcher.goal.up)
    return DONE if is_down else stuck(part, watcher)


def has_gone(part: Part) -> Verdict:
    """`gone`: it was removed, and nothing of it runs."""
    watcher = part.watcher
    is_gone = watcher.is_removed and (watcher.is_gone or watcher.is_abandoned)
    return DONE if is_gone else shut_down(part) or stuck(part, watcher)


def has_completed(part: Part) -> Verdict:
    """`completed`: its processes have done their work and ended with code 0."""
    watcher = part.watcher
    if watcher.options.on_demand or not watcher.is_job:
        return f"{watcher.name} does not complete: its processes are replaced (respawn = True)"
    return lost(part)


def lost(part: Part) -> Verdict:
    """Say why a watcher does not come to where it is waited for, unless something is ordered; DONE
    if it has done its work, and "not yet" otherwise."""
    watcher = part.watcher
    if watcher.is_removed:
        return f"{watcher.name} was removed"
    if watcher.reason:
        return f"{watcher.name} gave up: {watcher.reason}"
    if watcher.has_completed:
        return completed_badly(watcher)
    if stops := shut_down(part):
        return stops
    first = watcher.unmet()
    if isinstance(first, Dependency):
        last, other = first.last()
        if last is None or (other is not None and phase(other) == "failed"):
            return f"{watcher.name} {first.why(partial(why, now=0.0))}"
    return None


def completed_badly(watcher: Watcher) -> str:
    """Say how the last process that has not ended with code 0 has ended; DONE if all have."""
    if not watcher.places.failed_exits:
        return DONE
    own = [one for one in watcher.places.deaths if one.exit_code and one.cause in OWN_ENDS]
    how = f": process {own[-1].pid} {ended(own[-1].exit_code, own[-1].oom)}" if own else ""
    return f"{watcher.name} has not done its work{how}"


STATES: dict[str, Callable[[Part], Verdict]] = {
    "ready": stands_ready,
    "up": stands_up,
    "stopped": stands_stopped,
    "gone": has_gone,
    "completed": has_completed,
}
"""By the word of a client."""

ENDS: dict[type, tuple[str, Callable[[Part], Verdict]]] = {
    orders.Start: ("start", is_up),
    orders.Stop: ("stop", is_down),
    orders.Restart: ("restart", is_up),
    orders.Reload: ("reload", is_reloaded),
    orders.Resize: (RESIZED, is_sized),
    orders.SetOptions: ("set", is_sized),  # is_reloaded, if it begins a rollout
    orders.Remove: ("rm", is_down),
    orders.Kill: ("kill", is_killed),
    orders.Quit: ("quit", is_down),
}
"""The word for each kind of order, and what its end is."""
