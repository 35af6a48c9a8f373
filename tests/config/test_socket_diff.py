"""Which socket becomes which."""

from __future__ import annotations

import random
import unittest
from typing import Any

from cvec_circus.config.socket_diff import Exchange, Held, exchange
from cvec_circus.sockets.managed import CircusSocket


def options(**given: Any) -> dict[str, Any]:
    return CircusSocket(**given).options()


def told(found: Exchange) -> list[tuple[str, str, str]]:
    return [(step.name, step.action, step.source) for step in found.steps]


class TestExchange(unittest.TestCase):
    def test_each_way(self) -> None:
        held = [
            Held("same", options(port=1)),
            Held("tuned", options(port=2)),
            Held("moved", options(port=3)),
            Held("renamed", options(port=4)),
            Held("gone", options(port=5)),
            Held("given", options(port=6), is_loaded=False),
            Held("back", options(port=7), is_leaving=True),
        ]
        wanted = {
            "same": options(port=1),
            "tuned": options(port=2, backlog=5),
            "moved": options(port=33),
            "fresh": options(port=8),
            "now": options(port=4),
            "back": options(port=7),
        }
        found = exchange(held, wanted)
        self.assertEqual(
            told(found),
            [
                ("back", "open", "back"),
                ("fresh", "open", ""),
                ("gone", "close", ""),
                ("moved", "replace", ""),
                ("now", "open", "renamed"),
                ("renamed", "close", ""),
                ("tuned", "change", ""),
            ],
        )
        numbers = {"same": 0, "tuned": 1, "now": 3, "back": 6, "given": 5}
        self.assertEqual(found.numbers, {**numbers, "moved": None, "fresh": None})
        self.assertEqual(found.renewed, {"moved": "socket moved is another one"})

    def test_two_that_are_exchanged(self) -> None:
        held = [Held("a", options(port=1)), Held("b", options(port=2))]
        found = exchange(held, {"a": options(port=2), "b": options(port=1)})
        self.assertEqual(told(found), [("a", "replace", "b"), ("b", "replace", "a")])
        self.assertEqual(found.numbers, {"a": 1, "b": 0})
        self.assertEqual(set(found.renewed), {"a", "b"})

    def test_what_processes_have_to_learn(self) -> None:
        held = [Held("a", options(port=1)), Held("b", options(port=2, so_reuseport=True))]
        found = exchange(
            held,
            {
                "a": options(port=1, blocking=True),
                "b": options(port=2, so_reuseport=True, backlog=3),
            },
        )
        self.assertEqual(
            found.renewed,
            {"a": "blocking of socket a changes", "b": "backlog of socket b changes"},
        )

    def test_every_wanted_one_is_there_and_none_twice(self) -> None:
        chance = random.Random(5)
        for _ in range(500):
            held = [
                Held(
                    name,
                    options(port=chance.randint(0, 4)),
                    chance.random() < 0.8,
                    False,
                )
                for name in chance.sample("abcdef", chance.randint(0, 5))
            ]
            held += [Held("z", options(port=chance.randint(0, 4)), is_leaving=True)]
            wanted = {
                name: options(port=chance.randint(0, 4), backlog=chance.randint(1, 2))
                for name in chance.sample("abcdefg", chance.randint(0, 6))
            }
            found = exchange(held, wanted)
            self.assertLessEqual(wanted.keys(), found.numbers.keys())
            taken = [number for number in found.numbers.values() if number is not None]
            self.assertEqual(len(taken), len(set(taken)))
            for name, number in found.numbers.items():
                if number is not None and name in wanted:
                    self.assertEqual(held[number].options["port"], wanted[name]["port"])
            again = [Held(name, given) for name, given in wanted.items()]
            self.assertEqual(exchange(again, wanted).steps, ())


if __name__ == "__main__":
    unittest.main()
