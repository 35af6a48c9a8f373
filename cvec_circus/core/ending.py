"""Ending processes: the signal that asks, the deadline, SIGKILL, and what not even that ends."""

from __future__ import annotations

import signal

from cvec_circus.core.conditions import Question
from cvec_circus.core.hooks import YES, ask, tell
from cvec_circus.core.ports import Ports
from cvec_circus.core.process import ManagedProcess, ProcessState, Purpose
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.cause import Cause

UNKILLABLE_TIMEOUT = 5.0
"""Seconds after SIGKILL when a process that is still there is called unkillable."""

COMPLAINT_DELAY = 10.0
"""Seconds between two log lines about it."""


def stop_process(
    watcher: Watcher,
    process: ManagedProcess,
    ports: Ports,
    cause: Cause,
    signum: int | None = None,
    graceful_timeout: float | None = None,
) -> None:
    """Ask a running process to end, and set the deadline of SIGKILL.

    The stop signal goes to the leader, and to its descendants only with `stop_children`. SIGCONT
    follows, because a process that has been stopped (SIGSTOP) would never see the other.
    """
    signum = int(watcher.options.stop_signal if signum is None else signum)
    pid, places = process.pid, watcher.places
    process.cause = cause
    if process.on_trial:
        watcher.withdraw("after_spawn", process.wid, pid)  # it goes anyway
    places.ends(process, ProcessState.STOPPING)
    places.due(process, Purpose.KILL, ports.now() + watcher.patience(graceful_timeout))
    ports.events.publish(watcher, "kill", cause, process_pid=pid, wid=process.wid, signum=signum)
    signal_with_hooks(watcher, process, ports, signum, stops=True)


def signal_with_hooks(
    watcher: Watcher, process: ManagedProcess, ports: Ports, signum: int, stops: bool = False
) -> None:
    """Send a signal between before_signal, which may keep any but SIGKILL, and after_signal."""
    pid, signum = process.pid, int(signum)
    if signum != signal.SIGKILL and watcher.has_hook("before_signal"):
        now = ports.now()
        asked = Question("before_signal", watcher.lives, now, process.wid, pid, signum, stops)
        ask(watcher, ports, asked, pid=pid, signum=signum)
        return
    tell(watcher, ports, "before_signal", pid=pid, signum=signum)
    send(watcher, process, ports, signum, stops)
    tell(watcher, ports, "after_signal", pid=pid, signum=signum)


def before_signal_answered(
    watcher: Watcher, question: Question, ports: Ports, refusal: str
) -> None:
    """Take the answer of before_signal. Called on the supervisor thread."""
    process = watcher.places.slots.get(question.wid)
    is_there = process is not None and process.pid == question.pid and process.has_leader
    if refusal != YES:
        known = {int(one) for one in signal.Signals}
        name = signal.Signals(question.signum).name if question.signum in known else "it"
        ports.events.note(watcher, f"{refusal}: process {question.pid} does not get {name}")
    elif process is not None and is_there and not watcher.is_abandoned:
        send(watcher, process, ports, question.signum, question.stops)
    tell(watcher, ports, "after_signal", pid=question.pid, signum=question.signum)


def send(watcher: Watcher, process: ManagedProcess, ports: Ports, signum: int, stops: bool) -> None:
    """Send a signal that no hook keeps."""
    if stops and watcher.options.stop_children:
        ports.signals.stop_tree(process, signum)
        return
    ports.signals.send(process, signum)
    if stops and signum != signal.SIGKILL:
        ports.signals.send(process, signal.SIGCONT)


def kill(watcher: Watcher, process: ManagedProcess, ports: Ports) -> None:
    """Send SIGKILL to a process that had its time to end, or to what it left behind."""
    process.killed = True
    watcher.places.due(process, Purpose.COMPLAIN, ports.now() + UNKILLABLE_TIMEOUT)
    pid = process.pid
    if process.state is not ProcessState.STOPPING:
        ports.events.note(watcher, f"what process {pid} left behind did not end, killing it")
        ports.signals.kill(process)
        return
    process.enter(ProcessState.KILLED)
    ports.events.note(watcher, f"process {pid} did not end in time, killing it and its group")
    tell(watcher, ports, "before_signal", pid=pid, signum=int(signal.SIGKILL))
    ports.signals.kill(process)
    tell(watcher, ports, "after_signal", pid=pid, signum=int(signal.SIGKILL))


def complain(watcher: Watcher, process: ManagedProcess, ports: Ports) -> None:
    """Name a leader that SIGKILL did not end: it stays, and keeps its slot.

    What a dead leader left does not: it is a stray from now on, and the place is free.
    """
    if not process.has_leader:
        ports.signals.abandon(process)
        let_go(watcher, process, ports)
        return
    process.unkillable = True
    ports.events.note(watcher, f"process {process.pid} does not end, not even by SIGKILL")
    watcher.places.due(process, Purpose.COMPLAIN, ports.now() + COMPLAINT_DELAY)


def let_go(watcher: Watcher, process: ManagedProcess, ports: Ports) -> None:
    """Free the slot of a process of which nothing is left, or that is not waited for any longer."""
    watcher.places.remove(process)
    ports.outputs.release(watcher, process)
