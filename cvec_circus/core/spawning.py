"""Spawning: from a slot whose time has come to a process, to another attempt, or to giving up."""

from __future__ import annotations

import errno

from cvec_circus.core.backoff import FAILED_START_CEILING, exponential, jittered
from cvec_circus.core.conditions import Question
from cvec_circus.core.hooks import YES, ask
from cvec_circus.core.ports import Ports
from cvec_circus.core.process import ManagedProcess, ProcessState, Purpose
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.cause import EXEC, GIVE_UP, OWN_ENDS, Cause

ANNOUNCED_BACKOFF = 1.0
"""Seconds; a wait this long or longer is worth an event."""

SHORTAGES = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
"""What the system runs short of and may have again: never a reason to give up."""

OPEN_AHEAD = 64
"""Slots that are open and due before more are opened: ten thousand places open as turns allow."""


def fill_places(watcher: Watcher, ports: Ports) -> None:
    """Open a slot for each place that is not held, as far ahead as spawning can follow."""
    places = watcher.places
    now = ports.now()
    one_shot = watcher.one_shot
    while len(places.ready) < OPEN_AHEAD and has_room(watcher):
        places.grants -= one_shot
        places.open_slot(now, watcher.goal.size_cause)


def has_room(watcher: Watcher) -> bool:
    """Tell whether a slot is to be opened; of a singleton, only when there is none."""
    return not watcher.is_full and not (watcher.is_singleton and watcher.places.slots)


def spawn_ready(watcher: Watcher, ports: Ports) -> bool:
    """Spawn what is due, as fast as the hook, the warm-up and this turn allow.

    Returns:
        Whether the turn was over before all that was due had been spawned.
    """
    places = watcher.places
    while places.ready:
        process = places.ready[0]
        if process.state is not ProcessState.PENDING:
            places.ready.popleft()
            continue
        if ports.now() < places.next_spawn_at or not may_spawn(watcher, process, ports):
            return False
        spawn(watcher, places.ready.popleft(), ports)
        if watcher.reason:
            return False
        if ports.clock.turn_is_over():
            return bool(places.ready) or has_room(watcher)
        fill_places(watcher, ports)
    return False


def may_spawn(watcher: Watcher, process: ManagedProcess, ports: Ports) -> bool:
    """Tell whether before_spawn has said yes to the next process; ask it the first time.

    One after the other: what the hook changes in the environment is for this process, so the next
    one is asked about when this one has been spawned.
    """
    places = watcher.places
    if not watcher.has_hook("before_spawn"):
        watcher.withdraw("before_spawn", places.asked_for)
        places.asked_for = 0
        return True
    if process.cleared:
        return True
    if not places.asked_for:
        places.asked_for = process.wid
        question = Question("before_spawn", watcher.lives, ports.now(), process.wid)
        ask(watcher, ports, question)
    return False


def before_spawn_answered(watcher: Watcher, question: Question, ports: Ports, refusal: str) -> None:
    """Take the answer of before_spawn. Called on the supervisor thread."""
    places = watcher.places
    process = places.slots.get(question.wid)
    if places.asked_for != question.wid or question.life != watcher.lives or process is None:
        return
    places.asked_for = 0
    if refusal == YES:
        process.cleared = True
    elif watcher.goes_on:
        give_up(watcher, ports, refusal)


def after_spawn_answered(watcher: Watcher, question: Question, ports: Ports, refusal: str) -> None:
    """Take the answer of after_spawn.

    That a process which it refuses has died meanwhile makes no difference, unless it was on its way
    out anyway.
    """
    process = watcher.places.slots.get(question.wid)
    is_own = True
    if process is not None and process.pid == question.pid:
        watcher.places.end_trial(process)
        is_own = process.cause.text in OWN_ENDS
    if refusal == YES or not is_own or watcher.lives != question.life:
        return
    if watcher.is_running and watcher.goes_on and watcher.has_hook("after_spawn"):
        give_up(watcher, ports, refusal)


def spawn(watcher: Watcher, process: ManagedProcess, ports: Ports) -> None:
    """Start a process in its slot, or arrange for another attempt, or give the watcher up."""
    places = watcher.places
    try:
        pid = ports.launcher.spawn(watcher, process)
    except (OSError, ValueError, MemoryError) as error:
        start_failed(watcher, process, ports, error)
        return
    except Exception:
        # A fault of ours. The loop reports it and goes on; the slot must not be forgotten.
        now = ports.now()
        places.spawn_at(process, now + FAILED_START_CEILING, now)
        raise
    now = ports.now()
    places.ran(process, pid, watcher.settings.generation.number, now)
    places.next_spawn_at = now + watcher.options.warmup_delay
    places.due(process, Purpose.EXPIRE, expiry(watcher, process, ports))
    ports.events.publish(watcher, "spawn", process.spawn_cause, process_pid=pid, wid=process.wid)
    if watcher.has_hook("after_spawn"):
        question = Question("after_spawn", watcher.lives, now, process.wid, pid)
        ask(watcher, ports, question, pid=pid)
        places.put_on_trial(process)


def expiry(watcher: Watcher, process: ManagedProcess, ports: Ports) -> float | None:
    """Return the instant at which the process is older than `max_age`, None for never."""
    options = watcher.options
    if not options.max_age:
        return None
    return process.spawned_at + options.max_age + options.max_age_variance * ports.clock.random()


# -- what failed


def start_failed(watcher: Watcher, process: ManagedProcess, ports: Ports, error: Exception) -> None:
    """Try again after a wait, or give up; a shortage of the system counts for nothing."""
    places, options = watcher.places, watcher.options
    places.trouble = str(error) or type(error).__name__
    if is_shortage(error):
        wait_out_shortage(watcher, process, ports)
        return
    process.attempts += 1
    if fails_for_good(watcher, process.attempts, ports):
        return
    ceiling = options.backoff_max if options.backoff else 0.0
    delay = exponential(process.attempts, ceiling or FAILED_START_CEILING)
    now = ports.now()
    places.spawn_at(process, now + jittered(delay, ports.clock.random()), now)
    tries = f"attempt {process.attempts}, next in {delay:g} s"
    ports.events.note(watcher, f"slot {process.wid}: {places.trouble}; {tries}")
    announce(watcher, ports, EXEC, process.wid, process.attempts, delay)


def became_program(
    watcher: Watcher, process: ManagedProcess, ports: Ports, failure: Exception | None
) -> None:
    """Note whether a process became its program; one that did not is a start that failed."""
    places = watcher.places
    memory = places.backoff(process.wid)
    if failure is None:
        memory.failed_starts = 0
        return
    places.trouble = str(failure)
    if not is_shortage(failure):
        memory.failed_starts += 1
        if fails_for_good(watcher, memory.failed_starts, ports):
            return
    if not (watcher.options.backoff and watcher.options.backoff_max):
        delay = exponential(memory.deaths, FAILED_START_CEILING)
        memory.ready_at = max(memory.ready_at, ports.now() + delay)
    slot = f"slot {process.wid}"
    ports.events.note(watcher, f"{slot}: {places.trouble}; attempt {memory.deaths}")


def announce(
    watcher: Watcher, ports: Ports, cause: Cause, wid: int, deaths: int, delay: float
) -> None:
    """Publish a wait that is long enough to be noticed."""
    if delay >= ANNOUNCED_BACKOFF:
        ports.events.publish(watcher, "backoff", cause, wid=wid, deaths=deaths, delay=delay)


def fails_for_good(watcher: Watcher, attempts: int, ports: Ports) -> bool:
    """Give up when none of the watcher's processes could ever be started; return whether it did.

    A slot that has failed as often as `max_retry` says goes on trying where others run: giving up
    would stop these.
    """
    places = watcher.places
    places.refused = places.trouble
    places.exhausted |= 0 <= watcher.options.max_retry <= attempts
    if not places.exhausted or places.has_started(ports.now()):
        return False
    give_up(watcher, ports, f"{places.trouble} ({attempts} attempts)")
    return True


def wait_out_shortage(watcher: Watcher, process: ManagedProcess, ports: Ports) -> None:
    """Let all slots of the watcher wait for what the system is short of, on one timer."""
    places = watcher.places
    places.shortages += 1
    delay = exponential(places.shortages, FAILED_START_CEILING)
    now = ports.now()
    places.next_spawn_at = now + jittered(delay, ports.clock.random())
    places.ready.appendleft(process)
    if places.shortages == 1:
        ports.events.note(watcher, f"{places.trouble}; it is tried again until there is some")


def is_shortage(error: Exception) -> bool:
    """Tell whether the system may have later what it lacks now."""
    if isinstance(error, OSError):
        return error.errno in SHORTAGES
    return isinstance(error, MemoryError)


def give_up(watcher: Watcher, ports: Ports, reason: str) -> None:
    """Stop a watcher that cannot run, and say why."""
    watcher.give_up(reason)
    ports.events.publish(watcher, "giveup", GIVE_UP, reason=reason)
