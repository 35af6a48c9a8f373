"""Several orders as one, as a configuration that was read again gives them."""

from __future__ import annotations

import errno
import unittest
from typing import Any

from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Add, Configure, Reload, Remove, SetOptions, Start, Stop
from cvec_circus.wire.outcome import Outcome
from tests.core.waiting_case import WaitingCase
from tests.support.world import IMMORTAL, STUBBORN

MISSING = FileNotFoundError(errno.ENOENT, "no such file")
CAUSE = Cause("command:reloadconfig", "file")


class TestConfigure(WaitingCase):
    def configure(
        self, *orders: Any, bases: tuple[Any, ...] = (), timeout: float | None = None
    ) -> list[Outcome]:
        outcomes, wait = self.world.wait(timeout)
        self.roster.give(Configure(orders, bases, CAUSE), wait)
        self.world.settle()
        return outcomes

    def test_each_of_them_is_carried_out_and_waited_for(self) -> None:
        gone, kept = self.world.up("gone"), self.world.up("kept")
        self.world.advance(60)
        new = self.world.add("new", numprocesses=2, warmup_delay=5)
        outcomes = self.configure(
            Remove(gone, CAUSE),
            SetOptions(kept, {"cmd": "other"}, CAUSE),
            Start([new], CAUSE, beside=True),
        )
        self.world.advance(4.9)
        self.assertEqual(outcomes, [])
        self.world.advance(0.1)
        outcome = self.assert_done(outcomes)
        self.assertEqual((outcome.stopped, outcome.started), ([100, 101], [102, 103, 104]))
        self.assertIsNone(self.roster.get("gone"))

    def test_one_may_be_added_and_started_at_once(self) -> None:
        watcher = self.world.add("new")
        self.world.remove(watcher, "command:rm", False, None)
        self.world.settle()
        fresh = type(watcher)("new", watcher.options)
        self.assert_done(self.configure(Add(fresh, CAUSE), Start([fresh], CAUSE)))
        self.assertTrue(fresh.is_up)

    def test_two_fail_and_both_are_named(self) -> None:
        self.world.refuse = MISSING
        a, b = self.world.add("a", max_retry=1), self.world.add("b", max_retry=2)
        outcomes = self.configure(Start([a], CAUSE), Start([b], CAUSE))
        self.assertEqual(outcomes, [])
        self.world.advance(1)
        said = "{} gave up: [Errno 2] no such file ({})"
        told = f"{said.format('a', '1 attempt')}; {said.format('b', '2 attempts')}"
        self.assert_fails(outcomes, told)

    def test_one_fails_and_the_others_are_waited_for(self) -> None:
        self.world.temper = IMMORTAL
        stuck = self.world.up("a", graceful_timeout=1)
        slow = self.world.up("b", numprocesses=2, warmup_delay=20)
        outcomes = self.configure(Stop([stuck], CAUSE), Start([slow], CAUSE))
        self.world.advance(19)
        self.assertEqual(outcomes, [])
        self.world.advance(1)
        self.assert_fails(outcomes, "reloadconfig of a: process 100 does not end")
        self.assertTrue(slow.is_up)

    def test_what_is_overtaken_is_named_among_the_others(self) -> None:
        a, b = self.world.up("a"), self.world.up("b")
        outcomes = self.configure(Reload([a], CAUSE), Reload([b], CAUSE))
        self.world.stop([a], "command:stop", None)
        self.world.settle()
        self.assertEqual(outcomes, [])
        self.world.advance(2)
        self.assert_fails(outcomes, "reloadconfig of a abandoned: a later order stopped it")

    def test_a_time_out_names_what_has_failed_before(self) -> None:
        self.world.temper = STUBBORN
        slow = self.world.up("slow")
        self.world.refuse = MISSING
        bad = self.world.add("bad", max_retry=1)
        outcomes = self.configure(Start([bad], CAUSE), Stop([slow], CAUSE), timeout=5)
        self.world.advance(5)
        self.assertIn("reloadconfig timed out after 5 s: slow is stopping", outcomes[0].error or "")
        self.assertIn("bad gave up", outcomes[0].error or "")

    def test_one_that_is_let_go_of_says_nothing_of_the_others(self) -> None:
        gone = self.world.up("gone")
        slow = self.world.add("slow", numprocesses=2, warmup_delay=5)
        outcomes = self.configure(Start([slow], CAUSE), Remove(gone, CAUSE, nostop=True))
        self.assertEqual(outcomes, [])
        self.world.advance(5)
        self.assert_done(outcomes)

    def test_nothing_to_do_is_done(self) -> None:
        self.assert_done(self.configure())

    def test_what_the_configuration_gives_from_now_on(self) -> None:
        watcher = self.world.up(numprocesses=2)
        self.world.resize(watcher, 5, "command:incr", None)
        self.assertEqual(watcher.settings.configured()["numprocesses"], 2)
        base = {**watcher.options, "numprocesses": 3}
        self.configure(bases=((watcher, base),))
        self.assertEqual(watcher.settings.configured()["numprocesses"], 3)
        self.assertEqual(watcher.options.numprocesses, 5)
        self.configure(bases=((watcher, dict(watcher.options)),))
        self.assertIsNone(watcher.settings.base)

    def test_every_event_has_its_cause(self) -> None:
        watcher = self.world.up()
        mark = len(self.world.events)
        self.configure(SetOptions(watcher, {"cmd": "other"}, CAUSE))
        self.world.advance(5)
        causes = {payload["cause"] for _, _, _, payload in self.world.events[mark:]}
        self.assertEqual(causes, {"command:reloadconfig"})


if __name__ == "__main__":
    unittest.main()
