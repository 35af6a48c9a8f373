"""The core after a crash: jobs with a schedule."""

from __future__ import annotations

import unittest

from cvec_circus.core.facts import Missed
from cvec_circus.core.watcher import Watcher
from tests.core.test_revival import RevivalCase


class TestJobs(RevivalCase):
    def job(self) -> Watcher:
        """Add a job that runs once a minute; a start of all leaves it to its schedule."""
        watcher = self.world.add(schedule="60")
        self.world.start(None, "config", None)
        self.world.settle()
        return watcher

    def test_jobs(self) -> None:
        old = self.job()
        (run, due) = old.run, old.run.at - self.world.clock
        watcher = self.crash()
        self.next.advance(due - 0.1)
        self.assertEqual((watcher.run, self.next.spawned), (run, []))
        self.next.advance(0.2)
        self.assertEqual(len(self.next.spawned), 1)

    def test_a_job_that_was_missed(self) -> None:
        old = self.job()
        run = old.run
        self.world.clock = run.at + 30  # no daemon runs
        watcher = self.crash()
        self.next.settle()
        self.assertEqual(self.next.spawned, [])
        missed = f"from {run.text} to {run.at + 30:g}"
        self.assertEqual((watcher.missed, self.next.notes), (missed, [f"web: {missed}"]))
        self.next.facts.append(Missed(watcher, missed))  # its file of runs says so, too
        self.next.roster.take_facts()
        self.assertEqual(self.next.notes, [f"web: {missed}"])
        self.assertGreater(watcher.run.at, self.next.clock)

    def test_a_run_is_finished_with_the_options_it_began_with(self) -> None:
        old = self.job()
        self.world.advance(61)
        (pid,) = old.places.pids()
        self.world.set_options(old, {"cmd": "other"}, "command:set", None)
        self.world.settle()
        self.ledger.entries[f"slot {old.place} 1"][4] = "another digest"
        watcher = self.crash()
        self.next.advance(10)
        self.assertEqual((list(self.next.alive), watcher.options.cmd), ([pid], "other"))

    def test_a_rollout_of_a_run_goes_on(self) -> None:
        old = self.job()
        self.world.advance(61)
        (pid,) = old.places.pids()
        self.world.reload([old], "command:reload", False, None)
        self.world.settle()
        self.assertEqual(len(self.world.alive), 2)
        self.crash()
        self.next.advance(10)
        (new,) = self.next.alive
        self.assertNotEqual(new, pid)


if __name__ == "__main__":
    unittest.main()
