"""Watchers of which an arbiter has mappings, as objects."""

from __future__ import annotations

import unittest

from cvec_circus.arbiter import ThreadedArbiter
from tests.embedding.arbiter_case import ArbiterCase
from tests.support.eventually import eventually
from tests.support.wire import TIMEOUT


class TestMapping(ArbiterCase):
    def test_what_is_set_before_the_start(self) -> None:
        given = {"name": "w", "cmd": "sleep 1000", "env": {"A": "1"}}
        arbiter = self.make(ThreadedArbiter, given)
        [watcher] = arbiter.iter_watchers()
        watcher.env["B"] = "2"
        watcher.numprocesses = 2
        watcher.set_opt("graceful_timeout", 1)
        arbiter.add_watcher("other", "sleep 1000")
        self.assertEqual((watcher.numprocesses, watcher.env), (2, {"A": "1", "B": "2"}))
        arbiter.start()
        self.addCleanup(arbiter.stop)
        self.assertIs(arbiter.get_watcher("w"), watcher)
        self.assertTrue(eventually(lambda: len(watcher.pids) == 2, TIMEOUT))
        shown = dict(watcher.options())
        self.assertEqual((shown["env"], shown["graceful_timeout"]), ({"A": "1", "B": "2"}, 1.0))
        self.assertEqual(given, {"name": "w", "cmd": "sleep 1000", "env": {"A": "1"}})


if __name__ == "__main__":
    unittest.main()
