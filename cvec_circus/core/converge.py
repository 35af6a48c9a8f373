"""converge(): from what is so towards what is wanted, one idempotent pass.

A pass looks at one watcher, meets the deadlines that have come, and takes every step that is
possible now. It never waits: a step that has to wait leaves a deadline on the agenda, or counts on
a fact that will come. Running it again without news changes nothing, so orders may arrive at any
moment and in any mixture.
"""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable, Collection, Iterable

from cvec_circus.core.backoff import FAILED_START_CEILING, exponential, jittered
from cvec_circus.core.ports import Ports
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.states import ProcessState, WatcherState
from cvec_circus.core.watcher import Watcher

UNKILLABLE_TIMEOUT = 5.0
"""Seconds after SIGKILL when a process that is still there is called unkillable."""

COMPLAINT_DELAY = 10.0
"""Seconds between two log lines about it."""

ANNOUNCED_BACKOFF = 1.0
"""Seconds; a wait this long or longer is worth an event."""

SHORTAGES = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
"""What the system runs short of and may have again: never a reason to give up."""


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


def kill(watcher: Watcher, process: ManagedProcess, ports: Ports) -> None:
    """SIGKILL for a process that had its time to end, or for what it left behind."""
    if process.state is ProcessState.STOPPING:
        process.enter(ProcessState.KILLED)
        ports.note(watcher, f"process {process.pid} did not end in time, killing it and its group")
    else:
        ports.note(watcher, f"what process {process.pid} left behind did not end, killing it")
    process.killed = True
    now = ports.now()
    watcher.due(process, now + UNKILLABLE_TIMEOUT, now)
    ports.kill_group(process)


def complain(watcher: Watcher, process: ManagedProcess, ports: Ports) -> None:
    """Names a process that SIGKILL did not end; it stays, and keeps its slot."""
    process.unkillable = True
    what = f"process {process.pid}" if process.has_leader else f"what process {process.pid} left"
    ports.note(watcher, f"{what} does not end, not even by SIGKILL")
    now = ports.now()
    watcher.due(process, now + COMPLAINT_DELAY, now)


# -- the steps of each state; each returns whether the turn was over before it was done


def step_stopped(watcher: Watcher, ports: Ports) -> bool:
    """STOPPED: begin to start if that is wanted, and if nobody has to go first."""
    if not watcher.goal_up or watcher.start_held:
        return False
    if watcher.predecessor is not None and not watcher.predecessor.is_gone:
        return False
    watcher.predecessor = None
    watcher.begin_to_start(ports.now())
    ports.open_streams(watcher)
    return False


def step_up(watcher: Watcher, ports: Ports) -> bool:
    """STARTING, ACTIVE: keep as many fresh processes as wanted, and begin to stop if that is."""
    if (not watcher.goal_up or watcher.must_cycle) and not watcher.stop_held:
        watcher.begin_to_stop()
        return False
    retire_expired(watcher)
    fill_places(watcher, ports)
    shed_surplus(watcher, ports)
    more = spawn_ready(watcher, ports)
    if watcher.reason:
        watcher.begin_to_stop()
        return False
    if watcher.state is WatcherState.STARTING and watcher.is_filled and not watcher.awaited:
        watcher.enter(WatcherState.ACTIVE)
        watcher.active_life = watcher.lives
        watcher.active_at = ports.now()
        ports.publish(watcher, "start", watcher.cause)
    stop_stale(watcher, ports)
    more = end_reload(watcher, ports) or more
    if watcher.state is WatcherState.ACTIVE and is_finished(watcher):
        if watcher.goal_up and not watcher.must_cycle:
            watcher.order_stop("exit", word="the end of its last process")
        watcher.begin_to_stop()
    return more


def step_stopping(watcher: Watcher, ports: Ports) -> bool:
    """STOPPING: stop what runs; when nothing is left it is STOPPED."""
    watcher.drop_pending()
    for process in [*watcher.stale, *watcher.fresh]:
        stop_process(watcher, process, ports, watcher.cause)
    if not watcher.slots:
        watcher.enter(WatcherState.STOPPED)
        ports.publish(watcher, "stop", watcher.cause)
        ports.close_streams(watcher)
    return False


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
    one_shot = not watcher.options["respawn"]
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


def spawn_ready(watcher: Watcher, ports: Ports) -> bool:
    """Spawns what is due, as fast as the warm-up and this turn allow."""
    while watcher.ready:
        if watcher.ready[0].state is not ProcessState.PENDING:
            watcher.ready.pop(0)
            continue
        if ports.now() < watcher.next_spawn_at:
            return False
        spawn(watcher, watcher.ready.pop(0), ports)
        if watcher.reason:
            return False
        if ports.turn_is_over():
            return bool(watcher.ready)
    return False


def spawn(watcher: Watcher, process: ManagedProcess, ports: Ports) -> None:
    """Starts a process in its slot, or arranges for another attempt, or gives the watcher up."""
    try:
        pid = ports.spawn(watcher, process)
    except (OSError, ValueError, MemoryError) as error:
        start_failed(watcher, process, ports, error)
        return
    except Exception:
        # A fault of ours. The loop reports it and goes on; the slot must not be forgotten.
        now = ports.now()
        watcher.due(process, now + FAILED_START_CEILING, now)
        raise
    now = ports.now()
    watcher.ran(process, pid, now)
    watcher.next_spawn_at = now + watcher.options["warmup_delay"]
    watcher.due(process, expiry(watcher, process, ports), now)
    ports.publish(watcher, "spawn", process.spawn_cause, process_pid=process.pid, wid=process.wid)


def take_over(watcher: Watcher, changed: Collection[str], ports: Ports) -> None:
    """Lets options that have been changed count for what is under way already."""
    now = ports.now()
    if "warmup_delay" in changed:
        watcher.next_spawn_at = min(watcher.next_spawn_at, now + watcher.options["warmup_delay"])
    if "max_age" in changed or "max_age_variance" in changed:
        watcher.expired.clear()
        for process in watcher.fresh:
            watcher.due(process, expiry(watcher, process, ports), now)


def expiry(watcher: Watcher, process: ManagedProcess, ports: Ports) -> float | None:
    """The instant at which the process is older than `max_age`, None if it may grow old."""
    if not watcher.options["max_age"]:
        return None
    variance = watcher.options["max_age_variance"] * ports.random()
    return float(process.spawned_at + watcher.options["max_age"] + variance)


def start_failed(watcher: Watcher, process: ManagedProcess, ports: Ports, error: Exception) -> None:
    """Tries again after a wait, or gives up; what the system is short of counts for nothing."""
    process.attempts += 1
    watcher.trouble = str(error) or type(error).__name__
    if not is_shortage(error):
        process.failed_starts += 1
        if 0 <= watcher.options["max_retry"] <= process.failed_starts:
            give_up(watcher, ports, f"{watcher.trouble} ({process.failed_starts} attempts)")
            return
    ceiling = watcher.options["backoff_max"] if watcher.options["backoff"] else 0.0
    delay = exponential(process.attempts, ceiling or FAILED_START_CEILING)
    ports.note(watcher, f"{watcher.trouble}; attempt {process.attempts}, next in {delay:g} s")
    now = ports.now()
    watcher.due(process, now + jittered(delay, ports.random()), now)
    if delay >= ANNOUNCED_BACKOFF:
        ports.publish(
            watcher, "backoff", "exec", wid=process.wid, deaths=process.attempts, delay=delay
        )


def is_shortage(error: Exception) -> bool:
    """Whether the system may well have tomorrow what it lacks today."""
    if isinstance(error, OSError):
        return error.errno in SHORTAGES
    return isinstance(error, MemoryError)


def give_up(watcher: Watcher, ports: Ports, reason: str) -> None:
    """Stops a watcher that cannot run, and says why."""
    watcher.give_up(reason)
    ports.publish(watcher, "giveup", "giveup", reason=reason)


def stop_stale(watcher: Watcher, ports: Ports) -> None:
    """Stops stale processes: all of them once their successors run, or one after the other."""
    if not watcher.stale or watcher.pending or not watcher.is_filled:
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
    return not watcher.options["respawn"] and not watcher.slots and watcher.numprocesses > 0


def stop_process(
    watcher: Watcher,
    process: ManagedProcess,
    ports: Ports,
    cause: str,
    signum: int | None = None,
    graceful_timeout: float | None = None,
) -> None:
    """Asks a running process to end, and puts SIGKILL on the agenda.

    The stop signal goes to the leader, and to its descendants only with `stop_children`. SIGCONT
    follows, because a process that has been stopped (SIGSTOP) would never see the other.
    """
    options = watcher.options
    signum = options["stop_signal"] if signum is None else signum
    patience = options["graceful_timeout"] if graceful_timeout is None else graceful_timeout
    process.cause = cause
    watcher.ends(process, ProcessState.STOPPING)
    now = ports.now()
    watcher.due(process, now + patience, now)
    ports.publish(
        watcher, "kill", cause, process_pid=process.pid, wid=process.wid, signum=int(signum)
    )
    if options["stop_children"]:
        ports.signal_children(process, signum)
    ports.signal(process, signum)
    if signum != signal.SIGKILL:
        ports.signal(process, signal.SIGCONT)


def end_now(
    watcher: Watcher,
    processes: Iterable[ManagedProcess],
    ports: Ports,
    signum: int | None,
    graceful_timeout: float | None,
) -> None:
    """The command `kill`: ends processes, or gives less time to those that are being stopped."""
    for process in processes:
        if process.state is ProcessState.RUNNING:
            stop_process(watcher, process, ports, "command:kill", signum, graceful_timeout)
        elif signum is not None:
            ports.signal(process, signum)
        if graceful_timeout is not None:
            now = ports.now()
            watcher.end_by(process, now + graceful_timeout, now)


def hang_up(watcher: Watcher, ports: Ports, cause: str) -> None:
    """Has the processes reload by themselves, as `send_hup` says they can."""
    for process in watcher.fresh:
        ports.signal(process, signal.SIGHUP)
    ports.publish(watcher, "reload", cause)
