"""Numbers to scale by: what processes use, what a command or a URL prints. All of it may block."""

from __future__ import annotations

import math
import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from typing import Any

from cvec_circus.base.clock import SYSTEM
from cvec_circus.options.kinds import shown
from cvec_circus.plugins.web import PIECE, fetch, request
from cvec_circus.runtime.line import printable


class MeasurementError(Exception):
    """There is no number; its text says why."""


class ProcessUse:
    """How much the processes of a watcher use on the average. Owned by whoever calls `measure`.

    A process that is new is left out: how much of a processor it uses is known from the second
    look on.
    """

    def __init__(self, ask: Callable[..., Mapping[str, Any]], name: str, key: str) -> None:
        """Make it.

        Args:
            ask: Sends a command to the daemon.
            name: The watcher's.
            key: ``cpu`` or ``mem``, as `stats` calls them: each in percent.
        """
        self._ask = ask
        self._name = name
        self._key = key
        self._known: set[str] = set()

    def measure(self) -> float | None:
        """Return percent, None if all processes are new; raises MeasurementError."""
        reply = self._ask("stats", name=self._name)
        if reply.get("status") == "error":
            raise MeasurementError(f"stats of {self._name}: {reply['reason']}")
        rows = reply["info"]
        numbers = [total(row, self._key) for pid, row in rows.items() if pid in self._known]
        self._known = set(rows)
        return sum(numbers) / len(numbers) if numbers else None

    def end(self) -> None:
        """Nothing is left of it."""


class Command:
    """The number that a command prints. Safe from any thread: `end` while `measure` waits."""

    def __init__(self, command: str, timeout: float) -> None:
        self._command = command
        self._timeout = timeout
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False

    def measure(self) -> float:
        """Run the command and return its number; raises MeasurementError."""
        with self._lock:
            if self._ended:
                raise MeasurementError("the plugin has ended")
            process = self._process = subprocess.Popen(
                ["/bin/sh", "-c", self._command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # so that it can be ended with all that it has started
            )
        with process:
            try:
                printed, complaint = last_output(process, self._timeout)
            except subprocess.TimeoutExpired:
                raise MeasurementError(f"it takes longer than {self._timeout:g} s") from None
            finally:
                with self._lock:
                    self._process = None
                    kill_group(process)
        if process.returncode:
            said = (complaint.strip() or printed.strip()).splitlines()
            how = f"exits with {process.returncode}"
            raise MeasurementError(f"{how}: {printable(said[-1])}" if said else how)
        return number_in(printed)

    def end(self) -> None:
        """End a command that runs."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                kill_group(self._process)


class Page:
    """The number that a web page is. Immutable."""

    def __init__(self, url: str, timeout: float) -> None:
        """Make it; raises ValueError for what is no address of a page."""
        self._request = request(url)
        self._timeout = timeout

    def measure(self) -> float:
        """Get the page and return its number; raises MeasurementError."""
        answer = fetch(self._request, self._timeout)
        if answer.problem:
            raise MeasurementError(answer.problem)
        return number_in(answer.beginning.decode("utf-8", "replace"))

    def end(self) -> None:
        """Nothing is left of it: its socket goes with the plugin."""


def number_in(text: str) -> float:
    """Return the number that a text is; raises MeasurementError."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise MeasurementError(f"{shown(text.strip())} is not a number")
    return number


def total(row: Mapping[str, Any], key: str) -> float:
    """Add up what a process and those below it use; what is not known counts nothing."""
    own = row.get(key)
    children = row.get("children") or ()
    return (own if isinstance(own, (int, float)) else 0.0) + sum(total(c, key) for c in children)


def last_output(process: subprocess.Popen[bytes], timeout: float) -> tuple[str, str]:
    """Wait for the end of a process, and return the end of what it has printed on both its pipes.

    Where `communicate` keeps everything, which fills the memory when a program goes on and on.

    Raises:
        TimeoutExpired: It takes too long.
    """
    ends_at = SYSTEM.monotonic() + timeout
    kept = {process.stdout: b"", process.stderr: b""}
    with selectors.DefaultSelector() as pipes:
        for pipe in filter(None, kept):
            pipes.register(pipe, selectors.EVENT_READ, pipe)
        while pipes.get_map():
            left = ends_at - SYSTEM.monotonic()
            ready = pipes.select(left) if left > 0 else []
            if not ready:
                raise subprocess.TimeoutExpired(process.args, timeout)
            for key, _ in ready:
                piece = os.read(key.fd, PIECE)
                kept[key.data] = (kept[key.data] + piece)[-PIECE:]
                if not piece:
                    pipes.unregister(key.fileobj)
    process.wait(max(0.0, ends_at - SYSTEM.monotonic()))
    printed, complaint = (text.decode("utf-8", "replace") for text in kept.values())
    return printed, complaint


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started, unless its number may be somebody else's now."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
