"""ResourceWatcher: its limits against figures that the test chooses, its effect with real ones."""

from __future__ import annotations

import signal
import sys
import unittest
from typing import Any

from cvec_circus.exc import OptionError
from cvec_circus.plugins.resource_watcher import Memory, ResourceWatcher
from cvec_circus.runtime.catalogue import load_class
from tests.plugins.case import TIMEOUT
from tests.plugins.observing import ObserverCase, needs_circus, process
from tests.plugins.statsd_server import StatsdServer
from tests.support.daemon import DaemonCase, child
from tests.support.eventually import eventually

PREFIX = "circus.app.watcher._resource_watcher.web."


class WatcherCase(ObserverCase):
    """A ResourceWatcher for "web", and what the daemon says of its processes."""

    def setUp(self) -> None:
        super().setUp()
        self.rows: list[dict] = []
        self.daemon.answers["stats"] = lambda properties: {
            "name": properties["name"],
            "info": {str(row["pid"]): row for row in self.rows},
        }

    def watch(self, **config: Any) -> ResourceWatcher:
        """Run one that restarts at the first wrong figure, if the test does not say otherwise."""
        return self.observer(ResourceWatcher, **{"watcher": "web", "max_count": 0, **config})

    def seen(self, plugin: ResourceWatcher, *rows: dict) -> list[str]:
        """Have it look at some processes, and return what it has counted."""
        self.rows = list(rows)
        self.look(plugin)
        plugin.loop.add_callback(plugin.statsd.gauge, "seen", 1)
        found = self.statsd.up_to("circus.app.watcher.seen")[:-1]
        self.assertEqual({line.partition(":")[2] for line in found} - {"1|c"}, set())
        return [line.partition(":")[0].replace(PREFIX, "", 1) for line in found]

    def assert_wrong(self, what: str, *rows: dict, **config: Any) -> None:
        """These figures are wrong in exactly one way; or in none."""
        plugin = self.watch(**config)
        expected = [what, "restarting"] if what else []
        self.seen(plugin, *rows)  # now it knows them
        with self.subTest(config=config, rows=rows):
            self.assertEqual(self.seen(plugin, *rows), expected)


class TestLimits(WatcherCase):
    """What is too much and too little."""

    def test_processor_time(self) -> None:
        self.assert_wrong("over_cpu", process(1, cpu=5), process(2, cpu=90.1))
        self.assert_wrong("", process(1, cpu=90.0))
        self.assert_wrong("over_cpu", process(1, cpu=10.5), max_cpu="10")
        self.assert_wrong("", process(1, cpu=400), max_cpu="0", health_threshold=0)
        self.assert_wrong("under_cpu", process(1, cpu=50), process(2, cpu=9.9), min_cpu="10")
        self.assert_wrong("under_cpu", process(1, cpu=0.0), min_cpu="0")
        self.assert_wrong("", process(1, cpu=0.1), min_cpu="0")

    def test_memory_in_per_cent(self) -> None:
        self.assert_wrong("over_memory", process(1, mem=5), process(2, mem=90.1))
        self.assert_wrong("over_memory", process(1, mem=10.5), max_mem="10")
        self.assert_wrong("over_memory", process(1, mem=10.5), max_mem=10)
        self.assert_wrong("", process(1, mem=10), max_mem="10 %")
        self.assert_wrong("", process(1, mem=99), max_mem="0")
        self.assert_wrong("under_memory", process(1, mem=50), process(2, mem=0.4), min_mem="0.5")
        self.assert_wrong("", process(1, mem=0.5), min_mem="0.5")
        self.assert_wrong("under_memory", process(1, mem=0.0), min_mem="0")

    def test_memory_in_bytes(self) -> None:
        self.assert_wrong("over_memory", process(1, size="50.01M"), max_mem="50M")
        self.assert_wrong("", process(1, size="50.00M"), max_mem="50M")
        self.assert_wrong("over_memory", process(1, size="1.01G"), max_mem="1024M")
        self.assert_wrong("under_memory", process(1, size="9.99M"), min_mem="10M")
        self.assert_wrong("", process(1, size="10.00M"), min_mem="10M")  # Circus always restarts

    def test_health(self) -> None:
        self.assert_wrong("over_health", process(1, cpu=81), process(2, mem=70))
        self.assert_wrong("", process(1, cpu=80, mem=70))
        self.assert_wrong("over_health", process(1, cpu=11, mem=10), health_threshold="10")
        self.assert_wrong("", process(1, cpu=88, mem=88), health_threshold="0")

    def test_what_is_not_known_is_not_wrong(self) -> None:
        unknown = process(1, cpu="N/A", mem="N/A", size="N/A")
        self.assert_wrong("", unknown, min_cpu=0, min_mem=0, max_mem="1M", max_cpu=1)

    def test_a_watcher_that_is_down_is_not_wrong(self) -> None:
        self.assert_wrong("", min_cpu=50, min_mem=50)

    def test_the_first_look_at_a_process_tells_nothing_of_its_processor_time(self) -> None:
        plugin = self.watch(min_cpu=5)
        self.assertEqual(self.seen(plugin, process(1, cpu=0.0)), [])
        self.assertEqual(self.seen(plugin, process(1, cpu=6), process(2, cpu=0.0)), [])
        wrong = self.seen(plugin, process(1, cpu=6), process(2, cpu=1))
        self.assertEqual(wrong, ["under_cpu", "restarting"])

    def test_sums(self) -> None:
        below = process(12, cpu=50, mem=40, size="40.00M", children=[process(13, cpu=20, mem=1)])
        row = process(11, cpu=30, mem=50, children=[below])
        self.assert_wrong("", row, health_threshold=0)
        self.assert_wrong("over_cpu", row, health_threshold=0, max_mem=0, sum_children="yes")
        settings = {"health_threshold": 0, "max_cpu": 0, "sum_children": "yes"}
        self.assert_wrong("over_memory", row, **settings)
        self.assert_wrong("over_memory", row, max_mem="45M", **settings)
        self.assert_wrong("", row, max_mem="46M", **settings)


class TestConsequences(WatcherCase):
    """When it acts, and how."""

    def test_only_when_it_lasts(self) -> None:
        plugin = self.watch(max_count="3")
        bad, good = process(1, cpu=99), process(1, cpu=1)
        for row in (bad, bad, bad, good, bad, bad, bad):
            self.assertNotIn("restarting", self.seen(plugin, row))
        self.assertEqual(self.restarts(), [])
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.assertEqual(self.seen(plugin, bad), ["over_cpu", "restarting"])
            self.assertEqual(self.seen(plugin, bad), ["over_cpu"])  # it counts from the beginning
        self.assertIn(
            "web: restarted: pid 1 used 99 % CPU, limit 90 %, 4 checks in a row", logs.output[0]
        )
        self.assert_restarted("web")

    def test_each_limit_counts_for_itself(self) -> None:
        plugin = self.watch(max_count=1, health_threshold=0)
        for row in (process(1, cpu=99), process(1, mem=99), process(1, cpu=99)):
            self.assertNotIn("restarting", self.seen(plugin, row))

    def test_a_watcher_on_its_way_down_is_left_alone(self) -> None:
        self.states["web"] = "stopping"
        plugin = self.watch()
        self.assertEqual(self.seen(plugin, process(1, cpu=99)), ["over_cpu"])
        self.assertEqual(self.restarts(), [])

    def test_a_child_gets_a_signal(self) -> None:
        plugin = self.watch(process_children="1", child_signal="SIGUSR1")
        grandchild = process(13, cpu=99)
        row = process(11, children=[process(12, children=[grandchild])])
        self.assertEqual(self.seen(plugin, row), ["over_cpu", "restarting"])
        self.assertTrue(eventually(lambda: self.daemon.commands("signal"), TIMEOUT))
        wanted = {"name": "web", "pid": 11, "childpid": 13, "signum": int(signal.SIGUSR1)}
        self.assertEqual(self.ordered("signal"), [wanted])
        self.assertEqual(self.restarts(), [])

    def test_children_are_forgotten(self) -> None:
        plugin = self.watch(process_children="1", max_count=5)
        for pid in range(20, 30):
            self.seen(plugin, process(11, children=[process(pid, cpu=99)]))
        self.assertEqual(set(plugin._counts), {"parent", 29})

    def test_no_figures(self) -> None:
        del self.daemon.answers["stats"]
        plugin = self.watch()
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.assertEqual(self.seen(plugin), ["error"])
            self.assertEqual(self.seen(plugin), ["error"])
        self.assertEqual(len(logs.output), 1)
        self.assertIn("web: there are no figures: unknown command", logs.output[0])


class TestPerProcess(WatcherCase):
    """Each process by itself."""

    def setUp(self) -> None:
        super().setUp()
        self.state = "active"
        self.daemon.answers["status"] = lambda properties: {"status": self.state}

    def kills(self) -> list[dict]:
        """The properties of every kill so far."""
        return [message["properties"] for message in self.daemon.commands("kill")]

    def test_only_the_one_that_uses_too_much_is_replaced(self) -> None:
        plugin = self.watch(per_process="1", max_count=1, max_mem="120M")
        fat, thin = process(7, size="185.00M"), process(8, size="30.00M")
        self.assertEqual(self.seen(plugin, fat, thin), ["over_memory"])
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.assertEqual(self.seen(plugin, fat, thin), ["over_memory", "restarting"])
        why = "pid 7 used 185 MB, limit 120 MB, 2 checks in a row"
        self.assertTrue(eventually(self.kills, TIMEOUT))
        self.assertEqual(self.kills(), [{"name": "web", "pid": 7, "surge": True, "reason": why}])
        self.assertIn(f"web: process 7 replaced: {why}", logs.output[0])
        self.assertEqual(self.restarts(), [])

    def test_figures_of_different_processes_do_not_add_up(self) -> None:
        plugin = self.watch(per_process="1", max_count=1, health_threshold=70)
        for pid in (7, 8, 7, 8):
            other = 15 - pid
            rows = process(pid, cpu=80, mem=80), process(other, cpu=85, mem=5)
            self.assertEqual(self.seen(plugin, *rows), ["over_health"])
        self.assertEqual(self.kills(), [])

    def test_one_after_the_other(self) -> None:
        plugin = self.watch(per_process="1", max_mem="120M")
        rows = [process(pid, size="185.00M") for pid in (7, 8)]
        self.assertEqual(self.seen(plugin, *rows), ["over_memory"] * 2 + ["restarting"])
        self.assertEqual(self.seen(plugin, *rows), ["over_memory"])  # 7 takes its time to end
        self.assertEqual([kill["pid"] for kill in self.kills()], [7])
        self.assertEqual(self.seen(plugin, rows[1], process(9)), ["over_memory", "restarting"])
        self.assertTrue(eventually(lambda: len(self.kills()) == 2, TIMEOUT))
        self.assertEqual([kill["pid"] for kill in self.kills()], [7, 8])

    def test_one_that_stays_is_judged_again(self) -> None:
        plugin = self.watch(per_process="1", max_mem="120M")
        row = process(7, size="185.00M")
        self.assertEqual(self.seen(plugin, row), ["over_memory", "restarting"])
        self.assertEqual(self.seen(plugin, row), [])
        for name, kept in (("other", [7]), ("web", [6]), ("Web", [6, 7])):
            self.assertEqual(self.seen(plugin, row), [])
            self.daemon.publish(name, "rollback", reason="no", kept=kept)
        self.assertTrue(eventually(lambda: not plugin._leaving, TIMEOUT))
        self.assertEqual(self.seen(plugin, row), ["over_memory", "restarting"])

    def test_a_watcher_on_its_way_down_is_left_alone(self) -> None:
        self.state = "stopping"
        plugin = self.watch(per_process="1")
        self.assertEqual(self.seen(plugin, process(7, cpu=99)), ["over_cpu"])
        self.assertEqual(self.kills(), [])

    def test_children_get_their_signals_all_the_same(self) -> None:
        plugin = self.watch(per_process="1", process_children="1", max_cpu=50, health_threshold=0)
        row = process(7, cpu=60, children=[process(71, cpu=70)])
        expected = ["over_cpu", "over_cpu", "restarting", "restarting"]
        self.assertEqual(sorted(self.seen(plugin, row)), expected)
        self.assertTrue(eventually(lambda: self.daemon.commands("signal"), TIMEOUT))
        self.assertEqual(self.daemon.commands("signal")[0]["properties"]["childpid"], 71)
        self.assertEqual([kill["pid"] for kill in self.kills()], [7])


class TestOptions(WatcherCase):
    """What can be configured."""

    def test_defaults_as_in_circus(self) -> None:
        plugin = self.watch(max_count="3")
        given = plugin.config
        self.assertEqual((given["max_cpu"], given["health_threshold"]), (90, 75))
        self.assertEqual((plugin.max_mem, plugin.min_mem), (Memory(90, True), None))
        self.assertEqual((given["min_cpu"], given["process_children"]), (None, False))
        self.assertFalse(given["per_process"])
        self.assertEqual(plugin.child_signal, signal.SIGTERM)

    def test_its_old_name(self) -> None:
        with self.assertLogs("cvec_circus", "WARNING"):
            plugin = self.watch(watcher=None, service="old")
        self.assertEqual(plugin.watcher, "old")

    def test_values_that_cannot_be(self) -> None:
        for key, value in (
            ("watcher", ""),
            ("max_cpu", "much"),
            ("max_mem", "5X"),
            ("max_mem", "-5"),
            ("max_mem", "nan"),
            ("child_signal", "SIGNONE"),
            ("max_count", "1.5"),
        ):
            with self.subTest(key), self.assertRaisesRegex(OptionError, f"^{key}: "):
                self.make(ResourceWatcher, **{"watcher": "web", key: value})

    def test_a_share_that_can_never_be(self) -> None:
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.watch(max_mem="500")
        self.assertIn("max_mem: 500 is in percent; if it is a size, write 500M", logs.output[0])

    def test_it_is_found_by_its_name(self) -> None:
        load_class("cvec_circus.plugins.resource_watcher.ResourceWatcher")

    @needs_circus
    def test_numbers_as_circus_sends_them(self) -> None:
        for row, config in (
            (process(1, cpu=95, mem=99), {}),
            (process(1, cpu=50, mem=0.1), {"min_cpu": "60", "min_mem": "1"}),
            (process(1, size="60.00M"), {"max_mem": "50M"}),
            (process(1, cpu=99, children=[process(2, mem=99)]), {"process_children": "1"}),
        ):
            with self.subTest(config):
                replies = {"stats": {"status": "ok", "info": {"1": row}}}
                config = {"watcher": "web", "max_count": "1", **config}
                theirs, ours = self.both(ResourceWatcher, replies, looks=4, **config)
                self.assertGreater(len(theirs), 4)
                if "min_cpu" in config:  # of the first look ours says nothing
                    ours.insert(0, f"{PREFIX}under_cpu:1|c")
                    ours = ours[1:2] + ours[:1] + ours[2:]
                self.assertEqual(sorted(ours), sorted(theirs))


class TestWithRealProcesses(DaemonCase):
    """A daemon, and programs that use much."""

    def test_a_busy_watcher_is_restarted(self) -> None:
        statsd = StatsdServer(self)
        plugin = "[plugin:r]\nuse = cvec_circus.plugins.resource_watcher.ResourceWatcher\n"
        options = (
            f"watcher = busy\nmax_cpu = 1\nmax_count = 1\nloop_rate = 0.2\nport = {statsd.port}"
        )
        busy = f"[watcher:busy]\ncmd = {child('burn')}\ncopy_env = True\n"
        daemon = self.daemon(f"{busy}{plugin}{options}\nhost = 127.0.0.1")
        events = daemon.wire.events
        events.wait("watcher.busy.reap", 1, cause="command:restart")
        daemon.log.containing("busy: restarted: pid ")
        daemon.log.containing(" % CPU, limit 1 %, 2 checks in a row")
        statsd.up_to("circus.app.watcher._resource_watcher.busy.restarting:1|c")
        events.wait("watcher.busy.spawn", 2)

    def test_the_one_process_that_is_too_fat_is_replaced(self) -> None:
        plugin = "[plugin:fat]\nuse = resource-watcher\nper_process = True\n"
        options = "watcher = w\nmax_mem = 100M\nmax_count = 1\nloop_rate = 0.2\nmax_cpu = 0\n"
        grow = "import sys, signal; fat = b'x' * (int(sys.argv[1]) % 2 * 150 << 20); signal.pause()"
        program = f'{sys.executable} -c "{grow}" $(circus.wid)'
        daemon = self.daemon(
            f"[watcher:w]\ncmd = {program}\nnumprocesses = 2\ncopy_env = True\n{plugin}{options}"
        )
        events = daemon.wire.events
        (reap,) = events.wait("watcher.w.reap", 1, cause="command:kill")[:1]
        self.assertEqual((reap["wid"], reap["actor"]), (1, "plugin:fat"))
        pattern = (
            rf"pid {reap['process_pid']} used 1[0-9]\d(\.\d)? MB, limit 100 MB, 2 checks in a row"
        )
        self.assertRegex(reap["why"], pattern)
        spawned = events.wait("watcher.w.spawn", 3)[2]
        self.assertLess(spawned["seq"], reap["seq"])  # no place was ever empty
        daemon.log.containing(f"process {reap['process_pid']} was killed by SIGTERM by plugin:fat")
        self.assertEqual(events.of("watcher.w.stop"), [])

    def test_a_busy_child_gets_a_signal(self) -> None:
        plugin = "[plugin:r]\nuse = cvec_circus.plugins.resource_watcher.ResourceWatcher\n"
        options = "watcher = w\nmax_cpu = 1\nmax_count = 1\nloop_rate = 0.2\nprocess_children = 1"
        program = f"sh -c '{child('burn')}; exit 7'"
        daemon = self.daemon(
            f"[watcher:w]\ncmd = {program}\ncopy_env = True\n{plugin}{options}\n"
            "child_signal = KILL\nhealth_threshold = 0"
        )
        daemon.log.containing(" % CPU, limit 1 %, 2 checks in a row")
        (reap,) = daemon.wire.events.wait("watcher.w.reap", 1, cause="exit")[:1]
        self.assertEqual(reap["exit_code"], 7)


if __name__ == "__main__":
    unittest.main()
