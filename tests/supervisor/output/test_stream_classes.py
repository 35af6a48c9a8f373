"""Streams that are no files, end to end."""

from __future__ import annotations

import socket
import sys
import threading
import types
from typing import Any

from cvec_circus.stream import QueueStream
from tests.support.embedded import EmbeddedCase
from tests.support.eventually import eventually
from tests.support.hurry import hurry

MODULE = "cvec_circus_test_own_streams"


class Kept:
    """Keeps what it is called with, and blocks when it is told to."""

    blocks = ""
    gate: threading.Event
    texts: dict[str, bytes]

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __call__(self, data: dict[str, Any]) -> None:
        self.texts[self.mark] = self.texts.get(self.mark, b"") + data["data"]
        if self.mark == self.blocks:
            self.gate.wait(30)


class TestOwn(EmbeddedCase):
    """Classes of one's own, and objects of the program that embeds an arbiter."""

    def setUp(self) -> None:
        super().setUp()
        module = types.ModuleType(MODULE)
        module.Kept = Kept  # type: ignore[attr-defined]
        sys.modules[MODULE] = module
        self.addCleanup(sys.modules.pop, MODULE)
        Kept.blocks, Kept.gate, Kept.texts = "", threading.Event(), {}
        self.addCleanup(Kept.gate.set)

    def shell(self, name: str, text: str, **stream: Any) -> dict[str, Any]:
        return {"name": name, "cmd": "sh", "args": ["-c", text], "stdout_stream": stream}

    def own(self, name: str, text: str) -> dict[str, Any]:
        return self.shell(name, text, **{"class": f"{MODULE}.Kept", "mark": name})

    def test_one_that_blocks_holds_up_its_own_watcher_only(self) -> None:
        Kept.blocks = "a"
        talk = "while echo word; do sleep 0.05; done"
        self.arbit(self.own("a", talk), self.own("b", talk))
        self.assertTrue(eventually(lambda: Kept.texts.get("b", b"").count(b"word") > 3))
        self.assertEqual(Kept.texts["a"], b"word\n")
        self.wire.order("restart", name="a")
        self.wire.order("stop", name="a")
        self.assertEqual(self.wire.call("status", name="b")["status"], "active")
        Kept.gate.set()

    def test_one_that_hangs_at_the_end_is_named(self) -> None:
        hurry(self, {"supervisor.output.outputs.WRITE_PATIENCE": 0.1})
        Kept.blocks = "a"
        self.arbit(self.own("a", "echo word; exec sleep 1000"))
        self.assertTrue(eventually(lambda: "a" in Kept.texts))
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.arbiter.stop()
        said = f"pump threads abandoned, still blocked: pump:a ({MODULE}.Kept for stdout of a; "
        self.assertIn(f"{said}not written: 5 bytes of stdout of a)", "\n".join(logs.output))
        Kept.gate.set()

    def test_a_class_in_the_pythonpath_of_its_watcher(self) -> None:
        name = f"{MODULE}_elsewhere"
        (self.folder / f"{name}.py").write_text(f"from {MODULE} import Kept as Elsewhere\n")
        self.addCleanup(sys.path.__setitem__, slice(None), list(sys.path))
        self.addCleanup(sys.modules.pop, name, None)
        conf = {"class": f"{name}.Elsewhere", "mark": "elsewhere"}
        shell = self.shell("a", "echo word; exec sleep 1000", **conf)
        self.arbit({**shell, "env": {"PYTHONPATH": str(self.folder)}})
        self.assertTrue(eventually(lambda: Kept.texts.get("elsewhere") == b"word\n"))
        self.assertEqual(sys.path[-1], str(self.folder))

    def test_a_coroutine_function(self) -> None:
        async def write(data: Any) -> None:
            raise AssertionError("nothing awaits it")

        with self.assertLogs("cvec_circus", "ERROR") as logs:
            self.arbit(self.shell("a", "echo word; exec sleep 1000", stream=write))
            self.assertTrue(eventually(lambda: logs.output))
        self.assertIn("a coroutine function, which is never awaited", logs.output[0])

    def test_one_that_cannot_be_imported(self) -> None:
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            lost = self.shell("a", "echo word; exec sleep 1000", **{"class": "no_such.Stream"})
            self.arbit(lost, self.own("b", "echo word; exec sleep 1000"))
            self.assertTrue(eventually(lambda: Kept.texts.get("b") == b"word\n"))
            self.assertTrue(eventually(lambda: logs.output))
        self.assertIn("a: cannot make the stream no_such.Stream: ModuleNotFound", logs.output[0])
        self.assertEqual(self.wire.call("status", name="a")["status"], "active")

    def test_syslog(self) -> None:
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(server.close)
        server.settimeout(30)
        address = str(self.folder / "dev")
        server.bind(address)
        conf = {"class": "SyslogStream", "address": address, "facility": "daemon"}
        self.arbit(self.shell("a", "echo word; exec sleep 1000", **conf))
        message = server.recv(1000).decode()
        [pid] = self.wire.pids("a")
        self.assertTrue(message.startswith("<30>") and message.endswith(f" a[{pid}]: word"))
        refused = self.wire.refused(
            "set", name="a", options={"stdout_stream.address": "no:such:address"}
        )
        self.assertIn("'no:such:address' is neither /PATH nor HOST nor HOST:PORT", refused)

    def test_a_queue_of_the_program(self) -> None:
        queue = QueueStream()
        self.arbit(self.shell("a", "echo word; exec sleep 1000", stream=queue))
        data = queue.get(timeout=30)
        self.assertEqual((data["data"], data["name"]), (b"word\n", "stdout"))
        self.assertIn(data["pid"], self.wire.pids("a"))
        shown = self.wire.call("options", name="a")["options"]["stdout_stream_conf"]
        self.assertEqual(shown, {"stream": "QueueStream"})

    def test_a_class_is_set_while_it_runs(self) -> None:
        log = self.folder / "log"
        talk = "while echo word; do sleep 0.05; done"
        self.arbit(self.shell("a", talk, filename=str(log)))
        self.assertTrue(eventually(lambda: log.exists() and "word" in log.read_text()))
        pids = self.wire.pids("a")
        conf = {"class": f"{MODULE}.Kept", "mark": "set"}
        self.wire.order("set", name="a", options={"stdout_stream": conf})
        self.assertTrue(eventually(lambda: Kept.texts.get("set", b"").startswith(b"word\n")))
        before = log.read_text()
        self.wire.order("set", name="a", options={"stdout_stream": {"filename": str(log)}})
        self.assertTrue(eventually(lambda: log.read_text().startswith(f"{before}word\n")))
        self.assertEqual(self.wire.pids("a"), pids)
