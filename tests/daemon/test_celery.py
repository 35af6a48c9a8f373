"""The documentation's celery with its redis: a reload loses no task, the one in work included."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import unittest
from pathlib import Path

from tests.support.children import TIMEOUT
from tests.support.daemon import DaemonCase, gone
from tests.support.eventually import eventually
from tests.test_docs import DOCS

EXAMPLE = DOCS / "examples" / "ready" / "celery.ini"
PROGRAMS = Path(sys.executable).parent

TASKS = """
import os, time
from pathlib import Path
from celery import Celery

app = Celery(broker="redis://127.0.0.1:{PORT}")

@app.task
def work(name):
    Path("begun").write_text(str(os.getppid()))
    os.replace("begun", "begun-" + name)
    while not os.path.exists("go-" + name):
        time.sleep(0.05)
    Path("done-" + name).touch()
"""

HAS_BOTH = bool(importlib.util.find_spec("celery") and shutil.which("redis-server"))


@unittest.skipUnless(HAS_BOTH, "celery or redis-server is not installed")
class TestCelery(DaemonCase):
    def setUp(self) -> None:
        super().setUp()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = str(free.getsockname()[1])
        text = EXAMPLE.read_text().replace("6379", self.port)
        for watcher in ("redis", "celery"):
            head = f"[watcher:{watcher}]\n"
            text = text.replace(head, f"{head}working_dir = {{DIR}}\n")
        self.environ = {"PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
        self.served = self.daemon(text, prepare=self.prepare, env=self.environ)

    def prepare(self, folder: Path) -> None:
        (folder / "tasks.py").write_text(TASKS.replace("{PORT}", self.port))

    def begin(self, name: str) -> int:
        """Give a task to whichever worker takes it, and return that worker's pid."""
        words = [*("celery", "-A", "tasks", "call", "tasks.work", "--args"), f'["{name}"]']
        environ = {**os.environ, **self.environ}
        subprocess.run(words, cwd=self.served.folder, env=environ, check=True, capture_output=True)
        begun = self.served.folder / f"begun-{name}"
        self.assertTrue(eventually(begun.exists, TIMEOUT), f"task {name} was not begun")
        return int(begun.read_text())

    def waiting_for_tasks(self) -> int:
        """Return how many workers ask the broker for tasks, as each does once a second."""
        import redis

        with redis.Redis(port=int(self.port)) as broker:
            clients = broker.client_list()
        return sum(one["cmd"] == "brpop" and int(one["idle"]) < 3 for one in clients)

    def finish(self, name: str) -> None:
        """Let a task end, and wait for that."""
        (self.served.folder / f"go-{name}").touch()
        done = self.served.folder / f"done-{name}"
        self.assertTrue(eventually(done.exists, TIMEOUT), f"task {name} was lost")

    def test_a_reload_loses_no_task(self) -> None:
        wire = self.served.wire
        wire.events.next("watcher.celery.ready")
        (old,) = wire.pids("celery")
        self.assertEqual(self.begin("before"), old)
        wire.call("reload", name="celery")
        wire.events.next("watcher.celery.kill")
        # Until it has heard the signal, the old worker takes tasks too. One that it then cannot
        # begin goes back to the broker when it ends.
        self.assertTrue(eventually(lambda: self.waiting_for_tasks() == 1, TIMEOUT))
        self.assertFalse(gone(old, timeout=0), "the old worker has a task in work")
        new = self.begin("meanwhile")
        self.assertNotEqual(new, old)
        self.finish("before")
        self.assertEqual(wire.events.next("watcher.celery.reap")["exit_code"], 0)
        self.assertEqual(wire.pids("celery"), [new])
        self.finish("meanwhile")
        self.served.order("quit")
        self.assertNotIn("SIGKILL", "\n".join(self.served.ended()))


if __name__ == "__main__":
    unittest.main()
