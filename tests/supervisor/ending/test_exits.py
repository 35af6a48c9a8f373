"""Deaths: seen at once, told exactly, collected once."""

from __future__ import annotations

import os
import signal
import unittest

from tests.support.daemon import alive
from tests.support.embedded import EmbeddedCase
from tests.support.leaks import children

CODES = range(0, 256, 5)
SURVIVED = {
    signal.SIGCHLD,
    signal.SIGURG,
    signal.SIGWINCH,
    signal.SIGCONT,
    signal.SIGSTOP,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
}
DEADLY = [signum for signum in range(1, 32) if signum not in SURVIVED]


class TestHowTheyEnd(EmbeddedCase):
    """Exit codes and signals."""

    def test_exit_codes(self) -> None:
        text = "exit $((($(circus.wid) - 1) * 5))"
        self.arbit(
            {
                "name": "codes",
                "cmd": "sh",
                "args": ["-c", text],
                "numprocesses": len(CODES),
                "respawn": False,
            }
        )
        self.events.next("stop")
        reaped = self.events.of("reap")
        self.assertEqual({e["wid"]: e["exit_code"] for e in reaped}, dict(enumerate(CODES, 1)))
        self.assertEqual(len(reaped), len(CODES))
        self.assertEqual({event["cause"] for event in reaped}, {"exit"})
        spawned = [event["process_pid"] for event in self.events.of("spawn")]
        self.assertEqual(sorted(spawned), sorted(event["process_pid"] for event in reaped))

    def test_signals(self) -> None:
        text = "ulimit -c 0; kill -$(circus.wid) $$; kill -9 $$"
        self.arbit(
            *(
                {
                    "name": str(signum),
                    "cmd": "sh",
                    "args": ["-c", text.replace("$(circus.wid)", str(signum))],
                    "respawn": False,
                }
                for signum in DEADLY
            )
        )
        reaped = self.events.wait("reap", len(DEADLY))
        self.assertEqual(
            {event["watcher"]: event["exit_code"] for event in reaped},
            {str(signum): -signum for signum in DEADLY},
        )

    def test_what_a_client_sent_is_the_cause(self) -> None:
        self.arbit({"name": "a", "cmd": "sleep 1000"})
        self.events.next("start")
        self.wire.call("signal", name="a", signum="KILL")
        self.assertEqual(self.events.next("reap")["cause"], "command:signal")
        self.events.next("spawn")
        self.wire.order("kill", name="a")
        self.assertEqual(self.events.next("reap")["cause"], "command:kill")


class TestManyDeaths(EmbeddedCase):
    """A hundred at once."""

    COUNT = 100

    def test_all_are_collected_and_replaced(self) -> None:
        self.arbit({"name": "a", "cmd": "sleep 1000", "numprocesses": self.COUNT})
        self.events.next("start")
        before = self.wire.pids("a")
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        self.events.wait("spawn", 2 * self.COUNT)
        reaped = self.events.of("reap", exit_code=-9, cause="exit")
        self.assertEqual(sorted(event["process_pid"] for event in reaped), sorted(before))
        after = self.wire.pids("a")
        self.assertEqual(len(after), self.COUNT)
        self.assertFalse(set(after) & set(before))
        states = [text.split()[-1] for text in children().values()]
        self.assertNotIn("zombie", states)
        self.assertEqual(len(states), self.COUNT)

    def test_stop_in_the_middle_of_it(self) -> None:
        self.arbit({"name": "a", "cmd": "sleep 1000", "numprocesses": self.COUNT})
        self.events.next("start")
        for pid in self.wire.pids("a"):
            os.kill(pid, signal.SIGKILL)
        self.wire.order("stop", name="a")
        self.assertEqual(len(self.events.of("reap")), len(self.events.of("spawn")))
        self.assertEqual(children(), {})


class TestQuickDeaths(EmbeddedCase):
    """A child that ends before anybody looks, or just when it is told to."""

    def test_each_is_told_once(self) -> None:
        self.arbit({"name": "a", "cmd": "true", "min_uptime": 0, "numprocesses": 3})
        self.events.wait("reap", 60)
        self.wire.order("stop", name="a")
        spawned, reaped = (
            [event["process_pid"] for event in self.events.of(action)]
            for action in ("spawn", "reap")
        )
        self.assertEqual(sorted(reaped), sorted(spawned))
        codes = {event["exit_code"] for event in self.events.of("reap", cause="exit")}
        self.assertEqual(codes, {0})

    def test_the_end_and_the_stop_at_once(self) -> None:
        self.arbit({"name": "a", "cmd": "sh -c 'exit 5'", "min_uptime": 0, "autostart": False})
        for _ in range(50):
            self.wire.call("start", name="a")
            self.wire.order("stop", name="a")
        reaped = [event["process_pid"] for event in self.events.of("reap")]
        self.assertEqual(len(reaped), len(set(reaped)))
        self.assertEqual(len(reaped), len(self.events.of("spawn")))
        for event in self.events.of("reap"):
            self.assertIn(event["exit_code"], (5, -signal.SIGTERM))


class TestSessions(EmbeddedCase):
    """A child is on its own."""

    def test_a_signal_to_its_own_group_does_not_reach_us(self) -> None:
        self.arbit(
            {"name": "a", "cmd": "sh", "args": ["-c", "kill -TERM 0"], "respawn": False},
            {"name": "b", "cmd": "sleep 1000"},
        )
        self.assertEqual(self.events.next("reap", watcher="a")["exit_code"], -signal.SIGTERM)
        (pid,) = self.wire.pids("b")
        self.assertTrue(alive(pid))
        self.assertEqual(os.getsid(pid), pid)
        self.assertEqual(os.getpgid(pid), pid)

    def test_a_status_that_somebody_else_collected(self) -> None:
        # A program that embeds an arbiter may do this; the arbiter goes on.
        before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGCHLD, before)
        self.arbit({"name": "a", "cmd": "true", "min_uptime": 0})
        reaped = self.events.wait("reap", 20)
        self.assertTrue(all(event.get("status_lost") for event in reaped))
        self.assertEqual({event["exit_code"] for event in reaped}, {-1})


if __name__ == "__main__":
    unittest.main()
