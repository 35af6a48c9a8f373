"""The options of Flapping: for all watchers, and for one."""

from __future__ import annotations

import unittest
from pathlib import Path

from cvec_circus.exc import OptionError
from cvec_circus.plugins import flapping
from cvec_circus.plugins.flapping import Flapping
from cvec_circus.runtime.catalogue import load_class
from cvec_circus.runtime.schema import typed
from tests.plugins.test_flapping import FlappingCase


class TestOptions(FlappingCase):
    """Its own, and those of the watchers."""

    def test_defaults_as_in_circus(self) -> None:
        self.assertEqual(
            typed(Flapping.schema, {}),
            {"attempts": 2, "window": 1.0, "retry_in": 7.0, "max_retry": 5, "active": True},
        )

    def test_text_from_a_file(self) -> None:
        plugin = self.make(Flapping, attempts="3", window="2.5", max_retry="-1", name="plugin:f")
        self.assertEqual(
            plugin.options,
            {"attempts": 3, "window": 2.5, "retry_in": 7.0, "max_retry": -1, "active": True},
        )

    def test_values_that_cannot_be(self) -> None:
        for given in ({"attempts": "0"}, {"window": "soon"}, {"max_retry": -2}, {"retry_in": -1}):
            with self.subTest(given), self.assertRaises(OptionError):
                self.make(Flapping, **given)

    def test_those_of_a_watcher_come_first(self) -> None:
        self.options["web"] = {"flapping.attempts": "3", "flapping.window": 10}
        self.flapping()
        self.died(100, 105)
        self.assertEqual(self.stopped(), 0)
        self.died(110)
        self.assertEqual(self.stopped(), 1)

    def test_a_watcher_can_be_left_alone(self) -> None:
        self.options["web"] = {"flapping.active": "False"}
        self.flapping()
        self.died(100, 100, 100)
        self.assertEqual(self.stopped(), 0)

    def test_they_are_asked_for_once_and_after_a_change(self) -> None:
        self.flapping(attempts=9)
        self.died(100, 101, 102)
        self.verdict()
        asked = [message["properties"]["name"] for message in self.daemon.commands("options")]
        self.assertEqual(asked, ["web", "last"])
        self.options["web"] = {"flapping.attempts": 4}
        self.daemon.publish("web", "updated")
        self.died(103)
        self.assertEqual(self.stopped(), 0)
        self.died(101, 102, 103)
        self.assertEqual(self.stopped(), 1)

    def test_a_wrong_one_is_told_and_left_out(self) -> None:
        self.options["web"] = {"flapping.attemps": "3", "flapping.window": "soon"}
        self.flapping()
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.died(100, 101)
            self.assertEqual(self.stopped(), 1)
        told = "\n".join(logs.output)
        self.assertIn("web: flapping.attemps: unknown option; did you mean attempts?", told)
        self.assertIn("web: flapping.window: 'soon' is not a number", told)

    def test_it_is_found_by_its_name(self) -> None:
        self.assertIs(load_class("cvec_circus.plugins.flapping.Flapping"), Flapping)

    def test_it_is_short_enough_to_be_read(self) -> None:
        lines = Path(flapping.__file__).read_text(encoding="utf-8").splitlines()
        self.assertLessEqual(len(lines), 160)


if __name__ == "__main__":
    unittest.main()
