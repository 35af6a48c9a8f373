"""The documentation shows files that exist, and examples that work."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar
from unittest import mock

from cvec_circus.commands import table
from cvec_circus.config.readers.document import load
from cvec_circus.core import life, process
from cvec_circus.core.life import STEPS, Life
from cvec_circus.core.process import PROCESS_STEPS, ProcessState
from cvec_circus.options.arbiter import ARBITER_OPTIONS
from cvec_circus.options.socket import SOCKET_OPTIONS
from cvec_circus.options.table import Option
from cvec_circus.options.watcher import PLUGIN_OPTIONS, WATCHER_OPTIONS
from cvec_circus.plugins import CircusPlugin
from cvec_circus.plugins.selection import ACTIONS
from cvec_circus.runtime.catalogue import BUILT_IN, load_class
from cvec_circus.runtime.schema import MANDATORY

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.rst"))


def module_of(path: Path) -> object:
    """Import a file that belongs to no package; it may import those beside it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    places = [str(path.parent), *sys.path]
    with (
        mock.patch.object(sys, "dont_write_bytecode", True),
        mock.patch.object(sys, "path", places),
    ):
        spec.loader.exec_module(module)
    return module


SCHEMAS: Any = module_of(DOCS / "plugin_options.py")


class Described(CircusPlugin):
    """Does this, on the plugin
    thread. And that.

    Options:
        url: Where to. It may hold
            a colon: like this.
        mode: How.

    Attributes:
        more: No option.
    """

    schema: ClassVar = {
        "url": "string(min=1)",
        "mode": "option('a', 'b', default='b')",
        "x": "list",
    }


class Undescribed(Described):
    """Does this."""


class TestPages(unittest.TestCase):
    """What the pages point at is there."""

    def test_shown_files_exist(self) -> None:
        shown = 0
        for page in PAGES:
            text = page.read_text(encoding="utf-8")
            for name in re.findall(r"^\.\. literalinclude:: (\S+)$", text, re.MULTILINE):
                shown += 1
                self.assertTrue((page.parent / name).is_file(), f"{page.name}: {name}")
        self.assertGreaterEqual(shown, 5)

    def test_every_example_is_shown(self) -> None:
        everything = "".join(page.read_text(encoding="utf-8") for page in PAGES)
        for example in (DOCS / "examples").rglob("*.*"):
            if example.is_file() and example.suffix != ".pyc":
                name = example.relative_to(DOCS)
                self.assertTrue(f"{name}" in everything, f"{name} is shown on no page")

    def test_modules_and_files_named_exist(self) -> None:
        for page in PAGES:
            text = page.read_text(encoding="utf-8")
            for name in re.findall(r"``((?:cvec_circus|tests|docs|bin)/[\w/.-]+)``", text):
                self.assertTrue((ROOT / name).exists(), f"{page.name}: {name}")

    def test_files_of_the_design_exist(self) -> None:
        named = set()
        for page in sorted((DOCS / "design").glob("*.rst")):
            text = page.read_text(encoding="utf-8")
            for name in re.findall(r"``([a-z_]+/[\w/]+\.py)``", text):
                named.add(name)
                places = (ROOT / name, ROOT / "cvec_circus" / name)
                self.assertTrue(any(map(Path.is_file, places)), f"{page.name}: {name}")
        self.assertGreater(len(named), 40)

    def test_the_tour_is_short(self) -> None:
        text = (DOCS / "design" / "tour.rst").read_text(encoding="utf-8")
        files = re.findall(r"^\d\. ``(cvec_circus/.*\.py)``", text, re.MULTILINE)
        self.assertEqual(len(files), 4)
        files.append("cvec_circus/commands/incr.py")
        lines = [len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in files]
        self.assertLess(sum(lines), 1500)

    def test_examples_are_python(self) -> None:
        for example in (DOCS / "examples").rglob("*.py"):
            ast.parse(example.read_text(encoding="utf-8"))


class TestStates(unittest.TestCase):
    """The tables of the states say what the code allows."""

    def rows(self, module: ModuleType) -> dict[str, str]:
        """Return the last column of the first table of a module's docstring, by the first one."""
        lines = module.__doc__.splitlines()
        first, second, end = (i for i, line in enumerate(lines) if line.startswith("====="))
        starts = [match.start() for match in re.finditer("=+", lines[first])]
        rows: dict[str, str] = {}
        name = ""
        for line in lines[second + 1 : end]:
            name = line[: starts[1]].strip() or name
            rows[name] = f"{rows.get(name, '')} {line[starts[-1] :]}"
        return rows

    def test_the_life_of_a_watcher(self) -> None:
        steps = {
            Life[name]: {Life[word] for word in re.findall(r"→\s+([A-Z]+)", text)}
            for name, text in self.rows(life).items()
        }
        self.assertEqual(steps, {life: set(after) for life, after in STEPS.items()})

    def test_a_process(self) -> None:
        rows = {**self.rows(process), "REMOVED": ""}
        steps = {
            ProcessState[name]: {one for one in ProcessState if one.name in words_of(text)}
            - {ProcessState[name]}
            for name, text in rows.items()
        }
        self.assertEqual(steps, {one: set(after) for one, after in PROCESS_STEPS.items()})


def words_of(text: str) -> set[str]:
    """Return the states in a text, where an end is written in small letters."""
    return set(re.findall(r"\b[A-Z]+\b", text.replace("removed", "REMOVED")))


class TestConfigurations(unittest.TestCase):
    """The configurations that the pages show can be loaded, without a warning."""

    def load(self, text: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "shown.ini"
            path.write_text(text, encoding="utf-8")
            self.assertEqual(load(str(path), {"PATH": "/bin"}).warnings, [])

    def test_example_files(self) -> None:
        for example in sorted((DOCS / "examples").rglob("*.ini")):
            if example.parent.name == "broken":
                continue  # on purpose
            with self.subTest(example.name):
                self.assertEqual(load(str(example), {"PATH": "/bin"}).warnings, [])

    def test_the_quickstart_runs_what_its_page_names(self) -> None:
        watchers = load(str(DOCS / "examples" / "quickstart.ini"), {}).watchers
        self.assertEqual(sorted(watcher.name for watcher in watchers), ["files", "idle"])

    def test_blocks_on_the_pages(self) -> None:
        blocks = []
        for page in PAGES:
            text = page.read_text(encoding="utf-8")
            opening = r"(?:^\.\. code-block:: ini\n|^.*[^:]::\n)\n((?:    .*\n|\n)+)"
            blocks += [
                (page.name, textwrap.dedent(block))
                for block in re.findall(opening, text, re.MULTILINE)
                if block.lstrip().startswith("[")
            ]
        self.assertGreaterEqual(len(blocks), 2)
        for page_name, block in blocks:
            with self.subTest(page_name, block=block):
                self.load(block)


class TestTables(unittest.TestCase):
    """The text that is made from the tables of options."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.tables = module_of(DOCS / "reference_text.py")

    def text(self, *options: Option, of: str = "watcher") -> str:
        return "\n".join(self.tables.option_lines(options, f"{of}-option"))

    def test_every_option_is_there(self) -> None:
        for of, options in (
            ("watcher", WATCHER_OPTIONS),
            ("daemon", ARBITER_OPTIONS),
            ("socket", SOCKET_OPTIONS),
            ("plugin", PLUGIN_OPTIONS),
        ):
            text = self.text(*options, of=of)
            for option in options:
                self.assertRegex(text, rf"({of}-option:: |`){re.escape(option.name)}")

    def test_every_text_is_of_an_option_and_ends_in_a_period(self) -> None:
        texts = module_of(DOCS / "option_texts.py")
        for of, options in (
            ("daemon", ARBITER_OPTIONS),
            ("watcher", WATCHER_OPTIONS),
            ("socket", SOCKET_OPTIONS),
            ("plugin", [*WATCHER_OPTIONS, *PLUGIN_OPTIONS]),
        ):
            names = {option.name for option in options}
            self.assertLessEqual(texts.TABLES[f"{of}-option"].keys(), names)
        for described in (*texts.TABLES.values(), texts.STREAM):
            for text in described.values():
                self.assertTrue(text.rstrip("`").endswith("."), text)

    def test_every_kind_has_words(self) -> None:
        for options in (WATCHER_OPTIONS, ARBITER_OPTIONS):
            for option in options:
                self.assertIn(option.kind, self.tables.KINDS)

    def test_every_command_is_there(self) -> None:
        text = "\n".join(self.tables.command_lines(table.load_all().values()))
        for name in table.NAMES:
            self.assertRegex(text, rf"(wire-command:: |`){re.escape(name)}\b")

    def test_every_action_of_events_is_there(self) -> None:
        page = (DOCS / "events.rst").read_text(encoding="utf-8")
        table = page.partition("The actions are:")[2].partition("The ``stop`` of")[0]
        self.assertEqual(sorted(re.findall("^``([a-z_]+)``", table, re.MULTILINE)), sorted(ACTIONS))

    def test_literals(self) -> None:
        self.assertEqual(self.tables.literal("a `b c ` d ``e``"), "a ``b c`` d ``e``")
        self.assertEqual(self.tables.literal("see :ref:`logs`"), "see :ref:`logs`")

    def test_what_people_search_for_is_in_the_index(self) -> None:
        names = {option.name for option in WATCHER_OPTIONS}
        self.assertLessEqual(self.tables.SEARCHED.keys(), names)
        self.assertIn(".. index:: single: memory limit\n\n", self.text(*WATCHER_OPTIONS))

    def test_bounds_and_default(self) -> None:
        text = self.text(Option("numprocesses", "integer", 3, low=0, high=9))
        self.assertIn("A whole number, from 0 to 9; ``3`` by default.", text)
        text = self.text(Option("numprocesses", "integer", 3, low=0))
        self.assertIn("A whole number, at least 0; ``3`` by default.", text)

    def test_large_bounds(self) -> None:
        text = self.text(Option("log_history", "size", None, low=0, high=1 << 30))
        self.assertIn("or ``1GiB``, from 0 to ``1GiB``; none by default.", text)
        text = self.text(Option("numprocesses", "integer", 3, high=1_000_000))
        self.assertIn("A whole number, at most 1 000 000;", text)

    def test_choices(self) -> None:
        text = self.text(Option("strays", "choice", "up", choices=("up", "down")))
        self.assertIn("One of ``up``, ``down``; ``up`` by default.", text)

    def test_without_effect(self) -> None:
        text = self.text(Option("old", "text", None, warning="nothing needs it"))
        self.assertNotIn("describe", text)
        self.assertIn("* `old`: nothing needs it.", text)

    def test_what_a_docstring_says_of_options(self) -> None:
        url, mode, x = SCHEMAS.options(Undescribed)
        self.assertEqual((url.key, url.kind, url.low, url.high), ("url", "string", "1", None))
        self.assertIs(url.default, MANDATORY)
        self.assertEqual(url.doc, "Where to. It may hold a colon: like this.")
        self.assertEqual((mode.choices, mode.default, mode.doc), (("a", "b"), "b", "How."))
        self.assertEqual((x.kind, x.doc), ("list", ""))

    def test_the_options_of_a_plugin(self) -> None:
        option = SCHEMAS.PluginOption
        options = [
            option("url", "string", (), "1", None, MANDATORY, "Where `to`."),
            option("numprocesses", "integer", (), "0", "9", 3, "How many."),
            option("strays", "option", ("up", "down"), None, None, "up", "Which."),
            option("only", "list", (), None, None, ["a", "b"], "Whom."),
            option("wait", "float", (), None, None, None, "How long."),
        ]
        text = "\n".join(self.tables.schema_lines(options, MANDATORY))
        self.assertIn("   * - ``url``\n     - Text, not empty. **Mandatory.**", text)
        self.assertIn("     - Where ``to``.", text)
        self.assertIn("A whole number, at least 0, at most 9; ``3`` by default.", text)
        self.assertIn("One of ``up``, ``down``; ``up`` by default.", text)
        self.assertIn("A list; ``a, b`` by default.", text)
        self.assertIn("A number; none by default.", text)

    def test_the_options_of_our_plugins_are_in_tables(self) -> None:
        pages = "".join(page.read_text(encoding="utf-8") for page in PAGES)
        for name in BUILT_IN:
            with self.subTest(name):
                plugin = load_class(name)
                listed = SCHEMAS.options(plugin)
                for option in listed:
                    self.assertTrue(option.doc.endswith("."), option)
                self.assertIn(f".. schema-table:: {plugin.__module__}:{plugin.__name__}", pages)
                self.assertIn("   * - ``", "\n".join(self.tables.schema_lines(listed, MANDATORY)))


if __name__ == "__main__":
    unittest.main()
