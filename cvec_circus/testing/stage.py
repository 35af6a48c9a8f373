"""The environment of a test: the arbiter, plugins beside it, and the check for leftovers."""

from __future__ import annotations

import gc
import logging
import os
import select
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cvec_circus import logger
from cvec_circus.base.clock import SYSTEM
from cvec_circus.client import CircusClient
from cvec_circus.client.feed.sequence import EventSequence
from cvec_circus.embedding.threaded import ThreadedArbiter
from cvec_circus.runtime.plugin import CircusPlugin, require_handle_recv
from cvec_circus.system import proctable
from cvec_circus.wire.progress import DELIVERED

POLL_DELAY = 0.005

Later = Callable[..., Any]

Names = dict[object, str]
"""Names of resources, keyed by what identifies each while it exists."""


def eventually(predicate: Callable[[], object], timeout: float) -> bool:
    """Wait for a condition, `timeout` seconds at most, and tell whether it is true."""
    deadline = SYSTEM.monotonic() + timeout
    while not predicate():
        if SYSTEM.monotonic() > deadline:
            return False
        select.select([], [], [], POLL_DELAY)
    return True


class Stage:
    """A running arbiter with everything a test needs around it. Owned by the test's thread."""

    def __init__(
        self,
        timeout: float,
        leak_timeout: float,
        later: Later,
        make: Callable[[str, str], ThreadedArbiter],
    ) -> None:
        """Set it up.

        Args:
            timeout: Seconds for the start of everything, and for the client's calls.
            leak_timeout: Seconds for leftovers to go away at the end.
            later: Registers a function to call at the end, last one first.
            make: Makes the arbiter, from its two endpoints.
        """
        # A short name, because addresses of unix sockets have room for 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="circus-"))
        later(shutil.rmtree, self.folder, ignore_errors=True)
        self._temporary = self.folder / "tmp"
        self._temporary.mkdir()
        gc.collect()
        self._before = [(look, look()) for look in (_threads, _files, _children)]
        later(self._assert_nothing_left, leak_timeout)
        self._divert(later)
        endpoints = [f"ipc://{self._temporary}/{name}" for name in ("control", "events")]
        self.arbiter = make(*endpoints)
        started = threading.Event()
        self.arbiter.start(cb=lambda outcome: started.set())
        later(self.arbiter.stop)
        if not started.wait(timeout):
            raise AssertionError(f"the arbiter has not started everything within {timeout:g} s")
        self.client = CircusClient(endpoint=self.arbiter.endpoint, timeout=timeout)
        later(self.client.stop)

    def _divert(self, later: Later) -> None:
        """Divert temporary files to the folder, where those left behind are found."""
        later(setattr, tempfile, "tempdir", tempfile.tempdir)
        before = os.environ.get("TMPDIR")
        if before is None:
            later(os.environ.pop, "TMPDIR", None)
        else:
            later(os.environ.__setitem__, "TMPDIR", before)
        tempfile.tempdir = os.environ["TMPDIR"] = str(self._temporary)

    def _assert_nothing_left(self, timeout: float) -> None:
        """Wait for new resources to go away, such as a killed child."""
        gc.collect()
        left: list[str] = []

        def nothing() -> bool:
            left[:] = self._left()
            return not left

        if not eventually(nothing, timeout):
            raise AssertionError("left behind: " + ", ".join(sorted(left)))

    def _left(self) -> list[str]:
        found = [f"file {name}" for name in os.listdir(self._temporary)]
        for look, before in self._before:
            found += [name for key, name in look().items() if key not in before]
        return found


def _threads() -> Names:
    return {thread: f"thread {thread.name}" for thread in threading.enumerate()}


def _files() -> Names:
    names: Names = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:
            continue  # that of the listing itself
        names[fd, target] = f"fd {fd}: {target}"
    return names


def _children() -> Names:
    """Name the child processes, including those that have ended."""
    names: Names = {}
    for thread in os.listdir("/proc/self/task"):
        try:
            text = Path(f"/proc/self/task/{thread}/children").read_text()
        except FileNotFoundError:
            continue  # the thread has ended
        for pid in text.split():
            # Not by its command, which changes when it ends, or executes another program.
            names[pid, proctable.start_time(int(pid))] = f"child {pid}: {_command(pid)}"
    return names


def _command(pid: str) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        words = []
    return b" ".join(words).decode("utf-8", "replace").strip() or "has ended"


class Faults(logging.Handler):
    """Records the exceptions that a plugin's code raised, a line each. Safe from any thread."""

    def __init__(self, label: str, lines: list[str]) -> None:
        """Prepare; `label` is the plugin's name in the log."""
        super().__init__(logging.ERROR)
        self._label = label
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Note a line of the log that has an exception."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] and text.startswith(f"{self._label}: "):
            self.lines.append(f"{text}: {record.exc_info[1]!r}")


class Trial:
    """The life of a plugin in a test. Owned by the test's thread, which is its control thread.

    `handle_init`, `handle_recv` and callbacks run on the plugin's own thread, as they do under a
    daemon; `handle_stop` runs in `end`, on the test's thread, while the plugin thread still exists
    but calls nothing more.
    """

    def __init__(self, plugin: CircusPlugin, since: int, run: str, faults: list[str]) -> None:
        """Begin the life of a plugin just made.

        Args:
            plugin: The plugin.
            since: The number before its first event, in the arbiter's life `run`.
            run: See `since`.
            faults: Where to note what its code raises, a line each.

        Raises:
            PluginError: It has no handle_recv.
            ValueError: It is not active.
        """
        require_handle_recv(type(plugin))
        if not plugin.active:
            raise ValueError(f"{type(plugin).__qualname__} is not active")
        self.plugin = plugin
        self._is_over = False
        self._life: Any = plugin._life
        self._faults = Faults(self._life.label, faults)
        self._life.sequence = EventSequence(since, run)
        self._life.progress[DELIVERED] = since
        logger.addHandler(self._faults)
        try:
            self._life.begin()
        except BaseException:
            logger.removeHandler(self._faults)
            raise

    def wait_until_up(self, timeout: float) -> None:
        """Wait until `handle_init` has returned.

        Raises:
            AssertionError: It takes longer.
            PluginError: It raised, or `initialize` did; the faults are cleared then.
        """
        if not eventually(lambda: self._life.is_up or self._life.is_over, timeout):
            raise AssertionError(f"handle_init has not returned within {timeout:g} s")
        if not self._life.is_up:
            self._faults.lines.clear()
            self.end()

    def wait_until_past(self, seq: int, timeout: float) -> None:
        """Wait until `handle_recv` has returned from the event of that number.

        Raises:
            AssertionError: It takes longer.
        """
        if not eventually(lambda: self._life.progress[DELIVERED] >= seq, timeout):
            at = self._life.progress[DELIVERED]
            raise AssertionError(f"handle_recv is at event {at}, not {seq}, after {timeout:g} s")

    def end(self) -> None:
        """End it in the same order as the daemon; do nothing if it has ended.

        Raises:
            PluginError: `initialize` or `handle_init` raised.
        """
        if self._is_over:
            return
        self._is_over = True
        try:
            self.plugin.stop()
        finally:
            CircusPlugin.stop(self.plugin)
            try:
                self._life.finish()
            finally:
                logger.removeHandler(self._faults)
