"""converge(): from what is so towards what is wanted, one idempotent pass.

A pass looks at one watcher, meets the deadlines that have come, and takes every step that is
possible now. It never waits: a step that has to wait leaves a deadline, or counts on a fact that
will come. Running it again without news changes nothing, so orders may arrive at any moment and in
any mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from cvec_circus.core.conditions import Connection
from cvec_circus.core.ending import complain, kill, stop_process
from cvec_circus.core.goal import Rollout, Strategy
from cvec_circus.core.hooks import YES, answer, tell
from cvec_circus.core.life import Life
from cvec_circus.core.ports import Ports
from cvec_circus.core.process import ManagedProcess, ProcessState, Purpose
from cvec_circus.core.spawning import expiry, fill_places, give_up, spawn_ready
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.cause import CONNECTION, EXIT, MAX_AGE, NONE, Cause

THE_END = "the end of its last process"
"""The word for what ends a watcher whose processes are not respawned."""


def converge(watcher: Watcher, ports: Ports) -> bool:
    """Take every step that can be taken now. Called on the supervisor thread.

    Returns:
        Whether the turn was over before all steps were taken, so that another pass is due.
    """
    for process, purpose in watcher.places.agenda.pop_due(ports.now()):
        meet(watcher, process, purpose, ports)
    while True:
        life = watcher.life
        more = STEPS_OF[life](watcher, ports)
        if watcher.life is life:
            return bool(more)


def meet(watcher: Watcher, process: ManagedProcess, purpose: Purpose, ports: Ports) -> None:
    """Act on a deadline that has come."""
    if purpose is Purpose.SPAWN:
        watcher.places.ready.append(process)
    elif purpose is Purpose.EXPIRE:
        watcher.places.expired.append(process)
    elif purpose is Purpose.COMPLAIN:
        complain(watcher, process, ports)
    else:
        kill(watcher, process, ports)


# -- the steps of each life; what runs says whether the turn was over before it was done


def step_down(watcher: Watcher, ports: Ports) -> None:
    """DOWN: wait for the conditions of a start, if that is wanted."""
    if watcher.goal.up:
        watcher.enter(Life.WAITING)


def step_waiting(watcher: Watcher, ports: Ports) -> None:
    """WAITING: open when all conditions are met. The connection is waited for last."""
    if not watcher.goal.up:
        stop_listening(watcher, ports)
        watcher.enter(Life.DOWN)
        return
    condition = watcher.unmet()
    if condition is None:
        if watcher.options.on_demand and watcher.connection is None:
            listen(watcher, ports)
        else:
            begin(watcher, ports)
    elif not isinstance(condition, Connection):
        stop_listening(watcher, ports)


def listen(watcher: Watcher, ports: Ports) -> None:
    """Wait for the first client of a watcher with `on_demand`."""
    try:
        ports.doorbell.listen(watcher)
    except ValueError as error:
        give_up(watcher, ports, str(error))
        watcher.enter(Life.DOWN)
    else:
        watcher.conditions.append(Connection())


def stop_listening(watcher: Watcher, ports: Ports) -> None:
    """Leave the connections to its processes, or to none."""
    if watcher.connection is not None:
        watcher.conditions.remove(watcher.connection)
        ports.doorbell.ignore(watcher)


def begin(watcher: Watcher, ports: Ports) -> None:
    """WAITING → OPENING, from nothing: with no memory of the life before."""
    now = ports.now()
    watcher.enter(Life.OPENING)
    watcher.lives += 1
    watcher.places.begin(now, watcher.goal.numprocesses)
    watcher.goal = watcher.goal._replace(cycle=False)
    is_demanded = watcher.connection is not None
    stop_listening(watcher, ports)
    watcher.conditions.clear()
    if is_demanded:
        # Unlike an order, a connection cannot make what dies at once start any faster.
        watcher.goal = watcher.goal._replace(cause=CONNECTION, size_cause=CONNECTION)
        for memory in watcher.places.backoffs.values():
            memory.cause = NONE
    else:
        watcher.places.hasten(now)


def step_opening(watcher: Watcher, ports: Ports) -> None:
    """OPENING: ask before_start, then open the streams."""
    if watcher.goes_on and passes(watcher, ports, "before_start"):
        ports.outputs.open(watcher)
        watcher.enter(Life.FILLING)
    elif not watcher.goes_on:
        watcher.gate = watcher.rollout = None
        watcher.enter(Life.DOWN)  # to clients it was never anything else


def step_running(watcher: Watcher, ports: Ports) -> bool:
    """FILLING and UP: keep as many fresh processes as wanted, and close if that is wanted."""
    more = watcher.goes_on and keep_up(watcher, ports)
    if not watcher.goes_on:
        close(watcher)
    elif watcher.is_up and watcher.one_shot and watcher.numprocesses and not watcher.places.slots:
        finish(watcher)
    return more


def step_closing(watcher: Watcher, ports: Ports) -> None:
    """CLOSING: ask before_stop."""
    watcher.places.drop_pending()
    if answer(watcher, ports, "before_stop") is not None:
        watcher.enter(Life.STOPPING)


def step_stopping(watcher: Watcher, ports: Ports) -> bool:
    """STOPPING: stop what runs, as the turn allows; when nothing is left it is down."""
    places = watcher.places
    for process in [*places.stale, *places.fresh]:
        stop_process(watcher, process, ports, watcher.goal.cause)
        if ports.clock.turn_is_over():
            return bool(places.stale or places.fresh)
    if not places.slots and ports.signals.is_settled(watcher):
        watcher.enter(Life.DOWN)
        ports.events.publish(watcher, "stop", watcher.goal.cause)
        ports.outputs.close(watcher)
        tell(watcher, ports, "after_stop")
    return False


STEPS_OF: dict[Life, Callable[[Watcher, Ports], bool | None]] = {
    Life.DOWN: step_down,
    Life.WAITING: step_waiting,
    Life.OPENING: step_opening,
    Life.FILLING: step_running,
    Life.UP: step_running,
    Life.CLOSING: step_closing,
    Life.STOPPING: step_stopping,
}


def close(watcher: Watcher) -> None:
    """→ CLOSING, which ends every rollout too."""
    watcher.enter(Life.CLOSING)
    watcher.gate = None
    watcher.goal = watcher.goal._replace(cycle=False)
    watcher.rollout = None
    watcher.places.expired.clear()


def passes(watcher: Watcher, ports: Ports, name: str) -> bool:
    """Tell whether a hook has let the watcher take its next step; it gives up after a no."""
    refusal = answer(watcher, ports, name)
    if refusal:
        give_up(watcher, ports, refusal)
    return refusal == YES


def finish(watcher: Watcher) -> None:
    """End the life of what has done what it was started for; a connection may begin another."""
    if watcher.wants_to_run:
        if watcher.options.on_demand:
            watcher.goal = watcher.goal._replace(cause=EXIT)
        else:
            watcher.ordered(THE_END, EXIT, up=False)
    close(watcher)


# -- what keeping up consists of


def keep_up(watcher: Watcher, ports: Ports) -> bool:
    """Keep as many fresh processes running as wanted, and none beside them."""
    retire_expired(watcher)
    fill_places(watcher, ports)
    more = shed_surplus(watcher, ports)
    more |= spawn_ready(watcher, ports)
    is_filled = watcher.life is Life.FILLING and watcher.has_all and not watcher.reason
    if is_filled and passes(watcher, ports, "after_start"):
        watcher.enter(Life.UP)
        watcher.filled_life = watcher.lives
        watcher.filled_at = ports.now()
        ports.events.publish(watcher, "start", watcher.goal.cause)
    if watcher.reason:
        return False
    more |= stop_stale(watcher, ports)
    return end_rollout(watcher, ports) or more


def retire_expired(watcher: Watcher) -> None:
    """Make the next process that is older than `max_age` stale, one of a watcher at a time."""
    places = watcher.places
    while places.expired and not places.being_replaced():
        process = places.expired.pop(0)
        if process in places.fresh:
            watcher.make_stale(process, MAX_AGE)


def shed_surplus(watcher: Watcher, ports: Ports) -> bool:
    """Free the places that are too many: first of what does not run, then of the oldest.

    Returns:
        Whether the turn was over before all of them were free.
    """
    places = watcher.places
    surplus = places.held - watcher.goal.numprocesses
    if surplus <= 0:
        return False
    holders = [process for process in places.slots.values() if process.holds_place]
    pending = [process for process in holders if process.state is ProcessState.PENDING]
    ending = [process for process in holders if process in places.ending]
    running = [process for process in [*places.stale, *places.fresh] if process.holds_place]
    for process in [*reversed(pending), *ending, *running][:surplus]:
        places.release(process)
        if process.state is ProcessState.PENDING:
            if places.asked_for == process.wid:
                watcher.withdraw("before_spawn", process.wid)
                places.asked_for = 0
            places.remove(process)
        elif process.state is ProcessState.RUNNING:
            stop_process(watcher, process, ports, watcher.goal.size_cause)
            if ports.clock.turn_is_over():
                return places.held > watcher.goal.numprocesses
    return False


def take_over(watcher: Watcher, changed: Collection[str], ports: Ports) -> None:
    """Let options that have been changed count for what is under way already."""
    now = ports.now()
    places = watcher.places
    if watcher.one_shot and not {"respawn", "on_demand"}.isdisjoint(changed):
        missing = max(0, watcher.goal.numprocesses - places.held)
        stale = sum(p.holds_place for p in places.slots.values() if p.stale)
        places.grants = missing + stale
    if "warmup_delay" in changed:
        places.next_spawn_at = min(places.next_spawn_at, now + watcher.options.warmup_delay)
    if "max_age" in changed or "max_age_variance" in changed:
        places.expired.clear()
        for process in places.fresh:
            places.due(process, Purpose.EXPIRE, expiry(watcher, process, ports))
    if "singleton" in changed and watcher.is_singleton and any(places.leaders()):
        places.drop_pending()  # it starts when what runs has ended
    if "hooks" in changed and not watcher.has_hook("after_spawn"):
        for process in places.leaders():
            places.end_trial(process)


def stop_stale(watcher: Watcher, ports: Ports) -> bool:
    """Stop stale processes: all of them once their successors run, or one after the other.

    Returns:
        Whether the turn was over before all that may stop had been asked.
    """
    places = watcher.places
    # Of a watcher that has become a singleton meanwhile nothing can start beside them.
    is_blocked = watcher.is_singleton and not watcher.is_full
    if not places.stale or places.pending or not (watcher.has_all or is_blocked):
        return False
    if not watcher.stops_first:
        for process in list(places.stale):
            stop_process(watcher, process, ports, process.cause)
            if ports.clock.turn_is_over():
                return bool(places.stale)
    elif all(process.unkillable for process in places.ending):
        process = next(iter(places.stale))
        stop_process(watcher, process, ports, process.cause)
    return False


# -- rollouts


def begin_rollout(watcher: Watcher, cause: Cause, strategy: Strategy) -> None:
    """Want every running process replaced by one of the next generation."""
    watcher.rollout = Rollout(cause, strategy)
    watcher.renew(cause)
    for process in list(watcher.places.fresh):
        watcher.make_stale(process, cause)
    watcher.places.await_pending()


def order_rollout(watcher: Watcher, cause: Cause, strategy: Strategy) -> None:
    """Begin a rollout now, or when the one that is under way has ended."""
    if watcher.rollout is None:
        begin_rollout(watcher, cause, strategy)
    else:
        watcher.rollout = Rollout(watcher.rollout.cause, strategy, then=cause)
    if not watcher.stops_first:
        for process in watcher.places.stale:
            watcher.places.release(process)


def end_rollout(watcher: Watcher, ports: Ports) -> bool:
    """End the rollout when all it replaces is gone and what replaces it is there, and begin the
    next one.

    What cannot be killed keeps a rollout from having succeeded, but not the next one from
    beginning.

    Returns:
        Whether another one has begun.
    """
    places, rollout = watcher.places, watcher.rollout
    if rollout is None or places.stale or places.awaited or places.trials or not watcher.is_up:
        return False
    if places.stale_count:
        if rollout.then is None or places.being_replaced():
            return False
    else:
        ports.events.publish(watcher, "reload", rollout.cause)
    if rollout.then is not None:
        begin_rollout(watcher, rollout.then, rollout.strategy)
        return True
    watcher.rollout = None
    return False
