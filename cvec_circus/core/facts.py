"""Facts: what the desks report to the core. They are recorded; `converge()` acts.

A desk appends a fact to the mailbox when something has happened; the roster takes the facts at the
beginning of its turn, in order of arrival.
"""

from __future__ import annotations

from collections import deque
from typing import Union

from cvec_circus.base.named import NamedTuple
from cvec_circus.core.backoff import NEVER
from cvec_circus.core.conditions import Connection
from cvec_circus.core.goal import Run
from cvec_circus.core.places import DEATHS
from cvec_circus.core.process import ManagedProcess, ProcessState
from cvec_circus.core.spawning import Spawner
from cvec_circus.core.watcher import Watcher
from cvec_circus.system.collecting import Exit, ended
from cvec_circus.system.signals import to_name
from cvec_circus.wire.cause import EXIT, LIVE, SIGNALLED, Cause
from cvec_circus.wire.outcome import Death, Stray, lasting


class Exited(NamedTuple):
    """The leader has ended, and its status has been collected. Immutable."""

    watcher: Watcher
    process: ManagedProcess
    ended: Exit
    leaves: bool = False
    """Its process group still has members, which have been sent SIGTERM, or that is not known yet;
    `Emptied` follows."""
    report: str = ""  # the line a plugin left to say why it cannot run
    failure: Exception | None = None  # why it never executed its program; None if it did
    is_captured: bool = False  # `Written` follows
    oom: bool = False  # the kernel killed it because its cgroup was out of memory


class Emptied(NamedTuple):
    """Nothing is left of what the process started in its group. Immutable."""

    watcher: Watcher
    process: ManagedProcess


class Written(NamedTuple):
    """The last output of a process that has ended. Immutable."""

    watcher: Watcher
    pid: int
    lines: tuple[str, ...]


class Vacated(NamedTuple):
    """The watcher's cgroup is empty. Immutable."""

    watcher: Watcher


class Strayed(NamedTuple):
    """Everything that the watcher's processes left behind outside its slots. Immutable."""

    watcher: Watcher
    strays: tuple[Stray, ...]


class Answered(NamedTuple):
    """A hook has answered. Immutable."""

    watcher: Watcher
    token: int
    refusal: str  # "" for yes, otherwise why not


class Probed(NamedTuple):
    """The verdict on all checks of `ready` of a process, or on all of `live`, has changed.
    Immutable."""

    watcher: Watcher
    process: ManagedProcess
    is_live: bool
    failure: str  # which check does not hold, and what it answered; "" if all hold
    well_for: float = 0.0  # of a failure of `live`: for how many seconds all had held before


class Extended(NamedTuple):
    """A process has asked for more time to become ready, or to stop. Immutable."""

    watcher: Watcher
    process: ManagedProcess
    seconds: float  # from now on; bounded by the desk of probes


class Connected(NamedTuple):
    """A client has connected to a socket of a watcher that waits for that. Immutable."""

    watcher: Watcher


class Rescheduled(NamedTuple):
    """A watcher's next run comes at another instant: the wall clock was set. Immutable."""

    watcher: Watcher
    run: Run


class Missed(NamedTuple):
    """Runs of a watcher were missed. Immutable."""

    watcher: Watcher
    text: str  # which, and why; a sentence


Fact = Union[
    Exited,
    Written,
    Emptied,
    Vacated,
    Strayed,
    Answered,
    Probed,
    Extended,
    Connected,
    Rescheduled,
    Missed,
]

Facts = deque[Fact]
"""The mailbox of the core. Owned by the supervisor thread, as the desks are that report."""


class Recorder(Spawner):
    """Records facts. Owned by the supervisor thread."""

    def record(self, fact: Fact) -> None:
        """Record what has happened."""
        watcher = fact.watcher
        if isinstance(fact, Exited):
            self._exited(fact)
            self.ports.ledger.ended(watcher, fact.process)
        elif isinstance(fact, Emptied) and fact.process.state is ProcessState.LEFTOVER:
            self.let_go(watcher, fact.process)
        elif isinstance(fact, Answered):
            self._answered(fact)
        elif isinstance(fact, Probed):
            self.probed(*fact)
        elif isinstance(fact, Extended):
            self.extend(*fact)
        elif isinstance(fact, Written):
            _remember_output(watcher, fact)
        elif isinstance(fact, Strayed):
            watcher.strays = fact.strays
        elif isinstance(fact, Connected):
            _connected(watcher)
        elif isinstance(fact, (Rescheduled, Missed)) and watcher.run is not None:
            self._reschedule(fact)

    def _reschedule(self, fact: Rescheduled | Missed) -> None:
        if isinstance(fact, Rescheduled):
            fact.watcher.run = fact.run
        elif fact.text != fact.watcher.missed:  # the ledger may have said the same
            fact.watcher.missed = fact.text
            self.note(fact.watcher, fact.text)

    def _exited(self, fact: Exited) -> None:
        watcher, process, status, leaves, report, failure, is_captured, oom = fact
        pid, wid, exit_code, places = process.pid, process.wid, status.exit_code, watcher.places
        self.tell(watcher, "before_reap", process_pid=pid)
        by_itself = process.state is ProcessState.RUNNING
        process.exit_code = exit_code
        if by_itself:
            places.failed_exits += watcher.one_shot and exit_code != 0  # of the work it is to do
            process.cause = self._cause_of_end(watcher, process, exit_code)
        cause, lost, now = process.cause, status.status_lost, self.now()
        lived = now - process.spawned_at
        has_done = watcher.one_shot and by_itself and exit_code == 0 and not failure
        # The end of a rollout says nothing of the old processes, which may stay.
        is_judged = by_itself and not has_done and self.judges(watcher, process, process.cause)
        del places.deaths[: 1 - DEATHS]
        places.deaths.append(
            Death(
                wid,
                pid,
                None if lost else exit_code,
                cause.text,
                now,
                actor=cause.actor,
                why=cause.why,
                lived=lived,
                life=watcher.lives,
                was_proved=process.proved or has_done,
                failure="" if failure is None else str(failure) or type(failure).__name__,
                oom=oom,
                is_awaited=is_captured,
                was_rolled=is_judged or process.stale,
            )
        )
        told = {"process_pid": pid, "exit_code": exit_code, "wid": wid}
        was_ready = process.proved and process not in places.trials
        marks = {"status_lost": lost, "rollout": is_judged, "oom": oom}
        told.update((mark, True) for mark, is_so in marks.items() if is_so)
        self.publish(watcher, "reap", cause, **told)
        self.ports.probes.release(watcher, process)
        if watcher.is_abandoned:
            self.let_go(watcher, process)
            return
        self.tell(watcher, "after_reap", process_pid=pid, exit_code=exit_code)
        wanted = watcher.is_running and watcher.wants_to_run
        if exit_code in watcher.kind.useless_codes and wanted and by_itself:
            self.give_up(watcher, report or f"exit code {exit_code}")
        self._remember_death(watcher, process, by_itself, failure)
        places.has_run |= failure is None
        is_new = is_judged and not watcher.reason
        if (
            failure
            and wanted
            and by_itself
            and process.holds_place
            and not (watcher.reason or is_new)
        ):
            self.start_failed(watcher, process, failure)
            places.grants += watcher.one_shot  # it has not had its start yet
        if leaves:
            self.keep_leftover(watcher, process)
        else:
            self.let_go(watcher, process)
        if is_new and failure is not None:
            self.fail_rollout(watcher, process, f"slot {wid}: {failure}")
        elif is_new:
            how = f"{ended(None if lost else exit_code, oom)} after {lasting(lived)}"
            when = "though it had been ready" if was_ready else "before it was ready"
            self.fail_rollout(watcher, process, f"process {pid} {how}, {when}", not was_ready)

    def _cause_of_end(self, watcher: Watcher, process: ManagedProcess, exit_code: int) -> Cause:
        """Return the cause of the end of a process that was not asked to end: a client's signal, or
        the process itself, perhaps because of such a signal."""
        sent = process.signalled
        if sent.signum and exit_code == -sent.signum:
            return SIGNALLED._replace(actor=sent.actor, why=sent.why)
        since = self.now() - sent.at
        if not sent.signum or since > watcher.options.graceful_timeout:
            return EXIT
        by = f" by {sent.actor}" if sent.actor else ""
        why = f": {sent.why}" if sent.why else ""
        return EXIT._replace(why=f"{lasting(since)} after SIG{to_name(sent.signum)}{by}{why}")

    def _remember_death(
        self, watcher: Watcher, process: ManagedProcess, by_itself: bool, failure: Exception | None
    ) -> None:
        """Work out when its place may be filled again, if it leaves one.

        Ending because it was not alive counts as a death: it lived as long as its checks held. A
        process whose checks of `ready` have never held has failed, however long it lived.
        """
        places = watcher.places
        if not process.holds_place:
            places.backoffs.pop(process.wid, None)  # its place has gone to another slot
            return
        memory = places.backoff(process.wid)
        memory.cause = process.cause
        memory.is_doubtful = failure is not None
        memory.failed_starts *= memory.is_doubtful
        was_unwell = process.cause.text == LIVE.text
        fails = by_itself or was_unwell
        memory.is_respawn = fails and not process.stale and not watcher.one_shot
        if not fails:
            memory.ready_at = 0.0
            return
        lived = process.well_for if was_unwell else self.now() - process.spawned_at
        if process.checked and not places.deaths[-1].was_proved:
            lived = 0.0
        lived = NEVER if failure else lived
        self.back_off(watcher, process.wid, lived, process.cause)

    def _answered(self, fact: Answered) -> None:
        """Take the answer to a question; drop one that is no longer awaited."""
        watcher, refusal = fact.watcher, fact.refusal
        question = watcher.questions.pop(fact.token, None)
        if question is None:
            return
        if watcher.gate is not None and watcher.gate.token == fact.token:
            watcher.gate = watcher.gate._replace(answer=refusal)
        elif question.name == "before_spawn":
            self.before_spawn_answered(watcher, question, refusal)
        elif question.name == "after_spawn":
            self.after_spawn_answered(watcher, question, refusal)
        elif question.name == "before_signal":
            self.before_signal_answered(watcher, question, refusal)


def _connected(watcher: Watcher) -> None:
    if watcher.connection is not None:
        watcher.conditions.remove(watcher.connection)
        watcher.conditions.append(Connection(has_come=True))


def _remember_output(watcher: Watcher, fact: Written) -> None:
    deaths = watcher.places.deaths
    for index, death in enumerate(deaths):
        if death.pid == fact.pid and death.is_awaited:
            deaths[index] = death._replace(output=fact.lines, is_awaited=False)
            return
