"""Names of Circus in a configuration: ours are taken for them, with one warning each."""

from __future__ import annotations

import importlib
import unittest
from unittest import mock

from cvec_circus.arbiter import Arbiter
from cvec_circus.options.renamed import MODULES, ours
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.stream.base import make
from cvec_circus.stream.file import FileStream
from tests.config.support import ConfigTestCase

TEXT = """\
[watcher:web]
cmd = sleep 1
stdout_stream.class = circus.stream.FileStream
stdout_stream.filename = /x.log
stderr_stream.class = circus.stream.file_stream.WatchedFileStream
stderr_stream.filename = /y.log
hooks.before_start = circus.util.get_info, True
hooks.after_start = circus.no_such_module.hook

[watcher:other]
cmd = sleep 1
stdout_stream.class = cvec_circus.stream.FancyStdoutStream

[plugin:flapping]
use = circus.plugins.flapping.Flapping
"""


class TestFiles(ConfigTestCase):
    def test_each_is_ours(self) -> None:
        loaded = self.load(TEXT)
        web, other = (one.options for one in loaded.watchers)
        self.assertEqual(web.stdout_stream["class"], "FileStream")
        self.assertEqual(web.stderr_stream["class"], "WatchedFileStream")
        self.assertEqual(other.stdout_stream["class"], "FancyStdoutStream")
        self.assertEqual(web.hooks["before_start"].target, "cvec_circus.util.get_info")
        self.assertTrue(web.hooks["before_start"].ignore)
        self.assertEqual(web.hooks["after_start"].target, "circus.no_such_module.hook")
        self.assertEqual(loaded.plugins[0].use, "cvec_circus.plugins.flapping.Flapping")
        self.assertEqual(
            [line.partition(",")[0] for line in loaded.warnings],
            [
                "main.ini:3: [watcher:web] stdout_stream.class: circus.stream.FileStream is"
                " cvec_circus.stream.FileStream here",
                "main.ini:5: [watcher:web] stderr_stream.class:"
                " circus.stream.file_stream.WatchedFileStream is"
                " cvec_circus.stream.file_stream.WatchedFileStream here",
                "main.ini:7: [watcher:web] hooks.before_start: circus.util.get_info is"
                " cvec_circus.util.get_info here",
                "main.ini:15: [plugin:flapping] use: circus.plugins.flapping.Flapping is"
                " cvec_circus.plugins.flapping.Flapping here",
            ],
        )

    def test_a_built_in_stream_by_its_whole_name(self) -> None:
        conf = self.load(TEXT).watchers[0].options.stdout_stream
        self.assertIsInstance(make({**conf, "filename": "/dev/null"}), FileStream)


class TestPrograms(unittest.TestCase):
    def test_by_a_program(self) -> None:
        watcher = {
            "name": "web",
            "cmd": "sleep 1",
            "hooks": {"before_start": ("circus.util.get_info", True), "after_stop": mock.Mock()},
            "stdout_stream": {"class": "circus.stream.StdoutStream"},
        }
        arbiter = Arbiter([watcher], plugins=[{"use": "circus.plugins.watchdog.WatchDog"}])
        self.assertEqual(len(arbiter._configuration.warnings), 3)
        [plugin] = arbiter._configuration.plugins
        self.assertEqual(plugin.use, "cvec_circus.plugins.watchdog.WatchDog")

    def test_by_a_client(self) -> None:
        given = {
            "stdout_stream.class": "circus.stream.StdoutStream",
            "hooks.after_stop": "circus.util.x",
        }
        options = WATCHER_OPTIONS.complete(WATCHER_OPTIONS.convert({"cmd": "a", **given}))
        self.assertEqual(options.stdout_stream["class"], "StdoutStream")
        self.assertEqual(options.hooks["after_stop"].target, "cvec_circus.util.x")


class TestNames(unittest.TestCase):
    def test_every_module_is_here(self) -> None:
        for name in MODULES:
            importlib.import_module(f"cvec_circus.{name}")

    def test_what_stays(self) -> None:
        for name in ("circus", "circus.x", "mycircus.util.x", "circus.none.x", "circus.util", ""):
            self.assertEqual(ours(name), name)
        self.assertEqual(ours("circus.util:x"), "cvec_circus.util:x")


if __name__ == "__main__":
    unittest.main()
