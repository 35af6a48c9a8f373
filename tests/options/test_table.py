"""The tables: what they take, what they refuse, and that each row can be relied on."""

from __future__ import annotations

import unittest

from cvec_circus.exc import OptionError
from cvec_circus.options.arbiter import ARBITER_OPTIONS
from cvec_circus.options.kinds import KINDS
from cvec_circus.options.socket import SOCKET_OPTIONS
from cvec_circus.options.table import Option, OptionTable, convert
from cvec_circus.options.watcher import PLUGIN_OPTIONS, WATCHER_OPTIONS

TABLES = {
    "circus": ARBITER_OPTIONS,
    "socket": SOCKET_OPTIONS,
    "plugin": PLUGIN_OPTIONS,
    "watcher": WATCHER_OPTIONS,
}

TABLE = OptionTable(
    [
        Option("size", "integer", 1, low=0, high=9),
        Option("name", "text", None),
        Option("tags", "mapping", {}),
    ]
)


class TestRows(unittest.TestCase):
    def test_each_row_is_complete(self) -> None:
        for name, table in TABLES.items():
            for option in table:
                with self.subTest(table=name, option=option.name):
                    self.assertIn(option.kind, KINDS)
                    self.assertEqual(bool(option.choices), option.kind == "choice")
                    if not option.is_family:
                        self.assertEqual(convert(option, option.default), option.default)


class TestConvert(unittest.TestCase):
    def refused(self, given: dict[str, object], line: str) -> None:
        with self.assertRaises(OptionError) as caught:
            TABLE.convert(given)
        self.assertEqual(str(caught.exception), line)
        self.assertEqual(caught.exception.option, next(iter(given)))

    def test_kinds(self) -> None:
        self.assertEqual(TABLE.convert({"size": "3", "name": "x"}), {"size": 3, "name": "x"})

    def test_bounds(self) -> None:
        self.refused({"size": 10}, "size: 10 is more than 9")

    def test_nothing_is_none_where_none_is_the_default(self) -> None:
        self.assertEqual(TABLE.convert({"name": ""}), {"name": None})
        self.assertEqual(TABLE.convert({"name": None}), {"name": None})
        self.refused({"size": None}, "size: null is not a whole number")

    def test_freeform_keys_have_a_dot(self) -> None:
        self.assertEqual(TABLE.convert({"flapping.x": [1]}), {"flapping.x": [1]})
        self.refused({"sise": 1}, "sise: unknown option; did you mean size?")
        self.refused({"zork": 1}, "zork: unknown option")


class TestComplete(unittest.TestCase):
    def test_defaults_come_under_what_is_given(self) -> None:
        self.assertEqual(
            TABLE.complete({"size": 2, "a.b": "c"}),
            {"size": 2, "name": None, "tags": {}, "a.b": "c"},
        )

    def test_defaults_are_one_object_for_all(self) -> None:
        one, other = TABLE.complete({}), TABLE.complete({})
        one["size"] = 2
        self.assertEqual(other["size"], TABLE.by_name["size"].default)
        self.assertIs(one["tags"], other["tags"])

    def test_changes(self) -> None:
        current = TABLE.complete({"size": 2})
        self.assertEqual(TABLE.complete({"name": "x"}, current), {**current, "name": "x"})
        self.assertIsNone(current["name"])


if __name__ == "__main__":
    unittest.main()
