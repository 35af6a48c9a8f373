"""An upgrade in place: another Python, or another version, goes on in this very process.

=========  ==========================================  ==========================================
stage      what happens                                what comes next
=========  ==========================================  ==========================================
IDLE       nothing                                     a client asks → TRYING
TRYING     the new program reads a copy of the state,  it says yes → SETTLING · it says no, fails
           in a child; everything else goes on         or takes too long → IDLE
SETTLING   what is under way may end: hooks, starts,   all of it has ended → LEAVING · it takes
           a reloadconfig; each pump has to answer     too long → IDLE
LEAVING    the pumps have ended, their pipes are       nothing is under way → exec · else back to
           here; one more turn takes what they told    SETTLING
=========  ==========================================  ==========================================

From each of them the end of the daemon leads to IDLE, and so does an exec that fails: until it has
succeeded, nothing is closed, and this program can go on.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from cvec_circus import exc, logger
from cvec_circus.base.patterns import regex
from cvec_circus.core.process import ProcessState
from cvec_circus.stream.output import Pipe
from cvec_circus.supervisor.probing.probe_programs import Order, ProgramRun, Programs
from cvec_circus.supervisor.survival.handing import state_of
from cvec_circus.system import pidfd
from cvec_circus.system.handover import Handover
from cvec_circus.system.launch import LaunchSpec
from cvec_circus.wire.cause import Cause

if TYPE_CHECKING:
    from cvec_circus.commands.target import Answer
    from cvec_circus.probes.connection import Result
    from cvec_circus.supervisor.supervisor import Supervisor

TRIAL_TIMEOUT = 10.0
"""Seconds in which the new program has to say yes."""

SETTLE_TIMEOUT = 10.0
"""Seconds for hooks, and whatever else is under way."""

PUMPS_TIMEOUT = 2.0
"""Seconds for what the pumps write just then: each of them has answered a moment before."""

AGREED = "cvec_circus {} on Python {}"
"""The last line of a trial that says yes, with both versions. Other programs end with 0 as well."""

_AGREED = regex(AGREED.format(r"\S+", r"\S+") + "$")

UPGRADED = (
    "the daemon was upgraded before it could answer; an order is carried out all the same, and a "
    "question can be asked again"
)

Fields = dict[str, Any]


class Stage(enum.Enum):
    """How far an upgrade has come: see the table. Immutable."""

    IDLE = "idle"
    TRYING = "trying"
    SETTLING = "settling"
    LEAVING = "leaving"


class Succession(Protocol):
    """What the daemon's main program knows: how to become another one. On the main thread."""

    def find(self, python: str | None) -> str:
        """Return the path of the interpreter; raise CircusError if there is none."""

    def document(self, out: Handover) -> Fields:
        """Return its own part of the document."""

    def trial(self, python: str, fd: int) -> LaunchSpec:
        """Return what starts the new program for a look at a document."""

    def settle(self, then: Callable[[], object]) -> None:
        """Call `then`, on any thread, when what was logged is written."""

    def become(self, python: str, fd: int, files: list[int]) -> None:
        """Execute the new program with a document and its files; everything is as before if it
        returns, which it does by an exception only."""


class Upgrade:
    """Upgrades the daemon. Owned by the supervisor thread, which must be the main thread.

    Args:
        supervisor: The daemon's.
        succession: How to become another program.
    """

    def __init__(self, supervisor: Supervisor, succession: Succession) -> None:
        desks = supervisor.desks
        self._supervisor, self._succession = supervisor, succession
        self._desks, self._loop = desks, desks.loop
        self._programs = Programs(desks.loop, desks.readers, desks.endings.reaper)
        self._stage = Stage.IDLE
        self._round = 0  # tells timers and answers of this upgrade from those of earlier ones
        self._left = 0  # how many threads have not answered
        self._pipes: list[Pipe] = []
        self._python = ""
        self._cause = Cause("command:upgrade")
        self._answer: Answer
        self._trial: ProgramRun
        desks.loop.each_turn(self._look)
        desks.closers.callback(self._programs.close)

    def ask(self, props: Fields, answer: Answer) -> None:
        """Upgrade, and let the new program answer; or answer why not.

        Raises:
            CircusError: That is not possible now.
        """
        if self._stage is not Stage.IDLE:
            raise exc.CircusError("an upgrade is under way already")
        if not pidfd.is_usable():
            raise exc.CircusError("an upgrade needs pidfds, and this kernel has none (Linux 5.3)")
        python = self._succession.find(props["python"])
        out = Handover()
        try:
            fd = out.write(self._document([], out, answer))
        except OSError as error:
            reason = f"the state of the daemon cannot be handed over: {error.strerror}"
            raise exc.CircusError(reason) from error
        self._answer, self._python = answer, python
        self._cause = answer.cause("command:upgrade", props["reason"])
        self._round += 1
        self._stage = Stage.TRYING
        spec = partial(self._succession.trial, python, fd)
        done, over = partial(self._tried, self._round), partial(os.close, fd)
        self._trial = self._programs.begin(Order("upgrade", spec, TRIAL_TIMEOUT, done, over))

    def _document(self, pipes: list[Pipe], out: Handover, answer: Answer) -> Fields:
        supervisor = self._supervisor
        owed = getattr(answer, "hand_over", None)
        return {
            **state_of(self._desks, supervisor.loaded, pipes, out),
            **self._succession.document(out),
            "started_at": supervisor.target.started_at,
            "asked": {
                "cause": list(self._cause),
                "reply": None if owed is None else owed(),
                "at": self._loop.clock.monotonic(),
            },
        }

    def _tried(self, number: int, result: Result) -> None:
        """The new program has looked at the state."""
        if number != self._round or self._stage is not Stage.TRYING:
            return
        if result.is_void:  # no memory, no process, no file: it says nothing of the program
            why = result.answer.removeprefix("cannot check: ") or "its exit code is unknown"
            self._refuse(f"{self._python} cannot be tried: {why}")
            return
        if result.failure:
            self._refuse(f"{self._python} cannot take over: {result.failure}")
            return
        if _AGREED.search(result.answer) is None:
            why = f"it is not a Python with cvec_circus ({result.answer})"
            self._refuse(f"{self._python} cannot take over: {why}")
            return
        logger.info("upgrading%s to %s", self._cause.sentence, self._python)
        self._loop.call_later(SETTLE_TIMEOUT, self._give_up, self._round)
        self._settle()

    def _settle(self) -> None:
        """Let each thread that writes answer, and look in each turn at what else is under way."""
        self._stage = Stage.SETTLING
        self._left = 2
        reached = partial(self._loop.post, self._reached, self._round)
        self._desks.outputs.pumps.reach(reached)
        self._succession.settle(reached)

    def _reached(self, number: int) -> None:
        if number == self._round:
            self._left -= 1

    def _give_up(self, number: int) -> None:
        if number == self._round and self._stage is not Stage.IDLE:
            why = self._under_way() or "it comes to no rest"
            self._refuse(f"not upgraded, because within {SETTLE_TIMEOUT:g} s {why}")

    def _under_way(self) -> str:
        """Say what has to end first, to follow a time; "" if there is nothing."""
        desks, supervisor = self._desks, self._supervisor
        if hook := desks.hooks.busy():
            return f"{hook} has not answered"
        if self._left:
            return "a thread that writes output, or the log, has not answered"
        if name := desks.reports.awaited():
            return f"a process of {name} has not become its program"
        if supervisor.awaits_names:
            return "names of users have not been looked up"
        reloading = supervisor.target.reloading
        if reloading is not None and not reloading.is_idle:
            return "a reloadconfig is not done"
        for watcher in supervisor.roster.all_watchers():
            if any(p.state is ProcessState.LEFTOVER for p in watcher.places.slots.values()):
                return f"what processes of {watcher.name} have left has not ended"
        return "news of processes come without end" if desks.facts else ""

    def _look(self) -> bool:
        """Go on at the end of a turn; return whether the next turn is to come at once."""
        if self._stage is Stage.IDLE:
            return False
        if self._supervisor.shutdown.begun:
            self._refuse("the daemon is stopping")
            return False
        if self._stage is Stage.TRYING or self._under_way():
            if self._stage is Stage.LEAVING:
                self._desks.outputs.go_on(self._take_pipes())
                self._settle()
            return False
        if self._stage is Stage.SETTLING:
            pipes = self._desks.outputs.surrender(PUMPS_TIMEOUT)
            if pipes is None:
                self._refuse("a thread that writes output hangs")
                return False
            self._pipes = pipes
            self._stage = Stage.LEAVING
            return True
        self._leave()
        return False

    def _leave(self) -> None:
        """Become the other program."""
        desks = self._desks
        desks.probes.interrupt()
        with desks.control.refusing():
            desks.waits.refuse_all(UPGRADED, self._loop.post)
            desks.sampler.refuse_all(UPGRADED, self._loop.post)
        desks.outputs.dismiss()
        desks.bookkeeper.flush()
        out, fd = Handover(), -1
        try:
            fd = out.write(self._document(self._pipes, out, self._answer))
            self._succession.become(self._python, fd, out.files)
        except Exception as error:
            if fd >= 0:
                os.close(fd)
            is_plain = isinstance(error, (exc.CircusError, OSError, MemoryError))
            if not is_plain:
                logger.error("the upgrade failed", exc_info=error)
            text = getattr(error, "strerror", None) or str(error) or "no memory"
            self._refuse(f"{self._python} cannot be executed: {text}")

    def _take_pipes(self) -> list[Pipe]:
        pipes, self._pipes = self._pipes, []
        return pipes

    def _refuse(self, reason: str) -> None:
        """Go on as before."""
        if self._stage is Stage.LEAVING:
            self._desks.outputs.go_on(self._take_pipes())
        elif self._stage is Stage.TRYING:
            self._trial.cancel()
        self._stage = Stage.IDLE
        self._round += 1
        logger.warning("no upgrade: %s", reason)
        self._answer.fail(f"{reason}; the daemon goes on as it was")
