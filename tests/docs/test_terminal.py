"""The pages that lead through something, followed to the letter."""

from __future__ import annotations

import unittest

from tests.docs import transcript
from tests.docs.transcript import TranscriptCase


class TestPages(TranscriptCase):
    """What a person types, and what the person sees."""

    def test_quickstart(self) -> None:
        self.save("quickstart.ini")
        self.play("quickstart")
        self.assert_all_ended()

    def test_tutorial(self) -> None:
        names = ("web.py", "worker.py", "backlog.py", "test_backlog.py", "tutorial.ini")
        self.save(*(f"tutorial/{name}" for name in names))
        self.play("tutorial")
        self.assert_all_ended()

    def test_broken(self) -> None:
        self.save("broken/typos.ini")
        self.play("broken")


class TestShapes(unittest.TestCase):
    """What counts as the same."""

    def assert_same(
        self, page: str, printed: str, same: bool = True, counting: bool = False
    ) -> None:
        found = transcript.shape(page.splitlines(), counting).fullmatch(printed)
        self.assertEqual(found is not None, same)

    def test_numbers_and_blanks(self) -> None:
        self.assert_same("pid 4711  is up", "pid 12 is up\n")
        self.assert_same("1,2", "123,456,7\n")
        self.assert_same("at 19:19:57,717", "at 01:02:03,004\n")
        self.assert_same("pid 4711", "pid x\n", same=False)
        self.assert_same("a", "a\nb\n", same=False)
        self.assert_same("3", "3\n", counting=True)
        self.assert_same("3", "4\n", counting=True, same=False)

    def test_any_lines(self) -> None:
        self.assert_same("a\n...\nz", "a\nz\n")
        self.assert_same("a\n...\nz", "a\nb\nc\nz\n")
        self.assert_same("a\n...", "b\n", same=False)

    def test_steps_are_found(self) -> None:
        commands = [step.command for step in transcript.steps("quickstart")]
        self.assertEqual(commands[0], "cvec_circusd quickstart.ini")
        self.assertIn("cvec_circusctl stop files --waiting", commands)
        self.assertEqual(commands[-1], "cvec_circusctl quit --waiting")


if __name__ == "__main__":
    unittest.main()
