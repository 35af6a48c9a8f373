"""The typed options of a watcher, as a mapping and as a value."""

from __future__ import annotations

import unittest
from types import MappingProxyType
from typing import Any

from cvec_circus.options.typed import ROWS, WatcherOptions, as_dict
from cvec_circus.options.watcher import WATCHER_OPTIONS


def full(**given: Any) -> dict[str, Any]:
    return WATCHER_OPTIONS.complete(WATCHER_OPTIONS.convert({"cmd": "run", **given}))


class TestEquality(unittest.TestCase):
    """Equal to every mapping of the same names and values, and to nothing else."""

    def test_to_itself_and_to_a_mapping(self) -> None:
        mapping = {**full(priority=3), "colour": "red"}
        options = WatcherOptions(mapping)
        for other in (WatcherOptions(mapping), mapping, MappingProxyType(mapping)):
            self.assertTrue(options == other and other == options, other)
            self.assertFalse(options != other)

    def test_each_row_and_each_freeform_option_counts(self) -> None:
        mapping = {**full(), "colour": "red"}
        options = WatcherOptions(mapping)
        for name in [*ROWS, "colour", "shape"]:
            other = {**mapping, name: object()}
            self.assertNotEqual(options, other)
            self.assertNotEqual(options, WatcherOptions(other))
        self.assertNotEqual(options, full())
        self.assertNotEqual(options, list(mapping.items()))


class TestRows(unittest.TestCase):
    """An attribute for each row that is no part or family of another one."""

    def test_names(self) -> None:
        rows = [one for one in WATCHER_OPTIONS if not (one.is_family or one.is_directive)]
        self.assertEqual(list(ROWS), [one.name for one in rows if "." not in one.name])

    def test_parts_and_families_come_after_their_option(self) -> None:
        names = list(WATCHER_OPTIONS.by_name)
        for name, after in (
            ("hooks.*", "hooks"),
            ("ready.*", "ready"),
            ("stdout_stream.class", "stdout_stream"),
            ("stderr_stream.class", "stderr_stream"),
            ("rlimit_*", "umask"),
        ):
            self.assertEqual(names[names.index(name) - 1], after)

    def test_values_hide_the_rows(self) -> None:
        options = WatcherOptions(full(numprocesses=3))
        for name in ROWS:
            self.assertIs(getattr(options, name), options[name])
        with self.assertRaises(AttributeError):
            options.numprocesses = 4


class TestReplace(unittest.TestCase):
    """`replace`."""

    def test_values_and_freeform_options(self) -> None:
        options = WatcherOptions({**full(), "colour": "red", "shape": "round"})
        other = options.replace({"priority": 3, "colour": "blue"}, dropped=["colour", "shape"])
        self.assertEqual((other.priority, other.extra), (3, {"colour": "blue"}))
        self.assertEqual((options.priority, options["shape"]), (0, "round"))


class TestAsDict(unittest.TestCase):
    """`as_dict`."""

    def test_all_options_in_a_dict_of_the_callers_own(self) -> None:
        mapping = {**full(), "colour": "red"}
        for options in (WatcherOptions(mapping), MappingProxyType(mapping), mapping):
            found = as_dict(options)
            self.assertEqual(found, mapping)
            found.clear()
            self.assertEqual(options["colour"], "red")


if __name__ == "__main__":
    unittest.main()
