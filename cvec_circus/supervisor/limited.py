"""Processes that start with resource limits: what they say when they cannot."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.core.process import ManagedProcess
from cvec_circus.supervisor.launching import MARK
from cvec_circus.system import rlimits
from cvec_circus.system.launch import LaunchError, LaunchSpec, launch

REPORT_SIZE = 4096


@contextmanager
def _file_of(spec: LaunchSpec) -> Iterator[int]:
    """A file with the environment of a child, which has no name, and is closed in the end.

    Raises:
        ValueError: No program can have it.
    """
    try:
        content = rlimits.packed(spec.env)
    except ValueError as error:
        raise ValueError(f"cannot run {spec.executable or spec.argv[0]!r}: {error}") from error
    number = os.memfd_create("cvec_circus-environment", os.MFD_CLOEXEC)
    with open(number, "wb") as file:
        file.write(content)
        file.flush()
        yield number


class LimitedLaunches:
    """Launches processes with limits, and listens until they are what they are to be.

    Owned by the supervisor thread, which never waits for one: setting limits takes a Python of its
    own, some 15 ms, in the child.

    Args:
        loop: The supervisor's loop.
    """

    def __init__(self, loop: Loop) -> None:
        self._epoll = select.epoll()
        self._open: dict[int, tuple[ManagedProcess, LaunchSpec]] = {}
        self._reports: dict[ManagedProcess, int] = {}
        self._failed: dict[ManagedProcess, LaunchError] = {}
        self._told: set[tuple[str, str]] = set()
        loop.add_reader(self._epoll, self._see)

    def launch(
        self,
        process: ManagedProcess,
        spec: LaunchSpec,
        limits: Mapping[str, int],
        listen: Sequence[int] = (),
    ) -> int:
        """Starts a child, and returns its pid. See `system.launch.launch`."""
        own = {**os.environ, **{name: spec.env[name] for name in (MARK,) if name in spec.env}}
        with _file_of(spec) as variables:
            ours, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                self._epoll.register(ours, select.EPOLLIN)
                pid = launch(rlimits.limited(spec, limits, theirs, variables, own, listen))
            except BaseException:
                os.close(ours)  # which nobody else has, so the epoll forgets it
                raise
            finally:
                os.close(theirs)
        self._open[ours] = (process, spec)
        self._reports[process] = ours
        return pid

    def _see(self) -> None:
        for fd, _ in self._epoll.poll(0):
            self._read(fd)

    def _read(self, fd: int) -> None:
        """Takes what there is. It is written at once and is shorter than a page."""
        process, spec = self._open.pop(fd)
        self._reports.pop(process, None)
        self._epoll.unregister(fd)
        report = b""
        try:
            report = os.read(fd, REPORT_SIZE)
        finally:
            os.close(fd)
        failed, remarks = rlimits.failure(spec, report)
        if failed is not None:
            self._failed[process] = failed
        for remark in remarks:
            if (process.name, remark) not in self._told:
                self._told.add((process.name, remark))
                logger.warning("%s: %s", process.name, remark)

    def failure(self, process: ManagedProcess) -> LaunchError | None:
        """Returns why a process that has ended never became its program, None if it did."""
        if process in self._reports:
            self._read(self._reports[process])
        return self._failed.pop(process, None)

    def close(self) -> None:
        """Listens no more. After the loop has been closed."""
        for fd in self._open:
            os.close(fd)
        self._open.clear()
        self._epoll.close()
