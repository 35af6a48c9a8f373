"""Group E: made-up messages at a daemon that runs, and bytes that are no messages at all.

CVEC_CIRCUS_MESSAGES says how many there are, CVEC_CIRCUS_SEED chooses others.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import unittest
from typing import Any

import psutil
import zmq

from cvec_circus.wire import zmtp
from tests.control.raw import connected
from tests.control.test_fuzz import Fuzz, is_cast
from tests.support.daemon import Daemon, DaemonCase
from tests.support.nightly import NIGHTLY, SEED, repetitions

MESSAGES = int(os.environ.get("CVEC_CIRCUS_MESSAGES", "1000000" if NIGHTLY else "10000"))
BATCH = 100
PATIENCE = 60.0
MIB = 1 << 20
MOST_GROWTH = 64 * MIB

NAMES = ("web", "solo", "One Shot")
WATCHERS = "".join(
    f"[watcher:{name}]\ncmd = sleep 1000\ngraceful_timeout = 0.5\n" for name in NAMES
)
CIRCUS = "loglevel = warning\nlogoutput = {DIR}/log\nmax_processes = 4\n"

THE_END = b'{"id": "the end", "command": "numwatchers"}'

ENDS = ("quit", "upgrade")
"""What a message must not be about, because the daemon would do it."""


class Hostile(Fuzz):
    """Makes messages for a daemon that does what they say. Owned by the test."""

    def message(self) -> Any:
        message = super().message()
        while isinstance(message, dict) and message.get("command") in ENDS:
            message = super().message()
        if isinstance(message, dict):
            properties = message.get("properties")
            if isinstance(properties, dict):
                properties.pop("nostop", None)  # what it leaves has nobody to end it
            if isinstance(properties, dict) and properties.get("waiting"):
                properties["timeout"] = 0.05  # so that its answer comes in this run
            if message.get("command") == "wait" and isinstance(properties, dict):
                properties["timeout"] = 0.05
        return message

    def batch(self) -> list[list[bytes]]:
        """Make some messages."""
        return [self.frames() for _ in range(BATCH)]

    def garbage(self) -> bytes:
        """Make what a peer may send that speaks ZMTP badly, or not at all."""
        kind = self.random.random()
        if kind < 0.3:
            return self.random.randbytes(self.random.randrange(1, 400))
        opening = zmtp.opening(b"DEALER")
        if kind < 0.5:
            return self.damaged(opening)
        body = b"".join(zmtp.message(*self.frames()) for _ in range(3))
        if kind < 0.8:
            return opening + self.damaged(body)
        return opening + body[: self.random.randrange(len(body))]


class TestHostile(DaemonCase):
    """One answer each, nothing but answers, and the daemon as it was before."""

    def test_e2_made_up_messages(self) -> None:
        fuzz = Hostile(SEED)
        daemon = self.daemon(WATCHERS, circus=CIRCUS, up=False)
        self.wait_until_up(daemon)
        context: zmq.Context[Any] = zmq.Context()
        self.addCleanup(context.term)
        client = context.socket(zmq.DEALER)
        self.addCleanup(client.close, 0)
        client.connect(daemon.endpoint)
        process = psutil.Process(daemon.pid)
        size = files = 0
        wanted = answered = 0
        batch = fuzz.batch()
        for start in range(0, MESSAGES, BATCH):
            wanted += sum(not is_cast(frames) for frames in batch)
            for frames in batch:
                client.send_multipart(frames)
            client.send(THE_END)
            batch = fuzz.batch()  # while the daemon is at work on the one before
            answered += self.answers(client, start)
            self.garbage(daemon, fuzz)
            if start == MESSAGES // 10 // BATCH * BATCH:
                size, files = process.memory_info().rss, process.num_fds()
        while answered < wanted and client.poll(5000):
            self.judge(json.loads(client.recv_multipart()[-1]), MESSAGES)
            answered += 1
        repetitions(self, MESSAGES)
        self.assertEqual(answered, wanted)
        grown = process.memory_info().rss - size
        self.assertLess(grown, MOST_GROWTH)
        self.assertLess(process.num_fds(), files + 20)
        daemon.order("stop")
        daemon.order("quit")
        log = [*daemon.ended(), *(daemon.folder / "log").read_text().splitlines()]
        self.assertNotIn("Traceback", "\n".join(log))
        refused = "[ERROR] the configuration stays as it is: "  # a file that there is not
        self.assertEqual([one for one in log if "[ERROR]" in one and refused not in one], [])

    def wait_until_up(self, daemon: Daemon) -> None:
        daemon.connect()  # it waits for the socket
        daemon.order("start")

    def answers(self, client: zmq.Socket[bytes], start: int) -> int:
        """Take the answers up to that to a question of ours; return how many there were."""
        count = 0
        while True:
            self.assertTrue(client.poll(PATIENCE * 1000), f"no answer (seed {SEED}, at {start})")
            answer = json.loads(client.recv_multipart()[-1])
            if answer["id"] == "the end":
                return count
            count += 1
            self.judge(answer, start)

    def judge(self, answer: dict[str, Any], start: int) -> None:
        if answer.get("status") == "error":
            shown = f"seed {SEED}, at {start}: {answer}"
            self.assertIn(answer["errno"], (1, 2, 3, 5), shown)
            self.assertIsNone(answer["tb"], shown)
            self.assertNotIn("Traceback", answer["reason"], shown)
            self.assertNotIn("internal error", answer["reason"], shown)

    def garbage(self, daemon: Daemon, fuzz: Hostile) -> None:
        """Connect, send nonsense, and go without a word."""
        with contextlib.suppress(ConnectionError, BrokenPipeError, socket.timeout):
            sock = connected(daemon.endpoint)
            with sock:
                sock.sendall(fuzz.garbage())


if __name__ == "__main__":
    unittest.main()
