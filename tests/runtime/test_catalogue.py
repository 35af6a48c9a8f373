"""Which plugins are installed, under which names, and how a list of them looks."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest
from importlib import import_module
from pathlib import Path
from unittest import mock

from cvec_circus import plugins
from cvec_circus.arbiter import ThreadedArbiter
from cvec_circus.exc import PluginError
from cvec_circus.plugins import CircusPlugin
from cvec_circus.plugins.flapping import Flapping
from cvec_circus.runtime.catalogue import (
    BUILT_IN,
    Listed,
    find,
    installed,
    load_class,
    summary,
)
from tests.runtime.packages import PLUGIN, install
from tests.runtime.process import LAUNCHER, ROOT, SUBJECTS, ProcessCase
from tests.support.daemon import DaemonCase, folder
from tests.support.eventually import eventually


def path_with(folder: str) -> mock._patch[list[str]]:
    """Return a context in which a folder is searched for modules."""
    return mock.patch.object(sys, "path", [folder, *sys.path])


class TestNames(unittest.TestCase):
    """What a name means."""

    def test_of_ours(self) -> None:
        expected = Listed("flapping", "cvec_circus.plugins.flapping", "Flapping")
        self.assertEqual(find("flapping"), expected)
        self.assertIs(load_class("flapping"), Flapping)
        self.assertEqual(find("resource_watcher"), find("resource-watcher"))

    def test_a_dotted_one(self) -> None:
        for name in ("a.b.C", "my-plugins.C"):
            self.assertEqual(find(name).dotted, name)

    def test_one_that_nobody_has(self) -> None:
        for name, hint in (("flappin", "; did you mean flapping?"), ("zzz", "Logger")):
            with self.subTest(name), self.assertRaises(PluginError) as caught:
                load_class(name)
            said = str(caught.exception)
            self.assertIn("neither the short name of an installed plugin nor", said)
            self.assertTrue(said.endswith(hint), said)

    def test_of_others(self) -> None:
        with tempfile.TemporaryDirectory() as place, path_with(place):
            install(place, {"shout": "their_shout:Outer.Shout", "flapping": "their_shout:X"})
            found = find("shout")
            self.assertEqual(found[:3], ("shout", "their_shout", "Outer.Shout"))
            self.assertIn(found.package, ("their-plugins 1.5", "another package"))
            self.assertEqual(find("flapping").module, "cvec_circus.plugins.flapping")
            names = [one.name for one in installed()]
            self.assertEqual((names[: len(BUILT_IN)], names.count("flapping")), (list(BUILT_IN), 1))
            self.assertIn("shout", names)


class TestInProgram(DaemonCase):
    """A list of mappings, as programs have it."""

    def test_a_short_name(self) -> None:
        file = folder(self) / "events"
        described = {"use": "logger", "filename": str(file), "actions": ["spawn", "start"]}
        arbiter = ThreadedArbiter(
            [{"name": "web", "cmd": "sleep 3600"}],
            f"ipc://{file.parent}/control",
            f"ipc://{file.parent}/events-of-it",
            plugins=[described],
        )
        arbiter.start()
        self.addCleanup(arbiter.stop)
        self.assertTrue(
            eventually(lambda: file.exists() and '"action": "start"' in file.read_text(), 30)
        )


BASES = {"statsd:BaseObserver"}
"""Only there to be derived from."""


class TestBuiltIn(unittest.TestCase):
    """All of ours."""

    def test_each_is_there_and_says_what_it_does(self) -> None:
        for name in BUILT_IN:
            with self.subTest(name):
                plugin = load_class(name)
                self.assertTrue(10 < len(summary(plugin)) <= 78, summary(plugin))

    def test_none_is_forgotten(self) -> None:
        folder = Path(plugins.__file__).parent
        found = {
            f"{path.stem}:{name}"
            for path in folder.glob("[a-z]*.py")
            for name, value in vars(import_module(f"{plugins.__name__}.{path.stem}")).items()
            if isinstance(value, type)
            and issubclass(value, CircusPlugin)
            and value.__module__.endswith(f".{path.stem}")
        }
        self.assertEqual(found - set(BUILT_IN.values()), BASES)

    def test_they_are_in_order(self) -> None:
        self.assertEqual(list(BUILT_IN), sorted(BUILT_IN))


NAMES_OF_CIRCUS = """\
_statsd.StatsdEmitter
command_reloader.CommandReloader
flapping.Flapping
http_observer.HttpObserver
redis_observer.RedisObserver
resource_watcher.ResourceWatcher
statsd.FullStats
statsd.StatsdEmitter
watchdog.WatchDog
""".split()

PUBLISHED = """
import importlib, pkgutil
import circus.plugins
for module in pkgutil.iter_modules(circus.plugins.__path__):
    try:
        for name, value in vars(importlib.import_module(f"circus.plugins.{module.name}")).items():
            if isinstance(value, type) and issubclass(value, circus.plugins.CircusPlugin):
                print(f"{module.name}.{name}")
    except ImportError:
        pass  # redis may be missing
"""


class TestNamesOfCircus(unittest.TestCase):
    """Every name of a plugin of Circus leads to ours, with its package renamed."""

    def test_each_can_be_loaded(self) -> None:
        for name in NAMES_OF_CIRCUS:
            with self.subTest(name):
                plugin = load_class(f"cvec_circus.plugins.{name}")
                self.assertEqual(plugin.__name__, name.partition(".")[2])

    @unittest.skipUnless(importlib.util.find_spec("circus"), "Circus is not installed")
    def test_none_is_missing(self) -> None:
        argv = [sys.executable, "-W", "ignore", "-c", PUBLISHED]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
        found = {
            one
            for one in done.stdout.split()
            if not one.endswith((".CircusPlugin", ".BaseObserver"))
        }
        self.assertGreater(len(found), 5)
        self.assertEqual(found - set(NAMES_OF_CIRCUS), set())


class Described(CircusPlugin):
    """Does this, on the plugin
    thread. And that.

    And more.
    """


class Undescribed(Described):
    pass


class TestDescription(unittest.TestCase):
    """What the docstring of a class says."""

    def test_summary(self) -> None:
        self.assertEqual(summary(Described), "Does this, on the plugin thread.")
        self.assertEqual(summary(Undescribed), "")
        for text, first in (
            ("Reads, e.g. pages. Twice.", "Reads, e.g. pages."),
            ("Reads\n    pages\n\n    More of it.", "Reads pages"),
            ("Reads version 1.2! 数", "Reads version 1.2!"),
        ):
            with self.subTest(text):
                self.assertEqual(summary(type("X", (), {"__doc__": text})), first)


class TestList(ProcessCase):
    """cvec_circus-plugin --list, and what comes of the names that it lists."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = str(folder(self))

    def listing(self, said: str = "") -> list[str]:
        """Return the lines of a list, which is all that is said beside what modules say."""
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), self.folder])}
        argv = [*LAUNCHER, "--list"]
        ended = subprocess.run(argv, capture_output=True, text=True, env=environ, timeout=60)
        self.assertEqual((ended.returncode, ended.stderr), (0, said))
        return ended.stdout.splitlines()

    def test_ours(self) -> None:
        lines = self.listing()
        self.assertEqual(
            len([line for line in lines if line.split()[0] in BUILT_IN]), len(BUILT_IN)
        )
        self.assertIn("flapping          Stops watchers that flap.", lines)

    def test_those_of_others(self) -> None:
        install(
            self.folder,
            {
                "shout": "their_shout:Shout",
                "gone": "their_nothing:Gone",
                "broken": "their_broken:Broken",
                "half": "their_shout",
                "wrong": "their_shout:CircusPlugin",
            },
            their_shout=PLUGIN.format(name="Shout", doc="Says it loud. Twice."),
            their_broken="import sys\nprint('a\\nb', file=sys.stderr) if 0 else 1 / 0\n",
        )
        lines = self.listing()[len(BUILT_IN) :]
        names = [line.split()[0] for line in lines]
        self.assertEqual(names, ["broken", "gone", "half", "shout", "wrong"])
        said = dict(zip(names, lines))
        self.assertIn("cannot import their_broken.Broken: ZeroDivisionError", said["broken"])
        self.assertIn("there is no module their_nothing", said["gone"])
        self.assertIn("no class", said["half"])
        self.assertTrue(said["shout"].startswith("shout             Says it loud. ("))
        self.assertIn("does not implement handle_recv", said["wrong"])

    def test_nobody_reads_it(self) -> None:
        """One who has seen enough, and a disk that is full."""
        argv = [*LAUNCHER, "--list"]
        reader, writer = os.pipe()
        os.close(reader)
        with open("/dev/full", "w") as full, open(writer, "w") as gone:
            for place, code, said in (
                (gone, 0, ""),
                (full, 1, "the output cannot be written: No space left on device"),
            ):
                ended = subprocess.run(
                    argv, stdout=place, stderr=subprocess.PIPE, text=True, timeout=60
                )
                expected = f"error: {said}\n" if said else ""
                self.assertEqual((ended.returncode, ended.stderr), (code, expected))

    def test_letters_that_the_output_has_not(self) -> None:
        module = PLUGIN.format(name="Shout", doc="Says it na\\xefvely.")
        install(self.folder, {"shout": "their_shout:Shout"}, their_shout=module)
        with mock.patch.dict(os.environ, {"PYTHONIOENCODING": "ascii"}):
            self.assertIn("Says it na\\xefvely.", self.listing()[-1])

    def test_long_names(self) -> None:
        """All lines have the same columns."""
        install(
            self.folder,
            {"shout-a-little-louder-than-that": "their_shout:Shout"},
            their_shout=PLUGIN.format(name="Shout", doc="Says it loud."),
        )
        lines = self.listing()
        at = lines[-1].index("Says it loud.")
        self.assertEqual({line[at - 2 : at] for line in lines}, {"  "})
        self.assertEqual(sum(line[at] == " " for line in lines), 0)

    def test_what_a_module_prints_is_not_listed(self) -> None:
        module = "print('hello')\n" + PLUGIN.format(name="Shout", doc="Says it loud.")
        install(self.folder, {"shout": "their_shout:Shout"}, their_shout=module)
        lines = self.listing(said="hello\n")
        self.assertEqual(len(lines), len(BUILT_IN) + 1)

    def test_the_daemon_finds_them_by_their_short_names(self) -> None:
        module = f"from {SUBJECTS} import Talker\n"
        install(self.folder, {"talker": "their_talker:Talker"}, their_talker=module)
        process = self.by_daemon("talker", sys_path=[*sys.path, self.folder])
        process.expect("handle_init")
        process.kill()
        self.assertEqual(process.wait(), 0)
