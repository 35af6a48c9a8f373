"""Every public name of Circus is here, or in the list of those that are gone."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from threading import RLock, Thread, Timer, get_ident
from typing import Any

import cvec_circus
from cvec_circus import process
from cvec_circus.compat import gone
from cvec_circus.plugins import logger
from cvec_circus.stream import FancyStdoutStream, QueueStream, StdoutStream, get_stream
from cvec_circus.util import AsyncPeriodicCallback
from tests.compatibility import objects, rows
from tests.compatibility.rows import Row
from tests.compatibility.test_switches import is_test

PUBLISHED = Path(__file__).with_name("published_names.py")
STATES = {"same", "better", "change"}

OUR_OWN = {
    "plugins": "AsyncPeriodicCallback PeriodicCallback PluginLoop Timer",
    "testing": "ArbiterTestCase",
    "stream": "SyslogStream",
}
"""Names that programs import, and that Circus does not have there."""


def place_of(row: Row) -> str:
    """Return the module or class of a row, without the package."""
    return "" if row.group == "(cvec_circus)" else row.group


def module(place: str) -> Any:
    """Import a module by its name below the package."""
    return importlib.import_module(f"cvec_circus.{place}".rstrip("."))


def is_class(place: str) -> bool:
    """Whether a place is a class, and its names are members."""
    return place.rpartition(".")[2][:1].isupper()


class TestRows(unittest.TestCase):
    """What stands in the table."""

    rows: list[Row]

    @classmethod
    def setUpClass(cls) -> None:
        cls.rows = rows.names()

    def test_each_is_whole(self) -> None:
        self.assertGreater(len(self.rows), 350)
        for row in self.rows:
            with self.subTest(row):
                self.assertIn(row.state, STATES)
                self.assertEqual(bool(row.note), row.state != "same", "different in what?")

    def test_each_is_there_once_and_not_gone(self) -> None:
        keys = [(place_of(row), row.name) for row in self.rows]
        self.assertEqual(len(keys), len(set(keys)))
        self.assertEqual([key for key in keys if gone.find(*key)], [])

    def test_each_test_exists(self) -> None:
        missing = [name for name in sorted({row.test for row in self.rows}) if not is_test(name)]
        self.assertEqual(missing, [])

    def test_each_name_is_there(self) -> None:
        found = objects.made(self)
        for row in self.rows:
            place = place_of(row)
            with self.subTest(f"{place}.{row.name}"):
                holder = found[place] if is_class(place) else module(place)
                self.assertNotIsInstance(getattr(holder, row.name), gone.Name)

    def test_classes_say_whose_they_are(self) -> None:
        # Every class that a program holds says in its first lines which threads may use it.
        contract = re.compile(
            r"Safe from any thread|Owned by|\*control thread\*|safe from any thread"
        )
        names = [(place_of(row), row.name) for row in self.rows if not is_class(place_of(row))]
        names += [(place, name) for place, own in OUR_OWN.items() for name in own.split()]
        for place, name in names:
            found = getattr(module(place), name)
            if not isinstance(found, type) or issubclass(found, Exception):
                continue
            if place.startswith(("plugins.", "commands.")):
                continue  # plugins say which of their methods run where; commands are immutable
            with self.subTest(f"{place}.{name}"):
                lines = (found.__doc__ or "").strip().splitlines()[:16]
                self.assertRegex(" ".join(lines), contract)


class TestAgainstCircus(unittest.TestCase):
    """What the installed Circus has is here, at its path."""

    published: dict[str, Any]

    @classmethod
    def setUpClass(cls) -> None:
        if importlib.util.find_spec("circus") is None:
            raise unittest.SkipTest("Circus is not installed")
        done = subprocess.run(
            [sys.executable, str(PUBLISHED)],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        cls.published = json.loads(done.stdout)

    def test_nothing_is_missing(self) -> None:
        ours = {(place_of(row), row.name) for row in rows.names()}
        names = [
            (place, name)
            for place, found in self.published.items()
            for name, row in found.items()
            if row["home"] is None
        ]
        names += [
            (f"{place}.{name}", member)
            for place, found in self.published.items()
            for name, row in found.items()
            for member in row["members"]
            if row["home"] is None and not gone.find(place, name)
        ]
        self.assertGreater(len(names), 450)
        missing = [key for key in names if key not in ours and gone.find(*key) is None]
        self.assertEqual(missing, [])
        self.assertEqual(ours - set(names), set(), "Circus does not have that")
        left_out = {
            (place, name)
            for row in gone.GONE
            for place in row.place.split() or [""]
            for name in row.names.split()
        }
        self.assertEqual(left_out - set(names), set(), "Circus does not have that either")

    def test_what_a_module_has_from_another_one(self) -> None:
        for place, found in self.published.items():
            for name, row in found.items():
                if row["home"] is not None:
                    with self.subTest(f"{place}.{name}"):
                        there = getattr(module(row["home"]), name)
                        here = getattr(module(place), name)
                        self.assertEqual(repr(here), repr(there))
                        if not isinstance(there, gone.Name):
                            self.assertIs(here, there)

    def test_what_a_star_imports(self) -> None:
        for place, found in self.published.items():
            names: dict[str, Any] = {}
            exec(f"from cvec_circus{place and '.'}{place} import *", names)
            with self.subTest(place):
                wanted = {name for name in found if not name.startswith("_")}
                self.assertEqual(wanted - names.keys(), set())


class TestUses(unittest.TestCase):
    """Names that are too small for a place of their own."""

    def test_version(self) -> None:
        numbers = ".".join(map(str, cvec_circus.version_info))
        self.assertEqual(numbers, cvec_circus.__version__)
        self.assertIs(logger, cvec_circus.logger)

    def test_threads(self) -> None:
        fixed = module("fixed_threading")
        names = fixed.Thread, fixed.RLock, fixed.Timer, fixed.get_ident
        self.assertEqual(names, (Thread, RLock, Timer, get_ident))

    def test_states_of_a_process(self) -> None:
        states = process.RUNNING, process.DEAD_OR_ZOMBIE, process.UNEXISTING, process.OTHER
        self.assertEqual(states, (0, 1, 2, 3))

    def test_mains(self) -> None:
        for place in ("plugins", "stats", "stats.client", "circusctl", "circusd"):
            code = f"from cvec_circus.{place} import main; main()"
            done = subprocess.run(
                [sys.executable, "-c", code, "--version"],
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
            with self.subTest(place):
                self.assertIn(cvec_circus.__version__, done.stdout)

    def test_streams_of_a_program(self) -> None:
        from cvec_circus.stream.file_stream import (
            FileStream,
            TimedRotatingFileStream,
            WatchedFileStream,
        )

        with tempfile.TemporaryDirectory() as folder:
            for number, cls in enumerate((FileStream, WatchedFileStream, TimedRotatingFileStream)):
                file = Path(folder, str(number))
                more = {"rotate_when": "H"} if cls is TimedRotatingFileStream else {}
                stream = cls(filename=str(file), **more)
                stream({"data": b"said\n", "pid": 1, "name": "stdout"})
                stream.close()
                self.assertEqual(file.read_text(), "said\n")
            made = get_stream({"filename": f"{folder}/last"})
            self.assertIsInstance(made, FileStream)
            made.close()
        queue = QueueStream()
        queue({"data": b"x"})
        self.assertEqual(queue.get(), {"data": b"x"})
        for stream_class in (StdoutStream, FancyStdoutStream):
            stream_class(color="red").close()

    def test_the_periodic_callback_of_plugins(self) -> None:
        from cvec_circus import plugins

        self.assertIs(AsyncPeriodicCallback, plugins.AsyncPeriodicCallback)
        plugin = objects.Plugin("ipc://a", "ipc://b", 1.0)
        AsyncPeriodicCallback(lambda: None, 1000, plugin.loop)


if __name__ == "__main__":
    unittest.main()
