"""Random histories: whatever is ordered and whatever happens, the core ends where it was sent."""

from __future__ import annotations

import errno
import os
import random
import unittest

from cvec_circus.core.states import ProcessState, WatcherState
from cvec_circus.core.watcher import Watcher
from tests.support.world import IMMORTAL, OBEDIENT, STUBBORN, FakeWorld

HISTORIES = int(os.environ.get("CVEC_CIRCUS_FUZZ_HISTORIES", "500"))
FIRST_SEED = int(os.environ.get("CVEC_CIRCUS_FUZZ_SEED", "1"))


class History:
    """One random history and its checks. Owned by the test's thread."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.world = FakeWorld(seed, warmup_delay=self.rng.choice([0.0, 0.0, 0.3]))
        self.world.spawns_a_turn = self.rng.choice([0, 1, 3])
        self.log: list[str] = []
        self.waits: list[tuple[str, list]] = []
        for number in range(self.rng.randint(1, 4)):
            self.add(f"w{number}")

    def add(self, name: str) -> None:
        rng = self.rng
        self.world.add(
            name,
            numprocesses=1 if (single := rng.random() < 0.2) else rng.randint(0, 4),
            singleton=single,
            respawn=rng.random() < 0.8,
            warmup_delay=rng.choice([0, 0, 0.5]),
            graceful_timeout=rng.choice([0, 1, 5]),
            max_age=rng.choice([0, 0, 20]),
            max_age_variance=5,
            max_retry=rng.choice([-1, 1, 5]),
            priority=rng.choice([0, 0, 5]),
            autostart=rng.random() < 0.8,
            stop_children=rng.random() < 0.2,
            send_hup=rng.random() < 0.1,
            backoff=rng.random() < 0.8,
            helper=rng.random() < 0.2,
        )
        self.log.append(f"add {name}")

    def play(self, steps: int) -> None:
        for _ in range(steps):
            self.step()
            self.world.settle()
            self.check()

    def step(self) -> None:
        rng, world = self.rng, self.world
        kind = rng.choice(
            ["advance"] * 4 + ["die"] * 3 + ["order"] * 6 + ["weather"] * 2 + ["roster", "several"]
        )
        if kind == "advance":
            seconds = rng.choice([0.01, 0.3, 2.0, 15.0])
            self.log.append(f"advance {seconds}")
            world.advance(seconds)
        elif kind == "die" and world.alive:
            pid = rng.choice(list(world.alive))
            self.log.append(f"die {pid}")
            world.die(pid, rng.choice([0, 1, -9]))
        elif kind == "order":
            self.order()
        elif kind == "several":
            for _ in range(3):
                self.order()
        elif kind == "weather":
            self.weather()
        elif kind == "roster":
            self.change_roster()

    def weather(self) -> None:
        rng, world = self.rng, self.world
        world.temper = rng.choice([OBEDIENT, OBEDIENT, STUBBORN, IMMORTAL])
        world.leftovers = rng.choice([None, None, 0.2, 3.0])
        world.stop_delay = rng.choice([0.0, 0.1, 2.0])
        world.refuse = rng.choice(
            [
                None,
                None,
                None,
                OSError(errno.ENOENT, "no such file"),
                OSError(errno.EAGAIN, "again"),
            ]
        )
        self.log.append(f"weather {world.temper} {world.leftovers} {world.refuse}")

    def change_roster(self) -> None:
        watchers = self.world.roster.watchers()
        if watchers and self.rng.random() < 0.5:
            watcher = self.rng.choice(watchers)
            nostop = self.rng.random() < 0.2
            self.log.append(f"rm {watcher.name} nostop={nostop}")
            self.world.roster.remove(watcher, "command:rm", nostop, self.some_wait("rm"))
        else:
            free = {f"w{n}" for n in range(5)} - {watcher.name for watcher in watchers}
            if free:
                self.add(min(free))

    def some_wait(self, order: str):
        if self.rng.random() < 0.4:
            return None
        outcomes, wait = self.world.wait(self.rng.choice([None, None, 3.0]))
        self.waits.append((order, outcomes))
        return wait

    def order(self) -> None:
        rng, roster = self.rng, self.world.roster
        watchers = roster.watchers()
        if not watchers:
            return
        some = rng.choice([None, [rng.choice(watchers)], [rng.choice(watchers)]])
        word = rng.choice(["start", "start", "stop", "restart", "reload", "size", "kill", "set"])
        self.log.append(f"{word} {some and some[0].name}")
        wait = self.some_wait(word)
        if word == "reload":
            roster.reload(some, f"command:{word}", rng.random() < 0.5, wait)
        elif word in ("start", "stop", "restart"):
            getattr(roster, word)(some, f"command:{word}", wait)
        else:
            self.order_one(word, rng.choice(watchers), wait)

    def order_one(self, word: str, watcher: Watcher, wait) -> None:
        rng, roster = self.rng, self.world.roster
        if word == "size":
            size = rng.randint(0, 1 if watcher.is_singleton else 5)
            roster.resize(watcher, size, "command:incr", wait)
        elif word == "kill":
            processes = list(watcher.leaders())[: rng.randint(1, 3)]
            roster.kill(watcher, processes, None, rng.choice([None, 0.5]), wait)
        else:
            changes = {"cmd": rng.choice(["a", "b"]), "graceful_timeout": 1.0}
            roster.set_options(watcher, changes, "command:set", wait)

    def check(self) -> None:
        """What is true at every moment."""
        for watcher in self.world.roster.everybody():
            slots = watcher.slots.values()
            places = sum(process.holds_place for process in slots)
            assert places == watcher.places, f"{watcher!r}: {places} != {watcher.places}"
            pending = sum(process.state is ProcessState.PENDING for process in slots)
            assert pending == watcher.pending, f"{watcher!r}: {pending} != {watcher.pending}"
            awaited = sum(process.never_ran for process in slots)
            assert awaited == watcher.awaited, f"{watcher!r}: {awaited} != {watcher.awaited}"
            stale = sum(process.stale for process in slots)
            assert stale == watcher.stale_count
            assert (
                len(watcher.fresh) <= watcher.numprocesses
                or watcher.stop_held
                or (watcher.state is WatcherState.STOPPING)
            ), f"{watcher!r}: too many fresh"
            if watcher.is_singleton:
                assert sum(process.has_leader for process in slots) <= 1
            if watcher.state is WatcherState.STOPPED:
                assert not slots
        assert len(set(self.world.reaped)) == len(self.world.reaped), "a process reaped twice"

    def end(self) -> None:
        """In fair weather everything gets to where it is wanted, and everybody is answered."""
        world = self.world
        world.temper, world.refuse, world.leftovers = OBEDIENT, None, None
        for process in list(world.groups.values()):
            world.empty_group(process)
        for pid in list(world.alive):
            world.die(pid)
        world.advance(100)
        self.check()
        for watcher in world.roster.everybody():
            up = watcher.state is WatcherState.ACTIVE
            assert up == watcher.goal_up, f"{watcher!r} is not where it is wanted"
            aging = watcher.options["max_age"] and watcher.ending
            if up and watcher.options["respawn"] and not aging:
                assert len(watcher.fresh) == watcher.numprocesses, f"{watcher!r}: not filled"
        self.shut_down()

    def shut_down(self) -> None:
        world = self.world
        outcomes, wait = world.wait()
        world.roster.shut_down("command:quit", wait)
        world.advance(100)
        assert world.roster.is_down, "not down"
        assert len(outcomes) == 1 and outcomes[0].error is None, outcomes
        for pid, process in list(world.alive.items()):
            assert world.owner[pid].abandoned, f"{process!r} was forgotten"
            world.die(pid)
        assert sorted(world.spawned) == sorted(world.reaped), "not exactly one reap each"
        for order, answers in self.waits:
            assert len(answers) == 1, f"{order}: {len(answers)} answers"


class TestRandomHistories(unittest.TestCase):
    """A failing seed prints its history; CVEC_CIRCUS_FUZZ_SEED and _HISTORIES choose others."""

    def test_random_histories(self) -> None:
        for seed in range(FIRST_SEED, FIRST_SEED + HISTORIES):
            history = History(seed)
            try:
                history.play(30)
                history.end()
            except Exception as error:
                story = "\n".join(history.log)
                raise AssertionError(f"seed {seed}:\n{story}\n{error!r}") from error


if __name__ == "__main__":
    unittest.main()
