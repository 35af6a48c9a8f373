"""Everything at once: orders from several clients, and deaths, in no order at all."""

from __future__ import annotations

import logging
import os
import random
import signal
import threading
import unittest
from typing import Any

from tests.support.embedded import EmbeddedCase
from tests.support.leaks import children
from tests.support.logs import silent

SEED = int(os.environ.get("CVEC_CIRCUS_CHAOS_SEED", "0")) or random.randrange(1, 1_000_000)
NAMES = [f"w{number}" for number in range(6)]
ORDERS = ("start", "stop", "restart", "reload", "incr", "decr", "kill", "status", "stats", "rm")


class TestChaos(EmbeddedCase):
    """Whatever happens: every process is told of twice, at its spawn and at its end."""

    def watchers(self) -> list[dict[str, Any]]:
        rude = "trap '' TERM; exec sleep 1000"
        leaves = "sleep 1000 & exec sleep 1000"
        log = {"stdout_stream.filename": str(self.folder / "log")}
        return [
            {"name": "w0", "cmd": "sleep 1000", "numprocesses": 3},
            {"name": "w1", "cmd": "sh", "args": ["-c", rude]},
            {"name": "w2", "cmd": "sh", "args": ["-c", leaves], "numprocesses": 2, **log},
            {"name": "w3", "cmd": "true", "min_uptime": 0, "respawn_delay": 0.01},
            {"name": "w4", "cmd": "sleep 1000", "singleton": True, "max_age": 0.05},
            {"name": "w5", "cmd": "sleep 0.05", "numprocesses": 2, "respawn": False, **log},
        ]

    def order(self, dice: random.Random, waiting: bool) -> None:
        name, command = dice.choice(NAMES), dice.choice(ORDERS)
        properties: dict[str, Any] = {"name": name}
        if command not in ("status", "stats"):
            properties.update(waiting=waiting, timeout=dice.choice([0.05, 1.0]))
        if command == "reload":
            properties["sequential"] = dice.random() < 0.5
        reply = self.wire.client.call(command, **properties)
        if command == "rm" and reply["status"] == "ok":
            options = next(dict(entry) for entry in self.watchers() if entry["name"] == name)
            cmd, args = options.pop("cmd"), options.pop("args", "")
            del options["name"]
            options.update(graceful_timeout=0.1, copy_env=True)
            self.wire.call("add", name=name, cmd=cmd, args=args, options=options, start=True)

    def client(self, number: int) -> None:
        dice = random.Random(SEED * 10 + number)
        try:
            for _ in range(60):
                self.order(dice, waiting=dice.random() < 0.2)
                if dice.random() < 0.3:
                    self.shoot(dice)
        except Exception as error:
            self.problems.append(repr(error))

    def shoot(self, dice: random.Random) -> None:
        reply = self.wire.client.call("list", name=dice.choice(NAMES))
        for pid in reply.get("pids", ())[:1]:
            try:
                os.kill(pid, dice.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP]))
            except ProcessLookupError:
                pass  # it was quicker

    def test_all_of_it(self) -> None:
        self.problems: list[str] = []
        options = {"graceful_timeout": 0.1}
        with silent(self, logging.ERROR):
            self.arbit(*({**entry, **options} for entry in self.watchers()))
            threads = [threading.Thread(target=self.client, args=(n,)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
                self.assertFalse(thread.is_alive(), f"seed {SEED}")
            self.assertEqual([p for p in self.problems if "already exist" not in p], [], SEED)
            self.wire.order("stop")
            self.look(SEED)

    def look(self, seed: int) -> None:
        # What was removed may still be on its way out.
        self.events.wait("reap", len(self.events.of("spawn")))
        spawned, reaped = (
            sorted(event["process_pid"] for event in self.events.of(action))
            for action in ("spawn", "reap")
        )
        self.assertEqual(spawned, reaped, f"seed {seed}")
        self.assertEqual(children(), {}, f"seed {seed}")
        statuses = self.wire.call("status")["statuses"]
        self.assertEqual(set(statuses.values()), {"stopped"}, f"seed {seed}")
        self.wire.order("quit")
        self.arbiter.stop()


if __name__ == "__main__":
    unittest.main()
