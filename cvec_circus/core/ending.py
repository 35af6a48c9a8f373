"""Ending processes: the stop signal, the deadline, SIGKILL, and processes that survive it."""

from __future__ import annotations

from signal import SIGCONT, SIGKILL, Signals

from cvec_circus.core.conditions import Question
from cvec_circus.core.hooks import YES, Asker
from cvec_circus.core.process import ManagedProcess, ProcessState, Purpose, Sent
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.cause import Cause

UNKILLABLE_TIMEOUT = 5.0
"""Seconds after SIGKILL when a surviving process counts as unkillable."""

COMPLAINT_DELAY = 10.0
"""Seconds between two log lines about it."""


class Ender(Asker):
    """Ends processes. Owned by the supervisor thread."""

    def stop(
        self,
        watcher: Watcher,
        process: ManagedProcess,
        cause: Cause,
        signum: int | None = None,
        graceful_timeout: float | None = None,
    ) -> None:
        """Ask a running process to end, and set the deadline of SIGKILL.

        The stop signal goes to the leader, and to its descendants only with `stop_children`.
        SIGCONT follows, because a process stopped by SIGSTOP would never see the stop signal.
        """
        signum = int(watcher.options.stop_signal if signum is None else signum)
        pid, wid, places = process.pid, process.wid, watcher.places
        process.cause = cause
        if process in places.trials:
            watcher.withdraw("after_spawn", wid, pid)  # it goes anyway
        places.ends(process, ProcessState.STOPPING)
        self.ports.probes.release(watcher, process)
        kill_at = self.now() + watcher.patience(graceful_timeout)
        places.due(process, Purpose.KILL, kill_at)
        self.ports.ledger.stopping(watcher, process, kill_at)
        self.publish(watcher, "kill", cause, process_pid=pid, wid=wid, signum=signum)
        self.signal(watcher, process, signum, stops=True)

    def signal(
        self, watcher: Watcher, process: ManagedProcess, signum: int, stops: bool = False
    ) -> None:
        """Send a signal between before_signal, which may keep any but SIGKILL, and after_signal."""
        pid, signum = process.pid, int(signum)
        if signum != SIGKILL and watcher.has_hook("before_signal"):
            now = self.now()
            asked = Question("before_signal", watcher.lives, now, process.wid, pid, signum, stops)
            self.ask(watcher, asked, pid=pid, signum=signum)
            return
        self.tell(watcher, "before_signal", pid=pid, signum=signum)
        self._send(watcher, process, signum, stops)
        self.tell(watcher, "after_signal", pid=pid, signum=signum)

    def pass_on(self, watcher: Watcher, process: ManagedProcess, signum: int, cause: Cause) -> None:
        """Send a signal that a client wants sent, and note who did, and why."""
        process.signalled = Sent(int(signum), cause.actor, cause.why, self.now())
        self.tell_signal(watcher, process, signum, cause)
        self.signal(watcher, process, signum)

    def tell_signal(
        self, watcher: Watcher, process: ManagedProcess, signum: int, cause: Cause, **more: object
    ) -> None:
        """Publish that a client sent a signal to a process, or to others of its family."""
        told = {"process_pid": process.pid, "wid": process.wid, "signum": int(signum), **more}
        self.publish(watcher, "signal", cause, **told)

    def before_signal_answered(self, watcher: Watcher, asked: Question, refusal: str) -> None:
        """Send the signal that before_signal lets through."""
        process, pid, signum = watcher.places.slots.get(asked.wid), asked.pid, asked.signum
        if refusal != YES:
            known = {int(one) for one in Signals}
            name = Signals(signum).name if signum in known else "it"
            text = f"{refusal}: process {pid} does not get {name}"
            self.note(watcher, text)
            if process and process.pid == pid:
                process.refusal = text
        elif process and process.pid == pid and process.has_leader:
            process.refusal = ""
            self._send(watcher, process, signum, asked.stops)
        self.tell(watcher, "after_signal", pid=pid, signum=signum)

    def _send(self, watcher: Watcher, process: ManagedProcess, signum: int, stops: bool) -> None:
        if stops and watcher.options.stop_children:
            self.ports.signals.stop_tree(process, signum)
            return
        self.ports.signals.send(process, signum)
        if stops and signum != SIGKILL:
            self.ports.signals.send(process, SIGCONT)

    def kill(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Send SIGKILL to a process whose time is up, or to what it left behind."""
        pid, signum, note = process.pid, int(SIGKILL), self.note
        process.killed = True
        watcher.places.due(process, Purpose.COMPLAIN, self.now() + UNKILLABLE_TIMEOUT)
        if process.state is not ProcessState.STOPPING:
            note(watcher, f"what process {pid} left behind did not end; killing it")
            self.ports.signals.kill(process)
            return
        process.enter(ProcessState.KILLED)
        note(watcher, f"process {pid} did not end in time; killing it and its group")
        self.tell(watcher, "before_signal", pid=pid, signum=signum)
        self.ports.signals.kill(process)
        self.tell(watcher, "after_signal", pid=pid, signum=signum)

    def complain(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Report a leader that SIGKILL did not end: it stays, and keeps its slot.

        Leftovers of a dead leader do not: they are strays from now on, and the place is free.
        """
        if not process.has_leader:
            self.ports.signals.abandon(process)
            self.let_go(watcher, process)
            return
        process.unkillable = True
        self.note(watcher, f"process {process.pid} does not end, not even by SIGKILL")
        watcher.places.due(process, Purpose.COMPLAIN, self.now() + COMPLAINT_DELAY)

    def keep_leftover(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Keep the slot of a dead leader until its group is empty, `leftover_timeout` at most."""
        places, now = watcher.places, self.now()
        places.ends(process, ProcessState.LEFTOVER)
        places.end_by(process, now + min(watcher.options.leftover_timeout, watcher.patience()))
        if process.killed:
            self.ports.signals.kill(process)
            places.due(process, Purpose.COMPLAIN, now + UNKILLABLE_TIMEOUT)

    def let_go(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Free the slot of a process that is gone with its group, or whose group is given up."""
        watcher.places.remove(process)
        self.ports.outputs.release(watcher, process)
