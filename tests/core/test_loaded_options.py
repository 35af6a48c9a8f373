"""What a watcher's options were loaded as, whatever has been changed since."""

from __future__ import annotations

import unittest

from tests.support.world import FakeWorld


class TestLoadedOptions(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()
        self.watcher = self.world.up(numprocesses=2)

    def set(self, **options: object) -> None:
        self.world.set_options(self.watcher, options, "command:set", None)
        self.world.settle()

    def test_they_are_its_options_while_nobody_has_changed_any(self) -> None:
        self.assertEqual(self.watcher.settings.configured(), self.watcher.options)

    def test_nobody_writes_into_them(self) -> None:
        options = self.watcher.options
        with self.assertRaises(TypeError):
            options["numprocesses"] = 3  # type: ignore[index]
        with self.assertRaisesRegex(AttributeError, "numprocesses"):
            options.numprocesses = 3
        self.set(numprocesses=5)
        self.assertEqual((options.numprocesses, self.watcher.options.numprocesses), (2, 5))

    def test_they_stay_what_they_were(self) -> None:
        before = dict(self.watcher.options)
        self.set(numprocesses=5, cmd="other")
        self.set(cmd="third")
        self.world.resize(self.watcher, 6, "command:incr", None)
        self.assertEqual(self.watcher.options["numprocesses"], 6)
        self.assertEqual(self.watcher.settings.configured(), before)

    def test_an_option_that_nobody_had_is_none_of_them(self) -> None:
        self.set(**{"mine.key": "x"})
        self.assertEqual(self.watcher.options["mine.key"], "x")
        self.assertNotIn("mine.key", self.watcher.settings.configured())

    def test_a_configuration_that_is_read_again_is_the_new_base(self) -> None:
        self.set(numprocesses=5, **{"mine.key": "x"})
        again = {**self.watcher.settings.configured(), "cmd": "other", "your.key": "y"}
        self.watcher.settings.rebase(again)
        self.assertEqual(self.watcher.settings.configured(), again)
        self.assertEqual(self.watcher.options["numprocesses"], 5)


if __name__ == "__main__":
    unittest.main()
