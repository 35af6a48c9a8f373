"""Logger: what its file holds, whatever becomes of the file."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import resource
import signal
import threading
from pathlib import Path
from typing import Any

from cvec_circus.exc import OptionError
from cvec_circus.plugins.event_logger import Logger
from tests.plugins.case import TIMEOUT, PluginCase
from tests.support.daemon import DaemonCase, child, folder
from tests.support.eventually import eventually


def read(path: Path) -> list[dict[str, Any]]:
    """Return the events of a file; none when it is not there."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        with contextlib.suppress(ValueError):  # the last one is being written
            found.append(json.loads(line))
    return found


class LoggerCase(PluginCase):
    """A Logger, and the directory of its file."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = folder(self)
        self.file = self.folder / "events.log"

    def logger(self, **config: Any) -> tuple[Logger, threading.Thread]:
        plugin: Logger = self.make(Logger, **{"filename": str(self.file), **config})
        return plugin, self.run_plugin(plugin)

    def written(self, seq: int, path: Path | None = None) -> list[dict[str, Any]]:
        """Wait until an event is in the file, and return all that are there."""
        path = path or self.file
        self.assertTrue(eventually(lambda: seq in [each["seq"] for each in read(path)], TIMEOUT))
        return read(path)


class TestLines(LoggerCase):
    """What is written."""

    def test_all_that_the_events_tell(self) -> None:
        plugin, thread = self.logger()
        self.daemon.publish("My [Wéb]\n", "reap", process_pid=7, exit_code=-9, time=12.5)
        self.written(self.daemon.publish("b", "stop"))
        self.end(plugin, thread)
        first, second = self.file.read_text().splitlines()
        expected = {
            "time": 12.5,
            "watcher": "My [Wéb]\n",
            "action": "reap",
            "topic": "watcher.my_[wéb]_.reap",
            "seq": 1,
            "run": self.daemon.run,
            "cause": "test",
            "process_pid": 7,
            "exit_code": -9,
        }
        told = json.loads(first)
        topic = told.pop("topic"), expected.pop("topic")
        self.assertEqual(topic[0][:11], topic[1][:11])
        self.assertEqual(told, expected)
        self.assertEqual(list(json.loads(second))[:4], ["time", "watcher", "action", "topic"])

    def test_only_what_is_wanted(self) -> None:
        self.logger(watchers="web*, api", actions="!spawn, !kill")
        for name in ("web1", "mail", "API"):
            for action in ("spawn", "reap", "kill", "giveup"):
                last = self.daemon.publish(name, action)
        told = [(each["watcher"], each["action"]) for each in self.written(last)]
        names = ("web1", "API")
        self.assertEqual(told, [(name, action) for name in names for action in ("reap", "giveup")])

    def test_of_a_daemon_that_does_not_tell_names(self) -> None:
        self.logger(watchers="web_*")
        last = self.daemon.publish("Web 1", "stop", watcher="web_1")
        self.assertEqual(self.written(last)[0]["topic"], "watcher.web_1.stop")


class TestTheFile(LoggerCase):
    """What becomes of the file."""

    def test_rotation_cuts_no_line_and_loses_none(self) -> None:
        self.logger(max_bytes="5000", backup_count=100)
        last = self.daemon.flood(300)
        self.written(last)
        files = [self.folder / f"events.log.{n}" for n in range(100, 0, -1)] + [self.file]
        files = [path for path in files if path.exists()]
        self.assertGreater(len(files), 5)
        for path in files:
            self.assertLess(path.stat().st_size, 5000)
            self.assertTrue(path.read_text().endswith("}\n"))
        seqs = [each["seq"] for path in files for each in read(path)]
        self.assertEqual(seqs, list(range(1, last + 1)))

    def test_old_files_go(self) -> None:
        self.logger(max_bytes="2000", backup_count=2)
        self.written(self.daemon.flood(200))
        names = sorted(path.name for path in self.folder.iterdir())
        self.assertEqual(names, ["events.log", "events.log.1", "events.log.2"])

    def test_old_files_are_compressed(self) -> None:
        self.logger(max_bytes="2000", backup_count=2, compress="yes")
        self.written(self.daemon.flood(15))
        packed = self.folder / "events.log.1.gz"
        self.assertTrue(eventually(packed.exists, TIMEOUT))
        with gzip.open(packed, "rt") as lines:
            self.assertEqual(json.loads(next(lines))["seq"], 1)

    def test_somebody_moves_it(self) -> None:
        for config in ({}, {"max_bytes": 10_000_000}):
            with self.subTest(config):
                plugin, thread = self.logger(**config)
                self.written(self.daemon.publish("a", "start"))
                moved = self.folder / "moved"
                self.file.rename(moved)
                second = self.daemon.publish("b", "start")
                self.assertEqual([each["watcher"] for each in self.written(second)], ["b"])
                self.end(plugin, thread)
                self.assertEqual(read(moved)[-1]["watcher"], "a")
                self.file.unlink()

    def test_a_directory_that_comes_later(self) -> None:
        self.file = self.folder / "later" / "events.log"
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.logger()
            self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
        self.assertRegex(logs.output[0], "cannot open .*events.log: No such file or directory")
        self.file.parent.mkdir()

        def comes() -> bool:
            self.daemon.publish("a", "start")
            return bool(read(self.file))

        self.assertTrue(eventually(comes, TIMEOUT))


class TestOptions(LoggerCase):
    """What makes no sense is refused in a line that begins with the key."""

    def test_values_that_cannot_be(self) -> None:
        for given, said in (
            ({"filename": None}, "filename: missing"),
            ({"filename": ""}, "filename: "),
            ({"max_bytes": "-1"}, "max_bytes: "),
            ({"max_bytes": "1 MB"}, "max_bytes: '1 MB' is not a whole number"),
            ({"backup_count": "x"}, "backup_count: "),
            ({"compress": "maybe"}, "compress: 'maybe' is neither true nor false"),
            (
                {"actions": "reap, gvieup"},
                "actions: 'gvieup' is not an action; did you mean giveup?",
            ),
        ):
            with self.subTest(given), self.assertRaises(OptionError) as caught:
                self.make(Logger, **{"filename": str(self.file), **given})
            self.assertTrue(str(caught.exception).startswith(said), caught.exception)


class TestWithTheDaemon(DaemonCase):
    """Started by a daemon, with real children."""

    CONFIGURATION = f"""
[plugin:log]
use = logger
filename = {{DIR}}/events.log
[watcher:a]
cmd = {child("wait")}
copy_env = True
numprocesses = 3
[watcher:b]
cmd = {child("wait")}
copy_env = True
"""

    def test_the_last_events_of_every_watcher(self) -> None:
        daemon = self.daemon(self.CONFIGURATION)
        file = daemon.folder / "events.log"
        self.assertTrue(eventually(lambda: ("b", "start") in names(file), TIMEOUT))
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        found = names(file)
        self.assertEqual(found.count(("a", "reap")), 3)
        self.assertEqual(found.count(("b", "reap")), 1)
        for name in "ab":
            self.assertEqual([action for who, action in found if who == name][-1], "stop")

    def test_a_full_disk(self) -> None:
        daemon = self.daemon(self.CONFIGURATION)
        file = daemon.folder / "events.log"
        self.assertTrue(eventually(lambda: ("b", "start") in names(file), TIMEOUT))
        (pid,) = daemon.wire.pids("plugin:log")
        limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (file.stat().st_size + 10, limits[1]))
        daemon.order("stop", name="a")
        daemon.log.containing(f"cannot write to {file}: File too large")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        daemon.order("stop", name="b")
        self.assertTrue(eventually(lambda: ("b", "stop") in names(file), TIMEOUT))
        self.assertEqual(daemon.wire.pids("plugin:log"), [pid])
        lines = file.read_text().splitlines()
        cut = [line for line in lines if not line.endswith("}")]
        self.assertLessEqual(len(cut), 1)  # where the disk was full
        self.assertEqual(json.loads(lines[-1])["action"], "stop")

    def test_a_reload_opens_it_anew(self) -> None:
        daemon = self.daemon(self.CONFIGURATION)
        file = daemon.folder / "events.log"
        self.assertTrue(eventually(lambda: ("b", "start") in names(file), TIMEOUT))
        os.rename(file, daemon.folder / "old")
        daemon.signal(signal.SIGHUP)
        daemon.wire.events.wait("watcher.a.reload", 1)
        self.assertTrue(eventually(lambda: ("a", "reload") in names(file), TIMEOUT))


def names(path: Path) -> list[tuple[str, str]]:
    """Return watcher and action of the events of a file."""
    return [(each["watcher"], each["action"]) for each in read(path)]
