"""The functions and classes of `cvec_circus.util`, used as programs for Circus use them."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import types
import unittest
from pathlib import Path
from unittest import mock

import psutil
import zmq

from cvec_circus import exc, util
from cvec_circus.embedding.promise import Promise
from cvec_circus.plugins.flapping import Flapping
from cvec_circus.util import debuglog
from tests.support.logs import silent


class TestImporting(unittest.TestCase):
    def test_names(self) -> None:
        for name in (
            "cvec_circus.plugins.flapping.Flapping",
            "cvec_circus.plugins.flapping:Flapping",
        ):
            self.assertIs(util.resolve_name(name), Flapping)
        self.assertIs(util.resolve_name("os"), os)
        self.assertIs(util.resolve_name("os.path"), os.path)

    def test_what_is_not_there(self) -> None:
        for name in ("no_such_module", "os.no_such_name", "os:no_such_name", "no_such.module.name"):
            with self.subTest(name), self.assertRaises(util.ImportStringError) as caught:
                util.resolve_name(name)
            self.assertEqual(caught.exception.import_name, name)
            self.assertIsInstance(caught.exception.exception, ImportError)
            self.assertEqual(len(str(caught.exception).splitlines()), 1)
            self.assertIsNone(util.resolve_name(name, silent=True))

    def test_anew(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        module = Path(folder.name, "written_for_a_test.py")
        module.write_text("hook = 'first'")
        self.addCleanup(sys.modules.pop, module.stem, None)
        with mock.patch.object(sys, "path", [folder.name, *sys.path]):
            self.assertEqual(util.resolve_name(f"{module.stem}.hook"), "first")
            module.write_text("hook = 'and the second'")
            self.assertEqual(util.resolve_name(f"{module.stem}.hook"), "first")
            self.assertEqual(
                util.resolve_name(f"{module.stem}.hook", reload=True), "and the second"
            )


class TestMappings(unittest.TestCase):
    def test_attributes(self) -> None:
        found = util.ObjectDict(a=1)
        self.assertEqual((found.a, found["a"], dict(found)), (1, 1, {"a": 1}))
        with self.assertRaises(AttributeError):
            found.b  # noqa: B018

    def test_differences(self) -> None:
        now, before = {"a": 1, "b": 2, "c": 3}, {"b": 2, "c": 4, "d": 5}
        differ = util.DictDiffer(now, before)
        self.assertEqual((differ.added(), differ.removed()), ({"a"}, {"d"}))
        self.assertEqual((differ.changed(), differ.unchanged()), ({"c"}, {"b"}))
        self.assertEqual((differ.current_dict, differ.past_dict), (now, before))
        self.assertEqual((differ.set_current, differ.set_past), (set(now), set(before)))
        self.assertEqual(differ.intersect, {"b", "c"})
        self.assertTrue(util.dict_differ(now, before))
        self.assertFalse(util.dict_differ(now, {"a": 1}))


class TestOrders(unittest.TestCase):
    def test_one_that_failed(self) -> None:
        failed, kept = Promise(), Promise()
        failed.fail(exc.CircusError("no"))
        kept.keep(None)
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            self.assertIs(util.check_future_exception_and_log(failed), failed.exception())
        self.assertIn("no", logs.output[0])
        with silent(self, logging.INFO):
            self.assertIsNone(util.check_future_exception_and_log(kept))
            self.assertIsNone(util.check_future_exception_and_log(None))


class Worker:
    """A class of a program that logs its steps."""

    @debuglog
    def work(self, number: int) -> int:
        return number + 1


class TestSystem(unittest.TestCase):
    def test_steps_are_logged(self) -> None:
        with mock.patch.dict(os.environ, {"DEBUG": "1"}):
            with self.assertLogs("cvec_circus", "DEBUG") as logs:
                self.assertEqual(Worker().work(1), 2)
        self.assertEqual(len(logs.output), 2)
        self.assertIn("Worker.work", logs.output[0])
        os.environ.pop("DEBUG", None)
        self.assertEqual(Worker().work(1), 2)

    def test_closed_on_exec(self) -> None:
        read_fd, write_fd = os.pipe()
        self.addCleanup(os.close, read_fd)
        self.addCleanup(os.close, write_fd)
        os.set_inheritable(read_fd, True)
        util.close_on_exec(read_fd)
        self.assertFalse(os.get_inheritable(read_fd))

    def test_version(self) -> None:
        self.assertEqual(util.get_python_version(), sys.version_info[:3])

    def test_processes(self) -> None:
        for process in (None, os.getpid(), psutil.Process()):
            info = util.get_info(process)
            self.assertEqual(info["pid"], os.getpid())
            self.assertRegex(info["mem_info1"], r"^[\d.]+[BKMG]$")
            self.assertEqual(info["children"], [])
            for key in (
                "age",
                "cmdline",
                "cpu",
                "create_time",
                "ctime",
                "mem",
                "mem_info2",
                "nice",
            ):
                self.assertIn(key, info)
        self.assertIn("children", util.get_info(with_childs=True))
        with self.assertRaises(ProcessLookupError):
            util.get_info(2**22 + 1)

    def test_virtualenv(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            packages = Path(folder, "lib", "python3.99", "site-packages")
            packages.mkdir(parents=True)
            Path(folder, "bin").mkdir()
            watcher = types.SimpleNamespace(copy_env=True, virtualenv=folder, env={"PATH": "/bin"})
            util.load_virtualenv(watcher, py_ver="3.99")
            self.assertEqual(watcher.env["PATH"], f"{folder}/bin:/bin")
            self.assertEqual(watcher.env["PYTHONPATH"], str(packages))
            with self.assertRaises(ValueError):
                util.load_virtualenv(watcher, py_ver="1.0")
            watcher.copy_env = False
            with self.assertRaisesRegex(ValueError, "copy_env"):
                util.load_virtualenv(watcher)

    def test_connection(self) -> None:
        with (
            zmq.Context() as context,
            context.socket(zmq.PAIR) as one,
            context.socket(zmq.PAIR) as other,
        ):
            port = one.bind_to_random_port("tcp://127.0.0.1")
            util.get_connection(other, f"tcp://127.0.0.1:{port}")
            other.send(b"said")
            self.assertEqual(one.recv(), b"said")
        with self.assertRaises(exc.SocketError):
            util.get_connection(None, "tcp://127.0.0.1:5555", ssh_server="-F none")


if __name__ == "__main__":
    unittest.main()
