"""What orders to a daemon are answered whose rollout is joined, overtaken or made void."""

from __future__ import annotations

import errno
import os
import unittest
from typing import Any

from tests.support.eventually import eventually
from tests.support.reloads import Asking, ReloadCase

GOOD = "sh -c 'echo READY; exec sleep 600'"


class TestJoined(ReloadCase):
    """A new process of `web` waits for the test to end it."""

    def setUp(self) -> None:
        super().setUp()
        self.up(self.text(GOOD))
        self.served.call("wait", name="web", state="ready", waiting=True)
        self.fifo = self.served.folder / "fifo"
        os.mkfifo(self.fifo)
        self.bad = f"sh -c 'read line < {self.fifo}; echo sorry; exit 8'"

    def text(self, command: str) -> str:
        options = "ready.n = log:READY\ncopy_env = True\nlog_history = 4096\n"
        return f"[watcher:web]\ncmd = {command}\n{options}"

    def set(self, asking: Asking, command: str) -> str:
        options = {"cmd": command}
        return asking.ask("set", name="web", options=options, waiting="proved")

    def overtake(self, command: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Set what fails, give another order meanwhile, and return the answers to both."""
        asking, olds = self.asking(), set(self.pids("web"))
        first = self.set(asking, self.bad)
        self.assertTrue(eventually(lambda: set(self.pids("web")) - olds))
        olds.update(self.pids("web"))
        second = asking.ask(command, name="web", waiting="proved")
        self.assertTrue(eventually(lambda: set(self.pids("web")) - olds))
        self.assertFalse(asking.answered(first) or asking.answered(second))
        self.end_it()
        one, other = asking.until(first, second)
        return one, other

    def end_it(self) -> None:
        """Let the new process exit with 8."""
        with self.fifo.open("w") as file:
            file.write("\n")

    def assert_failed(self, answer: dict[str, Any], *words: str) -> None:
        self.assertEqual((answer["status"], answer["errno"]), ("error", errno.EIO), answer)
        for word in words:
            self.assertIn(word, answer["reason"])

    def test_the_same_options(self) -> None:
        asking = self.asking()
        self.served.call("set", name="web", options={"cmd": self.bad})
        joined = self.set(asking, self.bad)
        asking.until(asking.ask("ping"))
        self.assertFalse(asking.answered(joined))
        self.end_it()
        [answer] = asking.until(joined)
        self.assert_failed(answer, "set of web: process ", "exited with 8", "sorry")

    def test_how_far_it_is(self) -> None:
        self.served.call("set", name="web", options={"cmd": self.bad})
        rollout = self.served.call("status", name="web")["rollout"]
        self.assertEqual((rollout["replaced"], rollout["total"]), (0, 1))
        self.assertEqual(rollout["cause"], "command:set")
        self.assertEqual(self.served.ctl("status", "web", "--phase").stdout, "reloading 0/1\n")
        self.assertEqual(self.served.ctl("status", "web").stdout, "active\n")

    def test_the_same_configuration(self) -> None:
        asking = self.asking()
        self.write(self.text(self.bad))
        asked = [asking.ask("reloadconfig", waiting="proved") for _ in range(2)]
        asking.until(asking.ask("reloadconfig", dry_run=True))  # after the others
        self.assertFalse(any(map(asking.answered, asked)))
        self.end_it()
        for answer in asking.until(*asked):
            self.assert_failed(answer, "reloadconfig of web: process ", "exited with 8", "sorry")
            self.assertEqual(answer["failed"], ["web"])

    def test_a_configuration_that_is_put_back(self) -> None:
        asking, olds = self.asking(), set(self.pids("web"))
        self.write(self.text(self.bad))
        first = asking.ask("reloadconfig", waiting="proved")
        self.assertTrue(eventually(lambda: set(self.pids("web")) - olds))
        self.write(self.text(GOOD))
        answers = asking.until(first, asking.ask("reloadconfig", waiting="proved"))
        said = "reloadconfig of web abandoned: file changed its options by reloadconfig"
        self.assert_failed(answers[0], said)
        self.assertEqual(answers[1]["status"], "ok")

    def test_other_options(self) -> None:
        asking = self.asking()
        first = self.set(asking, self.bad)
        second = self.set(asking, f"{GOOD} x")
        answers = asking.until(first, second)
        said = "set of web abandoned: client ", ") changed its options by set"
        self.assert_failed(answers[0], *said)
        self.assertEqual(answers[1]["status"], "ok")

    def test_a_reload(self) -> None:
        answers = self.overtake("reload")
        self.assert_failed(answers[0], "set of web overtaken: client ", ") reloaded it: process ")
        self.assert_failed(answers[1], "reload of web: process ", "exited with 8")

    def test_a_restart(self) -> None:
        answers = self.overtake("restart")
        self.assert_failed(answers[0], "set of web overtaken: client ", ") restarted it: process ")
        self.assert_failed(answers[1], "restart of web: process ", "exited with 8")


if __name__ == "__main__":
    unittest.main()
