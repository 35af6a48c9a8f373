"""A fake world that looks at everything the core does, and objects at once."""

from __future__ import annotations

from collections import Counter
from typing import Any

from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.topics import fold
from tests.support.world import FakeWorld


class WatchfulWorld(FakeWorld):
    """A fake world with opinions. Owned by the test's thread.

    It knows nothing of how the core works: only what may be spawned when, and in which order events
    make sense.

    Attributes:
        resized: The watchers that may have had more processes than now: a test has changed the
            number, or a rollout has failed.
        rehooked: Those whose hooks it has changed.
        is_serial: Whether a watcher's hooks answer in the order in which they were asked.
        unanswered: How many questions to each hook are open.
        said: What each hook has answered last.
        on_trial: The processes that after_spawn has been asked about, by watcher and token.
    """

    def __init__(self, seed: int = 0, warmup_delay: float = 0.0) -> None:
        super().__init__(seed, warmup_delay)
        self.started: set[Watcher] = set()
        self.removed: set[Watcher] = set()
        self.resized: set[Watcher] = set()
        self.asked: dict[int, str] = {}
        self.is_serial = False
        self.rehooked: set[Watcher] = set()
        self.unanswered: Counter[tuple[Watcher, str]] = Counter()
        self.said: dict[tuple[Watcher, str], str] = {}
        self.on_trial: dict[tuple[Watcher, int], int] = {}
        self._leaves: Counter[Watcher] = Counter()
        self._attempted: set[ManagedProcess] = set()
        self._replaced: Counter[tuple[str, str, float]] = Counter()

    def spawn(self, watcher: Watcher, process: ManagedProcess) -> int:
        held = watcher.is_held(starts=False)
        assert watcher.goal.up or held, f"{watcher!r} is to be down and spawns"
        assert not watcher.goal.cycle or held, f"{watcher!r} is to restart and spawns"
        assert not watcher.is_removed, f"{watcher!r} is removed and spawns"
        assert not watcher.reason, f"{watcher!r} has given up and spawns"
        crowd = 0
        for pid, other in [*self.alive.items(), *self.groups.items()]:
            owner = self.owner[pid]
            if owner is watcher:
                crowd += not other.stale
                assert other.wid != process.wid, f"{process!r}: {other!r} is still there"
            elif fold(owner.name) == fold(watcher.name):
                assert owner.is_abandoned, f"{process!r}: a predecessor is still there: {other!r}"
        crowded = crowd >= watcher.goal.numprocesses and watcher not in self.resized
        assert not crowded, f"{process!r} spawns into a place that is not free"
        self._check_leave(watcher, process)
        return super().spawn(watcher, process)

    def send(self, process: ManagedProcess, signum: int) -> None:
        assert not self.owner[process.pid].is_abandoned, f"{process!r} was let go of: {signum}"
        super().send(process, signum)

    # -- hooks

    def ask_hook(self, watcher: Watcher, name: str, token: int, facts: dict[str, Any]) -> None:
        self.unanswered[watcher, name] += 1
        if name == "after_spawn":
            self.on_trial[watcher, token] = facts["pid"]
        super().ask_hook(watcher, name, token, facts)

    def answered(self, watcher: Watcher, name: str, token: int, reason: str) -> None:
        self.unanswered[watcher, name] -= 1
        self.said[watcher, name] = reason
        self.on_trial.pop((watcher, token), None)
        if name == "before_spawn" and not reason:
            self._leaves[watcher] += 1
        super().answered(watcher, name, token, reason)

    def answer(self, name: str, reason: str = "", watcher: Watcher | None = None) -> None:
        asked = next((question for question in self.open_questions if question[1] == name), None)
        if asked is None:
            return  # `answer_all` was there before
        if self.is_serial:
            # The one whose turn it is gets the answer instead.
            asked = next(question for question in self.open_questions if question[0] is asked[0])
            reason = self.answers.get(asked[1]) or ""
        super().answer(asked[1], reason, asked[0])

    def answer_all(self, reason: str) -> None:
        """Answers whatever has not been answered."""
        for watcher, name, _ in list(self.open_questions):
            super().answer(name, reason, watcher)

    def _has_yes(self, watcher: Watcher, name: str) -> bool:
        """Whether a hook has agreed, if there is one."""
        if name not in watcher.options.hooks or watcher in self.rehooked or watcher.goal.mute:
            return True
        return not self.unanswered[watcher, name] and not self.said.get((watcher, name), "none")

    def _check_leave(self, watcher: Watcher, process: ManagedProcess) -> None:
        assert self._has_yes(watcher, "before_start"), f"{process!r} spawns before the start"
        if "before_spawn" in watcher.options.hooks and process not in self._attempted:
            self._attempted.add(process)
            self._leaves[watcher] -= 1
            leave = self._leaves[watcher] >= 0 or watcher in self.rehooked
            assert leave, f"{process!r} spawns without leave"

    def _has_trials(self, watcher: Watcher) -> bool:
        judged_later = set(self.on_trial.values())
        here = [p for p in watcher.places.fresh if p.pid in judged_later]
        return bool(here) and watcher not in self.rehooked

    # -- events

    def publish(self, watcher: Watcher, action: str, cause: Cause, **payload: Any) -> None:
        assert cause.text, f"{watcher!r}: {action} without a cause"
        check = getattr(self, f"_check_{action}", None)
        if check is not None:
            check(watcher, cause.text, payload)
        super().publish(watcher, action, cause, **payload)

    def _check_start(self, watcher: Watcher, cause: str, payload: dict[str, Any]) -> None:
        assert watcher not in self.started, f"{watcher!r} starts twice"
        assert watcher not in self.removed, f"{watcher!r} starts after it was removed"
        assert self._has_yes(watcher, "after_start"), f"{watcher!r} starts without leave"
        assert not self._has_trials(watcher), f"{watcher!r} starts before all have been judged"
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
        assert cause != "exit" or not watcher.options.respawn
        has_hook = "before_stop" in watcher.options.hooks and not watcher.goal.mute
        has_hook = has_hook and cause != "command:kill"
        if has_hook and watcher.status == "stopping":
            assert not self.unanswered[watcher, "before_stop"], f"{watcher!r} does not wait"
        if watcher.status == "active" and cause in ("command:reload", "command:set"):
            self._check_rollout(watcher, pid)
        if watcher.goes_on and self._was_ready(pid):
            self._check_worth(watcher, cause, pid)
        self.asked[pid] = cause

    def _was_ready(self, pid: int) -> bool:
        """Whether a process that goes just now was ready, and had passed after_spawn."""
        return self.alive[pid].is_ready and pid not in self.on_trial.values()

    def _check_worth(self, watcher: Watcher, cause: str, pid: int) -> None:
        """No ready process goes while one that is not stays in its stead."""
        rollout, process = watcher.rollout, self.alive[pid]
        if cause == "command:incr":  # there are too many
            there = [one for one in watcher.places.slots.values() if one.holds_place]
            left = [one for one in there if one not in watcher.places.ending]
            worse = [one for one in left if not one.is_ready]
            assert not worse, f"{watcher!r}: {pid} goes, and {worse} stay"
        if rollout is None or not (rollout.is_partial and process.stale and rollout.is_checked):
            return
        if rollout.unavailable or watcher.stops_first or watcher.one_shot:
            return
        if watcher in self.resized or process.cause is not rollout.cause:
            return  # it goes by another order
        new = [one for one in watcher.places.fresh if one.spawned_at >= rollout.began_at]
        key = watcher.name, rollout.cause.text, rollout.began_at
        self._replaced[key] += 1
        ready = sum(one.is_ready and one not in watcher.places.trials for one in new)
        assert ready >= self._replaced[key], f"{watcher!r}: {pid} goes, and no other has come"

    def _check_rollout(self, watcher: Watcher, pid: int) -> None:
        """No old process goes before enough new ones have been proved."""
        rollout, places = watcher.rollout, watcher.places
        if rollout is None or watcher in self.resized or watcher.one_shot:
            return
        if not self.alive[pid].stale:
            return  # a new one, and the order is overtaken
        unavailable = max(rollout.unavailable, watcher.stops_first) + len(places.unkillable())
        trials = sum(process in places.trials for process in places.fresh)
        good = places.proved_count() if rollout.is_checked else len(places.fresh) - trials
        there = len(places.stale) + good
        if rollout.way_back and self._was_ready(pid):  # those that are not go before it
            running = (*places.stale, *places.fresh)
            there = sum(one.is_ready and one not in places.trials for one in running)
        enough = there >= watcher.goal.numprocesses - unavailable
        assert enough, f"{watcher!r}: {pid} goes, and only {there} are left"

    def _check_rollback(self, watcher: Watcher, cause: str, payload: dict[str, Any]) -> None:
        for pid in payload["kept"]:
            kept = pid in self.alive and pid not in self.asked
            assert kept or self.alive[pid].stale, f"{watcher!r}: {pid} is not kept"
        self.resized.add(watcher)  # new ones may still end beside the kept ones

    def _check_reap(self, watcher: Watcher, cause: str, payload: dict[str, Any]) -> None:
        pid = payload["process_pid"]
        assert pid in self.spawned and pid not in self.reaped, f"{watcher!r}: reap of {pid}"
        expected = [self.asked[pid]] if pid in self.asked else ["exit", "command:signal"]
        assert cause in expected, f"{watcher!r}: {pid} ended by {cause}, not by {expected}"

    def _check_backoff(self, watcher: Watcher, cause: str, payload: dict[str, Any]) -> None:
        assert payload["delay"] >= 1.0 and payload["deaths"] > 0, payload

    def _check_giveup(self, watcher: Watcher, cause: str, payload: dict[str, Any]) -> None:
        assert payload["reason"], f"{watcher!r} gives up for no reason"

    # -- the core, written down and read again

    def reborn(self) -> None:
        """Writes the core down, and goes on with one that has read it."""
        before = [*self.roster._watchers.values(), *self.roster._leaving]
        after = self.restore()
        new = dict(zip(before, after))
        processes = {
            id(old.places.slots[wid]): process
            for old, one in new.items()
            for wid, process in one.places.slots.items()
        }
        for name in ("started", "removed", "resized", "rehooked"):
            setattr(self, name, {new.get(one, one) for one in getattr(self, name)})
        self._attempted = {processes.get(id(one), one) for one in self._attempted}
        for counter in ("unanswered", "said", "on_trial"):
            rows = getattr(self, counter)
            renamed = {(new.get(one, one), key): value for (one, key), value in rows.items()}
            rows.clear()
            rows.update(renamed)
        leaves = {new.get(one, one): count for one, count in self._leaves.items()}
        self._leaves.clear()
        self._leaves.update(leaves)
