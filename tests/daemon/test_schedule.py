"""Jobs with a schedule, in a daemon as a person starts it."""

from __future__ import annotations

import json
import signal
import sys
import unittest

from cvec_circus.base.clock import SYSTEM
from tests.support.daemon import DaemonCase
from tests.support.eventually import eventually

WITH_SECONDS = sys.version_info >= (3, 10)

NEVER = "0 0 29 2 *"
"""No test runs at midnight of a leap day."""


class TestJobs(DaemonCase):
    @unittest.skipUnless(WITH_SECONDS, "cronsim has no seconds on 3.9")
    def test_a_run_each_second(self) -> None:
        daemon = self.daemon("[watcher:job]\ncmd = echo run\nschedule = * * * * * *\n")
        for _ in range(2):
            self.assertEqual(daemon.out.next(), "run")
        daemon.call("stop", name="job", waiting=True)
        self.assertEqual(daemon.wire.status("job")[0], "stopped")
        self.assertIsNone(daemon.call("status", name="job", details=True)["watcher"]["next_run"])

    def test_what_is_told_and_what_orders_do(self) -> None:
        text = f"[watcher:job]\ncmd = sh -c 'echo run; exit 3'\nschedule = {NEVER}\n"
        daemon = self.daemon(text)
        state, reason = daemon.wire.status("job")
        self.assertEqual(state, "stopped")
        self.assertRegex(reason, r"^waits for its next run, at 20\d\d-02-29 00:00 \w+$")
        told = daemon.call("status", name="job", details=True)["watcher"]["next_run"]
        self.assertIn(told["at"], reason)
        self.assertAlmostEqual(told["wall"], SYSTEM.time() + told["in"], delta=5)
        self.assertEqual(daemon.call("status", name="job")["phase"], "waiting")
        daemon.call("start", name="job", waiting=True)
        self.assertEqual(daemon.out.next(), "run")
        failed = r"; the last one failed: process \d+ exited with 3$"
        self.assertTrue(eventually(lambda: "failed" in daemon.wire.status("job")[1]))
        self.assertRegex(daemon.wire.status("job")[1], failed)
        sentence = daemon.call("why", name="job")["sentence"]
        self.assertRegex(sentence, rf"^job waits for its next run, at .*{failed}")
        self.assertEqual(daemon.call("reload", dry_run=True)["plan"], [])
        daemon.call("set", name="job", options={"schedule": "0 0 1 1 *"}, waiting=True)
        self.assertIn("-01-01 00:00", daemon.wire.status("job")[1])
        refused = daemon.ctl("set", "job", "schedule", "61 * * * *").stderr
        self.assertIn("schedule: '61 * * * *' is not a schedule (bad minute)", refused)

    def test_reloadconfig_leaves_it_to_its_times(self) -> None:
        daemon = self.daemon("[watcher:web]\ncmd = sleep 1000\n")
        text = daemon.config.read_text()
        daemon.config.write_text(f"{text}[watcher:job]\ncmd = echo run\nschedule = {NEVER}\n")
        said = daemon.ctl("reloadconfig", "--dry-run").stdout
        self.assertIn("watcher job: added, is started (at the times of its schedule)", said)
        daemon.call("reloadconfig", waiting=True)
        self.assertIn("-02-29 00:00", daemon.wire.status("job")[1])
        daemon.config.write_text(f"{text}[watcher:job]\ncmd = echo go\nschedule = 0 0 1 1 *\n")
        said = daemon.ctl("reloadconfig", "--dry-run").stdout
        self.assertIn("watcher job: changed\n    cmd: 'echo run' -> 'echo go'", said)
        daemon.call("reloadconfig", waiting=True)
        self.assertIn("-01-01 00:00", daemon.wire.status("job")[1])
        daemon.call("start", name="job", waiting=True)
        self.assertEqual(daemon.out.next(), "go")

    def test_a_run_is_not_cut_short_by_other_options(self) -> None:
        text = f"[watcher:job]\ncmd = sleep 1000\nschedule = {NEVER}\n"
        daemon = self.daemon(text)
        daemon.order("start", name="job")
        running = daemon.wire.pids("job")
        daemon.config.write_text(daemon.config.read_text().replace("1000", "2000"))
        plan = daemon.ctl("reloadconfig", "--dry-run").stdout
        self.assertIn("watcher job: changed\n    cmd: 'sleep 1000' -> 'sleep 2000'", plan)
        daemon.order("reloadconfig")
        self.assertEqual(daemon.wire.pids("job"), running)
        # No job any more: it is not to run with options of before.
        said = daemon.config.read_text().replace(f"schedule = {NEVER}\n", "")
        daemon.config.write_text(said)
        plan = daemon.ctl("reloadconfig", "--dry-run").stdout
        self.assertIn("watcher job: changed, its processes are replaced (schedule changes)", plan)
        daemon.order("reloadconfig")
        self.assertEqual(set(daemon.wire.pids("job")) & set(running), set())

    def test_one_that_has_run_once_gets_a_schedule(self) -> None:
        daemon = self.daemon(
            "[watcher:web]\ncmd = sleep 9\n[watcher:job]\ncmd = true\nrespawn = 0\n"
        )
        done = {"name": "job", "state": "completed", "timeout": 10}
        self.assertEqual(daemon.call("wait", **done)["phases"], {"job": "completed"})
        said = daemon.ctl("set", "job", "schedule", NEVER).stderr
        self.assertIn("job is completed; its schedule counts once it is started", said)
        daemon.call("set", name="job", options={"schedule": ""})
        with daemon.config.open("a") as file:
            file.write(f"schedule = {NEVER}\n")
        daemon.call("reloadconfig", waiting=True)
        self.assertIn("-02-29 00:00", daemon.wire.status("job")[1])

    def test_without_its_schedule_it_starts(self) -> None:
        text = "[watcher:web]\ncmd = sleep 1000\n[watcher:job]\ncmd = sleep 1001\n"
        daemon = self.daemon(f"{text}schedule = {NEVER}\n")
        daemon.config.write_text(daemon.config.read_text().replace(f"schedule = {NEVER}\n", ""))
        told = "watcher job: changed, is started (it was waiting, and schedule changes)"
        self.assertIn(told, daemon.ctl("reloadconfig", "--dry-run").stdout)
        daemon.call("reloadconfig", waiting=True)
        self.assertEqual(daemon.wire.status("job")[0], "active")

    def test_a_run_that_was_missed(self) -> None:
        text = f"[watcher:job]\ncmd = echo run\nschedule = {NEVER}\n"
        first = self.daemon(text, circus="schedule_file = runs.json\n")
        path = first.folder / "runs.json"
        self.assertTrue(eventually(path.exists))
        first.signal(signal.SIGTERM)
        first.ended()
        row = json.loads(path.read_text())
        self.assertEqual([*row], ["job"])
        row["job"][1] -= 50 * 366 * 86400.0  # as if nobody had been there for 50 years
        path.write_text(json.dumps(row))
        again = self.daemon(text, circus=f"schedule_file = {path}\n")
        missed = "of its runs were missed while the daemon was down, the last at"
        again.log.containing(missed)
        self.assertIn(missed, again.wire.status("job")[1])
        again.call("stop", name="job", waiting=True)
        self.assertTrue(eventually(lambda: json.loads(path.read_text()) == {}))


class TestChecks(DaemonCase):
    def test_what_is_wrong(self) -> None:
        daemon = self.daemon(
            "[watcher:a]\ncmd = true\nschedule = 0 0 30 2 *\n"
            "[watcher:b]\ncmd = true\nschedule = 0 0 * * *\non_demand = True\nuse_sockets = True\n"
            "[watcher:c]\ncmd = true\noverlap = both\nschedule = 0 0 * * *\n"
            "[watcher:d]\ncmd = sleep 1000\n"
        )
        said = "\n".join(daemon.log.seen)
        for line in (
            "circus.ini:7: [watcher:a] schedule: '0 0 30 2 *' never comes: no month in it has that "
            "day",
            "circus.ini:10: [watcher:b] schedule: not with on_demand: a job starts at its time",
            "circus.ini:15: [watcher:c] overlap: 'both' is not one of skip, queue, replace",
        ):
            self.assertIn(line, said)


if __name__ == "__main__":
    unittest.main()
