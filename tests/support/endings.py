"""The desks that end processes, with real children and without a core."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from cvec_circus.base.clock import SYSTEM
from cvec_circus.base.loop import Loop
from cvec_circus.core.facts import Emptied, Exited, Fact, Strayed
from cvec_circus.core.process import ProcessState
from cvec_circus.supervisor.ending import endings
from cvec_circus.supervisor.ending.cgroups import Cgroups
from cvec_circus.system import exits, prctl, proctable
from cvec_circus.system.launch import MARK, LaunchSpec, launch
from cvec_circus.wire.outcome import Stray
from tests.support.children import Lines, output
from tests.support.daemon import alive
from tests.support.hurry import WALKING, hurry
from tests.support.leaks import LeakCheckedTestCase

TIMEOUT = 30.0
LIVES = iter(range(1_000_000))


def command_line(pid: int) -> str:
    """Return what a process was started with, "" when it is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode()
    except OSError:
        return ""


class Watcher:
    """All that the desks ask of a watcher. Owned by the test."""

    def __init__(self, name: str = "web", **options: Any) -> None:
        self.name = name
        self.options = SimpleNamespace(**{"strays": "report", **options})
        self.is_abandoned = False
        self.lives = 1


class Process:
    """All that the desks ask of a slot. Owned by the test."""

    def __init__(self, name: str, wid: int) -> None:
        self.name = name
        self.wid = wid
        self.pid = 0
        self.state = ProcessState.RUNNING
        self.killed = self.doubted = self.proved = self.checked = False
        self.unready = ""


class EndingCase(LeakCheckedTestCase):
    """Runs the desks on a loop that turns while the test waits.

    Attributes:
        is_subreaper: Whether orphans come to the test's process.
        told: What the desks reported, in order: the name, the slot or watcher, and the rest.
        strays: The strays of each watcher, as reported last.
        runs_user_code: What they are told about hooks and streams.
    """

    is_subreaper = True

    def setUp(self) -> None:
        super().setUp()
        hurry(self, WALKING)
        self.told: list[tuple[Any, ...]] = []
        self.strays: dict[str, list[Stray]] = {}
        self.runs_user_code = False
        self.life = f"life{os.getpid()}x{next(LIVES)}"
        self.loop = Loop(name="test loop")
        self.addCleanup(self.loop.close)
        self.exits = exits.choose()
        self.addCleanup(self.exits.close)
        built = endings.build(
            self.loop,
            self.exits,
            self,  # type: ignore[arg-type]
            [self.life],
            lambda watcher, process: ("", None, False),
            self.is_subreaper,
            lambda: self.runs_user_code,
            Cgroups("there are none"),
        )
        self.signals, self.reaper, self.walker, self.leader_of = built
        self.spawned: list[Process] = []
        self.loop.each_turn(lambda: self.reaper.work(lambda: False))
        self.addCleanup(self._end)

    def _end(self) -> None:
        self.until(lambda: not self._kill_marked() and self._have_exited())
        self.walker.stop()
        self.walker.join(TIMEOUT)
        self.signals.close()
        prctl.set_subreaper(False)
        self._collect_orphans()

    def _kill_marked(self) -> list[int]:
        """Kill what lives; one that is in its exec shows no mark, and is found the next time."""
        pids = self.marked()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return pids

    def _have_exited(self) -> bool:
        return all(self.have("exited", process) for process in self.spawned)

    def _collect_orphans(self) -> None:
        session = os.getsid(0)
        for pid in proctable.children():
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                if os.getsid(pid) != session:
                    os.waitpid(pid, 0)

    def marked(self) -> list[int]:
        """List the living processes of this test."""
        found = []
        mark = f"{MARK}={self.life}:".encode()
        for name in os.listdir("/proc"):
            if name.isdecimal():
                with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
                    if mark in file.read() and alive(int(name)):
                        found.append(int(name))
        return found

    # -- what the desks report

    def append(self, fact: Fact) -> None:
        """The case stands for the mailbox."""
        if isinstance(fact, Exited):
            self.told.append(("exited", fact.process, fact.ended, fact.leaves))
        elif isinstance(fact, Emptied):
            self.told.append(("emptied", fact.process))
        elif isinstance(fact, Strayed):
            self.strays[fact.watcher.name] = list(fact.strays)
            self.told.append(("strayed", fact.watcher, list(fact.strays)))

    def have(self, name: str, process: Process) -> bool:
        """Whether that was reported of a slot."""
        return any(one[:2] == (name, process) for one in self.told)

    def is_over(self, process: Process) -> bool:
        """Whether a slot has ended, and waits for nothing that it has left."""
        for one in self.told:
            if one[:2] == ("exited", process) and not one[3]:
                return True
        return self.have("emptied", process)

    # -- what the test does

    def spawn(self, watcher: Watcher, *argv: str, wid: int = 1) -> tuple[Process, Lines]:
        """Start a leader; what it and its descendants print can be read."""
        write_fd, lines = output(self)
        process = Process(watcher.name, wid)
        env = {"PATH": os.environ["PATH"], MARK: f"{self.life}:{watcher.name}:{wid}"}
        try:
            process.pid = launch(LaunchSpec(argv, env=env, stdout=write_fd)).pid
        finally:
            os.close(write_fd)
        self.spawned.append(process)
        self.reaper.add(watcher, process, process.pid)  # type: ignore[arg-type]
        return process, lines

    def shell(self, watcher: Watcher, text: str, wid: int = 1) -> tuple[Process, list[int]]:
        """Start a shell script; wait for `ready`, and for a process behind each `echo pid`.

        Returns:
            The leader, and the pids it and the others have said, each past its exec if it has one.
        """
        process, lines = self.spawn(watcher, "/bin/sh", "-c", text, wid=wid)
        awaited = text.count("echo pid") + text.count("echo ready")
        said = [lines.next(TIMEOUT) for _ in range(awaited)]
        pids = [int(line.removeprefix("pid ")) for line in said if line and line != "ready"]
        self.assertEqual(len(pids), text.count("echo pid"), said)
        self.until(lambda: not any("exec " in command_line(pid) for pid in pids))
        return process, pids

    def until(self, predicate: Callable[[], object], timeout: float = TIMEOUT) -> None:
        """Turn the loop until something is true."""
        deadline = SYSTEM.monotonic() + timeout

        def check() -> None:
            if predicate() or SYSTEM.monotonic() > deadline:
                self.loop.stop()
            else:
                self.loop.call_later(0.005, check)

        self.loop.post(check)
        self.loop.run()
        self.assertTrue(predicate(), f"not so within {timeout:g} s; told: {self.told}")

    def stop(self, process: Process, signum: int = signal.SIGTERM, tree: bool = False) -> None:
        """Begin to stop a process, as the core does."""
        process.state = ProcessState.STOPPING
        if tree:
            self.signals.stop_tree(process, signum)  # type: ignore[arg-type]
        else:
            self.signals.send(process, signum)  # type: ignore[arg-type]
