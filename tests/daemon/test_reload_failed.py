"""What reloadconfig answers when not all of it succeeds."""

from __future__ import annotations

import unittest

from tests.support.eventually import eventually
from tests.support.reloads import ReloadCase

SLEEP = "cmd = sleep 600\n"


class TestFailures(ReloadCase):
    def test_what_does_not_succeed_was_an_order(self) -> None:
        self.up(f"[watcher:a]\n{SLEEP}")
        gone = f"[watcher:a]\n{SLEEP}[watcher:b]\ncmd = /no/such\nmax_retry = 0\n"
        behind = f"{gone}[watcher:c]\n{SLEEP}part_of = b\n[watcher:d]\n{SLEEP}depends_on = c\n"
        self.write(behind)
        done = self.served.ctl("reloadconfig", "--waiting")
        self.assertEqual(done.returncode, 1)
        self.assertIn("b gave up", done.stderr)
        self.assertTrue(done.stderr.endswith("; applied: b, c, d\n"), done.stderr)
        self.assertIn(
            "reloadconfig of d: it waits for c to be ready, which waits for b", done.stderr
        )
        self.write(behind.replace("part_of", "depends_on"))  # what waits takes it, and waits on
        self.assertEqual(self.served.ctl("reloadconfig", "--waiting").returncode, 0)
        self.write("nothing")
        self.assertEqual(self.served.ctl("reloadconfig", "--waiting").returncode, 3)

    def test_what_fails_goes_back_and_the_rest_is_applied(self) -> None:
        text = "[watcher:a]\ncmd = %s\nmin_uptime = %s\n[watcher:b]\ncmd = sleep %d\n"
        text += f"[watcher:c]\n{SLEEP}"
        daemon = self.up(text % ("sleep 600", "0.05", 600))
        [a], [b] = self.pids("a"), self.pids("b")
        self.assertTrue(eventually(lambda: daemon.call("status", name="a")["phase"] == "up"))
        daemon.call("set", name="c", options={"priority": 3})  # and stays as it is
        self.write(text % ("sh -c 'exit 3'\nrollout = surge", "0.05", 601))
        reply = daemon.wire.client.call("reloadconfig", waiting=True)
        self.assertEqual((reply["applied"], reply["failed"]), (["b"], ["a"]))
        self.assertRegex(
            reply["reason"], r"^reloadconfig of a: process \d+ exited with 3 .*; applied: b$"
        )
        self.assertEqual(self.pids("a"), [a])
        self.assertNotEqual(self.pids("b"), [b])
        run = daemon.ctl("reloadconfig", "--waiting")  # a is tried again
        self.assertEqual(run.returncode, 1)
        self.assertIn("error: reloadconfig of a: process ", run.stderr)
        self.write(text % ("sleep 602", "0.05", 601))
        self.assertEqual([step["name"] for step in self.reload()["watchers"]], ["a", "c"])

    def test_a_job_that_fails_has_what_the_file_says(self) -> None:
        text = "[watcher:job]\ncmd = sh -c 'exit %d'\nrespawn = False\n"
        daemon = self.daemon(text % 0)
        self.served = daemon
        daemon.call("wait", name="job", state="completed")
        self.write(text % 3, circus="")
        reply = daemon.wire.client.call("reloadconfig", waiting="proved")
        self.assertEqual((reply["applied"], reply["failed"]), (["job"], ["job"]))
        self.assertRegex(
            reply["reason"],
            r"^reloadconfig of job: process \d+ exited with 3 after [^,]+ s, before it was ready; "
            "applied: job$",
        )
        self.assertFalse(self.reload()["changes"])  # so it is not tried again


if __name__ == "__main__":
    unittest.main()
