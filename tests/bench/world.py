"""What every measurement has at hand: a folder, a child to run, reports, and clients."""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cvec_circus.base.clock import SYSTEM
from tests.bench.peers.subject import HERE, ROOT, Program, Running
from tests.bench.reports import Reports

Taken = list[tuple[float, float]]

CHILD, SPLICE = "child", "splice"
"""The C programs."""


def compile_child(folder: Path) -> Path:
    """Build child.c, and splice.c beside it, statically if that is possible; return the child."""
    for name in (CHILD, SPLICE):
        argv = ["cc", "-O2", "-o", str(folder / name), str(HERE / f"{name}.c")]
        if subprocess.run([*argv, "-static"], capture_output=True, check=False).returncode:
            subprocess.run(argv, check=True)
    return folder / CHILD


class World:
    """Where one measurement of one subject takes place. Owned by the main thread; a context.

    Attributes:
        folder: Empty; in memory where that is possible, so that no disk is measured.
        reports: What comes in.
        quick: Whether it is to be over soon.
    """

    def __init__(self, child: Path, quick: bool, soak: float) -> None:
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="cb-", dir=memory))
        self.reports = Reports(self.folder)
        self.quick = quick
        self.soak = soak
        self.random = random.Random(1)
        self._child = child

    def __enter__(self) -> World:
        return self

    def __exit__(self, *details: object) -> None:
        self.reports.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def n(self, full: int, quick: int) -> int:
        """Choose by whether it is to be over soon."""
        return quick if self.quick else full

    def program(self, name: str, *what: object, **options: Any) -> Program:
        """Make a program of the child."""
        words = [str(self._child), str(self.reports.path), name, *map(str, what)]
        return Program(name, words, **options)

    @property
    def splice(self) -> str:
        """The program that moves what another one writes into a file."""
        return str(self._child.with_name(SPLICE))

    @contextlib.contextmanager
    def client(
        self, running: Running, command: str, count: int = 1_000_000, properties: Any = None
    ) -> Iterator[Asking]:
        """Run a client that is ready; see tools/client.py."""
        asking = Asking(running.protocol, running.endpoint, command, count, properties)
        try:
            yield asking
        finally:
            asking.close()

    def requests(self, running: Running, command: str, count: int, properties: Any = None) -> Taken:
        """Have a client ask so many times, and return when and how long."""
        with self.client(running, command, count, properties) as asking:
            asking.begin()
            return asking.result()


class Asking:
    """A client process. Owned by the measurement."""

    def __init__(
        self, protocol: str, endpoint: str, command: str, count: int, properties: Any
    ) -> None:
        words = [protocol, endpoint, command, str(count)]
        if properties is not None:
            words.append(json.dumps(properties))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.tools.client", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self._process.stdin and self._process.stdout
        if not select.select([self._process.stdout], [], [], 60)[0]:
            raise TimeoutError("a client is not ready")
        if self._process.stdout.readline().strip() != "ready":
            raise TimeoutError("a client got no answer")

    def begin(self) -> None:
        """Let it ask."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def result(self) -> Taken:
        """Wait until it has asked as often as it was to."""
        assert self._process.stdout
        if not select.select([self._process.stdout], [], [], 300)[0]:
            raise TimeoutError("a client has not ended")
        taken: Taken = json.loads(self._process.stdout.readline())
        return taken

    def end(self) -> Taken:
        """Have it stop asking."""
        assert self._process.stdin
        self._process.stdin.close()
        return self.result()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait(30)
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]


def quantile(values: list[float], share: float) -> float:
    """Return the value below which that share of the values is."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def median(values: list[float]) -> float:
    """Return the middle one."""
    return quantile(values, 0.5)


def wall(argv: list[str], times: int, env: dict[str, str] | None = None) -> float:
    """Run a program that many times, and return the median of its seconds."""
    took = []
    for _ in range(times):
        began = SYSTEM.monotonic()
        subprocess.run(argv, stdout=subprocess.DEVNULL, check=True, timeout=60, env=env)
        took.append(SYSTEM.monotonic() - began)
    return median(took)
