"""Messages that wait for names: only they, and each in its place."""

from __future__ import annotations

import unittest
from typing import Any
from unittest import mock

from cvec_circus import exc
from cvec_circus.control import deferred
from cvec_circus.control.deferred import Deferred, Pending
from cvec_circus.exc import OptionError
from cvec_circus.options.rights import Accounts

SLOW = Accounts("slow", None)


class TestDeferred(unittest.TestCase):
    """With look-ups that end when the test says so."""

    def setUp(self) -> None:
        self.asked: list[tuple[Accounts, Any]] = []
        self.done: list[Any] = []
        self.deferred = Deferred(lambda accounts, then: self.asked.append((accounts, then)))

    def send(
        self, what: str, name: str | None = "w", client: str = "me", needs: Any = None
    ) -> None:
        """Send a message that needs these accounts, which may be an error."""

        def accounts() -> Accounts | None:
            if isinstance(needs, Exception):
                raise needs
            found: Accounts | None = needs
            return found

        def now() -> None:
            self.done.append(what)

        def later(problem: Any) -> None:
            self.done.append(what if problem is None else f"{what}: {problem}")

        self.deferred.carry_out(client, name, Pending(accounts, now, later))

    def answer(self, problem: OptionError | None = None) -> None:
        """End the first look-up."""
        _, then = self.asked.pop(0)
        then(problem)

    def test_what_needs_no_names_waits_for_nothing(self) -> None:
        self.send("set", needs=SLOW)
        self.send("start", "x")
        self.send("start", client="you")
        self.send("stop", None)
        self.assertEqual(self.done, ["start", "start", "stop"])
        self.answer()
        self.assertEqual(self.done[3:], ["set"])
        self.send("start")
        self.assertEqual(self.done[4:], ["start"])

    def test_what_comes_after_it_keeps_its_place(self) -> None:
        other = Accounts(None, "other")
        self.send("add", "W", needs=SLOW)
        self.send("start", "w")
        self.send("set", needs=other)
        self.send("refused", needs=exc.MessageError("no such option"))
        self.send("stop")
        self.assertEqual(([accounts for accounts, _ in self.asked], self.done), ([SLOW], []))
        self.answer()
        self.assertEqual(self.done, ["add", "start"])
        self.assertEqual([accounts for accounts, _ in self.asked], [other])
        self.answer(OptionError("gid", "there is no group other"))
        self.assertEqual(
            self.done[2:], ["set: gid: there is no group other", "refused: no such option", "stop"]
        )
        self.assertEqual((self.deferred._lines, self.deferred._count), ({}, 0))

    def test_what_cannot_begin(self) -> None:
        with self.assertRaisesRegex(exc.MessageError, "nonsense"):
            self.send("set", needs=exc.MessageError("nonsense"))
        broken = Deferred(mock.Mock(side_effect=exc.CircusError("no thread")))
        with self.assertRaisesRegex(exc.CircusError, "no thread"):
            broken.carry_out("me", "w", Pending(lambda: SLOW, print, print))
        self.assertEqual((broken._lines, broken._count), ({}, 0))

    def test_one_that_cannot_begin_in_its_turn(self) -> None:
        self.send("set", needs=SLOW)
        self.send("again", needs=SLOW)
        self.send("stop")
        with mock.patch.object(self.deferred, "_look_up", side_effect=exc.CircusError("no thread")):
            self.answer()
        self.assertEqual(self.done, ["set", "again: no thread", "stop"])

    def test_too_many(self) -> None:
        with mock.patch.object(deferred, "MOST", 2):
            self.send("one", needs=SLOW)
            self.send("two")
            for name in ("w", "x"):
                with self.assertRaisesRegex(exc.CircusError, "too many messages wait for names"):
                    self.send("three", name, needs=SLOW)
            self.answer()
            self.send("three", needs=SLOW)
        self.assertEqual(self.done, ["one", "two"])

    def test_the_end(self) -> None:
        self.send("set", needs=SLOW)
        self.send("stop")
        self.deferred.refuse_all()
        reason = "the supervisor has stopped"
        self.assertEqual(self.done, [f"set: {reason}", f"stop: {reason}"])
        self.answer()
        self.assertEqual(len(self.done), 2)

    def test_an_answer_at_once(self) -> None:
        self.deferred = Deferred(lambda accounts, then: then(None))
        self.send("set", needs=SLOW)
        self.assertEqual(self.done, ["set"])


if __name__ == "__main__":
    unittest.main()
