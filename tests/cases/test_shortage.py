"""Too little of something, and clients that want too much."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import threading
import unittest
from collections.abc import Callable
from pathlib import Path

from cvec_circus.base.clock import SYSTEM
from cvec_circus.wire import zmtp
from tests.cases.case import Case, long
from tests.control.raw import RawClient, connected
from tests.daemon.test_limits import by_tcp, cpu, resident
from tests.daemon.test_no_threads import size
from tests.support.daemon import Daemon
from tests.support.eventually import eventually

MIB = 1 << 20
WEB = "[watcher:web]\ncmd = sleep 7772\n"
FLOOD = "[watcher:flood]\ncmd = yes\nlog_history = 1MiB\nstdout_stream.filename = /dev/null\n"


def limited(files: int) -> list[str]:
    """Return the words in front of a daemon that may have so many files open."""
    return ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh"]


class TestShortage(Case):
    def raw(self, daemon: Daemon) -> RawClient:
        client = RawClient(daemon.endpoint)
        self.addCleanup(client.close)
        return client

    def test_a_thousand_processes_and_256_files(self) -> None:
        """1000 processes under `ulimit -n 256` -> a line and an event a second at most, and a
        processor that has next to nothing to do."""
        daemon = self.daemon(f"{WEB}numprocesses = 1000\n", wrapper=limited(256))
        self.assertTrue(eventually(lambda: "files" in daemon.wire.status("web")[1], 20))
        ours = len(daemon.wire.pids("web"))
        self.assertGreater(ours, 150)
        before, used, began = len(daemon.wire.events.sync()), cpu(daemon.pid), SYSTEM.monotonic()
        eventually(lambda: False, 5)
        seconds = SYSTEM.monotonic() - began
        self.assertLess(len(daemon.wire.events.sync()) - before, 2 * seconds + 2)
        self.assertLess(cpu(daemon.pid) - used, 0.2 * seconds)
        daemon.signal(signal.SIGTERM)
        lines = [line for line in daemon.ended() if "WARNING" in line and "files" in line]
        self.assertLess(len(lines), 2 * seconds + 10)

    @long
    def test_1100_idle_connections_and_1024_files(self) -> None:
        """1100 idle connections at `ulimit -n 1024`, by tcp and by ipc -> questions are answered,
        and the dead are replaced."""
        for kind in ("tcp", "ipc"):
            with self.subTest(kind):
                self.idle(by_tcp if kind == "tcp" else None)

    def idle(self, prepare: Callable[[Path], None] | None) -> None:
        daemon = self.daemon(WEB, wrapper=limited(1024), prepare=prepare, up=False)
        said = daemon.log.containing(" is up: commands at ")
        daemon.endpoint, daemon.pubsub_endpoint = re.findall(r"(?:tcp|ipc)://[^,\s]+", said)
        daemon.connect()
        (pid,) = daemon.wire.pids("web")
        for _ in range(1100):
            self.addCleanup(connected(daemon.endpoint).close)
        os.kill(pid, signal.SIGKILL)
        self.assertTrue(eventually(lambda: daemon.wire.pids("web") not in ([], [pid]), 10))

    def test_3000_questions_whose_answers_nobody_reads(self) -> None:
        """3000 casts of `stats` -> the next question for `stats` is answered soon."""
        daemon = self.daemon(WEB)
        client = self.raw(daemon)
        cast = {"command": "stats", "msg_type": "cast", "properties": {}}
        client.send(zmtp.message(json.dumps(cast).encode()) * 3000)
        with self.within(10):
            daemon.call("stats")

    def test_no_more_memory(self) -> None:
        """`ulimit -v` just above the daemon's size, then `stats` -> an answer in a line, and
        SIGTERM still ends it."""
        daemon = self.daemon(WEB)
        daemon.wire.events.next("start")
        limit = size(daemon.pid) + (1 << 19)
        resource.prlimit(daemon.pid, resource.RLIMIT_AS, (limit, limit))
        reply = daemon.wire.client.call("stats")
        self.assertNotIn("\n", reply.get("reason", ""))
        daemon.signal(signal.SIGTERM)
        self.assertNotIn("Traceback", "\n".join(daemon.ended()))

    def test_a_command_of_900_kilobytes(self) -> None:
        """`add` with a cmd of 900 kB -> refused with its length; others do not wait."""
        daemon = self.daemon(WEB)
        client = self.raw(daemon)
        client.request("add", name="big", cmd="x " * 450_000)
        with self.within(1):
            daemon.call("ping")
        self.assertIn("900000 characters", json.loads(client.receive()[-1])["reason"])

    def test_2000_questions_for_logs_in_a_flood(self) -> None:
        """2000 outstanding `logs since=` while a program floods its output -> others are answered
        within two seconds, and mostly at once."""
        daemon = self.daemon(f"{WEB}{FLOOD}")
        self.assertTrue(eventually(lambda: daemon.wire.pids("flood")))
        client, other = self.raw(daemon), self.raw(daemon)
        question = {"command": "logs", "properties": {"name": "flood", "since": 0}}
        client.send(zmtp.message(json.dumps(question).encode()) * 2000)
        times = other.pings(20)
        self.assertLess(times[-1], 2.0)

    @long
    def test_frames_of_15_mebibytes(self) -> None:
        """50 clients with one frame of 15 MiB each; 40 half frames; one message of 295 000 frames
        -> bounded in memory, and another client is answered."""
        daemon = self.daemon(WEB)
        other = self.raw(daemon)
        other.ask("ping")
        before = resident(daemon.pid)
        small = zmtp.message(b"x" * 1024)
        large, half = zmtp.message(b"x" * (15 * MIB)), zmtp.message(b"x" * (7 * MIB))[:-1]
        for count, block in ((50, large), (40, half), (1, (b"\3" + small[1:]) * 295_000)):
            with self.subTest(bytes=len(block), clients=count):
                clients = [self.raw(daemon) for _ in range(count)]
                threads = [
                    threading.Thread(target=client.send_until_full, args=(block,))
                    for client in clients
                ]
                for thread in threads:
                    thread.start()
                self.assertLess(other.pings(50)[48], 1.0)
                for thread in threads:
                    thread.join()
                self.assertLess(resident(daemon.pid) - before, 96 * MIB)


if __name__ == "__main__":
    unittest.main()
