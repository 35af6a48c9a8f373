"""Tests of the Backlog with a real arbiter. Run: python3 -m unittest test_backlog"""

import os
import unittest
from pathlib import Path

from backlog import Backlog

from cvec_circus.testing import ArbiterTestCase


class TestBacklog(ArbiterTestCase):
    watchers = ({"name": "worker", "cmd": "sleep 3600"},)

    def setUp(self):
        super().setUp()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        Path("jobs").mkdir()
        self.backlog = self.run_plugin(Backlog, watcher="worker", most="3")

    def test_more_work_more_workers(self):
        for number in range(12):
            Path(f"jobs/{number}.job").touch()
        self.wait_event("watcher.worker.spawn", wid=3)

    def test_the_job_of_a_dead_worker_is_put_back(self):
        (pid,) = self.call("list", name="worker")["pids"]
        Path(f"jobs/holiday.{pid}").touch()
        self.kill_and_wait(pid)
        self.catch_up(self.backlog)
        self.assertEqual([job.name for job in Path("jobs").iterdir()], ["holiday.job"])


if __name__ == "__main__":
    unittest.main()
