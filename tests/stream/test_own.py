"""Streams that other people have written, and streams as programs make them."""

import os
import sys
import threading
import types
import unittest

from cvec_circus import exc, stream
from cvec_circus.stream.base import Source
from cvec_circus.stream.pumps import Pumps
from tests.stream.support import FileStreamTestCase, PumpTestCase, never
from tests.support.eventually import eventually

MODULE = "cvec_circus_test_streams"


class Recorder:
    """A stream of somebody's own."""

    def __init__(self, **options):
        self.made_on = threading.current_thread().name
        self.options = options
        self.calls = []
        self.done = []
        self.gate = threading.Event()
        self.gate.set()
        made.append(self)

    def __call__(self, data):
        self.calls.append(data)
        if data["data"].startswith(b"raise"):
            raise ValueError("no")
        if data["data"].startswith(b"exit"):
            sys.exit(3)
        self.gate.wait(30)

    def open(self):
        self.done.append("open")

    def reopen(self):
        self.done.append("reopen")

    def close(self):
        self.done.append("close")


class Uncallable:
    def __init__(self, **options):
        pass


def returns_none(**options):
    return None


def takes_nothing():
    return Recorder()


made: list = []


class OwnTest(PumpTestCase):
    def setUp(self):
        super().setUp()
        self.pump = Pumps(self.context, never)
        module = types.ModuleType(MODULE)
        module.Recorder = Recorder
        module.returns_none, module.Uncallable = returns_none, Uncallable
        module.takes_nothing = takes_nothing
        sys.modules[MODULE] = module
        self.addCleanup(sys.modules.pop, MODULE)
        made.clear()

    def own(self, key="own", name="Recorder", **options):
        conf = {"class": f"{MODULE}.{name}", **options}
        return self.pump.open(key, conf, Source("w", "stderr"))

    def recorder(self):
        self.assertTrue(eventually(lambda: made))
        return made[-1]

    def test_what_it_is_called_with(self):
        self.own(color="red", max_bytes="5")
        self.pipe("own", 7).write(b"some\nthing")
        recorder = self.recorder()
        self.assertTrue(eventually(lambda: recorder.calls))
        (data,) = recorder.calls
        self.assertGreater(data.pop("timestamp"), 1e9)
        self.assertEqual(data, {"data": b"some\nthing", "pid": 7, "name": "stderr"})
        self.assertEqual(recorder.options, {"color": "red", "max_bytes": "5"})
        self.assertEqual(recorder.made_on, "pump:w")
        self.pump.reopen()
        self.closed("own", 0)
        self.assertEqual(recorder.done, ["open", "reopen", "close"])

    def test_one_that_blocks_holds_up_nobody_else(self):
        self.own()
        self.own("other")
        self.open("file")
        self.assertTrue(eventually(lambda: len(made) == 2))
        made[0].gate.clear()
        made[1].gate.clear()
        self.pipe("own").write(b"x")
        self.assertTrue(eventually(lambda: made[0].calls or made[1].calls))
        stuck, free = sorted(made, key=lambda recorder: not recorder.calls)
        free.gate.set()
        self.pipe("other").write(b"y")
        self.pipe("file").write(b"written\n")
        self.assert_shows(b"written\n")
        self.assertTrue(eventually(lambda: free.calls))
        self.pump.stop(0)
        self.assertFalse(self.pump.join(0.1))
        stuck.gate.set()

    def test_what_it_raises_costs_that_block(self):
        self.own()
        pipe = self.pipe("own")
        for number, text in enumerate((b"raise", b"exit", b"fine"), 1):
            pipe.write(text)
            self.assertTrue(eventually(lambda n=number: made and len(made[0].calls) == n))
        self.assertTrue(eventually(lambda: self.lost() == {"own": 9}))
        self.assertIn("ValueError('no')", self.said[0])

    def test_one_that_cannot_be_made(self):
        with self.assertLogs("cvec_circus", "ERROR"):
            self.own(name="Nothing")
            self.pipe("own").write(b"lost")
            self.assertTrue(eventually(lambda: self.lost() == {"own": 4}))
        text = f"cannot make {MODULE}.Nothing: ImportError: there is no Nothing in {MODULE}"
        self.assertEqual(self.said, [f"w: {text}; 4 bytes of output lost"])

    def test_what_it_makes_cannot_be_called(self):
        for name, reason in (
            ("returns_none", "it has returned None, which cannot be called with output"),
            ("Uncallable", "a Uncallable cannot be called with output"),
            ("takes_nothing", "takes_nothing() got an unexpected keyword argument 'option'"),
        ):
            with self.subTest(name), self.assertLogs("cvec_circus", "ERROR") as logs:
                self.own(key=name, name=name, option=1)
                self.assertTrue(eventually(lambda got=logs: got.records))
            [record] = logs.records
            said = f"w: cannot make the stream {MODULE}.{name}: TypeError: {reason}"
            self.assertEqual((record.getMessage(), record.exc_info), (said, None))

    def test_its_thread_ends_with_it(self):
        for _ in range(3):
            self.own()
            self.closed("own", 0)
        ended = eventually(lambda: "pump:w" not in [t.name for t in threading.enumerate()])
        self.assertTrue(ended)

    def test_a_stream_that_a_program_has_made(self):
        queue = stream.QueueStream()
        self.pump.open("own", {"stream": queue}, Source("w"))
        self.pipe("own", 5).write(b"x")
        data = queue.get(timeout=30)
        self.assertEqual((data["data"], data["pid"], data["name"]), (b"x", 5, "stdout"))


class LibraryTest(FileStreamTestCase):
    def test_every_class_can_be_imported(self):
        for name in stream.__all__:
            self.assertTrue(callable(getattr(stream, name)))
        with self.assertRaises(AttributeError):
            stream.NoStream  # noqa: B018

    def test_a_file(self):
        for conf in (
            {"class": "FileStream", "filename": self.filename},
            {"filename": self.filename},
        ):
            made = stream.get_stream(conf)
            self.assertIsInstance(made, stream.FileStream)
            made({"data": "text", "pid": 1})
            made({"data": b" and bytes\n", "pid": 1})
            made.close()
            self.assertEqual(self.text(), b"text and bytes\n")
            os.unlink(self.filename)

    def test_each_call_ends_a_stamped_line(self):
        made = stream.get_stream({"filename": self.filename, "time_format": "T"})
        made({"data": b"one\ntwo", "pid": 1})
        made({"data": b"three", "pid": 1})
        made.close()
        self.assertEqual(self.text(), b"T [1] | one\nT [1] | two\nT [1] | three\n")

    def test_a_queue(self):
        made = stream.get_stream({"class": "QueueStream"})
        made({"data": b"x", "pid": 1})
        self.assertEqual(made.get(), {"data": b"x", "pid": 1})
        self.assertIs(stream.get_stream({"stream": made}), made)
        made.close()

    def test_ones_own(self):
        conf = {"class": f"{__name__}.Recorder", "color": "red"}
        self.assertEqual(stream.get_stream(conf).options, {"color": "red"})
        self.assertEqual(conf["class"], f"{__name__}.Recorder")

    def test_nothing_and_what_makes_no_sense(self):
        self.assertIsNone(stream.get_stream({}))
        self.assertIsNone(stream.get_stream(None))
        with self.assertRaises(ValueError):
            stream.get_stream({"max_bytes": 5})
        with self.assertRaises(exc.OptionError):
            stream.get_stream({"class": "NoStream"})
        with self.assertRaises(ImportError):
            stream.get_stream({"class": "no_such_module.Stream"})

    def test_a_class_that_goes_on_from_ours(self):
        class Loud(stream.FileStream):
            def __call__(self, data):
                super().__call__({**data, "data": data["data"].upper()})

        made = Loud(filename=self.filename, whatever=1)
        made({"data": b"x\n", "pid": 1})
        made.close()
        self.assertEqual(self.text(), b"X\n")


if __name__ == "__main__":
    unittest.main()
