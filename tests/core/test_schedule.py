"""Jobs that run at their times, and what becomes of a run that comes during another."""

from __future__ import annotations

import json
import unittest

from cvec_circus.core.facts import Missed, Rescheduled
from cvec_circus.core.phase import phase
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Reload
from tests.support.world import STUBBORN, FakeWorld


class ScheduleCase(unittest.TestCase):
    """A world at 1000 s, with jobs that run every 100 s. Owned by the test's thread."""

    def setUp(self) -> None:
        self.world = FakeWorld()
        self.world.luck = 0.5

    def up(self, name: str = "job", **options: object) -> Watcher:
        """Start all, as the daemon does; the job's first run is at 1100 s."""
        watcher = self.world.add(name, schedule="100", **options)
        self.world.start(None, "config", None)
        self.world.settle()
        return watcher

    def end(self, code: int = 0) -> None:
        """End what runs."""
        for pid in list(self.world.alive):
            self.world.die(pid, code)
        self.world.settle()


class TestRuns(ScheduleCase):
    def test_a_job_runs_at_its_times(self) -> None:
        job = self.up(numprocesses=2)
        self.assertEqual((job.status, phase(job), self.world.spawned), ("stopped", "waiting", []))
        self.assertEqual(self.world.why(job), "waits for its next run, at 1100")
        self.assertEqual(self.world.next_at(), 1100)
        self.world.advance(100)
        self.assertEqual((job.status, len(self.world.alive)), ("active", 2))
        self.world.advance(50)
        self.end()
        self.assertEqual((job.status, job.goal.up), ("stopped", True))
        self.assertEqual(self.world.why(job), "waits for its next run, at 1200")
        self.world.advance(50)
        self.assertEqual(len(self.world.spawned), 4)
        causes = [row["cause"] for row in self.world.payloads("start")]
        self.assertEqual(causes, ["schedule", "schedule"])

    def test_how_the_last_run_failed_is_said(self) -> None:
        job = self.up()
        self.world.advance(130)
        [pid] = self.world.alive
        self.end(3)
        self.assertTrue(job.has_completed)
        said = f"waits for its next run, at 1200; the last one failed: process {pid} exited with 3"
        self.assertEqual(self.world.why(job), said)
        self.assertNotIn("backoff", self.world.actions("job"))
        self.world.advance(90)
        self.end()
        self.assertEqual(self.world.why(job), "waits for its next run, at 1300")

    def test_a_run_that_cannot_start_leaves_the_next_one(self) -> None:
        job = self.up(max_retry=1)
        self.world.refuse = FileNotFoundError(2, "no such program")
        self.world.advance(150)
        self.assertEqual(self.world.actions("job")[-1], "stop")
        self.assertIn("the last one failed: [Errno 2] no such program", self.world.why(job))
        self.world.refuse = None
        self.world.advance(50)
        self.assertEqual(job.status, "active")
        self.assertEqual(job.reason, "")

    def test_what_depends_on_it_starts_when_a_run_has_succeeded(self) -> None:
        self.up()
        web = self.world.up("web", depends_on="job")
        self.assertIn("waits for job to have succeeded: waits for its next", self.world.why(web))
        self.world.advance(110)
        self.end(1)
        self.assertEqual(web.status, "stopped")
        self.world.advance(100)
        self.end(0)
        self.world.advance(0)
        self.assertEqual(web.status, "active")

    def test_a_run_waits_for_what_the_job_depends_on(self) -> None:
        database = self.world.add("db")
        job = self.up(depends_on="db")
        self.world.stop([database], "command:stop", None)
        self.world.advance(250)
        self.assertIn("waits for db", self.world.why(job))
        skipped = "job: the run of 1200 is skipped: the one before it has not begun"
        self.assertEqual(self.world.notes, [skipped])
        self.world.start([database], "command:start", None)
        self.world.advance(10)
        self.assertEqual(job.status, "active")

    def test_it_holds_up_nobody(self) -> None:
        self.up(priority=10)
        web = self.world.up("web")
        outcomes, wait = self.world.wait()
        self.world.start(None, "command:start", wait)
        self.world.settle()
        self.assertEqual((web.status, [one.error for one in outcomes]), ("active", [None]))


class TestOverlap(ScheduleCase):
    def test_skip(self) -> None:
        job = self.up()
        self.world.advance(250)
        self.assertEqual(len(self.world.spawned), 1)
        skipped = "job: the run of 1200 is skipped: the one before it has not ended"
        self.assertEqual(self.world.notes, [skipped])
        self.end()
        self.assertEqual((job.status, job.is_due), ("stopped", False))

    def test_queue_one(self) -> None:
        job = self.up(overlap="queue")
        self.world.advance(350)
        self.assertEqual((len(self.world.spawned), job.is_due), (1, True))
        skipped = "job: the run of 1300 is skipped: the one before it has not begun"
        self.assertEqual(self.world.notes, [skipped])
        self.end()
        self.assertEqual((len(self.world.spawned), job.is_due), (2, False))
        self.end()
        self.assertEqual(len(self.world.spawned), 2)

    def test_replace(self) -> None:
        job = self.up(overlap="replace")
        self.world.temper = STUBBORN
        self.world.advance(201)
        self.assertEqual((job.status, len(self.world.alive)), ("stopping", 1))
        self.world.advance(30)
        self.assertEqual((job.status, len(self.world.spawned)), ("active", 2))
        stops = [row["cause"] for row in self.world.payloads("kill")]
        self.assertEqual(stops, ["schedule"])

    def test_a_run_at_the_very_end_of_another(self) -> None:
        job = self.up(hooks=["before_stop"])
        self.world.hook_delay = 60
        self.world.advance(150)
        self.end()
        self.world.advance(55)
        self.assertEqual((job.status, job.is_due), ("stopping", True))
        self.world.advance(10)
        self.assertEqual((job.status, self.world.notes), ("active", []))


class TestOrders(ScheduleCase):
    def test_start_runs_it_now(self) -> None:
        job = self.up()
        self.world.start([job], "command:start", None)
        self.world.settle()
        self.assertEqual(job.status, "active")
        self.world.start([job], "command:start", None)
        self.end()
        self.assertEqual(self.world.why(job), "waits for its next run, at 1100")
        self.assertEqual(len(self.world.spawned), 1)

    def test_start_of_all_leaves_it_to_its_schedule(self) -> None:
        job = self.up()
        self.world.start(None, "command:start", None)
        self.world.start_beside([job], "command:reloadconfig", None)
        self.world.restart(None, "command:restart", None)
        self.world.reload([job], "command:reload", False, None)
        self.world.settle()
        self.assertEqual((job.status, self.world.spawned), ("stopped", []))

    def test_stop_ends_the_run_and_those_to_come(self) -> None:
        job = self.up()
        self.world.advance(110)
        self.world.stop([job], "command:stop", None)
        self.world.advance(500)
        self.assertEqual((job.status, len(self.world.spawned), job.run), ("stopped", 1, None))
        self.assertEqual(self.world.timetable.forgotten, ["job"])
        self.world.start(None, "command:start", None)
        self.world.settle()
        self.assertEqual(job.status, "stopped")  # its goal was down, and autostart wants it up
        self.assertEqual(self.world.why(job), "waits for its next run, at 1700")

    def test_restart_runs_it_anew(self) -> None:
        job = self.up()
        self.world.advance(110)
        self.world.restart([job], "command:restart", None)
        self.world.advance(5)
        self.assertEqual((job.status, len(self.world.spawned)), ("active", 2))
        self.end()
        self.world.restart([job], "command:restart", None)
        self.world.settle()
        self.assertEqual(len(self.world.spawned), 3)

    def test_who_waits_for_a_start_hears_that_it_failed(self) -> None:
        job = self.up(max_retry=1)
        self.world.refuse = FileNotFoundError(2, "no such program")
        outcomes, wait = self.world.wait()
        self.world.start([job], "command:start", wait)
        self.world.advance(10)
        self.assertIn("gave up: [Errno 2] no such program", str(outcomes[0].error))

    def test_the_end_of_the_daemon_forgets_nothing(self) -> None:
        self.up()
        self.world.shut_down("signal")
        self.world.advance(1)
        self.assertTrue(self.world.roster.is_down)
        self.assertEqual(self.world.timetable.forgotten, [])

    def test_another_schedule(self) -> None:
        job = self.up()
        self.world.set_options(job, {"schedule": "30"}, "command:set", None)
        self.world.settle()
        self.assertEqual(self.world.why(job), "waits for its next run, at 1020")
        self.world.advance(25)
        self.assertEqual(job.status, "active")
        self.world.set_options(job, {"schedule": None}, "command:set", None)
        self.world.settle()
        self.end()
        self.world.advance(5)
        self.assertEqual((job.status, job.run), ("active", None))  # it is not a job any more
        self.world.set_options(job, {"schedule": "30"}, "command:set", None)
        self.world.advance(5)
        self.end()
        self.assertEqual(job.status, "stopped")

    def test_no_schedule_lets_one_that_waits_start(self) -> None:
        job = self.up()
        self.world.set_options(job, {"schedule": None}, "command:set", None)
        self.world.settle()
        self.assertEqual(job.status, "active")

    def test_other_options_count_from_the_next_run_on(self) -> None:
        job = self.up()
        self.world.advance(110)
        [pid] = self.world.alive
        self.world.set_options(job, {"cmd": "other"}, "command:set", None)
        self.world.advance(10)
        self.assertEqual((list(self.world.alive), job.is_outdated), ([pid], True))
        self.end()
        self.world.advance(100)
        self.assertEqual((job.status, job.is_outdated), ("active", False))
        self.assertEqual(self.world.payloads("reload"), [])

    def test_a_run_keeps_the_stream_that_it_began_with(self) -> None:
        job = self.up(stdout_stream={"filename": "/tmp/x"})
        self.world.advance(110)
        streams = list(self.world.streams)
        self.world.set_options(job, {"stdout_stream": {}}, "command:set", None)
        self.world.advance(10)
        self.assertEqual(self.world.streams, streams)
        self.end()
        self.world.advance(100)
        self.assertEqual(self.world.streams[len(streams) :], [("job", "close"), ("job", "open")])

    def test_a_stream_that_comes_in_a_run_is_there_for_what_starts_in_it(self) -> None:
        job = self.up()
        self.world.advance(110)
        streams = list(self.world.streams)
        self.world.set_options(job, {"stdout_stream": {"filename": "/tmp/y"}}, "command:set", None)
        self.assertEqual(self.world.streams[len(streams) :], [("job", "open")])
        self.world.reload([job], "command:reload", False, None)
        self.world.advance(10)
        self.assertEqual(len(self.world.spawned), 2)

    def test_a_reload_brings_them_into_the_run(self) -> None:
        job = self.up()
        self.world.advance(110)
        [pid] = self.world.alive
        self.world.set_options(job, {"cmd": "other"}, "command:set", None)
        self.world.reload([job], "command:reload", True, None)
        self.world.set_options(job, {"cmd": "another"}, "command:set", None)
        self.world.advance(10)
        [new] = self.world.alive
        self.assertEqual((new > pid, job.is_outdated), (True, False))
        self.assertEqual(len(self.world.payloads("reload")), 1)

    def test_what_is_no_job_any_more_does_not_keep_the_options_of_a_run(self) -> None:
        job = self.up()
        self.world.advance(110)
        [pid] = self.world.alive
        self.world.set_options(job, {"cmd": "other"}, "command:set", None)
        self.world.set_options(job, {"schedule": None}, "command:set", None)
        self.world.advance(10)
        [new] = self.world.alive
        self.assertEqual((new > pid, job.is_outdated), (True, False))

    def test_a_reload_of_all_does_not_cut_a_run_short(self) -> None:
        job = self.up()
        self.world.advance(110)
        [pid] = self.world.alive
        self.world.reload(None, "signal", False, None)
        self.world.advance(10)
        self.assertEqual((list(self.world.alive), job.goal.word), ([pid], "start"))

    def test_a_reload_of_a_run_replaces_its_process(self) -> None:
        job = self.up()
        self.world.advance(110)
        self.world.roster.give(Reload([job], Cause("command:reload")))
        self.world.advance(10)
        self.assertEqual((job.status, len(self.world.spawned)), ("active", 2))
        self.end()
        self.assertEqual(job.status, "stopped")


class TestFacts(ScheduleCase):
    def test_a_clock_that_is_set(self) -> None:
        job = self.up()
        assert job.run is not None
        self.world.facts.append(Rescheduled(job, job.run._replace(at=self.world.clock)))
        self.world.settle()
        self.assertEqual(job.status, "active")

    def test_what_was_missed_is_said_until_the_next_run(self) -> None:
        job = self.up()
        self.world.facts.append(Missed(job, "2 of its runs were missed"))
        self.world.settle()
        said = "waits for its next run, at 1100; 2 of its runs were missed"
        self.assertEqual(self.world.why(job), said)
        self.assertEqual(self.world.notes, ["job: 2 of its runs were missed"])
        self.world.advance(110)
        self.end()
        self.assertEqual(self.world.why(job), "waits for its next run, at 1200")

    def test_facts_about_one_that_was_stopped(self) -> None:
        job = self.up()
        run = job.run
        assert run is not None
        self.world.stop([job], "command:stop", None)
        self.world.settle()
        self.world.facts.extend([Missed(job, "late"), Rescheduled(job, run)])
        self.world.settle()
        self.assertEqual((job.run, job.missed, self.world.notes), (None, "", []))

    def test_written_down_and_read_again(self) -> None:
        self.up(overlap="queue")
        self.world.advance(210)
        before = json.loads(json.dumps(self.world.roster.to_state()))
        [job] = self.world.restore()
        self.assertEqual(json.loads(json.dumps(self.world.roster.to_state())), before)
        self.assertTrue(job.is_due)
        self.end()
        self.assertEqual(len(self.world.spawned), 2)
        self.end()
        [job] = self.world.restore()
        self.assertEqual(self.world.why(job), "waits for its next run, at 1300")
        self.world.advance(100)
        self.assertEqual(job.status, "active")
