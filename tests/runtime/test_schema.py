"""Schemas: types, defaults, what is refused and how."""

from __future__ import annotations

import math
import unittest
from typing import Any, ClassVar

from cvec_circus.exc import OptionError, PluginError
from cvec_circus.plugins import CircusPlugin
from cvec_circus.runtime.schema import MANDATORY, default, problems, typed, typed_value, unknown
from tests.plugins.case import PluginCase

SCHEMA = {
    "url": "string(min=1)",
    "window": "float(min=0, default=1.0)",
    "tries": "integer(min=-1, max=9, default=5)",
    "loud": "boolean(default=off)",
    "mode": "option('all', 'some', default='all')",
    "only": "list(default=list())",
    "marks": "int_list(min=1, default=list(1, 2))",
    "limit": "integer(default=None)",
    "host": "ip_addr(default='127.0.0.1')",
}

DEFAULTS = {
    "window": 1.0,
    "tries": 5,
    "loud": False,
    "mode": "all",
    "only": [],
    "marks": [1, 2],
    "limit": None,
    "host": "127.0.0.1",
}


class TestTyped(unittest.TestCase):
    """A configuration with the types and defaults of a schema."""

    def refused(self, key: str, value: Any) -> str:
        """Return why a value is refused."""
        with self.assertRaises(OptionError) as caught:
            typed(SCHEMA, {"url": "x", key: value})
        self.assertEqual(caught.exception.option, key)
        return caught.exception.reason

    def test_defaults(self) -> None:
        self.assertEqual(typed(SCHEMA, {"url": "x"}), {"url": "x", **DEFAULTS})

    def test_text(self) -> None:
        given = {
            "url": "http://x/?a=b,c",
            "window": "2.5",
            "tries": "-1",
            "loud": "Yes",
            "mode": "some",
            "only": 'web, "a, b"\nworker ',
            "marks": "3,4",
            "limit": "7",
            "host": "10.0.0.1",
        }
        expected = {
            "url": "http://x/?a=b,c",
            "window": 2.5,
            "tries": -1,
            "loud": True,
            "mode": "some",
            "only": ["web", "a, b", "worker"],
            "marks": [3, 4],
            "limit": 7,
            "host": "10.0.0.1",
        }
        self.assertEqual(typed(SCHEMA, given), expected)
        self.assertEqual(typed(SCHEMA, typed(SCHEMA, given)), expected)

    def test_values_of_python(self) -> None:
        given = {"url": "x", "window": 3, "only": ("a", "b"), "loud": True, "tries": None}
        found = typed(SCHEMA, given)
        self.assertEqual(
            {key: found[key] for key in given},
            {"url": "x", "window": 3.0, "only": ["a", "b"], "loud": True, "tries": 5},
        )

    def test_nothing_is_none_where_that_is_the_default(self) -> None:
        self.assertIsNone(typed(SCHEMA, {"url": "x", "limit": ""})["limit"])
        self.assertEqual(self.refused("tries", ""), "'' is not a whole number")

    def test_numbers_that_are_no_seconds(self) -> None:
        schema = {"big": "float", "bytes": "integer(max=1e15)"}
        found = typed(schema, {"big": "3e12", "bytes": "100000000000"})
        self.assertEqual(found, {"big": 3e12, "bytes": 10**11})
        with self.assertRaises(OptionError):
            typed(schema, {"big": math.inf, "bytes": 1})

    def test_what_the_schema_does_not_have_stays(self) -> None:
        more = {"priority": "2", "name": "plugin:x", "other": "1", "my.own": ""}
        self.assertEqual(typed(SCHEMA, {"url": "x", **more}), {"url": "x", **DEFAULTS, **more})

    def test_no_schema_changes_nothing(self) -> None:
        given = {"url": "x", "window": "1", "loud": None}
        self.assertEqual(typed({}, given), given)

    def test_the_given_mapping_stays_as_it_is(self) -> None:
        given = {"url": "x"}
        typed(SCHEMA, given)["only"].append("a")
        self.assertEqual(given, {"url": "x"})
        self.assertEqual(typed(SCHEMA, given)["only"], [])

    def test_refused(self) -> None:
        self.assertEqual(self.refused("url", ""), "'' has fewer than 1 characters")
        self.assertEqual(self.refused("url", 3), "3 is not text")
        self.assertEqual(self.refused("window", "soon"), "'soon' is not a number")
        self.assertEqual(self.refused("window", "-1"), "-1 is less than 0")
        self.assertEqual(self.refused("tries", "10"), "10 is more than 9")
        self.assertEqual(self.refused("tries", "1.5"), "'1.5' is not a whole number")
        self.assertEqual(self.refused("loud", "perhaps"), "'perhaps' is neither true nor false")
        self.assertEqual(self.refused("mode", "none"), "'none' is not one of all, some")
        self.assertEqual(self.refused("only", 3), "3 is not a list")
        self.assertEqual(self.refused("marks", "1,b"), "'b' is not a whole number")
        self.assertEqual(self.refused("marks", ""), "a list has fewer than 1 values")
        self.assertIn("300.1.1.1", self.refused("host", "300.1.1.1"))

    def test_missing(self) -> None:
        for given in ({}, {"url": None}):
            with self.subTest(given), self.assertRaises(OptionError) as caught:
                typed(SCHEMA, given)
            self.assertEqual(str(caught.exception), "url: missing; it has no default")
        with self.assertRaises(OptionError) as caught:
            typed(SCHEMA, {"ulr": "x", "priority": "1"})
        self.assertEqual(caught.exception.reason, "missing; it has no default; did you mean ulr?")

    def test_all_problems(self) -> None:
        found = [str(one) for one in problems(SCHEMA, {"window": "x", "loud": "y"})]
        self.assertEqual([one.partition(":")[0] for one in found], ["url", "window", "loud"])

    def test_unknown_keys(self) -> None:
        given = {"url": "x", "windw": "1", "zzz": "2", "my.own": "3", "priority": "4", "name": "n"}
        self.assertEqual(unknown(SCHEMA, given), {"windw": "; did you mean window?", "zzz": ""})
        self.assertEqual(unknown({}, given), {})

    def test_one_value(self) -> None:
        self.assertEqual(typed_value(SCHEMA, "tries", "3"), 3)
        with self.assertRaises(OptionError) as caught:
            typed_value(SCHEMA, "trise", "3")
        self.assertEqual(str(caught.exception), "trise: unknown option; did you mean tries?")

    def test_a_signal(self) -> None:
        schema = {"a": "signal(default=TERM)", "b": "signal(default=None)", "c": "signal"}
        self.assertEqual(typed(schema, {"b": "", "c": "SIGUSR1"}), {"a": 15, "b": None, "c": 10})
        with self.assertRaisesRegex(OptionError, "^c: 'SIGNONE' is not a signal"):
            typed(schema, {"c": "SIGNONE"})

    def test_default(self) -> None:
        self.assertEqual(default("integer(default=3)"), 3)
        self.assertIs(default("integer"), MANDATORY)


class TestSchemasThatAreWrong(unittest.TestCase):
    """The author's slip is not told as if it were the user's."""

    def test_checks(self) -> None:
        for check in (
            "whole",
            "integer(min=a)",
            "integer(default=x)",
            "float(most=1)",
            "integer(",
            "string(min=a, default='x')",
        ):
            with self.subTest(check), self.assertRaises(PluginError) as caught:
                typed({"tries": check}, {"tries": "1"})
            self.assertTrue(str(caught.exception).startswith("schema: tries: "))
            self.assertNotIn("\n", str(caught.exception))

    def test_no_mapping(self) -> None:
        for schema in (None, ["url"], "url", {5: "string"}):
            with self.subTest(schema):
                with self.assertRaises(PluginError):
                    typed(schema, {})  # type: ignore[arg-type]
                with self.assertRaises(PluginError):
                    list(problems(schema, {}))  # type: ignore[arg-type]


class Typed(CircusPlugin):
    """Has a schema."""

    schema: ClassVar = SCHEMA

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Do nothing."""


class TestPlugin(PluginCase):
    """A plugin that somebody makes by hand."""

    def test_its_configuration_is_typed(self) -> None:
        plugin = self.make(Typed, url="x", tries="3")
        self.assertEqual(plugin.config, {"url": "x", **DEFAULTS, "tries": 3})

    def test_it_refuses_what_it_cannot_take(self) -> None:
        with self.assertRaises(OptionError):
            self.make(Typed, url="x", tries="many")
