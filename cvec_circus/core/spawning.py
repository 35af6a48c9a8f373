"""Spawning: from a slot whose time has come to a process, to another attempt, or to giving up."""

from __future__ import annotations

import errno
from functools import partial

from cvec_circus.core.backoff import FAILED_START_CEILING, exponential, jittered
from cvec_circus.core.hooks import YES, has_hook
from cvec_circus.core.ports import Ports
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.states import ProcessState
from cvec_circus.core.watcher import Watcher

ANNOUNCED_BACKOFF = 1.0
"""Seconds; a wait this long or longer is worth an event."""

SHORTAGES = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
"""What the system runs short of and may have again: never a reason to give up."""

OWN_ENDS = frozenset({"", "exit", "command:signal"})
"""Causes of processes that nothing here has asked to end."""


def spawn_ready(watcher: Watcher, ports: Ports) -> bool:
    """Spawns what is due, as fast as the hook, the warm-up and this turn allow.

    Returns:
        Whether the turn was over before all that was due had been spawned.
    """
    while watcher.ready:
        process = watcher.ready[0]
        if process.state is not ProcessState.PENDING:
            watcher.ready.pop(0)
            continue
        if ports.now() < watcher.next_spawn_at or not may_spawn(watcher, process, ports):
            return False
        spawn(watcher, watcher.ready.pop(0), ports)
        if watcher.reason:
            return False
        if ports.turn_is_over():
            return bool(watcher.ready)
    return False


def may_spawn(watcher: Watcher, process: ManagedProcess, ports: Ports) -> bool:
    """Whether before_spawn has said yes to the next process; asks it the first time.

    One after the other: what the hook changes in the environment is for this process, so the next
    one is asked about when this one has been spawned.
    """
    if not has_hook(watcher, "before_spawn"):
        watcher.asked_for = None  # what was asked of one that is gone decides nothing any more
        return True
    if process.cleared:
        return True
    if watcher.asked_for is None:
        then = partial(before_spawn_answered, watcher, process, ports)
        ports.ask_hook(watcher, "before_spawn", then)
        watcher.asked_for = process
    return False


def before_spawn_answered(
    watcher: Watcher, process: ManagedProcess, ports: Ports, refusal: str
) -> None:
    """A fact: the answer of before_spawn. Called on the supervisor thread."""
    if watcher.asked_for is not process:
        return
    watcher.asked_for = None
    if refusal == YES:
        process.cleared = True
    elif process.state is ProcessState.PENDING and watcher.goes_on:
        give_up(watcher, ports, refusal)


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
    if has_hook(watcher, "after_spawn"):
        then = partial(after_spawn_answered, watcher, process, ports, watcher.lives)
        ports.ask_hook(watcher, "after_spawn", then, pid=process.pid)
        watcher.put_on_trial(process)


def after_spawn_answered(
    watcher: Watcher, process: ManagedProcess, ports: Ports, life: int, refusal: str
) -> None:
    """A fact: the answer of after_spawn. Called on the supervisor thread.

    That a process which it refuses has died meanwhile makes no difference, unless it was on its way
    out anyway.
    """
    watcher.end_trial(process)
    is_current = watcher.lives == life and watcher.is_up and watcher.goes_on
    is_current = is_current and has_hook(watcher, "after_spawn")
    if refusal != YES and is_current and process.cause in OWN_ENDS:
        give_up(watcher, ports, refusal)


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
