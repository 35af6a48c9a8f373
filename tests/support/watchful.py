"""A fake world that looks at everything the core does, and objects at once."""

from __future__ import annotations

from typing import Any

from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.topics import fold
from tests.support.world import FakeWorld


class WatchfulWorld(FakeWorld):
    """A fake world with opinions. Owned by the test's thread.

    It knows nothing of how the core works: only what may be spawned when, and in which order events
    make sense.

    Attributes:
        resized: The watchers whose number of processes a test has changed.
    """

    def __init__(self, seed: int = 0, warmup_delay: float = 0.0) -> None:
        super().__init__(seed, warmup_delay)
        self.started: set[Watcher] = set()
        self.removed: set[Watcher] = set()
        self.resized: set[Watcher] = set()
        self.asked: dict[int, str] = {}

    def spawn(self, watcher: Watcher, process: ManagedProcess) -> int:
        held = watcher.stop_held
        assert watcher.goal_up or held, f"{watcher!r} is to be down and spawns"
        assert not watcher.must_cycle or held, f"{watcher!r} is to restart and spawns"
        assert not watcher.removed, f"{watcher!r} is removed and spawns"
        assert not watcher.reason, f"{watcher!r} has given up and spawns"
        crowd = 0
        for pid, other in [*self.alive.items(), *self.groups.items()]:
            owner = self.owner[pid]
            if owner is watcher:
                crowd += not other.stale
                assert other.wid != process.wid, f"{process!r}: {other!r} is still there"
            elif fold(owner.name) == fold(watcher.name):
                assert owner.abandoned, f"{process!r}: a predecessor is still there: {other!r}"
        crowded = crowd >= watcher.numprocesses and watcher not in self.resized
        assert not crowded, f"{process!r} spawns into a place that is not free"
        return super().spawn(watcher, process)

    def publish(self, watcher: Watcher, action: str, cause: str, **payload: Any) -> None:
        assert cause, f"{watcher!r}: {action} without a cause"
        check = getattr(self, f"_check_{action}", None)
        if check is not None:
            check(watcher, cause, payload)
        super().publish(watcher, action, cause, **payload)

    def _check_start(self, watcher: Watcher, cause: str, payload: dict[str, Any]) -> None:
        assert watcher not in self.started, f"{watcher!r} starts twice"
        assert watcher not in self.removed, f"{watcher!r} starts after it was removed"
        self.started.add(watcher)

    def _check_stop(self, watcher: Watcher, cause: str, payload: dict[str, Any]) -> None:
        self.started.discard(watcher)
        mine = [p for pid, p in self.alive.items() if self.owner[pid] is watcher]
        left = [p for pid, p in self.groups.items() if self.owner[pid] is watcher]
        assert not mine and not left, f"{watcher!r} says it has stopped: {mine} {left}"

    def _check_remove(self, watcher: Watcher, cause: str, payload: dict[str, Any]) -> None:
        assert watcher not in self.removed, f"{watcher!r} is removed twice"
        self.removed.add(watcher)

    def _check_spawn(self, watcher: Watcher, cause: str, payload: dict[str, Any]) -> None:
        assert payload["process_pid"] in self.alive

    def _check_kill(self, watcher: Watcher, cause: str, payload: dict[str, Any]) -> None:
        pid = payload["process_pid"]
        assert pid in self.alive, f"{watcher!r}: {pid} is asked to end and is not there"
        assert pid not in self.asked, f"{watcher!r}: {pid} is asked to end twice"
        assert cause != "exit" or not watcher.options["respawn"]
        self.asked[pid] = cause

    def _check_reap(self, watcher: Watcher, cause: str, payload: dict[str, Any]) -> None:
        pid = payload["process_pid"]
        assert pid in self.spawned and pid not in self.reaped, f"{watcher!r}: reap of {pid}"
        expected = [self.asked[pid]] if pid in self.asked else ["exit", "command:signal"]
        assert cause in expected, f"{watcher!r}: {pid} ended by {cause}, not by {expected}"

    def _check_backoff(self, watcher: Watcher, cause: str, payload: dict[str, Any]) -> None:
        assert payload["delay"] >= 1.0 and payload["deaths"] > 0, payload

    def _check_giveup(self, watcher: Watcher, cause: str, payload: dict[str, Any]) -> None:
        assert payload["reason"], f"{watcher!r} gives up for no reason"
