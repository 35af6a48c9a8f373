"""The lines of the log that tell of events."""

from __future__ import annotations

import logging
import unittest
from typing import Any

from cvec_circus.plugins.selection import ACTIONS
from cvec_circus.supervisor.announcer import narrate
from cvec_circus.wire.cause import GIVE_UP, LIVE, READY, Cause
from tests.support.world import FakeWorld

WHY = {"reason": "process 7 is too slow"}
PAYLOADS = {
    "spawn": {"process_pid": 7, "wid": 1},
    "adopted": {"process_pid": 7, "wid": 1},
    "reap": {"process_pid": 7, "wid": 1, "exit_code": 1},
    "kill": {"process_pid": 7, "wid": 1, "signum": 15},
    "signal": {"process_pid": 7, "wid": 1, "signum": 1},
    "backoff": {"wid": 1, "deaths": 2, "delay": 1.5},
    "check": {"process_pid": 7, "wid": 1, "name": "page", "state": "fails", "answer": "HTTP 503"},
    "unready": {"process_pid": 7, "wid": 1, **WHY},
    "rollback": {"kept": [6], **WHY},
    "giveup": WHY,
}


class TestNarrate(unittest.TestCase):
    def narrate(
        self, action: str, cause: Cause = READY, payload: Any = None, **options: Any
    ) -> tuple[int, str]:
        payload = PAYLOADS.get(action, {}) if payload is None else payload
        return narrate(FakeWorld().add(**options), action, cause, dict(payload))

    def test_there_is_a_line_for_every_action(self) -> None:
        for action in [one for one in ACTIONS if one != "upgraded"]:  # of the daemon, not a watcher
            with self.subTest(action):
                cause = GIVE_UP if action == "giveup" else READY
                level, sentence = self.narrate(action, cause)
                self.assertTrue(sentence or level == logging.DEBUG)

    def test_one_that_gave_up_and_one_that_was_given_up(self) -> None:
        self.assertEqual(self.narrate("giveup", GIVE_UP)[1], "given up: process 7 is too slow")
        self.assertEqual(self.narrate("giveup", Cause("command:stop", "plugin:flapping"))[1], "")

    def test_that_it_is_ready_is_news_where_that_is_checked(self) -> None:
        self.assertEqual(self.narrate("ready"), (logging.DEBUG, "ready"))
        checked = self.narrate("ready", live={"page": "http://127.0.0.1:80/"})
        self.assertEqual(checked, (logging.INFO, "ready"))

    def test_that_it_is_not_ready(self) -> None:
        told = self.narrate("unready")
        self.assertEqual(told, (logging.WARNING, "not ready: process 7 is too slow"))

    def test_one_check(self) -> None:
        told = self.narrate("check")
        self.assertEqual(told, (logging.DEBUG, "check page of process 7 fails: HTTP 503"))

    def test_a_rollout_that_failed(self) -> None:
        cause = Cause("command:reload", "client", "new version")
        told = "rollout failed (command:reload): new version: process 7 is too slow"
        self.assertEqual(self.narrate("rollback", cause), (logging.WARNING, told))

    def test_a_reload_with_a_gap(self) -> None:
        level, told = self.narrate("reload", Cause("command:reload"), {"gap": True})
        gap = "reloaded, with a gap: the old process was stopped first (command:reload)"
        self.assertEqual((level, told), (logging.INFO, gap))

    def test_one_process_that_an_order_ends(self) -> None:
        cause = Cause("command:kill", "plugin:fat", "pid 7 used 185 MB, limit 120 MB")
        why = " by plugin:fat (command:kill): pid 7 used 185 MB, limit 120 MB"
        killed = {"process_pid": 7, "wid": 1, "exit_code": -15}
        told = self.narrate("reap", cause, killed)
        self.assertEqual(told, (logging.INFO, f"process 7 was killed by SIGTERM{why}"))
        live = LIVE._replace(why="no answer")
        told = self.narrate("reap", live, killed)
        self.assertEqual(told[1], "process 7 was killed by SIGTERM (live): no answer")


if __name__ == "__main__":
    unittest.main()
