"""Checking processes: the part of the desk of probes that most daemons never need.

Each check of each process has a record. What decides it depends on its kind: a line that comes by
itself (`notify`, `fd`, `log`), which is waited for from before the process starts; or runs, one
after the other (addresses and programs), each with its time. The core hears only when the verdict
on all checks of a family changes, subscribers when any check does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from cvec_circus import logger
from cvec_circus.core.facts import Extended, Probed
from cvec_circus.core.process import ManagedProcess, ProcessState
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.checks import Check, wants_watchdog
from cvec_circus.probes.connection import Result
from cvec_circus.probes.notify import microseconds, one_line, variables
from cvec_circus.probes.prober import Prober
from cvec_circus.probes.record import Record
from cvec_circus.stream.search import Sought
from cvec_circus.supervisor.probing.notices import Inbox, Notices
from cvec_circus.supervisor.probing.probe_programs import Programs
from cvec_circus.supervisor.probing.probe_runs import Runs, Surroundings, Watchdog, kind_of
from cvec_circus.supervisor.probing.probes import Around, Given
from cvec_circus.supervisor.probing.watched import Watched
from cvec_circus.system.handover import Handover, Inherited
from cvec_circus.wire.cause import LIVE, READY

LONGEST_EXTENSION = 3600.0
"""Seconds from now that a process can ask for at most."""

FD_BLOCK = 4096
MOST_IN_PIPE = 64 * 1024
"""Bytes that may come on `fd:N`. What comes after the newline is dropped: closing the pipe at once
would end a program by SIGPIPE that says one word too many."""

STOPPING = (ProcessState.STOPPING, ProcessState.KILLED)


class Checking:
    """Checks whether processes are ready, and whether they are alive. See `core.ports.Probes`.

    Owned by the supervisor thread, which waits for none of them.
    """

    def __init__(self, around: Around) -> None:
        loop = self._loop = around.loop
        self._facts, self._readers = around.facts, around.readers
        self._publish = around.publish
        self._now = loop.clock.monotonic
        prober = Prober(loop.clock, loop.post)
        programs = Programs(loop, around.readers, around.reaper)
        self._runs_with = Surroundings(loop, prober, programs, around.templates, around.variables)
        self.notices = Notices(loop, around.readers, around.identity, around.leader_of, self._heard)
        self._by_process: dict[ManagedProcess, Watched] = {}
        self._runs: dict[Record, Runs] = {}

    # -- the start of a process

    @contextmanager
    def prepare(self, watcher: Watcher, process: ManagedProcess) -> Iterator[Given]:
        """Return what a process gets that is started in this context.

        Raises:
            OSError: The system refused it a socket or a pipe.
            ValueError: The user of the process was not found.
        """
        self._drop(process)
        watched = Watched(watcher, process, watcher.options.ready, self._now())
        with ExitStack() as undone, ExitStack() as theirs:
            undone.callback(self._close, watched)
            yield self._given(watched, theirs)
            undone.pop_all()
        self._by_process[process] = watched

    def _given(self, watched: Watched, theirs: ExitStack) -> Given:
        watcher, env, places = watched.watcher, {}, {}
        live = wants_watchdog(watcher.options.live)
        if live or watched.of_kind("notify"):
            watched.inbox = self.notices.open(watcher, watched.process)
            watched.has_watchdog = live
            env = variables(watched.inbox.path, watcher.options.live_interval if live else None)
        for record in watched.of_kind("fd"):
            places[int(record.check.target)] = their = watched.new_pipe(record)
            theirs.callback(os.close, their)
        return Given(env, places, self._sought(watched))

    def hand_over(self, process: ManagedProcess, out: Handover) -> dict[str, Any] | None:
        """Hand the checks of a process to the program that is to be executed."""
        watched = self._by_process.get(process)
        return None if watched is None else watched.hand_over(out)

    def take_over(
        self,
        watcher: Watcher,
        process: ManagedProcess,
        inherited: Inherited,
        state: Mapping[str, Any],
    ) -> Sought | None:
        """Go on with the checks of a process: what it has said by itself holds still."""
        ready, pipes = watcher.options.ready, state["pipes"]
        checks = {name: ready[name] for name in ready if process.checked or name in pipes}
        watched = self._by_process[process] = Watched(watcher, process, checks, self._now())
        watched.has_watchdog, watched.status = state["has_watchdog"], state["status"]
        if state["inbox"] is not None:
            path, fd = state["inbox"]
            watched.inbox = self.notices.take_over(watcher, process, path, inherited.file(fd))
        there = {name: pipes[name] for name in pipes if name in ready}
        watched.pipes = {name: (inherited.file(fd), size) for name, (fd, size) in there.items()}
        self._have_come(watched, state["came"])
        return self._sought(watched)

    def _have_come(self, watched: Watched, came: Mapping[str, str]) -> None:
        """Take over what a process has said by itself: all of it, if it has been ready."""
        for record in watched.ready.values():
            answer = came.get(record.name, "it has held before" if watched.process.proved else None)
            if answer is not None and not record.check.asks:
                record.take(Result("", answer, 0.0), 1, self._now())
        watched.verdicts[False].look(watched.records(False))

    def interrupt(self) -> None:
        """Kill the programs that check just now; they say nothing, and are run again."""
        self._runs_with.programs.interrupt()

    def adopt(self, watcher: Watcher, process: ManagedProcess) -> Sought | None:
        """See `ProbeDesk.adopt`. Its `NOTIFY_SOCKET` is made anew where it was, and its pipe of an
        `fd:N` is opened again, unless it has closed that."""
        checks = watcher.options.ready if process.checked else {}
        watched = Watched(watcher, process, checks, self._now())
        if watched.of_kind("notify") or wants_watchdog(watcher.options.live):
            try:
                watched.inbox = self.notices.open(watcher, process)
                watched.has_watchdog = process.has_watchdog
            except (OSError, ValueError) as error:
                said = "%s: slot %d (pid %d) cannot be heard on NOTIFY_SOCKET: %s"
                logger.warning(said, watcher.name, process.wid, process.pid, error)
        if not process.proved:
            watched.reopen_pipes()
        self._by_process[process] = watched
        self._have_come(watched, {})
        return self._sought(watched)

    def _sought(self, watched: Watched) -> Sought | None:
        left = [one for one in watched.of_kind("log") if not one.holds]
        texts = {one.name: one.check.target.encode() for one in left}
        found = partial(self._loop.post, self._came, watched)
        return Sought(texts, found) if texts else None

    def watch(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Begin the checks of `ready` of a process that was spawned just now."""
        watched = self._by_process.get(process)
        if watched is None:
            ready = watcher.options.ready
            watched = self._by_process[process] = Watched(watcher, process, ready, self._now())
        watched.is_begun = True
        for name, (fd, _) in watched.pipes.items():
            try:
                self._readers.add(fd, partial(self._read_pipe, watched, name))
            except OSError as error:
                text = f"cannot be read: {error.strerror}"
                watched.ready[name].take(Result("", text, 0.0, True), 1, self._now())
        for record in watched.ready.values():
            self._begin_runs(watched, record)
        if process.unready and watched.verdicts[False].is_good and not watcher.options.live:
            self._facts.append(Probed(watcher, process, False, ""))  # none is left that asks

    def proved(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Begin its checks of `live` too, as it has been ready; or take over what is new of them,
        if they have begun."""
        watched = self._by_process.get(process)
        if watched is None:
            watched = self._by_process[process] = Watched(watcher, process, {}, self._now())
        watched.is_begun = True
        live, now = watched.live, self._now()
        wanted: Mapping[str, Check] = watcher.options.live
        for name, record in list(live.items()):
            if wanted.get(name) != record.check:
                del live[name]
                self._end_runs(record)
        watched.live = {n: live.get(n) or Record("live", n, wanted[n], now) for n in wanted}
        for record in watched.live.values():
            runs = self._runs.get(record)
            if runs is None:
                self._begin_runs(watched, record)
            else:
                runs.retime()
        self._judge(watched, True)

    # -- the end

    def release(self, watcher: Watcher, process: ManagedProcess) -> None:
        """End all checks of a process, which is being stopped or has ended.

        While it is being stopped it may still ask for more time.
        """
        watched = self._by_process.get(process)
        if watched is None:
            return
        inbox = watched.inbox
        is_stopping = process.state in STOPPING and process.exit_code is None
        if is_stopping and inbox is not None:
            watched.inbox = None
            self._close(watched)
            watched.inbox = inbox
        else:
            self._drop(process)

    def forget(self, watcher: Watcher) -> None:
        """Let go of the processes of a watcher that is gone for good; it may be called twice."""
        for watched in self._of(watcher):
            self._drop(watched.process)

    def _of(self, watcher: Watcher) -> list[Watched]:
        return [one for one in self._by_process.values() if one.watcher is watcher]

    def _drop(self, process: ManagedProcess) -> None:
        watched = self._by_process.pop(process, None)
        if watched is not None:
            self._close(watched)

    def _close(self, watched: Watched) -> None:
        watched.is_begun = False
        for record in (*watched.ready.values(), *watched.live.values()):
            self._end_runs(record)
        for name in list(watched.pipes):
            self._close_pipe(watched, name)
        if watched.inbox is not None:
            self.notices.close(watched.inbox)
            watched.inbox = None

    def end(self, timeout: float) -> bool:
        """See `ProbeDesk.end`."""
        self._runs_with.prober.stop()
        return self._runs_with.prober.join(timeout)

    def close(self) -> None:
        """Let go of everything, after the loop has ended."""
        for process in list(self._by_process):
            self._drop(process)
        self._runs_with.programs.close()
        self.notices.close_all()
        self._runs_with.prober.stop()

    # -- what comes

    def _begin_runs(self, watched: Watched, record: Record) -> None:
        kind = kind_of(record)
        if kind is not None:
            runs = self._runs[record] = kind(self._runs_with, watched, record, self._take)
            runs.begin()

    def _end_runs(self, record: Record) -> None:
        runs = self._runs.pop(record, None)
        if runs is not None:
            runs.end()

    def _take(self, watched: Watched, record: Record, result: Result) -> None:
        """Take what a run has come to, and report what that changes."""
        is_live = record.family == "live"
        threshold = watched.watcher.options.live_failures if is_live else 1
        if record.take(result, threshold, self._now()) and watched.is_begun:
            about = {"process_pid": watched.process.pid, "wid": watched.process.wid}
            cause = LIVE if is_live else READY
            self._publish(watched.watcher, "check", cause, **about, **record.change(self._now()))
        self._judge(watched, is_live)

    def _judge(self, watched: Watched, is_live: bool) -> None:
        news = watched.verdicts[is_live].look(watched.records(is_live))
        if news == "":
            other, is_doubted = watched.verdicts[not is_live], watched.process.doubted
            if other.trouble:
                is_live, news = not is_live, other.trouble  # not well before both families are
            elif other.is_good is None and watched.records(not is_live):
                news = "" if is_doubted and not is_live else None  # adopted: not known yet
            elif is_doubted:
                is_live = bool(watched.verdicts[True].is_good)
        if news is not None and watched.is_begun:
            well_for = watched.verdicts[is_live].well_for
            self._facts.append(Probed(watched.watcher, watched.process, is_live, news, well_for))

    def _came(self, watched: Watched, name: str, answer: str = "") -> None:
        """A process has said by itself that a check holds: it stays so."""
        record = watched.ready[name]
        if watched.is_begun and record.holds is None:
            said = answer or f"a line with {record.check.target!r} came"
            self._take(watched, record, Result("", said, self._now() - record.since))

    def _read_pipe(self, watched: Watched, name: str) -> None:
        fd, size = watched.pipes[name]
        try:
            block = os.read(fd, FD_BLOCK)
        except BlockingIOError:
            return
        size += len(block)
        watched.pipes[name] = fd, size
        record = watched.ready[name]
        if b"\n" in block:
            self._came(watched, name, "a newline came")
        if not block or size > MOST_IN_PIPE:
            self._close_pipe(watched, name)
            if record.holds is None:
                what = "was closed" if not block else f"had {MOST_IN_PIPE} bytes"
                text = f"file descriptor {record.check.target} {what} without a newline"
                self._take(watched, record, Result(text, text, 0.0))

    def _close_pipe(self, watched: Watched, name: str) -> None:
        fd, _ = watched.pipes.pop(name)
        self._readers.remove(fd)
        os.close(fd)

    def _heard(self, inbox: Inbox, fields: dict[str, str]) -> None:
        """Take what a process has said of itself."""
        watched = self._by_process.get(inbox.process)
        if watched is None or watched.inbox is not inbox:
            return
        if "STATUS" in fields:
            watched.status = one_line(fields["STATUS"])
        if "EXTEND_TIMEOUT_USEC" in fields:
            self._extend(watched, inbox, fields["EXTEND_TIMEOUT_USEC"])
        if fields.get("FDSTORE") == "1":
            inbox.tell_once("fdstore", "sends files to be stored, which is not supported")
        if fields.get("WATCHDOG") == "1":
            watched.pinged_at = self._now()  # its checks of live may begin with this very message
        for record in watched.of_kind("notify"):  # shown also of one that stops
            self._heard_ready(watched, record, fields)
        if not watched.is_begun:
            return
        for record in watched.live.values() if "WATCHDOG" in fields else ():
            runs = self._runs[record]
            if isinstance(runs, Watchdog):
                runs.heard(fields["WATCHDOG"])

    def _extend(self, watched: Watched, inbox: Inbox, value: str) -> None:
        seconds = microseconds(value, LONGEST_EXTENSION)
        if seconds is None:
            inbox.tell_once("extension", "sends an EXTEND_TIMEOUT_USEC that is not a number")
        else:
            self._facts.append(Extended(watched.watcher, watched.process, seconds))

    def _heard_ready(self, watched: Watched, record: Record, fields: dict[str, str]) -> None:
        said = [_shown(name, fields[name]) for name in SHOWN if name in fields]
        if fields.get("READY") == "1":
            self._came(watched, record.name, "READY=1")
        if said:
            record.answer = ", ".join(said)

    # -- what people see

    def unmet(self, process: ManagedProcess) -> str:
        """Say which check of `ready` does not hold, and what it last answered."""
        watched = self._by_process.get(process)
        records = [] if watched is None else watched.records(False)
        return next((one.unmet for one in records if not one.holds), "")

    def details(self, process: ManagedProcess) -> list[dict[str, Any]]:
        """Return a row for each check of a process, in JSON's types."""
        watched = self._by_process.get(process)
        if watched is None:
            return []
        now, rows = self._now(), []
        for record in (*watched.records(False), *watched.records(True)):
            if record in self._runs:
                self._runs[record].refresh()
            rows.append(record.row(now))
        return rows

    def status(self, process: ManagedProcess) -> str:
        """Return what a process has said of itself last, "" for nothing."""
        watched = self._by_process.get(process)
        return "" if watched is None else watched.status


SHOWN = ("READY", "STATUS", "RELOADING", "STOPPING", "ERRNO")
"""What is shown of a notification."""


def _shown(name: str, value: str) -> str:
    """Return a field of a notification for people; a blank that makes it another value, too."""
    shown = one_line(value)
    return f"{name}={shown}" if name == "STATUS" or shown == value else f"{name}={value[:40]!r}"
