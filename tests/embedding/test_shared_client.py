"""One client of an arbiter, shared by many threads."""

from __future__ import annotations

import threading
import unittest
from typing import Any

from cvec_circus import exc
from cvec_circus.testing import ArbiterTestCase

THREADS = 8
ROUNDS = 60


class TestSharedClient(ArbiterTestCase):
    watchers = tuple(
        {"name": f"w{number}", "cmd": "sleep 1000", "numprocesses": 0} for number in range(THREADS)
    )

    def setUp(self) -> None:
        super().setUp()
        self.problems: list[Any] = []

    def in_threads(self, fn: Any) -> None:
        def run(number: int) -> None:
            try:
                fn(number)
            except Exception as error:
                self.problems.append(error)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            self.assertFalse(thread.is_alive())
        self.assertEqual(self.problems, [])

    def test_each_thread_gets_its_own_answers(self) -> None:
        def use(number: int) -> None:
            name = f"w{number}"
            for turn in range(ROUNDS):
                options = {"numprocesses": 0, "max_retry": turn + 1}
                reply = self.client.send_message("set", name=name, options=options)
                self.expect(reply["status"], "ok")
                reply = self.client.call(
                    {"command": "get", "properties": {"name": name, "keys": ["max_retry"]}}
                )
                self.expect(reply["options"], {"max_retry": turn + 1})
                reply = self.client.send_message("numprocesses", name=name)
                self.expect(reply["watcher_name"], name)
                reply = self.client.send_message("list", name=f"none{number}")
                self.expect(reply["reason"], f"program none{number} not found")
                self.client.cast("set", name=name, options={"priority": turn})

        self.in_threads(use)

    def expect(self, found: object, wanted: object) -> None:
        if found != wanted:
            self.problems.append((found, wanted))

    def test_a_slow_call_holds_up_nobody(self) -> None:
        def use(number: int) -> None:
            if number:
                for _ in range(ROUNDS):
                    self.expect(self.client.send_message("ping")["status"], "ok")
            else:
                reply = self.client.send_message("incr", name="w0", nb=2, waiting=True, timeout=20)
                self.expect(reply["numprocesses"], 2)

        self.in_threads(use)

    def test_closed_while_others_call(self) -> None:
        begun = threading.Barrier(THREADS)

        def use(number: int) -> None:
            begun.wait()
            if number == 0:
                self.client.stop()
                return
            try:
                for _ in range(ROUNDS):
                    self.client.send_message("ping")
            except exc.CallError as error:
                self.expect(str(error), "The client is closed.")

        self.in_threads(use)


if __name__ == "__main__":
    unittest.main()
