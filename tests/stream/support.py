"""What the tests of files and of the pump share: a folder, and children that write."""

import collections
import contextlib
import os
import subprocess
import sys
import tempfile
import threading

from cvec_circus.base.clock import SYSTEM
from cvec_circus.stream.base import UNKNOWN, Context
from cvec_circus.stream.file import FileStream
from cvec_circus.stream.output import Pipe, Wanted
from cvec_circus.stream.pump import Pump
from cvec_circus.stream.pumps import DRAIN_TIMEOUT, Pumps
from tests.support.clock import FakeClock
from tests.support.eventually import eventually
from tests.support.leaks import LeakCheckedTestCase

PYTHON = [sys.executable, "-I", "-S", "-c"]

# Writes rows "<name> <number>" in blocks that end anywhere.
FLOOD = """
import os, sys
name, rows, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
text = memoryview(b"".join(b"%s %d\\n" % (name.encode(), n) for n in range(rows)))
while text:
    text = text[os.write(1, text[:size]):]
"""

FLOOD_FOR_EVER = """
import os, signal
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
while True:
    os.write(1, b"flood\\n" * 1000)
"""

# Leaves a grandchild that holds the pipe open until its standard input ends, and dies.
LEAVE_GRANDCHILD = """
import os, sys
if os.fork() == 0:
    os.write(1, b"grandchild\\n")
    os.read(0, 1)
    os._exit(0)
os.write(1, b"child\\n")
os._exit(0)
"""

# Says something without a newline and waits to be killed.
LAST_WORDS = """
import os
os.write(1, b"first\\nlast words")
os.read(0, 1)
"""


def rows(name, count):
    return b"".join(b"%s %d\n" % (name.encode(), n) for n in range(count))


class FileStreamTestCase(LeakCheckedTestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.filename = self.path("log")
        self.clock = FakeClock()
        self.said = []

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def stream(self, filename=None, cls=FileStream, **options):
        context = Context(clock=self.clock, on_loss=self.said.append)
        stream = cls(filename or self.filename, **{"context": context, **options})
        self.addCleanup(stream.close)
        stream.reopen()
        return stream

    def text(self, name="log"):
        with open(self.path(name), "rb") as file:
            return file.read()

    def texts(self):
        """Return the files, the oldest first, joined, and their sizes."""
        names = sorted(os.listdir(self.folder), key=lambda name: -int(name.partition(".")[2] or 0))
        texts = [self.text(name) for name in names]
        return b"".join(texts), [len(text) for text in texts]


def never(delay, fn):
    """Try again with the next order only."""


def lost(pumps):
    """Return the bytes that each stream of pumps has lost."""
    found = collections.Counter()
    for pump in pumps:
        found.update({key: one.lost for key, one in pump.reader.outputs.items()})
    return found


class OnePump(Pump):
    """One pump, with the methods that `Pumps` has."""

    def open(self, key, conf, source=UNKNOWN, history=None):
        return self.do(self.reader.open, Wanted(key, dict(conf), source, history))

    def add(self, key, fd, pid, source=UNKNOWN):
        return self.take(Pipe(key, fd, pid, source))

    def reopen(self, key=None):
        return self.is_needed and self.do(self.reader.reopen, key)

    def close(self, key, drain_timeout=DRAIN_TIMEOUT, then=None):
        return self.do(self.reader.close, key, drain_timeout, then)

    def stop(self, drain_timeout=DRAIN_TIMEOUT):
        return super().stop(drain_timeout)


class PumpTestCase(LeakCheckedTestCase):
    clock = SYSTEM

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.filename = self.path("log")
        self.said = []
        self.context = Context(clock=self.clock, on_loss=self.said.append)
        self.pump = OnePump(self.context, never, "pump", "files", None)
        self.addCleanup(self.join)

    def lost(self):
        """Return the bytes that each stream has lost."""
        return lost(self.pump._all() if isinstance(self.pump, Pumps) else [self.pump])

    def join(self):
        self.pump.stop(0)
        self.assertTrue(self.pump.join(30))

    def path(self, name):
        return os.path.join(self.folder, name)

    def text(self, name="log"):
        try:
            with open(self.path(name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""

    def open(self, key="key", name="log", **options):
        return self.pump.open(key, {"filename": self.path(name), **options})

    def spawn(self, code, *args, key="key"):
        """Start a child whose standard output goes to the pump."""
        reader, writer = os.pipe()
        command = [*PYTHON, code, *map(str, args)]
        child = subprocess.Popen(command, stdout=writer, stdin=subprocess.PIPE)
        os.close(writer)
        self.addCleanup(self.end, child)
        self.assertTrue(self.pump.add(key, reader, child.pid))
        return child

    def end(self, child):
        child.kill()
        child.wait(30)
        child.stdin.close()

    def pipe(self, key="key", pid=1):
        """Return a writer of our own."""
        reader, writer = os.pipe()
        self.assertTrue(self.pump.add(key, reader, pid))
        stack = contextlib.ExitStack()
        file = stack.enter_context(open(writer, "wb", buffering=0))
        self.addCleanup(stack.close)
        return file

    def done(self):
        """Wait until the orders given so far are carried out."""
        self.closed("none")

    def closed(self, key="key", drain_timeout=60.0):
        """Close a stream and wait for that."""
        event = threading.Event()
        self.pump.close(key, drain_timeout, event.set)
        self.assertTrue(event.wait(60))

    def assert_shows(self, text, name="log"):
        self.assertTrue(
            eventually(lambda: self.text(name) == text),
            f"{self.text(name)!r} is not {text!r}",
        )
