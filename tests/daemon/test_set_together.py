"""Options that are set for several watchers by one order."""

from __future__ import annotations

import errno
import unittest
from typing import Any

from tests.support.reloads import ReloadCase

OLD = "sleep 600"
NEW = "sh -c '$(circus.mode)'"
"""A command that is another one in each watcher."""

GOOD = "exec sleep 601"


def watcher(name: str, mode: str = GOOD, more: str = "") -> str:
    return f"[watcher:{name}]\ncmd = {OLD}\nmode = {mode}\nmin_uptime = 0.5\n{more}"


class TestTogether(ReloadCase):
    def ready(self, text: str) -> None:
        """Start a daemon, and wait until there is something to go back to."""
        self.up(text)
        self.served.call("wait", name="*", state="ready")

    def commands(self) -> dict[str, str]:
        """Return the command of each watcher, by name."""
        told = self.served.call("get", name="*", keys=["cmd"])["watchers"]
        return {name: one["options"]["cmd"] for name, one in told.items()}

    def set(self, name: Any = "*", waiting: Any = "proved", **options: Any) -> dict[str, Any]:
        """Set options, and return the answer, whatever it is."""
        asking = self.asking()
        given = {"name": name, "options": options, "waiting": waiting}
        [answer] = asking.until(asking.ask("set", **given))
        return answer

    def test_one_answer_at_the_end_of_all_rollouts(self) -> None:
        self.ready(watcher("a", more="numprocesses = 2\n") + watcher("b"))
        before = {*self.pids("a"), *self.pids("b")}
        answer = self.set(cmd=NEW)
        self.assertEqual(answer["status"], "ok", answer)
        self.assertNotIn("gap", answer)
        after = {*self.pids("a"), *self.pids("b")}
        self.assertEqual((len(after), after & before), (3, set()))
        self.assertEqual(self.commands(), {"a": NEW, "b": NEW})

    def test_the_gaps_of_all(self) -> None:
        self.ready("".join(watcher(name, more="rollout = recreate\n") for name in "abc"))
        answer = self.set(["c", "a"], cmd=NEW)
        self.assertEqual((answer["status"], answer["gap"]), ("ok", ["c", "a"]), answer)

    def test_one_that_fails_goes_back_alone(self) -> None:
        self.ready(watcher("a", "exit 8", "rollout = surge\n") + watcher("b"))
        (kept,) = self.pids("a")
        answer = self.set(cmd=NEW)
        self.assertEqual((answer["status"], answer["errno"]), ("error", errno.EIO), answer)
        self.assertIn("set of a", answer["reason"])
        self.assertNotIn("set of b", answer["reason"])
        self.assertEqual(self.commands(), {"a": OLD, "b": NEW})
        self.assertEqual(self.pids("a"), [kept])

    def test_what_one_cannot_have_none_gets(self) -> None:
        self.ready(watcher("a") + watcher("b", more="singleton = True\n"))
        pids = self.pids("a"), self.pids("b")
        for said, options in (
            ("b: numprocesses: ", {"numprocesses": 2}),
            ("b: depends_on: ", {"depends_on": "b"}),
            ("a: stdin_socket: ", {"cmd": "cat", "stdin_socket": "nope"}),
            ("a: uid: there is no user no-such-user", {"uid": "no-such-user"}),
        ):
            with self.subTest(said):
                self.assertIn(
                    said, self.served.wire.refused("set", name=["a", "b"], options=options)
                )
                self.assertEqual(self.commands(), {"a": OLD, "b": OLD})
        self.assertEqual((self.pids("a"), self.pids("b")), pids)
        self.assertEqual(self.served.call("get", name="a", keys="numprocesses")["options"], ONE)


ONE = {"numprocesses": 1}

if __name__ == "__main__":
    unittest.main()
