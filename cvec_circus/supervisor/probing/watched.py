"""What the desk of probes keeps of each process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from cvec_circus import logger
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.checks import Check
from cvec_circus.probes.record import Record, Verdict
from cvec_circus.supervisor.probing.notices import Inbox
from cvec_circus.system import files, pipes
from cvec_circus.system.handover import Handover


class Watched:
    """The checks of one process. Owned by the supervisor thread.

    Attributes:
        is_begun: Whether the process has been spawned.
        live: Its checks of `live`, since it was proved.
        pipes: The read ends of its `fd:N` by the names of their checks, with what came so far.
        has_watchdog: Whether it was told at its start to say WATCHDOG=1.
        status: What it has said of itself last.
        pinged_at: When it has said WATCHDOG=1 last; None before that.
    """

    def __init__(
        self, watcher: Watcher, process: ManagedProcess, checks: Mapping[str, Check], now: float
    ) -> None:
        self.watcher, self.process = watcher, process
        self.ready = {n: Record("ready", n, check, now) for n, check in checks.items()}
        self.live: dict[str, Record] = {}
        self.ready_interval: float = watcher.options.ready_interval
        was_unready = process.proved and bool(process.unready)  # when it was adopted
        self.verdicts = {
            False: Verdict(process.proved, was_unready),
            True: Verdict(True, process.doubted or was_unready),
        }
        self.is_begun = False
        self.pipes: dict[str, tuple[int, int]] = {}
        self.inbox: Inbox | None = None
        self.has_watchdog = False
        self.pinged_at: float | None = None
        self.status = ""

    def new_pipe(self, record: Record) -> int:
        """Make the pipe of an `fd:N`; return the end of the process.

        Raises:
            OSError: There is no file left.
        """
        ours, their = os.pipe2(os.O_CLOEXEC)
        self.pipes[record.name] = files.moved_up(ours), 0
        try:
            os.set_blocking(self.pipes[record.name][0], False)
            return pipes.lasting(their)
        except OSError:
            os.close(their)
            raise

    def reopen_pipes(self) -> None:
        """Open the pipes of `fd:N` again that the process has from an earlier daemon."""
        for record in self.of_kind("fd"):
            pid, number = self.process.pid, record.check.target
            try:
                inode = pipes.inode_of(pid, int(number))
                fd = pipes.reopen(pid, number, inode) if inode else None
            except OSError as error:
                said = "%s: slot %d (pid %d) cannot be heard on file descriptor %s: %s"
                logger.warning(said, self.watcher.name, self.process.wid, pid, number, error)
                continue
            if fd is not None:
                self.pipes[record.name] = fd, 0

    def hand_over(self, out: Handover) -> dict[str, Any]:
        """Hand what it was given, and what it has said, to the program that is to be executed."""
        inbox = self.inbox
        return {
            "inbox": None if inbox is None else [inbox.path, out.file(inbox.fd)],
            "pipes": {name: [out.file(fd), size] for name, (fd, size) in self.pipes.items()},
            "came": {n: r.answer for n, r in self.ready.items() if r.holds and r.took is not None},
            "has_watchdog": self.has_watchdog,
            "status": self.status,
        }

    def records(self, is_live: bool) -> list[Record]:
        """Return the records of a family."""
        return list((self.live if is_live else self.ready).values())

    def of_kind(self, kind: str) -> list[Record]:
        """Return the records of `ready` of a kind."""
        return [one for one in self.ready.values() if one.check.kind == kind]
