"""Options changed while a watcher runs: what takes effect when."""

from __future__ import annotations

import unittest

from tests.support.world import STUBBORN, FakeWorld


class TestSetOptions(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()
        self.world.stop_delay = 1.0

    def set(self, watcher, **options: object) -> list:
        outcomes, wait = self.world.wait()
        self.world.set_options(watcher, options, "command:set", wait)
        self.world.settle()
        return outcomes

    def test_limits_count_at_once(self) -> None:
        watcher = self.world.up()
        self.set(watcher, memory_limit="64M")
        self.set(watcher, graceful_timeout=3)
        self.assertEqual(self.world.limited, [watcher])
        self.assertEqual(self.world.pids(watcher), [100])

    def test_what_a_process_is_made_of_needs_fresh_ones(self) -> None:
        for name, value in (
            ("cmd", "other"),
            ("args", ["-v"]),
            ("env", {"A": "1"}),
            ("working_dir", "/tmp"),
            ("copy_env", True),
            ("close_child_stdout", True),
            ("use_sockets", True),
            ("stdout_stream", {"class": "FileStream", "filename": "/tmp/x"}),
        ):
            with self.subTest(name):
                self.setUp()
                watcher = self.world.up()
                outcomes = self.set(watcher, **{name: value})
                self.assertEqual(self.world.actions()[-3:], ["updated", "spawn", "kill"])
                self.assertEqual(outcomes, [])
                self.world.advance(1)
                self.assertIsNone(outcomes[0].error)
                self.assertEqual(watcher.options[name], value)

    def test_another_stream_reads_the_same_pipe(self) -> None:
        watcher = self.world.up(stdout_stream={"filename": "/tmp/x"})
        self.set(watcher, stdout_stream={"filename": "/tmp/y", "max_bytes": 1000})
        self.assertEqual(self.world.pids(watcher), [100])
        self.assertEqual(watcher.options.stdout_stream["filename"], "/tmp/y")
        self.set(watcher, stdout_stream={})
        self.world.advance(1)
        self.assertNotEqual(self.world.pids(watcher), [100])

    def test_what_only_the_daemon_looks_at_does_not(self) -> None:
        for name, value in (
            ("graceful_timeout", 3.0),
            ("stop_signal", 2),
            ("warmup_delay", 1.0),
            ("max_retry", 1),
            ("priority", 5),
            ("respawn", False),
            ("autostart", False),
            ("backoff", False),
            ("freeform.option", "x"),
        ):
            with self.subTest(name):
                self.setUp()
                watcher = self.world.up()
                self.assertIsNone(self.set(watcher, **{name: value})[0].error)
                self.assertEqual(self.world.actions(), ["add", "spawn", "start", "updated"])
                self.assertEqual(watcher.options[name], value)

    def test_the_same_value_again_changes_nothing(self) -> None:
        watcher = self.world.up()
        self.set(watcher, **watcher.options)
        self.assertEqual(self.world.actions(), ["add", "spawn", "start", "updated"])

    def test_a_stopped_watcher_stays_stopped(self) -> None:
        watcher = self.world.add()
        self.assertIsNone(self.set(watcher, cmd="other", numprocesses=3)[0].error)
        self.assertEqual(watcher.status, "stopped")
        self.assertEqual(self.world.actions(), ["add", "updated"])

    def test_so_does_one_that_is_stopping(self) -> None:
        watcher = self.world.up()
        self.world.stop([watcher], "command:stop", None)
        self.assertIsNone(self.set(watcher, cmd="other")[0].error)
        self.world.advance(5)
        self.assertEqual(watcher.status, "stopped")
        self.assertEqual(self.world.payloads("stop"), [{"cause": "command:stop"}])

    def test_numprocesses_together_with_a_new_command(self) -> None:
        watcher = self.world.up(numprocesses=2)
        outcomes = self.set(watcher, cmd="other", numprocesses=3)
        self.world.advance(1)
        self.assertEqual(watcher.places.pids(), [102, 103, 104])
        self.assertEqual(outcomes[0].numprocesses, 3)

    def test_numprocesses_alone_replaces_nothing(self) -> None:
        watcher = self.world.up()
        self.assertIsNone(self.set(watcher, numprocesses=2)[0].error)
        self.assertEqual(watcher.places.pids(), [100, 101])

    def test_a_restart_of_the_same_turn_needs_no_reload(self) -> None:
        watcher = self.world.up()
        self.world.restart([watcher], "command:restart", None)
        outcomes = self.set(watcher, cmd="other")
        self.assertEqual(outcomes, [])
        self.world.advance(5)
        self.assertIsNone(outcomes[0].error)
        self.assertEqual(len(self.world.spawned), 2)
        self.assertNotIn("reload", self.world.actions())

    def test_several_in_a_row_are_two_generations(self) -> None:
        watcher = self.world.up()
        for number in range(10):
            self.set(watcher, cmd=f"c{number}")
        self.world.advance(10)
        self.assertEqual(len(self.world.spawned), 3)

    def test_it_is_heard_while_new_processes_keep_dying(self) -> None:
        watcher = self.world.up(numprocesses=2)
        self.world.advance(60)
        self.set(watcher, cmd="broken")
        self.world.die(102, 1)
        self.world.die(103, 1)
        self.world.settle()
        self.set(watcher, cmd="mended")
        self.world.advance(10)
        self.assertEqual(len(watcher.places.fresh), 2)
        self.assertIsNone(watcher.rollout)

    def test_graceful_timeout_counts_from_the_next_stop(self) -> None:
        self.world.temper = STUBBORN
        watcher = self.world.up(graceful_timeout=30)
        self.set(watcher, graceful_timeout=2.0)
        self.world.stop([watcher], "command:stop", None)
        self.world.advance(2)
        self.assertEqual(watcher.status, "stopped")

    def test_a_shorter_warm_up_counts_at_once(self) -> None:
        watcher = self.world.up(numprocesses=2, warmup_delay=60)
        self.set(watcher, warmup_delay=1.0)
        self.world.advance(1)
        self.assertEqual(len(watcher.places.pids()), 2)

    def test_streams_are_opened_anew(self) -> None:
        watcher = self.world.up()
        self.set(watcher, stdout_stream={"class": "FileStream", "filename": "/tmp/x"})
        self.assertEqual(self.world.streams, [("web", "open"), ("web", "open")])

    def test_respawn_off_grants_nothing_more(self) -> None:
        watcher = self.world.up(numprocesses=2)
        self.set(watcher, respawn=False)
        self.world.die(100)
        self.world.die(101)
        self.world.advance(10)
        self.assertEqual(self.world.spawned, [100, 101])
        self.assertEqual(watcher.status, "stopped")

    def test_respawn_off_in_the_middle_of_a_reload_still_ends_that(self) -> None:
        for sequential in (False, True):
            with self.subTest(sequential=sequential):
                self.setUp()
                watcher = self.world.up(numprocesses=3)
                self.world.reload([watcher], "command:reload", sequential, None)
                self.set(watcher, respawn=False)
                self.world.advance(10)
                self.assertEqual(len(watcher.places.fresh), 3)
                self.assertEqual(len(self.world.spawned), 6)

    def test_respawn_on_replaces_what_ends_from_now_on(self) -> None:
        watcher = self.world.up(numprocesses=2, respawn=False)
        self.world.die(100)
        self.world.settle()
        self.set(watcher, respawn=True)
        self.world.settle()
        self.assertEqual(len(watcher.places.pids()), 2)


if __name__ == "__main__":
    unittest.main()
