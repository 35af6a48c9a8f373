"""The names that are gone: they can be imported, and their use says what to write instead."""

from __future__ import annotations

import importlib
import unittest
from pathlib import Path
from typing import Any

from cvec_circus import exc
from cvec_circus.arbiter import Arbiter, Controller
from cvec_circus.client import AsyncCircusClient
from cvec_circus.compat import gone
from cvec_circus.process import Process
from cvec_circus.util import synchronized
from cvec_circus.watcher import Watcher
from tests.compatibility import objects

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"

ROWS = [
    (row, place, name)
    for row, places in ((r, r.place.split() or [""]) for r in gone.GONE)
    for place in places
    for name in row.names.split()
]


def holds(place: str) -> bool:
    """Whether a place is a class, whose members are gone."""
    return place.rpartition(".")[2][:1].isupper()


class TestTable(unittest.TestCase):
    def test_each_says_what_it_was_and_what_to_write(self) -> None:
        for row, place, name in ROWS:
            with self.subTest(f"{place}.{name}"):
                line = row.line(name)
                self.assertIn(name, line)
                self.assertEqual(len(line.splitlines()), 1)
                self.assertTrue(row.was and row.instead)
                self.assertTrue((DOCS / f"{row.page}.rst").is_file(), row.page)

    def test_none_is_there_twice(self) -> None:
        places = [(place, name) for _, place, name in ROWS]
        self.assertEqual(len(places), len(set(places)))

    def test_modules_have_them_as_names_of_no_use(self) -> None:
        for _, place, name in ROWS:
            if holds(place):
                continue
            with self.subTest(f"{place}.{name}"):
                module = importlib.import_module(f"cvec_circus.{place}".rstrip("."))
                found = getattr(module, name)
                self.assertIsInstance(found, gone.Name)
                with self.assertRaisesRegex(exc.GoneError, f"{name} was .*; .* \\(docs/"):
                    found()


class TestUses(unittest.TestCase):
    """Each way in which code uses a name."""

    def assert_gone(self, text: str) -> Any:
        return self.assertRaisesRegex(exc.GoneError, text)

    def test_a_call(self) -> None:
        with self.assert_gone(
            "AsyncCircusClient was a client for tornado's loop; call CircusClient"
        ):
            AsyncCircusClient(endpoint="tcp://127.0.0.1:5555")

    def test_a_base_class(self) -> None:
        with self.assert_gone("Controller was what took commands"):

            class Own(Controller):  # type: ignore[misc, valid-type]
                pass

    def test_a_decorator(self) -> None:
        with self.assert_gone("synchronized was"):

            @synchronized("stop")
            def stop() -> None:
                pass

    def test_other_uses(self) -> None:
        with self.assert_gone("Controller was"):
            Controller.start  # noqa: B018
        with self.assert_gone("Controller was"):
            isinstance(self, Controller)
        with self.assert_gone("Controller was"):
            list(Controller)
        self.assertIn("gone: controller.Controller was", repr(Controller))

    def test_what_is_no_name_of_circus_either(self) -> None:
        for module in ("", "util", "client", "commands", "config", "green.client", "stream"):
            with self.subTest(module), self.assertRaises(AttributeError) as caught:
                importlib.import_module(f"cvec_circus.{module}".rstrip(".")).no_such_name  # noqa: B018
            self.assertNotIsInstance(caught.exception, exc.GoneError)


class TestMembers(unittest.TestCase):
    def test_each_member(self) -> None:
        found = objects.made(self)
        places = {place for _, place, _ in ROWS if holds(place)}
        self.assertLessEqual(places, found.keys())
        for _, place, name in ROWS:
            if holds(place):
                with self.subTest(f"{place}.{name}"):
                    self.assertFalse(hasattr(found[place], name))
                    with self.assertRaisesRegex(exc.GoneError, f"{place}.{name} was "):
                        getattr(found[place], name)

    def test_an_attribute_that_nobody_has_had(self) -> None:
        for thing in (Arbiter(), Watcher("a", "sleep 1"), Process("a", 1, "sleep 1", spawn=False)):
            with self.assertRaises(AttributeError) as caught:
                thing.no_such_name  # noqa: B018
            self.assertNotIsInstance(caught.exception, exc.GoneError)


if __name__ == "__main__":
    unittest.main()
