"""System calls of a running process that fail from outside, by strace."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.children import Lines

_CALL = re.compile(r"^(\d+) +(\w+)\(")


class Fault(NamedTuple):
    """A failure to inject. Immutable.

    Attributes:
        call: The name of a system call, or several with commas.
        error: The name of the errno that it answers.
        when: At which calls, counted for each thread: a number, "3+", "2..4", "1+7".
        path: Only calls that concern this file.
    """

    call: str
    error: str
    when: str = "1"
    path: str = ""

    def __str__(self) -> str:
        return f"{self.call}:{self.error}:{self.when}{':' * bool(self.path)}{self.path}"

    @property
    def options(self) -> list[str]:
        """What strace is to do."""
        path = ["-P", self.path] if self.path else []
        inject = f"inject={self.call}:error={self.error}:when={self.when}"
        return [*path, "-e", f"trace={self.call}", "-e", inject]


class Injection:
    """A fault in a process and in all of its threads, up to the exec of its children.

    Owned by the test.

    Args:
        pid: The process.
        fault: What fails; None only counts.
        folder: Where the trace is kept.
    """

    def __init__(self, pid: int, fault: Fault | None, folder: Path) -> None:
        self._trace = folder / "trace"
        options = fault.options if fault is not None else ["-e", "trace=all"]
        self._process = subprocess.Popen(
            [
                *("strace", "-f", "--detach-on=execve", "-e", "signal=none"),
                *("-o", str(self._trace), *options, "-p", str(pid)),
            ],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert self._process.stderr is not None
        line = Lines(self._process.stderr.fileno()).next()
        if not line or "attached" not in line:
            self.stop()
            raise AssertionError(f"strace does not trace {pid}: {line}")

    def stop(self) -> None:
        """Let go of the process."""
        self._process.terminate()
        self._process.communicate(timeout=20)

    @property
    def injected(self) -> list[str]:
        """The calls that have failed, each as strace shows it."""
        lines = self._trace.read_text(errors="replace").splitlines()
        return [line for line in lines if line.endswith("(INJECTED)")]

    def counts(self) -> dict[str, int]:
        """How often each call was made by the thread that has made it most often."""
        found: Counter[tuple[str, str]] = Counter()
        for line in self._trace.read_text(errors="replace").splitlines():
            match = _CALL.match(line)
            if match:
                found[match.group(1), match.group(2)] += 1
        most: dict[str, int] = {}
        for (_, call), number in found.items():
            most[call] = max(most.get(call, 0), number)
        return most


@contextlib.contextmanager
def injecting(pid: int, fault: Fault | None, folder: Path) -> Iterator[Injection]:
    """Have a fault in a process meanwhile."""
    injection = Injection(pid, fault, folder)
    try:
        yield injection
    finally:
        injection.stop()


@functools.cache
def refusal() -> str:
    """Return why nothing can be traced here, "" if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(
        [
            *("strace", "-f", "--detach-on=execve", "-e", "inject=getppid:error=EPERM"),
            *("-o", os.devnull, sys.executable, "-I", "-S", "-c", ""),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stderr.strip() and f"strace cannot trace here: {done.stderr.splitlines()[0]}"
