"""2 000 made-up messages over a real socket: one answer each, and nothing done by a bad one."""

from __future__ import annotations

import json
import logging
import random
from typing import Any

from cvec_circus.commands import table
from tests.control.control_case import ControlCase
from tests.support.logs import silent

SEED = 20_261_123
MESSAGES = 2_000
BATCH = 50

VALUES: list[Any] = [
    *(None, True, False, 0, 1, 2, -1, -5, 1.5, 10**15, 2**63 - 1, "", " ", "web", "WEB", "solo"),
    *("One Shot", "nope", "*", "w*", "[", "(", "glob", "simple", "regex", "zz", "1", "-1", "z"),
    *("HUP", "SIGKILL", "SIGRTMIN+1", "999", "../x y", "a\nb", "__class__", "é", "x" * 10_240),
    *([], ["cmd"], ["nokey"], [1], [[]], {}, {"numprocesses": 3}, {"bogus": 1}, {"a.b": {}}),
    *({"numprocesses": -1}, {"cmd": ""}, {"env": {"A": "1"}}, {"stop_signal": "QUIT"}),
]
GOOD: dict[str, list[Any]] = {
    "name": ["web", "solo", "One Shot", "WEB"],
    "cmd": ["sleep 5"],
    "signum": ["HUP", 9],
    "options": [{"numprocesses": 2}, {}],
    "keys": [["cmd"]],
}


class Fuzz:
    """Owned by the test. Makes messages out of a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.commands = table.load_all()
        self.properties = sorted({key for c in self.commands.values() for key in c.by_name})

    def frames(self) -> list[bytes]:
        """Make one message: mostly well-formed in its outline, never a multiple answer."""
        kind = self.random.random()
        if kind < 0.1:
            return [self.random.randbytes(self.random.randrange(40))]
        if kind < 0.15:
            return [self.frame() for _ in range(self.random.randrange(2, 100))]
        if kind < 0.25:
            return [self.damaged(self.frame())]
        return [self.frame()]

    def frame(self) -> bytes:
        return json.dumps(self.message()).encode()

    def message(self) -> Any:
        if self.random.random() < 0.03:
            return self.random.choice(VALUES)
        command = self.random.choice([*table.NAMES, *table.NAMES, "bogus", *VALUES[:3], [], {}])
        message: dict[str, Any] = {"command": command, "properties": self.some(command)}
        if self.random.random() < 0.1:
            message["properties"] = self.random.choice(VALUES)
        if self.random.random() < 0.1:
            message[self.random.choice(self.properties)] = self.random.choice(VALUES)
        message["id"] = self.random.choice(VALUES)
        if self.random.random() < 0.2:
            message["msg_type"] = self.random.choice(["cast", "call", *VALUES])
        return message

    def some(self, command: Any) -> dict[str, Any]:
        """Make properties: those of the command, mostly with good values."""
        known = self.commands.get(command) if isinstance(command, str) else None
        keys = list(known.by_name) if known else self.properties
        given = {}
        for key in keys:
            mandatory = known is not None and key in known.mandatory
            if self.random.random() < (0.9 if mandatory else 0.3):
                good = GOOD.get(key, VALUES)
                given[key] = self.random.choice(good if self.random.random() < 0.7 else VALUES)
        if self.random.random() < 0.05:
            given["zork"] = 1
        return given

    def damaged(self, frame: bytes) -> bytes:
        at = self.random.randrange(len(frame))
        return frame[:at] + self.random.randbytes(1) + frame[at + self.random.randrange(3) :]


def is_cast(frames: list[bytes]) -> bool:
    """Tell whether a message asks for no answer, without the code that is tested."""
    try:
        message = json.loads(frames[0])
    except (ValueError, RecursionError):
        return False
    return len(frames) == 1 and isinstance(message, dict) and message.get("msg_type") == "cast"


class TestFuzz(ControlCase):
    def orders(self) -> int:
        return len(self.loop.ask(lambda: self.target.orders))

    def exchange(self, batch: list[list[bytes]]) -> list[dict[str, Any]]:
        """Send a batch with a request of our own behind it; returns the answers before that one."""
        for frames in batch:
            self.send(*frames)
        self.send(b'{"id": "the end", "command": "numwatchers"}')
        answers = []
        while True:
            answer = self.receive()
            if answer["id"] == "the end":
                return answers
            answers.append(answer)

    def test_one_answer_each(self) -> None:
        fuzz = Fuzz(SEED)
        with silent(self, logging.ERROR):  # `add` warns of properties that it ignores
            for start in range(0, MESSAGES, BATCH):
                batch = [fuzz.frames() for _ in range(BATCH)]
                wanted = sum(not is_cast(frames) for frames in batch)
                answers = self.exchange(batch)
                self.assertEqual(len(answers), wanted, f"seed {SEED}, batch at {start}")
                for answer in answers:
                    self.assertIn("status", answer)
                    if answer["status"] == "error":
                        self.assertIn(answer["errno"], (1, 2, 3, 5))
                        self.assertIsNone(answer["tb"])

    def test_nothing_is_done_by_what_is_refused(self) -> None:
        fuzz = Fuzz(SEED + 1)
        for _ in range(200):
            frames = fuzz.frames()
            before = self.orders()
            answers = self.exchange([frames])
            if answers and answers[0]["status"] == "error":
                self.assertEqual(self.orders(), before, frames)
