"""What `reload --dry-run` says."""

from __future__ import annotations

import unittest
from typing import Any

from cvec_circus.commands.reload import Reload

LAST = "nothing was changed: this was a dry run"


class TestTheDryRun(unittest.TestCase):
    def said(self, **given: Any) -> str:
        step = {
            "name": "web",
            "action": "replace",
            "processes": [11, 12],
            "surge": None,
            "unavailable": 0,
            "may_retry": False,
            "ready": {},
            "seconds": 1.0,
            "goes_back": True,
            **given,
        }
        text = Reload().words({"plan": [step]})
        assert isinstance(text, str)
        line, last = text.split("\n")
        self.assertEqual(last, LAST)
        return line.partition("web: ")[2]

    def test_beside(self) -> None:
        self.assertEqual(
            self.said(),
            "2 processes (11, 12): all new ones start beside the old ones; an old one is stopped "
            "when a new one has lived 1 s; if a new one fails, the old ones stay",
        )
        said = self.said(surge=1, unavailable=1)
        self.assertIn("when a new one has lived 1 s, at most 1 before that; if a", said)
        said = self.said(surge=1, ready={"up": "notify"}, seconds=30.0)
        self.assertIn("new ones start beside the old ones, at most 1 at a time", said)
        self.assertIn("when a new one is ready (up: notify; 30 s at most)", said)

    def test_once_more(self) -> None:
        self.assertIn(
            "if a new one exits before that, it is tried once more with an old one stopped first; "
            "if that fails, a process of the old options is started in its place",
            self.said(may_retry=True),
        )

    def test_the_old_one_first(self) -> None:
        self.assertEqual(
            self.said(surge=0, unavailable=1, processes=[11], seconds=0.0),
            "1 process (11): 1 at a time, the old one first; the next when a new one "
            "runs; if a new one fails, a process of the old options is started again in its place",
        )

    def test_of_a_job(self) -> None:
        said = self.said(surge=0, unavailable=1, processes=[11], one_shot=True)
        self.assertIn("; if a new one fails, nothing is started in its place", said)

    def test_none_runs_for_a_moment(self) -> None:
        said = self.said(surge=0, unavailable=1, processes=[11], gap=True)
        self.assertIn("the old one first, so that none runs for a moment; the next when", said)
        self.assertEqual(
            self.said(action="restart", gap=True),
            "2 processes (11, 12): all are stopped first, then new ones start; nothing can be "
            "rolled back",
        )

    def test_nothing_to_go_back_to(self) -> None:
        said = self.said(goes_back=False, may_retry=True)
        self.assertTrue(said.endswith("none is ready now, so there is nothing to go back to"), said)
        self.assertEqual(
            self.said(processes=[], goes_back=False),
            "no process runs: the next ones are new, and there is nothing to go back to",
        )


if __name__ == "__main__":
    unittest.main()
