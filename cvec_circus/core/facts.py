"""Facts: what the desks report to the core. They are recorded; `converge()` acts.

A desk calls a method of `Facts` when something has happened; the roster takes the facts at the
beginning of its turn, in the order in which they came.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from cvec_circus.core import spawning
from cvec_circus.core.conditions import Connection, Question
from cvec_circus.core.ending import UNKILLABLE_TIMEOUT, before_signal_answered, let_go
from cvec_circus.core.hooks import tell
from cvec_circus.core.places import Death, Stray
from cvec_circus.core.ports import Ports
from cvec_circus.core.process import ManagedProcess, ProcessState, Purpose
from cvec_circus.core.watcher import Watcher
from cvec_circus.system.collecting import Exit
from cvec_circus.wire.cause import EXIT, SIGNALLED

Fact = tuple[Callable[..., None], Watcher, tuple[Any, ...]]


class Facts:
    """The mailbox of the core. Owned by the supervisor thread, as the desks are that report."""

    def __init__(self) -> None:
        self._mail: deque[Fact] = deque()

    def exited(
        self,
        watcher: Watcher,
        process: ManagedProcess,
        ended: Exit,
        leaves: bool = False,
        report: str = "",
        failure: Exception | None = None,
    ) -> None:
        """The leader has ended, and its status has been collected.

        Args:
            watcher: The watcher of the process.
            process: The process.
            ended: How it ended.
            leaves: Whether members of its process group are still there, which have been sent
                SIGTERM already, or it is not known yet; `emptied` follows.
            report: The line a plugin left to say why it cannot run.
            failure: Why it never became its program; None if it did.
        """
        self._mail.append((process_exited, watcher, (process, ended, leaves, report, failure)))

    def emptied(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Nothing is left of what the process started in its group."""
        self._mail.append((group_emptied, watcher, (process,)))

    def strayed(self, watcher: Watcher, strays: Iterable[Stray]) -> None:
        """These are the processes that the watcher's left behind outside its slots, all of them."""
        self._mail.append((take_strays, watcher, (tuple(strays),)))

    def answered(self, watcher: Watcher, token: int, refusal: str) -> None:
        """A hook has answered: "" for yes, otherwise why not."""
        self._mail.append((hook_answered, watcher, (token, refusal)))

    def connected(self, watcher: Watcher) -> None:
        """A client has connected to a socket of a watcher that waits for that."""
        self._mail.append((client_connected, watcher, ()))

    def pop(self) -> Fact | None:
        """Take the oldest fact out; None if there is none."""
        return self._mail.popleft() if self._mail else None


def process_exited(
    watcher: Watcher,
    ports: Ports,
    process: ManagedProcess,
    ended: Exit,
    leaves: bool,
    report: str,
    failure: Exception | None,
) -> None:
    """Record the end of a leader; see `Facts.exited`."""
    pid, wid, exit_code, places = process.pid, process.wid, ended.exit_code, watcher.places
    tell(watcher, ports, "before_reap", process_pid=pid)
    by_itself = process.state is ProcessState.RUNNING
    process.exit_code = exit_code
    if by_itself:
        by_client = bool(process.signalled) and exit_code == -process.signalled
        process.cause = SIGNALLED if by_client else EXIT
    cause, lost = process.cause, ended.status_lost
    places.last_death = Death(wid, pid, None if lost else exit_code, cause.text, ports.now())
    told = {"process_pid": pid, "exit_code": exit_code, "wid": wid}
    if lost:
        told["status_lost"] = True
    ports.events.publish(watcher, "reap", cause, **told)
    if watcher.is_abandoned:
        let_go(watcher, process, ports)
        return
    tell(watcher, ports, "after_reap", process_pid=pid, exit_code=exit_code)
    wanted = watcher.is_running and watcher.wants_to_run
    if exit_code in watcher.kind.useless_codes and wanted and by_itself:
        spawning.give_up(watcher, ports, report or f"exit code {exit_code}")
    remember_death(watcher, process, ports, by_itself, failure)
    places.has_run |= failure is None
    if wanted and by_itself and process.holds_place and not watcher.reason:
        spawning.became_program(watcher, process, ports, failure)
    if leaves:
        left_something(watcher, process, ports)
    else:
        let_go(watcher, process, ports)


def group_emptied(watcher: Watcher, ports: Ports, process: ManagedProcess) -> None:
    """Free the slot of a process of which nothing is left."""
    if process.state is ProcessState.LEFTOVER:
        let_go(watcher, process, ports)


def take_strays(watcher: Watcher, ports: Ports, strays: tuple[Stray, ...]) -> None:
    """Record what the watcher's processes left behind."""
    watcher.strays = strays


def client_connected(watcher: Watcher, ports: Ports) -> None:
    """Record that a client has connected."""
    if watcher.connection is not None:
        watcher.conditions.remove(watcher.connection)
        watcher.conditions.append(Connection(has_come=True))


def hook_answered(watcher: Watcher, ports: Ports, token: int, refusal: str) -> None:
    """Record a hook's answer, or act on it; one that is not awaited any more is dropped."""
    question = watcher.questions.pop(token, None)
    if question is None:
        return
    if watcher.gate is not None and watcher.gate.token == token:
        watcher.gate = watcher.gate._replace(answer=refusal)
    elif question.name in ANSWERED:
        ANSWERED[question.name](watcher, question, ports, refusal)


ANSWERED: dict[str, Callable[[Watcher, Question, Ports, str], None]] = {
    "before_spawn": spawning.before_spawn_answered,
    "after_spawn": spawning.after_spawn_answered,
    "before_signal": before_signal_answered,
}
"""What takes the answer of each hook that is asked about a process."""


# -- what a death means for the slot


def remember_death(
    watcher: Watcher,
    process: ManagedProcess,
    ports: Ports,
    by_itself: bool,
    failure: Exception | None,
) -> None:
    """Work out when its place may be filled again, if it leaves one."""
    places, options = watcher.places, watcher.options
    if not process.holds_place:
        places.backoffs.pop(process.wid, None)  # its place has gone to another slot
        return
    memory = places.backoff(process.wid)
    memory.cause = process.cause
    memory.is_respawn = by_itself and not process.stale and not watcher.one_shot
    if not by_itself:
        memory.ready_at = 0.0
        return
    now = ports.now()
    # What never became its program has not lived at all, though `min_uptime` may be 0.
    lived = now - process.spawned_at if failure is None else -1.0
    memory.died(lived, now, options, ports.clock.random())
    if memory.deaths and watcher.goal.up and options.respawn:
        spawning.announce(watcher, ports, process.cause, process.wid, memory.deaths, memory.delay)


def left_something(watcher: Watcher, process: ManagedProcess, ports: Ports) -> None:
    """Keep the slot until the group is empty, for `leftover_timeout` at most."""
    places = watcher.places
    kill_at = places.deadline(process, Purpose.KILL)
    places.ends(process, ProcessState.LEFTOVER)
    places.due(process, Purpose.KILL, None)
    now = ports.now()
    if process.killed:
        ports.signals.kill(process)
        places.due(process, Purpose.COMPLAIN, now + UNKILLABLE_TIMEOUT)
        return
    due_at = now + min(watcher.options.leftover_timeout, watcher.patience())
    places.due(process, Purpose.LEFTOVER_BY, due_at if kill_at is None else min(due_at, kill_at))
