"""The core after a crash: what was written down is enough to go on, at any instant."""

from __future__ import annotations

import json
import os
import unittest
from typing import Any
from unittest import mock

from cvec_circus.core.facts import Exited
from cvec_circus.core.life import DOWN, FILLING, STOPPING, UP
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.survival.bookkeeper import LedgerBookkeeper
from cvec_circus.supervisor.survival.heritage import Confirmed, Heritage
from cvec_circus.supervisor.survival.ledger import Head
from cvec_circus.system.collecting import Exit
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Start
from tests.support.history import History
from tests.support.world import STUBBORN, FakeWorld

HISTORIES = int(os.environ.get("CVEC_CIRCUS_FUZZ_HISTORIES", "60"))
FIRST_SEED = int(os.environ.get("CVEC_CIRCUS_FUZZ_SEED", "1"))


class MemoryLedger:
    """A ledger without a file. Owned by the test."""

    is_on = is_prompt = True

    def __init__(self) -> None:
        self.entries: dict[str, Any] = {}
        self.pending: list[str] = []

    def put(self, text: str) -> None:
        key, value = json.loads(text)
        assert text.endswith("]\n"), text
        self.entries[key] = value

    def drop(self, key: str) -> None:
        self.entries.pop(key, None)

    def flush(self) -> None:
        pass


class Found(Heritage):
    """What is left in a world without real processes. Owned by the test."""

    alive: Any

    def _confirm(self) -> None:
        for place, kinds in self._by_place.items():
            for wid, about in kinds.get("slot", {}).items():
                if about[0] in self.alive:
                    self._confirmed[place, wid] = Confirmed(about[0], -1, about[1], 0)

    def close(self) -> None:
        pass


def noted_world(make: Any) -> tuple[Any, MemoryLedger]:
    """Return what makes a world, with a ledger in it."""
    ledger = MemoryLedger()
    books = LedgerBookkeeper(ledger, mock.Mock())  # type: ignore[arg-type]
    with mock.patch("tests.support.world.Bookkeeper", return_value=books):
        return make(), ledger


def crashed(old: FakeWorld, ledger: MemoryLedger) -> tuple[FakeWorld, dict[str, Watcher]]:
    """Return the world of the daemon that comes next, with what it has adopted."""
    with mock.patch.object(Found, "alive", old.alive, create=True):
        found = Found(Head(1, "", 0, [], 0), ledger.entries)
    new, own = noted_world(FakeWorld)
    own.entries = dict(ledger.entries)
    new.luck = 0.5
    new.clock, new._pids = old.clock, old._pids
    there = {}
    for left in found.watchers:
        watcher = left.watcher
        new.books.went_on(watcher, left.deaths)
        if watcher.is_removed and not watcher.places.slots:
            new.books.forget(watcher)
            continue
        there[watcher.name] = watcher
        for wid, process in watcher.places.slots.items():
            if wid in left.confirmed:
                new.alive[process.pid], new.owner[process.pid] = process, watcher
            else:
                new.facts.append(Exited(watcher, process, Exit(-1, status_lost=True)))
        new.roster.adopt(watcher)
    for pid in old.alive.keys() - new.alive.keys():
        owner = old.owner[pid]
        assert owner.kind.is_helper or owner.is_abandoned, f"{old.alive[pid]!r} is not adopted"
    held = [one for one in new.roster.watchers() if one.goal.up and one.life is DOWN]
    new.roster.give(Start(held, Cause("config"), beside=True))
    return new, there


def vars_of(thing: Any) -> dict[str, Any]:
    """Return the attributes of an object that has slots."""
    return {name: getattr(thing, name) for name in thing.__slots__}


class RevivalCase(unittest.TestCase):
    """A world that may crash. Owned by the test."""

    def setUp(self) -> None:
        self.world, self.ledger = noted_world(FakeWorld)
        self.world.luck = 0.5

    def crash(self) -> Watcher:
        """Crash, and return the only watcher."""
        self.next, there = crashed(self.world, self.ledger)
        (watcher,) = there.values()
        return watcher

    def assert_nothing_happens(self, seconds: float = 0.0) -> None:
        """It is as if nothing had happened."""
        self.next.advance(seconds)
        self.assertEqual((self.next.spawned, self.next.signals, self.next.events), ([], [], []))


class TestRevival(RevivalCase):
    """Each kind of moment, one by one."""

    def test_one_that_is_up(self) -> None:
        old = self.world.up(numprocesses=3, max_age=100, max_age_variance=0)
        self.world.advance(60)
        watcher = self.crash()
        self.assertEqual(watcher.life, UP)
        self.assertEqual(watcher.places.pids(), old.places.pids())
        self.assertTrue(watcher.is_ready)
        self.assert_nothing_happens(30)
        self.next.advance(15)
        self.assertNotEqual(self.next.spawned, [], "it is too old by now")

    def test_one_that_is_being_filled(self) -> None:
        self.world.up(numprocesses=3, warmup_delay=5)
        self.world.advance(5)
        watcher = self.crash()
        self.assertEqual((watcher.life, len(watcher.places.slots)), (FILLING, 2))
        self.next.advance(6)
        self.assertEqual((watcher.life, len(watcher.places.fresh)), (UP, 3))
        self.assertEqual(self.next.actions().count("start"), 1)

    def test_the_rest_of_the_time_to_stop(self) -> None:
        self.world.temper = STUBBORN
        old = self.world.up(graceful_timeout=10)
        (pid,) = old.places.pids()
        self.world.stop([old], "command:stop", None)
        self.world.advance(4)
        watcher = self.crash()
        self.next.temper = STUBBORN
        self.assertEqual(watcher.life, STOPPING)
        self.assert_nothing_happens(5.9)
        self.next.advance(0.2)
        self.assertEqual(self.next.signals, [(pid, 9)])
        self.assertEqual((watcher.life, watcher.goal.word), (DOWN, "stop"))

    def test_what_an_order_has_stopped(self) -> None:
        old = self.world.up()
        self.world.stop([old], "command:stop", None)
        self.world.advance(1)
        self.crash()
        self.assert_nothing_happens(60)

    def test_the_end_of_the_daemon_is_no_wish(self) -> None:
        self.world.up(numprocesses=2)
        self.world.temper = STUBBORN
        self.world.shut_down("signal:TERM")
        self.world.settle()
        watcher = self.crash()
        self.assertTrue(watcher.goal.up)
        self.next.advance(40)
        self.assertEqual((watcher.life, len(watcher.places.fresh)), (UP, 2))

    def test_what_has_ended_meanwhile(self) -> None:
        old = self.world.up(numprocesses=2, min_uptime=10)
        self.world.advance(1)
        (pid, _) = old.places.pids()
        del self.world.alive[pid]
        watcher = self.crash()
        self.next.settle()
        (reaped,) = self.next.payloads("reap")
        self.assertEqual((reaped["process_pid"], reaped["status_lost"]), (pid, True))
        self.assertEqual(watcher.places.last_death.exit_code, None)
        self.next.advance(1)
        self.assertEqual(len(watcher.places.fresh), 2)

    def test_a_backoff_goes_on(self) -> None:
        old = self.world.up(min_uptime=10, respawn_delay=8)
        self.world.die(old.places.pids()[0], 1)
        self.world.advance(3)
        watcher = self.crash()
        self.assertEqual([death.exit_code for death in watcher.places.deaths], [1])
        self.assertEqual(watcher.places.deaths, old.places.deaths)
        self.assertEqual(vars_of(watcher.places.backoff(1)), vars_of(old.places.backoff(1)))
        self.next.advance(4.9)
        self.assertEqual(self.next.spawned, [])
        self.next.advance(0.2)
        self.assertEqual(len(self.next.spawned), 1)

    def test_a_rollout_goes_on(self) -> None:
        old = self.world.up(numprocesses=2, rollout="surge", min_uptime=5)
        self.world.advance(60)
        olds = old.places.pids()
        self.world.set_options(old, {"cmd": "other"}, "command:set", None)
        self.world.advance(1)
        self.assertEqual(len(self.world.alive), 4)
        watcher = self.crash()
        self.assertEqual(watcher.options.cmd, "other")
        self.next.settle()
        self.assertEqual(len(self.next.alive), 4, "no old one ends before a new one is proved")
        self.next.advance(10)
        self.assertEqual(len(self.next.alive), 2)
        self.assertFalse(set(olds) & set(self.next.alive))
        self.assertEqual(self.next.actions()[-1], "reload")

    def test_options_that_it_was_not_started_with(self) -> None:
        old = self.world.up()
        self.world.advance(60)
        (pid,) = old.places.pids()
        self.ledger.entries[f"slot {old.place} 1"][4] = "another digest"
        watcher = self.crash()
        self.next.advance(5)
        self.assertNotIn(pid, self.next.alive)
        self.assertEqual(len(watcher.places.fresh), 1)

    def test_one_that_is_run_once(self) -> None:
        old = self.world.up(respawn=False, numprocesses=2)
        self.world.die(old.places.pids()[0], 0)
        self.world.advance(2)
        watcher = self.crash()
        self.assert_nothing_happens(60)
        self.next.die(watcher.places.pids()[0], 0)
        self.next.advance(1)
        self.assertTrue(watcher.has_completed)
        self.assertEqual(self.next.spawned, [])
        again, there = crashed(self.next, self.next.books._ledger)
        again.advance(5)
        self.assertTrue(there["web"].has_completed)
        self.assertEqual(again.spawned, [])

    def lag(self, watcher: Watcher, *wids: int) -> None:
        """Let the ledger be as it is now, but for processes that are then found by their marks."""
        self.world.books.ordered([watcher])
        before = dict(self.ledger.entries)
        self.world.advance(0.1)
        now, self.ledger.entries = self.ledger.entries, before
        for wid in wids:
            key = f"slot {watcher.place} {wid}"
            pid, inode, start, _, _, at, started, *_, pipes = now[key]
            self.ledger.entries[key] = [
                *(pid, inode, start, None, "", at, started, ["", "", ""], None, pipes),
            ]

    def test_one_whose_start_is_not_recorded(self) -> None:
        old = self.world.add(numprocesses=2)
        self.world.start([old], "command:start", None)
        self.lag(old, 1, 2)
        watcher = self.crash()
        self.next.advance(5)
        self.assertEqual((self.next.spawned, self.next.signals), ([], []))
        self.assertEqual(watcher.places.pids(), old.places.pids())
        self.assertEqual((watcher.life, self.next.actions().count("start")), (UP, 1))

    def test_a_job_whose_start_is_not_recorded(self) -> None:
        """It runs no further time, even if it ends before the others of it have begun."""
        old = self.world.add(respawn=False, numprocesses=3)
        self.world.start([old], "command:start", None)
        self.lag(old, 1, 2)
        (third,) = set(self.world.alive) - set(old.places.pids()[:2])
        del self.world.alive[third]
        watcher = self.crash()
        for pid in watcher.places.pids():
            self.next.die(pid, 0)
        self.next.advance(5)
        self.assertEqual((len(self.next.spawned), self.next.signals), (1, []))

    def test_a_restart_that_is_not_recorded(self) -> None:
        """It is not restarted twice."""
        old = self.world.up()
        self.world.advance(10)
        self.world.restart([old], "command:restart", None)
        self.lag(old, 1)
        self.crash()
        self.next.advance(5)
        self.assertEqual((self.next.spawned, self.next.signals), ([], []))

    def test_one_that_gave_up(self) -> None:
        self.world.refuse = FileNotFoundError(2, "no such file")
        self.world.up(max_retry=1)
        self.world.advance(5)
        watcher = self.crash()
        self.assert_nothing_happens(60)
        self.assertIn("no such file", watcher.reason)

    def test_a_removed_one_is_waited_for(self) -> None:
        self.world.temper = STUBBORN
        old = self.world.up(graceful_timeout=20)
        self.world.remove(old, "command:rm", False, None)
        self.world.up(numprocesses=2)
        self.next, _ = crashed(self.world, self.ledger)
        self.next.temper = STUBBORN
        self.next.advance(10)
        self.assertEqual(self.next.spawned, [])
        self.next.advance(15)
        self.assertEqual(len(self.next.spawned), 2)

    def test_one_that_was_let_go_of_is_not_adopted(self) -> None:
        self.world.remove(self.world.up(), "command:rm", True, None)
        self.world.settle()
        self.next, there = crashed(self.world, self.ledger)
        self.assertEqual(there, {})


class TestAtAnyMoment(unittest.TestCase):
    """A failing seed prints its history; CVEC_CIRCUS_FUZZ_SEED and _HISTORIES choose others."""

    def test_random_histories(self) -> None:
        for seed in range(FIRST_SEED, FIRST_SEED + HISTORIES):
            history, ledger = noted_world(lambda seed=seed: History(seed))
            history.reborn_at = None
            try:
                history.play(seed % 30)
                self.go_on(history.world, ledger)
            except Exception as error:
                story = "\n".join(history.log)
                raise AssertionError(f"seed {seed}:\n{story}\n{error!r}") from error

    def go_on(self, old: FakeWorld, ledger: MemoryLedger) -> None:
        """Crash, and see that everything gets to where it was wanted."""
        world, _ = crashed(old, ledger)
        world.ready_after = 0.1
        kept = set(world.alive)
        for pid, process in world.alive.items():
            assert old.alive[pid].is_ready or not process.is_ready, f"{process!r} is ready now"
            assert old.alive[pid].unready == process.unready, f"{process!r} is judged otherwise"
        for round_ in range(2):
            world.advance(60)
            for watcher in world.roster.watchers():
                size = watcher.goal.numprocesses
                count = len(watcher.places.fresh)
                assert count <= size, f"{watcher!r}: too many"
                if watcher.goal.up and watcher.life is UP and not watcher.one_shot:
                    places = watcher.places
                    there = count + len(places.stale) + len(places.pending) + len(places.ending)
                    assert there >= size, f"{watcher!r}: too few"
                assert watcher.goal.up or not watcher.places.fresh, f"{watcher!r} runs"
                is_there = watcher.life in (UP, FILLING) or watcher.rests
                is_replaced = bool(watcher.options.schedule)  # its next run is due just now
                assert not watcher.goal.up or is_there or is_replaced, (
                    f"{watcher!r}: {world.why(watcher)}"
                )
            leaders = [p.pid for w in world.roster.all_watchers() for p in w.places.leaders()]
            assert sorted(leaders) == sorted(world.alive), "one is not known"
            if round_ == 0:  # and what is written down by then is enough as well
                world, _ = crashed(world, world.books._ledger)
                world.ready_after = 0.1
                assert not world.spawned, kept
        world.shut_down("signal:TERM")
        world.advance(100)
        assert not world.alive and world.roster.is_down


if __name__ == "__main__":
    unittest.main()
