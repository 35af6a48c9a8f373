"""Proof: when a process counts as ready, and what happens if it does not become ready.

A process is *proved* the first time that all its checks of `ready` hold, or, without any, when it
has lived `min_uptime`; in both cases only after after_spawn has said yes. A process with `respawn =
False` that exits with 0 is proved as well. Until then a rollout stops no old process for it, and
dependants of its watcher wait.

A process not proved within `ready_timeout` is kept, unless it fails a rollout. After the proof only
`live` stops a process; a `ready` check that no longer holds is reported, and fails a rollout that
could still go back if it does not hold again within `ready_timeout`. A process that `live`
stops counts as dead: its successor backs off and is not ready before its own `live` checks have
held once, and the rollout that started it fails.
"""

from __future__ import annotations

from cvec_circus.core.process import ManagedProcess, ProcessState, Purpose
from cvec_circus.core.rollout import Roller
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.checks import wants_watchdog
from cvec_circus.wire.cause import LIVE, READY
from cvec_circus.wire.outcome import lasting


class Prover(Roller):
    """Judges whether processes are ready. Owned by the supervisor thread."""

    def begin_proof(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Begin to judge a process that was spawned just now."""
        options = watcher.options
        process.checked, process.has_watchdog = bool(options.ready), wants_watchdog(options.live)
        if process.doubted:
            self.ports.ledger.unwell(watcher, process)
        if process.checked:
            watcher.places.due(process, Purpose.READY_BY, self.now() + options.ready_timeout)
            self.watch(watcher, process)
        elif options.min_uptime:
            watcher.places.due(process, Purpose.READY_BY, self.now() + options.min_uptime)
        else:
            self.prove(watcher, process)

    def watch(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Begin the checks of a process that runs."""
        if process.checked:
            self.ports.probes.watch(watcher, process)
        if process.proved and watcher.options.live:
            self.ports.probes.proved(watcher, process)

    def ready_by(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Act on the deadline of the proof."""
        if process.state is not ProcessState.RUNNING:
            return  # one that came due at the same moment has failed the rollout of both
        if process.proved:
            if process.unready and self.judges(watcher, process, READY):
                self.fail_rollout(watcher, process, f"{process.unready}, though it had been ready")
            return
        if not process.checked:
            self.prove(watcher, process)
            return
        seconds = self.now() - process.spawned_at
        unmet = self.ports.probes.unmet(process)
        text = f"process {process.pid} was not ready within {lasting(seconds)}: {unmet}"
        if self.judges(watcher, process):
            self.fail_rollout(watcher, process, text)
        else:
            self._is_unready(watcher, process, text)

    def prove(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Count a process as ready from now on."""
        if not process.proved:
            process.proved = True
            process.doubted &= bool(watcher.options.live)
            self.ports.ledger.proved(watcher, process)
            watcher.places.due(process, Purpose.READY_BY, None)
            if watcher.options.live:
                self.ports.probes.proved(watcher, process)
        before = f"the one before: {process.spawn_cause.why}"
        told = f"process {process.pid} has not passed its live checks yet; {before}"
        self._mark_unready(watcher, process, told if process.doubted else "")
        watcher.places.prove(process)

    def probed(
        self,
        watcher: Watcher,
        process: ManagedProcess,
        is_live: bool,
        failure: str,
        well_for: float = 0.0,
    ) -> None:
        """Take the verdict on the checks of a process."""
        if process.state is not ProcessState.RUNNING or not watcher.is_running:
            return
        if not failure:
            process.doubted &= not is_live
            self.prove(watcher, process)
            return
        if not process.proved:
            return  # its time is not up
        self._is_unready(watcher, process, f"process {process.pid}: {failure}")
        self.give_time(watcher, process)
        if is_live and watcher.options.live_action == "restart" and watcher.goes_on:
            is_judged = self.judges(watcher, process, LIVE)
            process.well_for = well_for
            self.stop(watcher, process, LIVE._replace(why=failure))
            if is_judged:
                text = f"process {process.pid} was not alive, though it had been ready: {failure}"
                self.fail_rollout(watcher, process, text)

    def give_time(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Set when a process that is not ready any more fails its rollout, if it has one."""
        if self.judges(watcher, process, READY):
            until = self.now() + watcher.options.ready_timeout
            watcher.places.due(process, Purpose.READY_BY, until)

    def extend(self, watcher: Watcher, process: ManagedProcess, seconds: float) -> None:
        """Give a process more time to become ready, or to stop."""
        if not process.has_leader:
            return  # what it left behind did not ask
        places, until = watcher.places, self.now() + seconds
        for purpose in (Purpose.READY_BY, Purpose.KILL):
            due_at = places.deadline(process, purpose)
            is_asked = purpose is Purpose.READY_BY or watcher.goal.patience is None
            if due_at is not None and due_at < until and is_asked:
                places.due(process, purpose, until)

    def _is_unready(self, watcher: Watcher, process: ManagedProcess, text: str) -> None:
        self._mark_unready(watcher, process, text)
        watcher.is_told_ready = False
        told = {"process_pid": process.pid, "wid": process.wid, "reason": text}
        self.publish(watcher, "unready", READY, **told)

    def _mark_unready(self, watcher: Watcher, process: ManagedProcess, text: str) -> None:
        """Note why a process is not ready, "" if it is."""
        if process.unready != text:
            watcher.places.mark_unready(process, text)
            self.ports.ledger.unwell(watcher, process)

    def go_on(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Go on with the proof of a process that an earlier daemon has left. What was not ready
        stays so until its checks hold again."""
        places, now, options = watcher.places, self.now(), watcher.options
        if not process.proved:
            own = now + options.ready_timeout, process.spawned_at + options.min_uptime
            places.due(process, Purpose.READY_BY, own[0] if process.checked else own[1])
        elif not (process.checked or options.live):
            process.doubted = False
            self._mark_unready(watcher, process, "")
        self.watch(watcher, process)

    def tell_ready(self, watcher: Watcher) -> None:
        """Publish that a watcher is ready: once in each life, and after it was not."""
        if not watcher.is_manned:
            if watcher.lacks:
                watcher.ready_at = None
        elif watcher.is_told_ready:
            watcher.ready_at = self.now() if watcher.ready_at is None else watcher.ready_at
        elif watcher.is_ready:
            watcher.is_told_ready, watcher.ready_at = True, self.now()
            self.publish(watcher, "ready", READY)
