"""Two desks of the fake world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus.core.goal import Run
from cvec_circus.core.process import ManagedProcess, ProcessState
from cvec_circus.core.watcher import Watcher

if TYPE_CHECKING:
    from tests.support.world import FakeWorld


class FakeSignals:
    """The desk of that name."""

    def __init__(self, world: FakeWorld) -> None:
        self.send, self.stop_tree = world.send, world.stop_tree
        self.kill, self.abandon = world.kill_group, world.abandon
        self.signal_child = self.signal_children = lambda *args: None
        self.is_settled = lambda watcher: watcher not in world.unsettled


class FakeOutputs:
    """The desk of that name."""

    def __init__(self, world: FakeWorld) -> None:
        self._streams = world.streams

    def open(self, watcher: Watcher) -> None:
        self._streams.append((watcher.name, "open"))

    def reopen(self, watchers: list[Watcher] | None) -> None:
        pass

    def release(self, watcher: Watcher, process: ManagedProcess) -> None:
        assert process.state is ProcessState.REMOVED

    def close(self, watcher: Watcher) -> None:
        self._streams.append((watcher.name, "close"))


class FakeTimetable:
    """The desk of that name: a job runs every so many seconds, which its schedule says."""

    def __init__(self, world: FakeWorld) -> None:
        self._world = world
        self.forgotten: list[str] = []

    def next_run(self, watcher: Watcher, last: Run | None) -> Run:
        now, schedule = self._world.now(), str(watcher.options.schedule)
        at = (now // float(schedule) + 1) * float(schedule)
        return Run(at, at, f"{at:g}", schedule)

    def missed(self, run: Run) -> str:
        return f"from {run.text} to {self._world.now():g}"

    def forget(self, watcher: Watcher) -> None:
        self.forgotten.append(watcher.name)


class FakeProbes:
    """The desk of that name: a test says what the checks find."""

    def __init__(self, world: FakeWorld) -> None:
        self._world = world
        self.watched: dict[int, ManagedProcess] = {}
        self.live: dict[int, ManagedProcess] = {}

    def watch(self, watcher: Watcher, process: ManagedProcess) -> None:
        assert process.pid not in self.watched
        self.watched[process.pid] = process
        if self._world.ready_after is not None:
            pid = process.pid
            self._world.at(self._world.ready_after, lambda: self._world.probed(pid))

    def all_hold(self) -> None:
        """All checks of `ready` hold."""
        for pid in list(self.watched):
            self._world.probed(pid)
        self._world.settle()

    def proved(self, watcher: Watcher, process: ManagedProcess) -> None:
        assert process.proved
        self.live[process.pid] = process
        if self._world.ready_after is not None and process.doubted:
            pid = process.pid
            self._world.at(self._world.ready_after, lambda: self._world.probed(pid, is_live=True))

    def release(self, watcher: Watcher, process: ManagedProcess) -> None:
        self.watched.pop(process.pid, None)
        self.live.pop(process.pid, None)

    def unmet(self, process: ManagedProcess) -> str:
        assert process.pid in self.watched
        return "check a: no answer"

    def details(self, process: ManagedProcess) -> list[dict[str, Any]]:
        return [{"name": "a", "state": "not yet"}] if process.pid in self.watched else []
