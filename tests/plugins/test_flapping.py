"""Flapping: its rules against a daemon with nothing to supervise, its effect with real children."""

from __future__ import annotations

import os
import re
import signal
import unittest
from typing import Any

from cvec_circus.plugins.flapping import Flapping
from tests.plugins.case import TIMEOUT, PluginCase
from tests.support.daemon import Daemon, DaemonCase, child
from tests.support.eventually import eventually

NEVER = 3600


class FlappingCase(PluginCase):
    """A Flapping plugin that is told of deaths at instants that the test chooses."""

    def setUp(self) -> None:
        super().setUp()
        self.options: dict[str, dict[str, Any]] = {}
        self.daemon.answers["options"] = lambda properties: {
            "options": self.options.get(properties["name"], {})
        }

    def flapping(self, **config: Any) -> Flapping:
        """Run a plugin that starts nothing again unless told to; the check delay is 1 s."""
        self.plugin: Flapping = self.make(Flapping, **{"retry_in": NEVER, **config})
        self.thread = self.run_plugin(self.plugin)
        return self.plugin

    def died(self, *instants: float, name: str = "web", cause: str = "exit") -> None:
        """Have processes die at these seconds."""
        for instant in instants:
            self.daemon.publish(name, "reap", cause=cause, time=instant, exit_code=1)

    def verdict(self) -> None:
        """Have a watcher flap for certain, which shows that all before has been looked at."""
        before = self.orders().count(("stop", "last"))
        self.daemon.publish("last", "remove")
        self.options["last"] = {"flapping.attempts": 1}
        self.died(0, name="last")
        self.assertTrue(eventually(lambda: self.orders().count(("stop", "last")) > before, TIMEOUT))

    def orders(self) -> list[tuple[str, str]]:
        """What was ordered so far: command and watcher."""
        return [
            (message["command"], message["properties"]["name"])
            for message in list(self.daemon.requests)
            if message["command"] in ("start", "stop")
        ]

    def ordered_of(self, command: str, name: str) -> list[dict[str, Any]]:
        """The properties of every such order for a watcher so far."""
        found = (message["properties"] for message in self.daemon.commands(command))
        return [properties for properties in found if properties["name"] == name]

    def stopped(self, name: str = "web") -> int:
        """How often the watcher has been stopped, once everything published is looked at."""
        self.verdict()
        return self.orders().count(("stop", name))

    def come_back(self, at: float, name: str = "web") -> None:
        """Have the watcher be down, and up again."""
        self.daemon.publish(name, "stop", time=at)
        self.daemon.publish(name, "start", time=at)


class TestCounting(FlappingCase):
    """What makes a watcher flap."""

    def test_two_deaths_within_a_second_and_the_check_delay(self) -> None:
        self.flapping()
        self.died(100, 102)
        self.assertEqual(self.stopped(), 1)

    def test_two_deaths_farther_apart(self) -> None:
        self.flapping()
        self.died(100, 102.1, 104.2, 106.3)
        self.assertEqual(self.stopped(), 0)

    def test_a_clock_that_is_set_back(self) -> None:
        self.flapping()
        self.died(7300, 100)
        self.assertEqual(self.stopped(), 0)
        self.died(101)
        self.assertEqual(self.stopped(), 1)

    def test_the_window_slides(self) -> None:
        self.flapping(attempts="3", window="9")
        self.died(100, 109, 118, 119)
        self.assertEqual(self.stopped(), 1)

    def test_each_watcher_counts_for_itself(self) -> None:
        self.flapping()
        self.died(100, name="web")
        self.died(100, name="other")
        self.assertEqual(self.stopped("web") + self.stopped("other"), 0)

    def test_deaths_that_somebody_asked_for(self) -> None:
        self.flapping()
        for cause in ("command:kill", "command:signal", "command:stop", "max_age", "signal:HUP"):
            self.died(100, 100, 100, cause=cause)
        self.assertEqual(self.stopped(), 0)

    def test_new_processes_of_a_rollout(self) -> None:
        self.flapping()
        for _ in range(3):
            self.daemon.publish("web", "reap", cause="exit", time=100, exit_code=1, rollout=True)
        self.assertEqual(self.stopped(), 0)

    def test_one_shots_do_not_flap(self) -> None:
        self.options["web"] = {"respawn": False}
        self.flapping()
        self.died(100, 100, 100)
        self.assertEqual(self.stopped(), 0)

    def test_the_name_is_meant_as_it_is_written(self) -> None:
        self.flapping()
        self.died(100, 100, name="My [web]*")
        self.verdict()
        self.assertIn(("stop", "My [web]*"), self.orders())
        self.assertEqual(self.daemon.commands("stop")[0]["properties"]["match"], "simple")

    def test_deaths_on_the_way_down_do_not_count(self) -> None:
        self.flapping(max_retry=0)
        self.died(100, 100, 100, 100, 100, 100)
        self.assertEqual(self.stopped(), 1)
        self.come_back(at=101)
        self.died(102, 103)
        self.assertEqual(self.stopped(), 2)

    def test_a_watcher_that_is_gone_is_forgotten(self) -> None:
        self.flapping()
        self.died(100)
        self.daemon.publish("web", "remove")
        self.died(100)
        self.assertEqual(self.stopped(), 0)


class TestRetrying(FlappingCase):
    """What follows."""

    def test_it_is_started_again_in_time(self) -> None:
        self.flapping(retry_in=0.05)
        self.died(100, 100)
        self.assertTrue(eventually(lambda: len(self.orders()) == 2, TIMEOUT))
        self.assertEqual(self.orders(), [("stop", "web"), ("start", "web")])

    def test_but_not_for_ever(self) -> None:
        self.flapping(retry_in=0.05, max_retry=2)
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            for instant in (100, 200, 300):
                starts = self.orders().count(("start", "web"))
                self.died(instant, instant)
                if instant < 300:
                    self.assertTrue(
                        eventually(
                            lambda: self.orders().count(("start", "web")) > starts,  # noqa: B023
                            TIMEOUT,
                        )
                    )
                    self.come_back(at=instant + 99.5)
            self.assertEqual(self.stopped(), 3)
        self.assertEqual(self.orders().count(("start", "web")), 2)
        stops = self.ordered_of("stop", "web")
        told = [one["reason"] for one in stops]
        again = [one["reason"] for one in self.ordered_of("start", "web")]
        pattern = r"2 deaths in 2 s; retry 1 of 2 in 0\.05 s, at \d\d:\d\d:\d\d"
        self.assertRegex(told[0], pattern)
        self.assertIn("; retry 2 of 2 in 0.05 s", told[1])
        wanted = [f"retry {number} of 2 after 2 deaths in 2 s" for number in (1, 2)]
        self.assertEqual(again, wanted)
        gave_up = "6 deaths in 3 m, after 2 retries; start it with cvec_circusctl start web"
        self.assertEqual(told[2], gave_up)
        self.assertEqual([one.get("failed") for one in stops], [None, None, True])
        self.assertIn(f"web: flapping: gave up: {gave_up}", "\n".join(logs.output))

    def test_for_ever_if_told_so(self) -> None:
        self.flapping(retry_in=0, max_retry=-1)
        for number in range(8):
            self.died(100 + number, 100 + number)
            self.assertTrue(eventually(lambda: len(self.orders()) == 2 * number + 2, TIMEOUT))  # noqa: B023
            self.come_back(at=100.5 + number)

    def test_a_life_gives_all_retries_back(self) -> None:
        self.flapping(max_retry=1)
        for instant in (100, 200, 300):
            self.died(instant, instant)
            self.come_back(at=instant + 50)
        self.verdict()
        self.assertEqual(self.plugin.records["web"].tries, 1)

    def test_what_it_says(self) -> None:
        for config, name, said in (
            ({"max_retry": -1}, "web", r"2 deaths in 2 s; retry 1 in 3600 s, at [0-9:]{8}"),
            ({"retry_in": 1e300}, "other", r"2 deaths in 2 s; retry 1 of 5 in 1e\+300 s"),
            (
                {"max_retry": 0, "window": 9},
                "My web",
                "2 deaths in 10 s; start it with cvec_circusctl start 'My web'",
            ),
        ):
            with self.subTest(said):
                self.flapping(since=self.daemon.seq, **config)
                self.died(100, 100, name=name)
                self.verdict()
                (order,) = self.ordered_of("stop", name)
                self.assertRegex(order["reason"], said)
                self.end(self.plugin, self.thread)

    def test_whoever_starts_it_meanwhile_has_done_it(self) -> None:
        self.flapping()
        self.died(100, 100)
        self.verdict()
        timer = self.plugin.records["web"].timer
        self.assertIsNotNone(timer)
        self.come_back(at=101)
        self.verdict()
        self.assertIsNone(self.plugin.records["web"].timer)
        self.assertIsNone(timer._pending)

    def test_what_waits_is_started_when_the_plugin_ends(self) -> None:
        self.flapping()
        self.died(100, 100)
        self.verdict()
        self.end(self.plugin, self.thread)
        self.assertTrue(eventually(lambda: ("start", "web") in self.orders(), TIMEOUT))
        why = "retry 1 of 5 after 2 deaths in 2 s, early: the plugin ends"
        self.assertEqual(self.daemon.commands("start")[0]["properties"]["reason"], why)


PLUGIN = "[plugin:flapping]\nuse = cvec_circus.plugins.flapping.Flapping\n"
FAILING = "cmd = /bin/false\ncopy_env = True\n"


class TestWithRealChildren(DaemonCase):
    """A daemon, programs that end by themselves, and others."""

    def flapping(self, text: str, options: str) -> Daemon:
        return self.daemon(f"{text}\n{PLUGIN}{options}")

    def test_stopped_started_again_and_given_up(self) -> None:
        daemon = self.flapping(
            f"[watcher:a]\n{FAILING}[watcher:calm]\ncmd = sleep 1000",
            "retry_in = 0.2\nmax_retry = 2",
        )
        events = daemon.wire.events
        daemon.log.containing("; retry 1 of 2 in 0.2 s, at ")
        daemon.log.containing("; retry 2 of 2 in 0.2 s, at ")
        daemon.log.containing("a: flapping: gave up: 6 deaths in ")
        stops = events.wait("watcher.a.stop", 3)
        (given_up,) = events.wait("watcher.a.giveup", 1)
        self.assertEqual(given_up["actor"], "plugin:flapping")
        self.assertTrue(given_up["reason"].startswith("6 deaths in "))
        reason = daemon.wire.call("status", name="a")["reason"]
        self.assertEqual(reason, f"plugin:flapping: {given_up['reason']}")
        self.assertTrue(reason.endswith("; start it with cvec_circusctl start a"))
        starts = events.of("watcher.a.start")
        self.assertEqual(len(starts), 3)
        for stop, start in zip(stops, starts[1:]):
            # The plugin counts from the death that it has decided at, however late the stop is.
            died = [one for one in events.of("watcher.a.reap") if one["seq"] < stop["seq"]]
            self.assertGreaterEqual(start["time"] - died[-1]["time"], 0.15)
        self.assertEqual(daemon.wire.status("a")[0], "stopped")
        self.assertEqual(daemon.wire.status("calm")[0], "active")
        daemon.signal(signal.SIGTERM)
        daemon.ended()

    def test_a_watcher_with_options_of_its_own(self) -> None:
        own = "flapping.attempts = 4\nflapping.max_retry = 0\n"
        daemon = self.flapping(f"[watcher:a]\n{FAILING}{own}", "")
        events = daemon.wire.events
        events.wait("watcher.a.stop", 1)
        self.assertGreaterEqual(len(events.of("watcher.a.reap")), 4)
        self.assertEqual(len(events.of("watcher.a.start")), 1)

    def test_a_rollout_that_fails_leaves_the_old_processes(self) -> None:
        flag = "test ! -e {DIR}/bad || exit 3; exec sleep 1000"
        daemon = self.flapping(
            f"[watcher:a]\ncmd = sh -c '{flag}'\nnumprocesses = 4\nmin_uptime = 0.2\n"
            "rollout = surge\n[watcher:b]\ncmd = /bin/false\nautostart = False\n",
            "attempts = 1\nmax_retry = 0",
        )
        events = daemon.wire.events
        events.wait("watcher.a.ready", 1)
        before = daemon.wire.pids("a")
        (daemon.folder / "bad").touch()
        reply = daemon.wire.client.call("reload", name="a", waiting=True)
        self.assertEqual(reply["status"], "error")
        daemon.order("start", name="b")
        events.wait("watcher.b.giveup", 1)  # so all about a has been looked at, too
        self.assertEqual(events.of("watcher.a.stop"), [])
        self.assertEqual(daemon.wire.pids("a"), before)

    def test_the_plugin_ends_while_a_watcher_waits(self) -> None:
        daemon = self.flapping(f"[watcher:a]\n{FAILING}", "retry_in = 1000")
        events = daemon.wire.events
        events.wait("watcher.a.stop", 1)
        daemon.order("restart", name="plugin:flapping")
        events.wait("watcher.a.start", 2)  # the old one has seen to that
        events.wait("watcher.a.stop", 2)  # and the new one knows what to do
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        told = [text for level, text in daemon.told() if level in ("WARNING", "ERROR")]
        expected = re.compile(
            r"a: (process \d+ exited with 1|slot 1 has died \d+ times in a row, .*|"
            r"flapping: .*; retry 1 of 5 in 1000 s, at .*)"
        )
        self.assertEqual([text for text in told if not expected.fullmatch(text)], [])

    def test_a_process_that_is_killed_by_command(self) -> None:
        waiting = f"cmd = {child('wait')}\ncopy_env = True\n"
        daemon = self.flapping(f"[watcher:a]\n{waiting}[watcher:b]\n{waiting}", "max_retry = 0")
        events = daemon.wire.events
        for number in range(1, 4):
            events.wait("watcher.a.spawn", number)
            daemon.order("kill", name="a")
            events.wait("watcher.a.reap", number, cause="command:kill")
        for number in range(1, 3):
            events.wait("watcher.b.spawn", number)
            os.kill(daemon.wire.pids("b")[0], signal.SIGKILL)  # which nobody here has sent
            events.wait("watcher.b.reap", number, cause="exit")
        events.wait("watcher.b.stop", 1)  # so all about a has been looked at, too
        self.assertEqual(events.of("watcher.a.stop"), [])
        self.assertEqual(daemon.wire.status("a")[0], "active")


if __name__ == "__main__":
    unittest.main()
