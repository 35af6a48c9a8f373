"""Facts: what the world tells the core about a process. They record; `converge()` acts."""

from __future__ import annotations

from cvec_circus.core.backoff import FAILED_START_CEILING, exponential
from cvec_circus.core.ending import UNKILLABLE_TIMEOUT
from cvec_circus.core.hooks import tell
from cvec_circus.core.ports import Ports
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.spawning import ANNOUNCED_BACKOFF, give_up, is_shortage
from cvec_circus.core.states import ProcessState
from cvec_circus.core.watcher import Watcher


def process_exited(
    watcher: Watcher,
    process: ManagedProcess,
    ports: Ports,
    exit_code: int,
    has_leftovers: bool = False,
    status_lost: bool = False,
    report: str = "",
    failure: Exception | None = None,
) -> None:
    """The leader has ended and its status has been collected. Called on the supervisor thread.

    Args:
        watcher: Whose process it was.
        process: Its slot.
        ports: The world.
        exit_code: Its exit code, negative for a signal.
        has_leftovers: Whether members of its process group are still there; they have been sent
            SIGTERM already, while the leader's zombie still kept the group's number from reuse.
        status_lost: Whether somebody else in this program collected the real status.
        report: The line a plugin left to say why it cannot run.
        failure: Why it never became its program; None if it did.
    """
    tell(watcher, ports, "before_reap", process_pid=process.pid)
    by_itself = process.state is ProcessState.RUNNING
    process.exit_code = exit_code
    if by_itself:
        by_client = bool(process.signalled) and exit_code == -process.signalled
        process.cause = "command:signal" if by_client else "exit"
    watcher.died(process, None if status_lost else exit_code, ports.now())
    payload: dict[str, object] = {"status_lost": True} if status_lost else {}
    ports.publish(
        watcher,
        "reap",
        process.cause,
        process_pid=process.pid,
        exit_code=exit_code,
        wid=process.wid,
        **payload,
    )
    if watcher.abandoned:
        watcher.remove(process)
        return
    tell(watcher, ports, "after_reap", process_pid=process.pid, exit_code=exit_code)
    wanted = watcher.wants_to_run
    if exit_code in watcher.fatal_exit_codes and wanted and by_itself:
        give_up(watcher, ports, report or f"exit code {exit_code}")
    remember_death(watcher, process, ports, by_itself)
    if wanted and by_itself and process.holds_place:
        remember_failure(watcher, process, ports, failure)
    if has_leftovers:
        left_something(watcher, process, ports, by_itself)
    else:
        watcher.remove(process)


def group_emptied(watcher: Watcher, process: ManagedProcess) -> None:
    """Nothing is left of what the process started in its group. Called on the supervisor thread."""
    if process.state is ProcessState.LEFTOVER:
        watcher.remove(process)


def remember_death(
    watcher: Watcher, process: ManagedProcess, ports: Ports, by_itself: bool
) -> None:
    """Works out when its place may be filled again, if it leaves one."""
    if not process.holds_place:
        watcher.forget_deaths(process.wid)
        return
    memory = watcher.backoff(process.wid)
    memory.cause = process.cause
    memory.is_respawn = by_itself and not process.stale and not watcher.one_shot
    if not by_itself:
        memory.ready_at = 0.0
        return
    now = ports.now()
    memory.died(now - process.spawned_at, now, watcher.options, ports.random())
    will_wait = memory.deaths and memory.delay >= ANNOUNCED_BACKOFF
    if will_wait and watcher.goal_up and watcher.options["respawn"]:
        ports.publish(
            watcher,
            "backoff",
            process.cause,
            wid=process.wid,
            deaths=memory.deaths,
            delay=memory.delay,
        )


def remember_failure(
    watcher: Watcher, process: ManagedProcess, ports: Ports, failure: Exception | None
) -> None:
    """Counts a process that never became its program as a start that failed."""
    memory = watcher.backoff(process.wid)
    if failure is None:
        memory.failed_starts = 0
        return
    watcher.trouble = str(failure)
    memory.failed_starts += not is_shortage(failure)
    if 0 <= watcher.options["max_retry"] <= memory.failed_starts:
        give_up(watcher, ports, f"{watcher.trouble} ({memory.failed_starts} attempts)")
        return
    if not watcher.options["backoff"]:
        delay = exponential(memory.deaths, FAILED_START_CEILING)
        memory.ready_at = max(memory.ready_at, ports.now() + delay)
    ports.note(watcher, f"{watcher.trouble}; attempt {memory.deaths}")


def left_something(
    watcher: Watcher, process: ManagedProcess, ports: Ports, by_itself: bool
) -> None:
    """Keeps the slot until its group is empty, with the deadline that is running already if any."""
    watcher.ends(process, ProcessState.LEFTOVER)
    now = ports.now()
    if by_itself:
        patience = min(watcher.options["leftover_timeout"], watcher.options["graceful_timeout"])
        watcher.due(process, now + patience, now)
    elif process.killed:
        ports.kill_group(process)
        watcher.due(process, now + UNKILLABLE_TIMEOUT, now)
