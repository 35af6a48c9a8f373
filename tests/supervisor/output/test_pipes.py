"""The pipes of processes: read to their end, whatever becomes of options, watchers and leaders."""

from __future__ import annotations

import os
import signal
import sys
import unittest
from typing import Any

from tests.support.daemon import alive, gone
from tests.support.embedded import EmbeddedCase
from tests.support.eventually import eventually
from tests.support.hurry import hurry
from tests.support.silence import silence

# Writes much for each line that comes through a fifo, and says so through another one. SIGPIPE ends
# it; SIGTERM does not end its first life.
TALKER = """
import os, signal, sys
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
told, asked = open(sys.argv[1], "w"), os.open(sys.argv[2], os.O_RDWR)
mark = sys.argv[2] + ".mark"
if not os.path.exists(mark):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    open(mark, "w").close()
print("ready", os.getpid(), file=told, flush=True)
while os.read(asked, 1):
    for _ in range(64):
        os.write(1, b"word\\n" * 13107)
    print("written", os.getpid(), file=told, flush=True)
"""

# Leaves a stray that holds its standard output and says so, and dies; its twelfth life does not.
LEAVER = """
import os, signal, sys
told = open(sys.argv[1], "w")
if len(os.listdir(sys.argv[2])) == 11:
    signal.pause()
open(os.path.join(sys.argv[2], str(os.getpid())), "w").close()
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    print("stray", os.getpid(), file=told, flush=True)
    os.close(writer)
    while True:
        os.write(1, b"stray\\n" * 1000)
os.close(writer)
os.read(reader, 1)
os._exit(0)
"""


class PipesCase(EmbeddedCase):
    """Watchers whose processes write when they are asked to."""

    def setUp(self) -> None:
        super().setUp()
        hurry(self, {"stream.reader.STRAY_DELAY": 0.1})
        self.asking = -1

    def python(self, code: str, *args: object, **options: Any) -> dict[str, Any]:
        words = ["-I", "-S", "-c", code, self.fifo(), *map(str, args)]
        return {"name": "a", "cmd": sys.executable, "args": words, **options}

    def talker(self, **options: Any) -> dict[str, Any]:
        path = self.folder / "ask"
        os.mkfifo(path)
        self.asking = os.open(path, os.O_RDWR)
        self.addCleanup(os.close, self.asking)
        return self.python(TALKER, path, graceful_timeout=30, **options)

    def dropped(self) -> set[int]:
        """The processes whose output is read and dropped."""
        reader = self.arbiter._life.supervisor.desks.outputs.pumps._main.reader
        return {pipe.pid for pipe in list(reader._pipes.values())}

    def has_written(self, pid: int) -> None:
        """Have the process write 4 MiB, which it cannot when nothing reads."""
        self.assertTrue(eventually(lambda: pid in self.dropped()))
        self.writes(pid)

    def writes(self, pid: int) -> None:
        os.write(self.asking, b"x")
        self.assertEqual(int(self.lines.until("written")), pid)
        self.assertTrue(alive(pid))

    def bury(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        self.assertTrue(gone(pid))


class TestOptions(PipesCase):
    """A stream that is taken away; a history that is kept, and that is not."""

    def test_a_stream_that_is_taken_away(self) -> None:
        self.arbit(self.talker(**{"stdout_stream.filename": str(self.folder / "log")}))
        pid = int(self.lines.until("ready"))
        self.addCleanup(self.bury, pid)
        self.wire.call("set", name="a", options={"stdout_stream": {}, "log_history": 0})
        successor = int(self.lines.until("ready"))
        self.addCleanup(self.bury, successor)
        self.has_written(pid)

    def test_a_history_that_is_kept_no_longer(self) -> None:
        silence(self)
        self.arbit(self.talker(log_history=1000))
        pid = int(self.lines.until("ready"))
        self.addCleanup(self.bury, pid)
        self.wire.order("set", name="a", options={"log_history": 0})
        self.writes(pid)
        self.assertEqual(self.wire.pids("a"), [pid])
        self.wire.order("set", name="a", options={"log_history": 500})

        def is_kept_again() -> bool:
            os.write(self.asking, b"x")
            self.lines.until("written")
            lines = self.wire.call("logs", name="a", lines=1)["lines"]
            return [(line["pid"], line["text"]) for line in lines] == [(pid, "word")]

        self.assertTrue(eventually(is_kept_again))
        self.assertEqual(self.wire.pids("a"), [pid])

    def test_a_history_from_the_next_start_on(self) -> None:
        silence(self)
        mark = self.folder / "mark"
        text = f"if [ -e {mark} ]; then echo up; fi; echo > {mark}; exec sleep 1000"
        self.arbit({"name": "a", "cmd": "sh", "args": ["-c", text]})
        [pid] = self.wire.pids("a")
        self.assertTrue(eventually(mark.exists))
        self.wire.order("set", name="a", options={"log_history": 1000})
        self.assertEqual(self.wire.pids("a"), [pid])
        self.assertEqual(self.wire.call("logs", name="a", lines=5)["lines"], [])
        self.wire.order("restart", name="a")

        def kept() -> list[str]:
            return [line["text"] for line in self.wire.call("logs", name="a", lines=5)["lines"]]

        self.assertTrue(eventually(lambda: kept() == ["up"]))

    def test_a_watcher_that_is_removed_without_a_stop(self) -> None:
        log = self.folder / "log"
        self.arbit(self.talker(**{"stdout_stream.filename": str(log)}))
        pid = int(self.lines.until("ready"))
        self.addCleanup(self.reap, pid)
        self.wire.order("rm", name="a", nostop=True)
        os.write(self.asking, b"x")
        self.lines.until("written")
        os.kill(pid, signal.SIGKILL)
        self.events.next("reap", process_pid=pid)
        self.assertTrue(eventually(lambda: not self.dropped()))

    def reap(self, pid: int) -> None:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


class TestStrays(PipesCase):
    """What holds the pipe of a leader that is dead."""

    def test_eleven_lives(self) -> None:
        lives = self.folder / "lives"
        lives.mkdir()
        conf = {"filename": str(self.folder / "log"), "max_bytes": 100_000, "backup_count": 1}
        self.arbit(self.python(LEAVER, lives, stdout_stream=conf, min_uptime=0))
        self.events.wait("reap", 11)
        strays = [int(self.lines.until("stray")) for _ in range(11)]
        for pid in strays:
            self.addCleanup(self.kill, pid)
        leaders = set(map(int, os.listdir(lives)))
        self.assertTrue(eventually(lambda: self.dropped() == leaders))
        self.assertTrue(all(map(alive, strays)))
        for pid in strays:
            os.kill(pid, signal.SIGKILL)
        self.assertTrue(eventually(lambda: not self.dropped()))

    def kill(self, pid: int) -> None:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    unittest.main()
