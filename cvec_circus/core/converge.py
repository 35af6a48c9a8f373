"""converge(): from what is so towards what is wanted, one idempotent pass.

A pass looks at one watcher, meets the deadlines that have come, and takes every step that is
possible now. It never waits: a step that has to wait leaves a deadline on the agenda, or counts on
a fact that will come. Running it again without news changes nothing, so orders may arrive at any
moment and in any mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from cvec_circus.core.ending import complain, kill, stop_process
from cvec_circus.core.hooks import YES, answer, has_hook, tell
from cvec_circus.core.ports import Ports
from cvec_circus.core.spawning import expiry, give_up, spawn_ready
from cvec_circus.core.states import ProcessState, WatcherState
from cvec_circus.core.watcher import Watcher


def converge(watcher: Watcher, ports: Ports) -> bool:
    """Takes every step that can be taken now. Called on the supervisor thread.

    Returns:
        Whether the turn was over before all steps were taken, so that another pass is due.
    """
    meet_deadlines(watcher, ports)
    while True:
        state = watcher.state
        more = STEPS[state](watcher, ports)
        if watcher.state is state:
            return more


# -- deadlines


def meet_deadlines(watcher: Watcher, ports: Ports) -> None:
    """Handles every slot whose time has come."""
    now = ports.now()
    for process in watcher.agenda.pop_due(now):
        if process.state is ProcessState.PENDING:
            watcher.ready.append(process)
        elif process.state is ProcessState.RUNNING:
            watcher.expired.append(process)
        elif process.killed:
            complain(watcher, process, ports)
        else:
            kill(watcher, process, ports)


# -- the steps of each state; each returns whether the turn was over before it was done


def step_stopped(watcher: Watcher, ports: Ports) -> bool:
    """STOPPED: begin to start if that is wanted, and if nobody has to go first."""
    may_start = watcher.goal_up and not watcher.start_held
    if watcher.predecessor is not None and not watcher.predecessor.is_gone:
        may_start = False
    if may_start:
        watcher.predecessor = None
        may_start = is_demanded(watcher, ports)
    else:
        watcher.demanded = False
        if watcher.listens:
            stop_listening(watcher, ports)
    if may_start:
        watcher.begin_to_start(ports.now())
    return False


def is_demanded(watcher: Watcher, ports: Ports) -> bool:
    """Whether somebody waits for it. With `on_demand` that is whoever connects first."""
    if watcher.demanded or not watcher.options["on_demand"]:
        if watcher.listens:
            stop_listening(watcher, ports)
        return True
    if watcher.impatient:
        watcher.impatient = False
        watcher.hasten(ports.now())
    if not watcher.listens:
        try:
            ports.await_connection(watcher)
        except ValueError as error:
            give_up(watcher, ports, str(error))
        else:
            watcher.listens = True
    return False


def stop_listening(watcher: Watcher, ports: Ports) -> None:
    """Leaves its connections to its processes, or to nobody."""
    watcher.listens = False
    ports.ignore_connections(watcher)


def step_up(watcher: Watcher, ports: Ports) -> bool:
    """STARTING, ACTIVE: keep as many fresh processes as wanted, and begin to stop if that is."""
    if not watcher.goes_on:
        watcher.begin_to_stop()
        return False
    if not watcher.is_open and passes(watcher, ports, "before_start"):
        watcher.is_open = True
        ports.open_streams(watcher)
    more = watcher.is_open and keep_up(watcher, ports)
    if watcher.reason:
        watcher.begin_to_stop()
        return False
    if watcher.state is WatcherState.ACTIVE and is_finished(watcher):
        finish(watcher)
    return more


def keep_up(watcher: Watcher, ports: Ports) -> bool:
    """Has as many fresh processes run as wanted, and none beside them."""
    retire_expired(watcher)
    fill_places(watcher, ports)
    shed_surplus(watcher, ports)
    more = spawn_ready(watcher, ports)
    if watcher.reason:
        return False
    if watcher.state is WatcherState.STARTING and watcher.has_all:
        if passes(watcher, ports, "after_start"):
            watcher.enter(WatcherState.ACTIVE)
            watcher.active_life = watcher.lives
            watcher.active_at = ports.now()
            ports.publish(watcher, "start", watcher.cause)
    stop_stale(watcher, ports)
    return end_reload(watcher, ports) or more


def passes(watcher: Watcher, ports: Ports, name: str) -> bool:
    """Whether a hook has let the watcher take its next step; it gives up if that says no."""
    reason = answer(watcher, ports, name)
    if reason:
        give_up(watcher, ports, reason)
    return reason == YES


def step_stopping(watcher: Watcher, ports: Ports) -> bool:
    """STOPPING: stop what runs; when nothing is left it is STOPPED."""
    watcher.drop_pending()
    if not watcher.is_open:
        watcher.enter(WatcherState.STOPPED)  # it has never been anything else, for all to see
        return False
    if not watcher.is_closing:
        if answer(watcher, ports, "before_stop") is None:
            return False
        watcher.is_closing = True
    for process in [*watcher.stale, *watcher.fresh]:
        stop_process(watcher, process, ports, watcher.cause)
    if not watcher.slots:
        watcher.is_open = watcher.is_closing = False
        watcher.enter(WatcherState.STOPPED)
        ports.publish(watcher, "stop", watcher.cause)
        ports.close_streams(watcher)
        tell(watcher, ports, "after_stop")
    return False


def finish(watcher: Watcher) -> None:
    """Ends the life of what has done what it was started for; a connection may begin another."""
    if watcher.wants_to_run:
        if watcher.options["on_demand"]:
            watcher.cause = "exit"
        else:
            watcher.order_stop("exit", word="the end of its last process")
    watcher.begin_to_stop()


STEPS: dict[WatcherState, Callable[[Watcher, Ports], bool]] = {
    WatcherState.STOPPED: step_stopped,
    WatcherState.STARTING: step_up,
    WatcherState.ACTIVE: step_up,
    WatcherState.STOPPING: step_stopping,
}


# -- what keeping up consists of


def retire_expired(watcher: Watcher) -> None:
    """Makes the next process that is older than `max_age` stale, one of a watcher at a time."""
    while watcher.expired and not watcher.stale_count:
        process = watcher.expired.pop(0)
        if process in watcher.fresh:
            watcher.make_stale(process, "max_age")


def fill_places(watcher: Watcher, ports: Ports) -> None:
    """Opens a slot for each place that nobody holds, and lets none wait after an order."""
    now = ports.now()
    if watcher.impatient:
        watcher.impatient = False
        watcher.hasten(now)
    one_shot = watcher.one_shot
    while not watcher.is_filled and not (watcher.is_singleton and watcher.slots):
        watcher.grants -= one_shot
        watcher.open_slot(now, watcher.size_cause)


def shed_surplus(watcher: Watcher, ports: Ports) -> None:
    """Frees the places that are too many: first of what does not run, then of the oldest."""
    surplus = watcher.places - watcher.numprocesses
    if surplus <= 0:
        return
    holders = [process for process in watcher.slots.values() if process.holds_place]
    pending = [process for process in holders if process.state is ProcessState.PENDING]
    ending = [process for process in holders if process in watcher.ending]
    running = [process for process in [*watcher.stale, *watcher.fresh] if process.holds_place]
    for process in [*reversed(pending), *ending, *running][:surplus]:
        watcher.release_place(process)
        if process.state is ProcessState.PENDING:
            watcher.remove(process)
        elif process.state is ProcessState.RUNNING:
            stop_process(watcher, process, ports, watcher.size_cause)


def take_over(watcher: Watcher, changed: Collection[str], ports: Ports) -> None:
    """Lets options that have been changed count for what is under way already."""
    now = ports.now()
    if "warmup_delay" in changed:
        watcher.next_spawn_at = min(watcher.next_spawn_at, now + watcher.options["warmup_delay"])
    if "max_age" in changed or "max_age_variance" in changed:
        watcher.expired.clear()
        for process in watcher.fresh:
            watcher.due(process, expiry(watcher, process, ports), now)
    if "hooks" in changed and not has_hook(watcher, "after_spawn"):
        for process in watcher.leaders():
            watcher.end_trial(process)


def stop_stale(watcher: Watcher, ports: Ports) -> None:
    """Stops stale processes: all of them once their successors run, or one after the other."""
    # Of a watcher that has become a singleton meanwhile nothing can start beside them.
    is_blocked = watcher.is_singleton and not watcher.is_filled
    if not watcher.stale or watcher.pending or not (watcher.has_all or is_blocked):
        return
    if not watcher.stops_first:
        for process in list(watcher.stale):
            stop_process(watcher, process, ports, process.cause)
    elif not watcher.ending:
        process = next(iter(watcher.stale))
        stop_process(watcher, process, ports, process.cause)


def end_reload(watcher: Watcher, ports: Ports) -> bool:
    """Ends the reload in progress when all it replaces is gone, and begins the next one.

    What cannot be killed keeps a reload from having succeeded, but not the next one from beginning.

    Returns:
        Whether another one has begun.
    """
    if not watcher.reloading or watcher.stale or watcher.awaited:
        return False
    if watcher.stale_count:
        unkillable = sum(process.stale for process in watcher.unkillable())
        if not watcher.next_reload or watcher.stale_count > unkillable:
            return False
    else:
        ports.publish(watcher, "reload", watcher.reloading)
    if watcher.next_reload:
        watcher.begin_reload(watcher.next_reload)
        return True
    watcher.reloading = ""
    watcher.sequential = False
    return False


def is_finished(watcher: Watcher) -> bool:
    """Whether it was to run once and has done so."""
    return watcher.one_shot and not watcher.slots and watcher.numprocesses > 0
