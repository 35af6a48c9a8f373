"""The core as JSON, and back: nothing is lost, and it goes on where it was."""

from __future__ import annotations

import errno
import json
import unittest
from typing import Any

from cvec_circus.core.facts import Facts, Strayed
from cvec_circus.core.life import Life
from cvec_circus.core.process import ProcessState, Purpose
from cvec_circus.core.roster import Roster
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.supervisor.campaign import Pace
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Reload, Resize, Stop
from cvec_circus.wire.outcome import Stray
from tests.support.world import IMMORTAL, STUBBORN, FakeWorld

MISSING = FileNotFoundError(errno.ENOENT, "no such file")


def plain(roster: Roster) -> Any:
    """Return its state as JSON gives it back."""
    return json.loads(json.dumps(roster.to_state()))


class StateCase(unittest.TestCase):
    """A world that is written down and goes on. Owned by the test's thread."""

    def setUp(self) -> None:
        self.world = FakeWorld()
        self.world.luck = 0.5
        self.world.stop_delay = 1.0

    def restored(self) -> Roster:
        """Return another roster with the same state, which is the same in every part."""
        before = plain(self.world.roster)
        roster = self.world.another_roster(Pace(warmup_delay=77.0), Facts())
        roster.restore(before)
        after = plain(roster)
        self.assertEqual(set(after), set(before))
        for ours, theirs in zip(after["watchers"], before["watchers"]):
            for part in theirs:
                self.assertEqual(ours[part], theirs[part], part)
        self.assertEqual(after, before)
        self.assert_same_counts(roster)
        return roster

    def assert_same_counts(self, roster: Roster) -> None:
        """What is counted again is what was counted along."""
        for old, new in zip(self.world.roster.all_watchers(), roster.all_watchers()):
            self.assertEqual((new.name, new.status), (old.name, old.status))
            self.assertEqual(self.world.why(new), self.world.why(old))
            for name in ("held", "stale_count"):
                self.assertEqual(getattr(new.places, name), getattr(old.places, name), name)
            self.assertEqual(dict(new.options), dict(old.options))
            configured = old.settings.configured()
            self.assertEqual(dict(new.settings.configured()), dict(configured))

    def go_on(self) -> list[Watcher]:
        """Let the restored core take over; returns its watchers."""
        self.restored()
        mark = len(self.world.events), len(self.world.signals), len(self.world.notes)
        watchers = self.world.restore()
        self.world.settle()
        after = len(self.world.events), len(self.world.signals), len(self.world.notes)
        self.assertEqual(after, mark, "it has done something without news")
        return watchers


class TestRoundTrips(StateCase):
    def test_nothing(self) -> None:
        self.assertEqual(self.restored().all_watchers(), [])

    def test_each_life(self) -> None:
        self.world.answers.update(before_start=None, before_stop=None)
        self.world.add("down")
        self.world.up("waiting", on_demand=True, use_sockets=True)
        self.world.up("opening", hooks=["before_start"])
        self.world.up("filling", numprocesses=3, warmup_delay=5)
        self.world.up("up", numprocesses=2)
        closing = self.world.up("closing", hooks=["before_stop"])
        stopping = self.world.up("stopping")
        self.world.stop([closing, stopping], "command:stop", None)
        self.world.settle()
        lives = {Life(watcher.name): watcher.life for watcher in self.world.roster.watchers()}
        self.assertEqual(lives, {life: life for life in Life})
        self.restored()

    def test_each_state_of_a_process(self) -> None:
        watcher = self.world.up(numprocesses=6, graceful_timeout=1, respawn_delay=9)
        self.world.advance(60)
        slots = watcher.places.slots
        self.world.temper = IMMORTAL
        self.world.kill(watcher, [slots[1]], None, None, None)
        self.world.advance(7)
        self.assertEqual(watcher.places.unkillable(), [slots[1]])
        self.world.temper = STUBBORN
        self.world.leftovers = 100.0
        self.world.die(slots[2].pid)
        self.world.leftovers = None
        self.world.kill(watcher, [slots[4]], None, None, None)
        self.world.die(slots[3].pid)
        self.world.settle()
        states = {process.state for process in slots.values()}
        self.assertEqual(states, set(ProcessState) - {ProcessState.REMOVED})
        self.restored()

    def test_all_the_options_there_are(self) -> None:
        given = WATCHER_OPTIONS.convert(
            {
                "cmd": ["run", "it"],
                "env": {"A": "1"},
                "mine.key": "x",
                "rlimit_nofile": "500",
                "stdout_stream.class": "FileStream",
                "stdout_stream.filename": "/x.log",
                "hook_timeout": 3.0,
                "stop_signal": "QUIT",
            }
        )
        full = dict(WATCHER_OPTIONS.complete(given))
        full["hooks"] = WATCHER_OPTIONS.convert_one(
            "hooks", {"before_start": ["os.getcwd", True], "after_stop": ["exec:true"]}
        )
        watcher = self.world.up()
        self.world.answers["before_start"] = None
        self.world.set_options(watcher, full, "command:set", None)
        self.world.advance(5)
        self.assertIsNotNone(watcher.settings.base)
        roster = self.restored()
        (new,) = roster.watchers()
        self.assertEqual(new.options.hooks, watcher.options.hooks)
        self.assertEqual(new.options.hooks["before_start"].ignore, True)
        self.assertEqual(new.options["mine.key"], "x")
        self.assertNotIn("mine.key", new.settings.configured())

    def test_what_was_taken_away_since(self) -> None:
        watcher = self.world.up(**{"mine.key": "x"})
        watcher.change({}, frozenset({"mine.key"}))
        watcher.settings.rebase({**watcher.options, "your.key": "y"})
        (new,) = self.restored().watchers()
        self.assertEqual(new.settings.base, {"your.key": "y"})
        self.assertEqual(new.settings.configured()["your.key"], "y")

    def test_every_kind_of_cause(self) -> None:
        watcher = self.world.up(numprocesses=2)
        why = Cause("command:stop", "plugin:flapping", "5 deaths in 10 s")
        self.world.roster.give(Resize(watcher, 3, why._replace(text="command:incr")))
        self.world.roster.give(Reload([watcher], why._replace(text="command:reload")))
        self.world.settle()
        self.restored()
        self.world.roster.give(Stop([watcher], why))
        self.world.advance(5)
        (new,) = self.restored().watchers()
        self.assertEqual(self.world.why(new), "stopped by plugin:flapping: 5 deaths in 10 s")
        self.assertEqual(new.goal, watcher.goal)
        self.assertIsInstance(new.places.last_death.cause, str)

    def test_rollouts(self) -> None:
        for sequential, again in ((False, False), (False, True), (True, False), (True, True)):
            with self.subTest(sequential=sequential, again=again):
                self.setUp()
                watcher = self.world.up(numprocesses=3)
                self.world.advance(60 * again)
                self.world.set_options(watcher, {"cmd": "other"}, "command:set", None)
                self.world.reload([watcher], "command:reload", sequential, None)
                self.world.settle()
                self.assertEqual(watcher.rollout.way_back, again)
                (new,) = self.restored().watchers()
                self.assertEqual(new.rollout, watcher.rollout)
                self.assertEqual(new.settings.newest, 3)

    def test_every_deadline(self) -> None:
        watcher = self.world.up(numprocesses=3, max_age=1000, respawn_delay=9)
        self.world.advance(60)
        self.world.temper = STUBBORN
        self.world.kill(watcher, [watcher.places.slots[2]], None, None, None)
        self.world.die(100)
        self.world.settle()
        (new,) = self.restored().watchers()
        for wid, purpose in ((1, Purpose.SPAWN), (2, Purpose.KILL), (3, Purpose.EXPIRE)):
            due_at = watcher.places.deadline(watcher.places.slots[wid], purpose)
            self.assertIsNotNone(due_at, purpose)
            self.assertEqual(new.places.deadline(new.places.slots[wid], purpose), due_at, purpose)
        self.assertEqual(new.next_deadline(), watcher.next_deadline())

    def test_questions_and_gates(self) -> None:
        hooks = ["before_start", "before_spawn", "after_spawn", "before_signal", "after_start"]
        self.world.answers = dict.fromkeys(hooks)
        watchers = [self.world.up(hook, hooks=[hook]) for hook in hooks]
        self.world.stop([watchers[3]], "command:stop", None)
        self.world.settle()
        roster = self.restored()
        for old, new in zip(self.world.roster.watchers(), roster.watchers()):
            self.assertEqual(new.questions, old.questions, old.name)
            self.assertTrue(new.questions, old.name)
            self.assertEqual(new.last_token, old.last_token)
            self.assertEqual(new.gate is None, old.gate is None)

    def test_strays_helpers_and_codes(self) -> None:
        watcher = self.world.up(helper=True, fatal_exit_codes=[3, 2])
        self.world.facts.append(Strayed(watcher, (Stray(9, 12345, "sleep 99"),)))
        self.world.settle()
        (new,) = self.restored().watchers()
        self.assertEqual((new.strays, new.kind), (watcher.strays, watcher.kind))
        self.assertIsInstance(new.strays[0], Stray)

    def test_failures_and_shortages(self) -> None:
        self.world.refuse = MISSING
        self.world.up("missing", max_retry=-1, numprocesses=2)
        self.world.advance(3)
        self.world.refuse = OSError(errno.EAGAIN, "none left")
        self.world.up("short", numprocesses=2)
        self.world.refuse = None
        dying = self.world.up("dying", respawn_delay=3)
        self.world.die(dying.places.pids()[0], 1)
        self.world.settle()
        self.restored()

    def test_predecessors(self) -> None:
        self.world.temper = STUBBORN
        for _ in range(3):
            before = self.world.up(graceful_timeout=30)
            self.world.remove(before, "command:rm", False, None)
        self.world.up()
        roster = self.restored()
        self.assertEqual(len(roster.all_watchers()), 2)
        (watcher,) = roster.watchers()
        left = "process 100 has not ended; SIGKILL in 30.0 s"
        text = f"waits for the end of the one that was removed: {left}"
        self.assertEqual(self.world.why(watcher), text)

    def test_campaigns(self) -> None:
        self.world.campaign.pace = Pace(warmup_delay=2.0, priority_timeout=30.0)
        for name, priority in (("c", 0), ("a", 5), ("b", 5), ("d", 5)):
            self.world.add(name, priority=priority)
        self.world.start(None, "config", None)
        self.world.settle()
        roster = self.restored()
        self.assertEqual(plain(roster)["campaign"]["pace"], list(self.world.campaign.pace))
        self.world.advance(60)
        self.world.up("helper", helper=True)
        self.world.restart(None, "command:restart", None)
        self.world.settle()
        self.assertTrue(self.restored().campaign.asks(False))

    def test_the_end_of_the_daemon(self) -> None:
        self.world.up("helper", helper=True)
        self.world.up()
        self.world.shut_down("signal:TERM")
        self.world.settle()
        self.assertTrue(self.restored().closing)
        self.world.roster.hurry()
        self.restored()

    def test_what_runs_on_unwatched_is_not_in_it(self) -> None:
        self.world.remove(self.world.up(), "command:rm", True, None)
        self.assertEqual(self.restored().all_watchers(), [])


if __name__ == "__main__":
    unittest.main()
