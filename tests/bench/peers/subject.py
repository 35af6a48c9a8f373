"""What a measurement asks of a supervisor, whichever it is."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cvec_circus.base.clock import SYSTEM
from tests.bench import machine

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent


@dataclass(frozen=True)
class Program:
    """What is to be supervised. Immutable.

    Attributes:
        name: Of the watcher.
        argv: The command.
        count: How many processes.
        log: "" for none, "plain", "rotating" or "stamped".
        flaps: Whether it dies at once, and is to be started again at once.
        autostart: Whether it starts.
    """

    name: str
    argv: Sequence[str]
    count: int = 1
    log: str = ""
    flaps: bool = False
    autostart: bool = True


@dataclass(frozen=True)
class Plugin:
    """A plugin beside the programs. Immutable; `cls` is a class of tests.bench.tools.probe."""

    name: str
    cls: str
    options: Mapping[str, str] = field(default_factory=dict)


class Running:
    """A supervisor that runs. Owned by the measurement; a context that ends it.

    Attributes:
        began: The instant before it was started.
        pid: Of the supervisor.
        protocol: How clients talk to it: see tools/client.py.
        endpoint: Where.
        ctl: The command line of its client.
        folder: Where its logs are, as NAME.log.
        stop_signal: What ends it in order.
    """

    stop_signal = signal.SIGTERM

    def __init__(
        self,
        argv: Sequence[str],
        folder: Path,
        env: Mapping[str, str] | None = None,
        protocol: str = "",
        endpoint: str = "",
        ctl: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.protocol = protocol
        self.endpoint = endpoint
        self.ctl = list(ctl)
        with open(folder / "stderr", "wb") as stderr:
            self.began = SYSTEM.monotonic()
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                cwd=folder,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        self.pid = self._process.pid

    def pids(self) -> list[int]:
        """List its own processes; what it supervises is not among them."""
        return [self.pid]

    def pss(self) -> float:
        """Return their proportional set sizes together, in MiB."""
        return sum(map(machine.pss, self.pids()))

    def cpu(self) -> float:
        """Return their processor seconds together."""
        return sum(map(machine.cpu, self.pids()))

    def switches(self) -> int:
        """Return how often they were switched to, together."""
        return sum(map(machine.switches, self.pids()))

    def stop(self, timeout: float = 60.0) -> float:
        """Ask it to end, and return how many seconds that took."""
        poll = select.poll()
        fds = {os.pidfd_open(pid) for pid in self.pids()}
        for fd in fds:
            poll.register(fd, select.POLLIN)
        left = set(fds)
        try:
            began = SYSTEM.monotonic()
            self._process.send_signal(self.stop_signal)
            while left:
                ended = poll.poll(max(0.0, began + timeout - SYSTEM.monotonic()) * 1000)
                if not ended:
                    raise TimeoutError(f"it has not ended within {timeout:g} s")
                for fd, _ in ended:
                    poll.unregister(fd)
                    left.discard(fd)
            took = SYSTEM.monotonic() - began
        finally:
            for fd in fds:
                os.close(fd)
        self._process.wait(timeout)
        return took

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *details: object) -> None:
        if self._process.poll() is None:
            try:
                self.stop(30)
            except TimeoutError:
                self._process.kill()
                self._process.wait(30)

    def said(self) -> str:
        """Return the end of what it has written, for error messages."""
        return (self.folder / "stderr").read_text(errors="replace")[-600:]


class Subject(ABC):
    """A supervisor to measure. Owned by the benchmark's main thread.

    Attributes:
        name: What it is called in the table.
        settings: How it is configured.
        logs: The kinds of log it can write.
        has_control: Whether it takes commands.
        has_statistics: Whether those that it starts publish statistics at ipc://FOLDER/stats.
    """

    name = ""
    settings = ""
    logs: frozenset[str] = frozenset({"plain"})
    has_control = True
    has_statistics = False

    @abstractmethod
    def version(self) -> str:
        """Name the release that is measured."""

    @abstractmethod
    def start(
        self, folder: Path, programs: Sequence[Program], plugins: Sequence[Plugin] = ()
    ) -> Running:
        """Start it in an empty folder."""
