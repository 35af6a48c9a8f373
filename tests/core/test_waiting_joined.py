"""Answers to orders whose rollout another order has begun, has overtaken, or made void."""

from __future__ import annotations

import unittest
from typing import Any

from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Configure, Order, Reload, Resize, Restart, SetOptions, Stop
from cvec_circus.wire.outcome import Outcome
from tests.core.test_waiting_proved import ProvedCase

SET = Cause("command:set", "client")
RELOAD = Cause("command:reload", "plugin:x")
RESTART = Cause("command:restart", "client")
FILE = Cause("command:reloadconfig", "file")
DIED = "process {} exited with 8 after 0.5 s, before it was ready"
BACK = f"{DIED}; the options of before are back; the old process was kept"


class JoinedCase(ProvedCase):
    def setUp(self) -> None:
        super().setUp()
        self.world.stop_delay = 0.0

    def web(self, **options: Any) -> Watcher:
        """A watcher whose process is ready."""
        watcher = self.world.up(**{"use_sockets": True, "min_uptime": 1, **options})
        self.world.advance(5)
        self.assertTrue(watcher.is_ready)
        return watcher

    def set(self, watcher: Watcher, cause: Cause = SET, **options: Any) -> SetOptions:
        return SetOptions(watcher, options, cause)

    def newest_fails(self) -> int:
        """The newest process exits with 8, half a second after the last order."""
        self.world.advance(0.5)
        pid = max(self.world.alive)
        self.world.die(pid, 8)
        self.world.settle()
        return pid

    def later(self, order: Order, seconds: float = 0.2) -> list[Outcome]:
        self.world.advance(seconds)
        return self.proved(order)


class TestBesideACrashLoop(JoinedCase):
    def test_a_rollout_by_age_that_fails_does_not_hide_it(self) -> None:
        watcher = self.web(numprocesses=2)
        self.world.die(100, 7)
        for pid in (102, 103):
            self.world.advance(0.5)
            self.world.die(pid, 7)
            self.world.settle()
        outcomes = self.proved(self.set(watcher, max_age=1, max_age_variance=0))
        self.world.die(self.world.spawned[-1], 8)
        self.world.settle()
        self.assertEqual(watcher.failed.cause.text, "max_age")
        self.assertEqual(outcomes, [])
        pid = watcher.places.slots[1].pid
        self.world.advance(0.5)
        self.world.die(pid, 7)
        self.world.settle()
        how = "exited with 7 after 0.5 s, before it was ready"
        self.assert_fails(outcomes, f"set of web: process {pid} {how}")


class TestJoined(JoinedCase):
    """It wants what is being rolled out already."""

    def test_the_same_options(self) -> None:
        watcher = self.web()
        self.roster.give(self.set(watcher, cmd="bad"))
        self.world.settle()
        outcomes = self.proved(self.set(watcher, cmd="bad"))
        self.assertEqual(outcomes, [])
        pid = self.newest_fails()
        self.assert_fails(outcomes, f"set of web: {BACK.format(pid)}")

    def test_it_succeeds(self) -> None:
        watcher = self.web()
        self.roster.give(self.set(watcher, cmd="good"))
        self.world.settle()
        outcomes = self.proved(self.set(watcher, cmd="good"))
        self.world.advance(0.9)
        self.assertEqual(outcomes, [])
        self.world.advance(3)
        self.assert_done(outcomes)
        self.assertEqual(len(self.world.spawned), 2)  # nothing was replaced twice

    def test_an_option_that_is_not_rolled_out(self) -> None:
        watcher = self.web()
        self.roster.give(self.set(watcher, cmd="bad"))
        self.world.settle()
        outcomes = self.proved(self.set(watcher, graceful_timeout=3.0))
        self.newest_fails()
        self.world.advance(5)
        self.assert_done(outcomes)
        self.assertEqual(watcher.options.graceful_timeout, 3)

    def test_a_configuration(self) -> None:
        watcher = self.web()
        first = self.proved(Configure([self.set(watcher, FILE, cmd="bad")], [], FILE))
        second = self.proved(Configure([], [], FILE, joined=[watcher]))
        self.assertEqual(first + second, [])
        pid = self.newest_fails()
        for outcomes in (first, second):
            self.assert_fails(outcomes, f"reloadconfig of web: {BACK.format(pid)}")
            self.assertEqual(outcomes[0].failed, ["web"])


class TestVoid(JoinedCase):
    """Another order gives other values to its options."""

    def test_set_after_set(self) -> None:
        watcher = self.web()
        first = self.proved(self.set(watcher, cmd="bad"))
        second = self.later(self.set(watcher, cmd="good"))
        said = "set of web abandoned: client changed its options by set"
        self.assert_fails(first, said)
        self.world.advance(5)
        self.assert_done(second)

    def test_it_is_answered_before_the_other_fails(self) -> None:
        watcher = self.web()
        first = self.proved(self.set(watcher, cmd="good"))
        second = self.later(self.set(watcher, cmd="bad"))
        self.assertEqual((len(first), second), (1, []))
        pid = self.newest_fails()
        self.assert_fails(second, f"set of web: {BACK.format(pid)}")

    def test_set_after_a_configuration_and_the_other_way_round(self) -> None:
        watcher = self.web()
        first = self.proved(self.set(watcher, FILE, cmd="a"))
        second = self.later(self.set(watcher, cmd="b"))
        third = self.later(self.set(watcher, FILE, cmd="c"))
        by_set, by_file = "client changed its options by set", "file changed its options by"
        self.assert_fails(first, f"reloadconfig of web abandoned: {by_set}")
        self.assert_fails(second, f"set of web abandoned: {by_file} reloadconfig")
        self.world.advance(5)
        self.assert_done(third)

    def test_a_configuration_that_stops_it(self) -> None:
        watcher = self.web()
        first = self.proved(self.set(watcher, cmd="a"))
        self.later(Stop([watcher], FILE))
        self.assert_fails(first, "set of web abandoned: file stopped it")

    def test_another_number_of_processes(self) -> None:
        watcher = self.web()
        first = self.proved(self.set(watcher, cmd="a", numprocesses=3))
        self.later(Resize(watcher, 2, Cause("command:decr", "plugin:x", "idle")))
        self.assert_fails(first, "set of web abandoned: plugin:x set numprocesses to 2 (idle)")

    def test_another_variable_is_no_other_value(self) -> None:
        watcher = self.web()
        first = self.proved(self.set(watcher, env={"A": "1"}))
        second = self.later(self.set(watcher, env={"A": "1", "B": "2"}))
        self.assertEqual(first, [])
        self.world.advance(5)
        self.assert_done(first)
        self.assert_done(second)


class TestOvertaken(JoinedCase):
    """What it wants is what the later order brings about as well."""

    def test_a_reload_that_succeeds(self) -> None:
        watcher = self.web()
        first = self.proved(self.set(watcher, cmd="good"))
        second = self.later(Reload([watcher], RELOAD))
        self.world.advance(5)
        self.assert_done(first)
        self.assert_done(second)

    def test_a_reload_that_fails(self) -> None:
        watcher = self.web()
        first = self.proved(self.set(watcher, cmd="bad"))
        second = self.later(Reload([watcher], RELOAD))
        pid = self.newest_fails()
        back = BACK.format(pid)
        self.assert_fails(first, f"set of web overtaken: plugin:x reloaded it: {back}")
        self.assert_fails(second, f"reload of web: {back}")

    def test_a_reload_without_a_way_back(self) -> None:
        watcher = self.web(rollout="recreate")
        first = self.proved(self.set(watcher, cmd="bad"))
        # The old process has ended, and its successor is not ready.
        second = self.later(Reload([watcher], RELOAD))
        died = f"process {self.newest_fails()} exited with 8"
        self.assertIn(f"set of web overtaken: plugin:x reloaded it: {died}", first[0].error or "")
        self.assertIn(f"reload of web: {died}", second[0].error or "")

    def test_a_restart_that_fails(self) -> None:
        watcher = self.web()
        first = self.proved(self.set(watcher, cmd="bad"))
        second = self.later(Restart([watcher], RESTART))
        died = f"process {self.newest_fails()} exited with 8"
        self.assertIn(f"set of web overtaken: client restarted it: {died}", first[0].error or "")
        self.assertIn(f"restart of web: {died}", second[0].error or "")

    def test_three_in_a_row(self) -> None:
        watcher = self.web()
        first = self.proved(self.set(watcher, FILE, cmd="good"))
        second = self.later(Reload([watcher], RELOAD))
        third = self.later(self.set(watcher, cmd="bad"))
        by = "client changed its options by set"
        self.assert_fails(first, f"reloadconfig of web abandoned: {by}")
        back = BACK.format(self.newest_fails())
        self.assert_fails(second, f"reload of web overtaken: {by}: {back}")
        self.assert_fails(third, f"set of web: {back}")


if __name__ == "__main__":
    unittest.main()
