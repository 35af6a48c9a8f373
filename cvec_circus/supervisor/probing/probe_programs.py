"""Programs that check processes: started, read, killed in time, collected, never waited for."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable

from cvec_circus import logger
from cvec_circus.base.figures import first_of
from cvec_circus.base.loop import Loop
from cvec_circus.base.named import NamedTuple
from cvec_circus.base.readers import Readers
from cvec_circus.base.timers import Timer
from cvec_circus.core.spawning import is_shortage
from cvec_circus.probes.connection import Result
from cvec_circus.probes.notify import one_line
from cvec_circus.supervisor.ending.reaper import Reaper
from cvec_circus.system.collecting import Exit
from cvec_circus.system.launch import REPORT_SIZE, LaunchSpec, explain, launch
from cvec_circus.system.signals import to_name

MOST = 32
"""How many run at a time; the others begin when one has ended."""

MOST_OF_ONE = 8
"""How many of these for one watcher: when its programs hang, those of others go on."""

MOST_LEFT = 8
"""How many processes the programs of one watcher may leave outside their groups: then no other one
runs until some of these have ended."""

BLOCK = 64 * 1024
SHOWN = 3
"""How many of them are named."""

TAIL = 4096
"""How many of the last bytes of output are kept."""

MOST_OUTPUT = 1 << 20
"""Bytes of output that a program may write before it is killed."""

END_TIMEOUT = 0.5
"""Seconds that the end of the daemon waits for a program that it has killed."""


class Order(NamedTuple):
    """What is to be run. Immutable."""

    owner: str  # the name of the watcher
    spec: Callable[[], LaunchSpec]  # raises OSError or ValueError
    timeout: float
    done: Callable[[Result], object]
    over: Callable[[], object]  # called when nothing of it is left


class ProgramRun:
    """One run of a program. Owned by the supervisor thread.

    Attributes:
        order: What is run.
        is_over: Whether nothing of it is left.
        has_answered: Whether its result was given: at its end, or when its time was up.
    """

    def __init__(self, programs: Programs, order: Order) -> None:
        self._programs, self.order = programs, order
        self.is_over = self.has_answered = False
        self.pid = 0
        self.began = 0.0
        self.fd = self.report_fd = -1
        self.spec = LaunchSpec(())
        self.tail = b""
        self.read = 0
        self.timer: Timer | None = None

    def cancel(self) -> None:
        """Kill it; its result is not given any more."""
        self.has_answered = True
        self._programs.kill(self)

    def answer(self, failure: str, answer: str = "", is_void: bool = False) -> None:
        """Give the result, once."""
        if not self.has_answered:
            self.has_answered = True
            took = self._programs.now() - self.began if self.began else 0.0
            self.order.done(Result(failure, answer or failure, took, is_void))


class Programs:
    """Runs programs that check processes. Owned by the supervisor thread."""

    def __init__(self, loop: Loop, readers: Readers, reaper: Reaper) -> None:
        self._loop, self._readers, self._reaper = loop, readers, reaper
        self.now = loop.clock.monotonic
        self._running: set[ProgramRun] = set()
        self._waiting: dict[str, deque[ProgramRun]] = {}  # by the owner whose turn is longest ago
        self._counts: Counter[str] = Counter()  # of those that run, by owner
        self._full: set[str] = set()  # the owners that have left too many, which was said

    def begin(self, order: Order) -> ProgramRun:
        """Run a program soon; its result is given in a later turn."""
        run = ProgramRun(self, order)
        self._waiting.setdefault(order.owner, deque()).append(run)
        self._loop.post(self._go_on)
        return run

    def _go_on(self) -> None:
        while len(self._running) < MOST and (run := self._next()) is not None:
            if not run.has_answered:
                self._start(run)

    def _next(self) -> ProgramRun | None:
        """Take the next one out of those that wait, from one owner after the other."""
        for owner, waiting in self._waiting.items():
            if self._counts[owner] < MOST_OF_ONE:
                del self._waiting[owner]
                run = waiting.popleft()
                if waiting:
                    self._waiting[owner] = waiting
                return run
        return None

    def _start(self, run: ProgramRun) -> None:
        run.began = self.now()
        if left := self._left_behind(run.order.owner):
            run.is_over = True
            run.order.over()
            run.answer("", f"cannot check: {left}", is_void=True)
            return
        try:
            self._launch(run)
        except (OSError, ValueError, MemoryError) as error:
            run.is_over = True
            run.order.over()
            is_void = is_shortage(error)
            text = one_line(getattr(error, "strerror", None) or str(error) or "no memory")
            run.answer(
                "" if is_void else text, f"cannot check: {text}" if is_void else text, is_void
            )

    def _left_behind(self, owner: str) -> str:
        """Say which processes earlier programs of a watcher have left, if these are too many."""
        left = self._reaper.left_by_checks(owner)
        if len(left) < MOST_LEFT:
            self._full.discard(owner)
            return ""
        named = first_of(left, SHOWN)
        text = f"earlier runs have left {len(left)} processes behind: {named}"
        if owner not in self._full:
            self._full.add(owner)
            logger.warning("%s: its checks run no program: %s", owner, text)
        return text

    def _launch(self, run: ProgramRun) -> None:
        spec = run.order.spec()
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        try:
            os.set_blocking(ours, False)
            run.spec = spec._replace(stdout=theirs, stderr=theirs)
            launched = launch(run.spec)
            run.pid = launched.pid
            run.report_fd = -1 if launched.report_fd is None else launched.report_fd
            self._reaper.attend(run.pid, lambda ended: self._ended(run, ended))
            self._readers.add(ours, lambda: self._read(run))
        except BaseException:
            self._reaper.kill_attended(run.pid)
            os.close(ours)
            if run.report_fd >= 0:
                os.close(run.report_fd)
                run.report_fd = -1
            raise
        finally:
            os.close(theirs)
        run.fd = ours
        self._running.add(run)
        self._counts[run.order.owner] += 1
        run.timer = self._loop.call_later(run.order.timeout, self._time_out, run)

    def _read(self, run: ProgramRun) -> bool:
        """Read a block of output; return whether there may be more."""
        try:
            block = os.read(run.fd, BLOCK)
        except BlockingIOError:
            return False
        if not block:
            self._close_output(run)
            return False
        run.read += len(block)
        run.tail = (run.tail + block)[-TAIL:]
        if run.read > MOST_OUTPUT:
            self._close_output(run)
            self._kill(run, f"it wrote more than {MOST_OUTPUT >> 20} MiB and was killed")
            return False
        return True

    def _close_output(self, run: ProgramRun) -> None:
        if run.fd >= 0:
            self._readers.remove(run.fd)
            os.close(run.fd)
            run.fd = -1

    def _time_out(self, run: ProgramRun) -> None:
        said = self._last_line(run)
        text = f"no exit within {run.order.timeout:g} s, so it was killed"
        self._kill(run, f"{text}; it said: {said}" if said else text)

    def _kill(self, run: ProgramRun, why: str) -> None:
        self._reaper.kill_attended(run.pid)
        run.answer(why)

    def kill(self, run: ProgramRun) -> None:
        """End a run at once, with its whole group."""
        if run.pid:
            self._reaper.kill_attended(run.pid)

    def interrupt(self) -> None:
        """End all runs at once; none of them means anything."""
        for run in list(self._running):
            run.answer("", "interrupted", is_void=True)
            self.kill(run)

    def _ended(self, run: ProgramRun, ended: Exit) -> None:
        """It has been collected, and nothing is left in its group."""
        if run.is_over:
            return  # it could not be read, and was given up at its start
        run.is_over = True
        if run in self._running:
            self._running.remove(run)
            self._counts[run.order.owner] -= 1
            self._counts += Counter()  # forgets owners of none
        if run.timer is not None:
            run.timer.cancel()
        for _ in range(MOST_OUTPUT // BLOCK):
            if run.fd < 0 or not self._read(run):
                break
        self._close_output(run)
        run.order.over()
        failure, answer = self._judge(run, ended)
        run.answer(failure, answer, is_void=ended.status_lost)
        self._go_on()

    def _judge(self, run: ProgramRun, ended: Exit) -> tuple[str, str]:
        """Return the failure of a program that has ended, "" for none, and its answer."""
        if run.report_fd >= 0:
            try:
                failed, _ = explain(run.spec, os.read(run.report_fd, REPORT_SIZE))
            finally:
                os.close(run.report_fd)
                run.report_fd = -1
            if failed is not None:
                return str(failed), str(failed)
        code, said = ended.exit_code, self._last_line(run)
        how = f"killed by SIG{to_name(-code)}" if code < 0 else f"exit code {code}"
        if ended.status_lost:
            how = "other code in this program collected its exit code"
        text = f"{how}: {said}" if said else how
        return ("", text) if not code else (text, text)

    def _last_line(self, run: ProgramRun) -> str:
        lines = run.tail.decode("utf-8", "replace").splitlines()
        return next((line for one in reversed(lines) if (line := one_line(one))), "")

    def close(self) -> None:
        """Kill what runs, after the loop has ended, and collect it."""
        self._waiting.clear()
        for run in list(self._running):
            run.has_answered = True
            self._close_output(run)
            if run.report_fd >= 0:
                os.close(run.report_fd)
                run.report_fd = -1
            self._reaper.end_attended(run.pid, END_TIMEOUT)
        self._running.clear()
