"""Autoscaler at work: a daemon, real processes, and a queue that fills and empties."""

from __future__ import annotations

from tests.plugins.case import TIMEOUT
from tests.support.daemon import Daemon, DaemonCase, child
from tests.support.eventually import eventually
from tests.support.webserver import WebServer


class Queue:
    """A queue that fills and is worked off: a step each time somebody looks at its length.

    Owned by the thread of the web server that shows it.
    """

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.lengths = [0]
        self.filling = True

    def __call__(self) -> str:
        """Return its length, after a step."""
        workers = self.daemon.call("numprocesses", name="worker")["numprocesses"]
        noise = (-7, 5, 9, -4)[len(self.lengths) % 4]
        length = max(0, self.lengths[-1] + (54 + noise if self.filling else 0) - 5 * workers)
        self.filling = self.filling and length < 1000
        self.lengths.append(length)
        return str(length)


class TestWithTheDaemon(DaemonCase):
    """A daemon, and a number that a web page is."""

    def scaled(self, options: str) -> Daemon:
        """Start a daemon whose plugin cannot measure anything yet."""
        self.server = WebServer()
        self.server.page = "50"
        self.addCleanup(self.server.close)
        watcher = f"[watcher:worker]\ncmd = {child('wait')}\ncopy_env = True\nmin_uptime = 0\n"
        plugin = (
            f"[plugin:scale]\nuse = autoscaler\nwatcher = worker\nby = url\nmax = 10\n{options}"
        )
        daemon = self.daemon(f"{watcher}{plugin}\nurl = {self.server.url}\ninterval = 0.02")
        daemon.wire.events.wait("watcher.worker.start", 1)
        return daemon

    def test_a_queue_from_0_to_1000_and_back(self) -> None:
        daemon = self.scaled("up = 100\ndown = 20\ncooldown = 0.05")
        queue = self.server.page = Queue(daemon)
        self.assertTrue(eventually(lambda: not queue.filling, TIMEOUT))  # it has been full
        daemon.wire.events.wait("watcher.worker.updated", 18)
        visits = self.server.visits + 10
        self.assertTrue(eventually(lambda: self.server.visits >= visits, TIMEOUT))
        self.assertTrue(eventually(lambda: len(daemon.wire.pids("worker")) == 1, TIMEOUT))
        self.assertEqual(queue.lengths[-1], 0)
        updates = daemon.wire.events.of("watcher.worker.updated")
        # Up once and down once: not one step back.
        numbers = [*range(2, 11), *range(9, 0, -1)]
        self.assertEqual([update["numprocesses"] for update in updates], numbers)
        for update in updates[:9]:
            self.assertEqual(update["cause"], "command:incr")
            self.assertRegex(update["reason"], r"^plugin:scale: url is \d+, above 100$")
        for update in updates[9:]:
            self.assertEqual(update["cause"], "command:decr")
            self.assertRegex(update["reason"], r"^plugin:scale: url is \d+, below 20$")
        self.assertEqual(len(daemon.wire.events.of("watcher.worker.spawn")), 10)
        self.assertEqual(len(daemon.wire.events.of("watcher.worker.reap", cause="exit")), 0)
        daemon.order("quit")
        said = "worker: 2 processes wanted by plugin:scale (command:incr): url is "
        self.assertIn(said, "\n".join(daemon.ended()))

    def test_what_processes_use(self) -> None:
        """No machine is so busy that none of this is used; the thresholds are that low."""
        scale = "use = autoscaler\nwatcher = w\ninterval = 0.05\ncooldown = 0\ndown = 0\nmax = 2\n"
        daemon = self.daemon(
            f"[watcher:w]\ncmd = {child('burn')}\ncopy_env = True\n"
            f"[plugin:busy]\n{scale}by = cpu\nup = 0.5\n"
        )
        (update,) = daemon.wire.events.wait("watcher.w.updated", 1)
        self.assertRegex(
            update["reason"], r"^plugin:busy: cpu is [\d.]+ % of a processor, above 0.5$"
        )

    def test_what_has_died_is_not_a_change_by_others(self) -> None:
        self.server = WebServer()
        self.addCleanup(self.server.close)
        self.server.page = "50"
        daemon = self.daemon(
            "[watcher:w]\ncmd = sh -c 'sleep 0.2; exit 3'\n"
            "[plugin:scale]\nuse = autoscaler\nwatcher = w\n"
            f"by = url\nurl = {self.server.url}\nup = 100\ndown = -1\nmax = 3\ninterval = 0.02\n"
        )
        self.assertTrue(eventually(lambda: self.server.visits, TIMEOUT))
        daemon.wire.events.wait("watcher.w.reap", 4)
        visits = self.server.visits + 3
        self.assertTrue(eventually(lambda: self.server.visits >= visits, TIMEOUT))
        daemon.order("quit")
        self.assertNotIn("by others", "\n".join(daemon.ended()))

    def test_it_does_not_fight_with_people(self) -> None:
        daemon = self.scaled("up = 100\ndown = 20\ncooldown = 1000")
        self.assertTrue(eventually(lambda: self.server.visits > 3, TIMEOUT))
        daemon.order("set", name="worker", options={"numprocesses": 3})
        daemon.log.containing("worker: set to 3 processes by others: not scaled for 1000 s")
        self.server.page = "1000"
        visits = self.server.visits + 5
        self.assertTrue(eventually(lambda: self.server.visits >= visits, TIMEOUT))
        daemon.order("incr", name="worker", reason="a sale")
        daemon.log.containing("worker: set to 4 processes by others: not scaled for 1000 s")
        updates = daemon.wire.events.of("watcher.worker.updated")
        self.assertEqual([update["numprocesses"] for update in updates], [3, 4])
        self.assertEqual(updates[1]["reason"], "a sale")
