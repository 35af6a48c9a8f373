"""Ending processes: the signal that asks, the deadline, SIGKILL, and what not even that ends."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from functools import partial

from cvec_circus.core.hooks import YES, has_hook, tell
from cvec_circus.core.ports import Ports
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.states import ProcessState
from cvec_circus.core.watcher import Watcher

UNKILLABLE_TIMEOUT = 5.0
"""Seconds after SIGKILL when a process that is still there is called unkillable."""

COMPLAINT_DELAY = 10.0
"""Seconds between two log lines about it."""


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

    def send() -> None:
        if options["stop_children"]:
            ports.stop_tree(process, signum)
            return
        ports.signal(process, signum)
        if signum != signal.SIGKILL:
            ports.signal(process, signal.SIGCONT)

    with_hooks(watcher, process, ports, signum, send)


def send_signal(watcher: Watcher, process: ManagedProcess, ports: Ports, signum: int) -> None:
    """Sends a signal to a process, if the hook lets it."""
    with_hooks(watcher, process, ports, signum, partial(ports.signal, process, signum))


def with_hooks(
    watcher: Watcher,
    process: ManagedProcess,
    ports: Ports,
    signum: int,
    send: Callable[[], object],
) -> None:
    """Has a signal sent between before_signal, which may keep any but SIGKILL, and after_signal."""
    if signum == signal.SIGKILL or not has_hook(watcher, "before_signal"):
        tell(watcher, ports, "before_signal", pid=process.pid, signum=int(signum))
        send()
        tell(watcher, ports, "after_signal", pid=process.pid, signum=int(signum))
        return
    then = partial(before_signal_answered, watcher, process, ports, signum, send)
    ports.ask_hook(watcher, "before_signal", then, pid=process.pid, signum=int(signum))


def before_signal_answered(
    watcher: Watcher,
    process: ManagedProcess,
    ports: Ports,
    signum: int,
    send: Callable[[], object],
    refusal: str,
) -> None:
    """A fact: the answer of before_signal. Called on the supervisor thread."""
    if refusal != YES:
        name = signal.Signals(signum).name if signum in set(signal.Signals) else str(signum)
        ports.note(watcher, f"{refusal}: process {process.pid} does not get {name}")
    elif process.has_leader and not watcher.abandoned:
        send()
    tell(watcher, ports, "after_signal", pid=process.pid, signum=int(signum))


def kill(watcher: Watcher, process: ManagedProcess, ports: Ports) -> None:
    """SIGKILL for a process that had its time to end, or for what it left behind."""
    process.killed = True
    now = ports.now()
    watcher.due(process, now + UNKILLABLE_TIMEOUT, now)
    if process.state is not ProcessState.STOPPING:
        ports.note(watcher, f"what process {process.pid} left behind did not end, killing it")
        ports.kill_group(process)
        return
    process.enter(ProcessState.KILLED)
    ports.note(watcher, f"process {process.pid} did not end in time, killing it and its group")
    with_hooks(watcher, process, ports, signal.SIGKILL, partial(ports.kill_group, process))


def complain(watcher: Watcher, process: ManagedProcess, ports: Ports) -> None:
    """Names a process that SIGKILL did not end; it stays, and keeps its slot."""
    process.unkillable = True
    what = f"process {process.pid}" if process.has_leader else f"what process {process.pid} left"
    ports.note(watcher, f"{what} does not end, not even by SIGKILL")
    now = ports.now()
    watcher.due(process, now + COMPLAINT_DELAY, now)


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
            send_signal(watcher, process, ports, signum)
        if graceful_timeout is not None:
            now = ports.now()
            watcher.end_by(process, now + graceful_timeout, now)


def hang_up(watcher: Watcher, ports: Ports, cause: str) -> None:
    """Has the processes reload by themselves, as `send_hup` says they can."""
    for process in watcher.fresh:
        send_signal(watcher, process, ports, signal.SIGHUP)
    ports.publish(watcher, "reload", cause)
