"""The configurations that the page of built-in plugins shows, each run by a daemon."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import unittest
from pathlib import Path
from typing import Any, Callable

from cvec_circus.runtime.catalogue import BUILT_IN
from tests.plugins.observing import ObserverCase
from tests.plugins.statsd_server import StatsdServer
from tests.plugins.test_redis_observer import needs_redis
from tests.support.daemon import Daemon, DaemonCase
from tests.support.ports import free_port
from tests.test_docs import DOCS
from tests.test_examples import example

EXAMPLES = DOCS / "examples"
BUSY = "import select\nmemory = bytearray(30_000_000)\nselect.select([], [], [])\n"
WAITING = "import select\nselect.select([], [], [])\n"


class TestPages(DaemonCase):
    """They run as they stand there, but for ports, and for what would take minutes."""

    def run_example(
        self,
        name: str,
        changes: dict[str, str],
        prepare: Callable[[Path], Any] | None = None,
        statsd: StatsdServer | None = None,
    ) -> Daemon:
        """Start a daemon with an example.

        Args:
            name: The file.
            changes: What stands there, and what stands there in the test.
            prepare: What makes the files that it needs.
            statsd: Where the numbers go, if the example does not say so.
        """
        text = (EXAMPLES / f"{name}.ini").read_text(encoding="utf-8")
        for old, new in changes.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        if statsd is not None:
            text = text.replace("use = ", f"host = 127.0.0.1\nport = {statsd.port}\nuse = ")
        return self.daemon(text, prepare=prepare)

    def test_statsd(self) -> None:
        statsd = StatsdServer(self)
        changes = {"= 8125": f"= {statsd.port}", "loop_rate = 10": "loop_rate = 0.1"}
        daemon = self.run_example("statsd", {**changes, "8000": str(free_port())})
        prefix = "circus.shop.watcher"
        found = statsd.up_to(f"{prefix}.web.start", f"{prefix}._stats.web.mem_sum")
        self.assertIn(f"{prefix}.web.spawn:1|c", found)
        self.assertIn(f"{prefix}._stats.web.watchers_num:1|g", found)
        self.assertEqual([line for line in found if "_stats.plugin" in line], [])
        daemon.signal(signal.SIGTERM)
        statsd.up_to(f"{prefix}.web.stop:1|c")  # the last things are counted, too
        daemon.ended()

    def test_resource_watcher(self) -> None:
        def prepare(folder: Path) -> None:
            (folder / "myproject").mkdir()
            (folder / "myproject" / "importer.py").write_text(BUSY)

        statsd = StatsdServer(self)
        changes = {"= 500M": "= 20M", "loop_rate = 10": "loop_rate = 0.1"}
        daemon = self.run_example("resource_watcher", changes, prepare, statsd)
        bucket = "circus.app.watcher._resource_watcher.importer"
        found = statsd.up_to(f"{bucket}.restarting:1|c")
        self.assertGreaterEqual(found.count(f"{bucket}.over_memory:1|c"), 6)
        daemon.log.containing("importer: restarted: pid ")
        daemon.wire.events.wait("watcher.importer.reap", 1, cause="command:restart")

    def test_http_observer(self) -> None:
        statsd = StatsdServer(self)
        daemon = self.run_example(
            "http_observer",
            {"8000": str(free_port()), "loop_rate = 30": "loop_rate = 0.1"},
            lambda folder: (folder / "index.html").write_text("here"),
            statsd,
        )
        bucket = "circus.http_observer.watcher.http_stats"
        statsd.up_to(f"{bucket}.request_time")
        (daemon.folder / "index.html").unlink()
        statsd.up_to(f"{bucket}.error.404:1|c", f"{bucket}.restart_on_error:1|c")
        daemon.log.containing("404 File not found")
        daemon.wire.events.wait("watcher.web.reap", 1, cause="command:restart")

    @needs_redis
    def test_redis_observer(self) -> None:
        statsd = StatsdServer(self)
        port = str(free_port())
        changes = {"6379": port, "loop_rate = 10": "loop_rate = 0.1"}
        self.run_example("redis_observer", changes, statsd=statsd)
        statsd.up_to("circus.redis_observer.watcher.redis_stats.used_memory")

    def test_watchdog(self) -> None:
        port = str(free_port(socket.SOCK_DGRAM))

        def prepare(folder: Path) -> None:
            text = (EXAMPLES / "heartbeat.py").read_text(encoding="utf-8")
            self.assertIn("1664", text)
            (folder / "heartbeat.py").write_text(text.replace("1664", port))

        changes = {
            "1664": port,
            "loop_rate = 10": "loop_rate = 0.3",
            "timeout = 2": "timeout = 0.1",
        }
        daemon = self.run_example("watchdog", changes, prepare)
        events = daemon.wire.events
        events.wait("watcher.worker.start", 1)
        hung = daemon.wire.pids("worker")[0]
        with contextlib.suppress(ProcessLookupError):
            os.kill(hung, signal.SIGSTOP)
        daemon.log.containing(f"worker: process {hung} has been silent for 0.9 s, so it is stopped")
        events.wait("watcher.worker.reap", 1, process_pid=hung, cause="command:kill")
        events.wait("watcher.worker.spawn", 5)

    def test_command_reloader(self) -> None:
        daemon = self.run_example(
            "command_reloader",
            {"loop_rate = 2": "loop_rate = 0.1"},
            lambda folder: (folder / "app.py").write_text(WAITING),
        )
        daemon.wire.events.wait("watcher.app.start", 1)
        daemon.log.containing("Watching 1 program")
        (daemon.folder / "app.py").write_text(WAITING + "# edited\n")
        daemon.log.containing("app.py: modified, so app is restarted")
        daemon.wire.events.wait("watcher.app.spawn", 2)


class TestWrongOptions(DaemonCase):
    """A plugin with a value that cannot be does not run, and says so in one line."""

    wrong = (
        ("statsd", "port = x", "port: 'x' is not a whole number"),
        ("full-stats", "loop_rate = often", "loop_rate: 'often' is not a number"),
        ("resource-watcher", "max_cpu = 50", "watcher: missing"),
        ("resource-watcher", "watcher = a\nmax_mem = 5X", "max_mem: '5X' is neither percent nor"),
        ("http", "check_url = example", "check_url: not of the form"),
        ("redis", "redis_url = example", "redis_url: "),
        ("watchdog", "msg_regex = (", "msg_regex: '('"),
        ("command-reloader", "loop_rate = 0", "loop_rate: "),
    )

    def test_the_key_is_named(self) -> None:
        wrong = [
            one for one in self.wrong if one[0] != "redis" or importlib.util.find_spec("redis")
        ]
        text = "".join(
            f"[plugin:{number}]\nuse = {use}\n{options}\n"
            for number, (use, options, _) in enumerate(wrong)
        )
        daemon = self.daemon(text)
        daemon.wire.events.wait("giveup", len(wrong))
        reasons = daemon.call("status")["reasons"]
        for number, (use, options, reason) in enumerate(wrong):
            with self.subTest(use, options=options):
                self.assertIn(reason, reasons[f"plugin:{number}"])
                self.assertNotIn("\n", reasons[f"plugin:{number}"])
        self.assertLessEqual({use for use, _, _ in self.wrong}, set(BUILT_IN))


class TestObserver(ObserverCase):
    """The observer that the page shows."""

    def test_it_counts_files(self) -> None:
        module = example("queue_observer")
        found = os.listdir(EXAMPLES)
        plugin = self.observer(module.QueueObserver, directory=str(EXAMPLES))
        self.look(plugin)
        self.assertEqual(self.statsd.next(), f"circus.queue.watcher.waiting:{len(found)}|g")


if __name__ == "__main__":
    unittest.main()
