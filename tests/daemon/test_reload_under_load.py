"""Reloads of real web servers under load: good ones cost no request, broken ones nothing at all.

CVEC_CIRCUS_RELOADS says how many good and how many broken reloads each program sees, and
CVEC_CIRCUS_RATE how many requests a second there are meanwhile. With one of each, the programs are
small, and each is broken in another way.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import socket
import subprocess
import sys
import unittest
from collections import Counter
from pathlib import Path
from typing import Any

from tests.support.children import TIMEOUT, command
from tests.support.daemon import Daemon, DaemonCase
from tests.support.eventually import eventually
from tests.test_docs import DOCS

RELOADS = int(os.environ.get("CVEC_CIRCUS_RELOADS", "1"))
IS_LONG = RELOADS > 1
RATE = float(os.environ.get("CVEC_CIRCUS_RATE", "500" if IS_LONG else "100"))
PYTHON = shlex.quote(sys.executable)
EXAMPLES = DOCS / "examples" / "ready"

HOW = {
    "good": "",
    "syntax": "def broken(:",
    "exits": "time.sleep(0.5); raise RuntimeError('no database')",
    "hangs": "time.sleep(1000)",
    "sick": "ANSWER = ('500 Internal Server Error', f'sick {os.getpid()}'.encode())",
}
BROKEN = [how for how in HOW if how != "good"]

EXITED = "exited with [0-9]+ after [0-9.]+ s, before it was ready"
LATE = "was not ready within [0-9.]+ s"
CAUSES = {
    "syntax": EXITED,
    "exits": EXITED,
    "hangs": f"{LATE}: .*check serves: ",
    "sick": f"{LATE}: .*check health: HTTP 500 from http://127.0.0.1:",
}

APPLICATION = """
import http.server, os, signal, socket, threading, time

ANSWER = ("200 OK", b"done\\n")
{how}

def application(environ, start_response):
    start_response(ANSWER[0], [("Content-Length", str(len(ANSWER[1])))])
    return [ANSWER[1]]

async def asgi(scope, receive, send):
    status = int(ANSWER[0][:3])
    headers = [(b"content-length", b"%d" % len(ANSWER[1]))]
    await send({{"type": "http.response.start", "status": status, "headers": headers}})
    await send({{"type": "http.response.body", "body": ANSWER[1]}})

def notify(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.sendto(text, os.environ["NOTIFY_SOCKET"])

class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(ANSWER[0][:3]))
        self.end_headers()

    def log_message(self, *args):
        pass

try:
    health = http.server.HTTPServer(("127.0.0.1", int(os.environ["HEALTH"])), Health)
except OSError:
    pass  # another worker of this gunicorn answers
else:
    threading.Thread(target=health.serve_forever, daemon=True).start()
"""

PLAIN = """
import app, os, select, signal, socket, sys

listener = socket.socket(fileno=int(sys.argv[1]))
listener.setblocking(False)
end, ends = os.pipe()
signal.signal(signal.SIGTERM, lambda *_: os.write(ends, b"x"))
app.notify(b"READY=1")
while not select.select([listener, end], [], [])[0].count(end):
    try:
        client, _ = listener.accept()
    except OSError:
        continue  # another process was faster
    client.settimeout(5)
    with client:
        client.recv(65536)
        client.sendall(b"HTTP/1.1 %s\\r\\n\\r\\n%s" % (app.ANSWER[0].encode(), app.ANSWER[1]))
"""

GUNICORN = f"{PYTHON} -m gunicorn -b fd://$(circus.sockets.web)"

TEXT = """
[socket:web]
host = 127.0.0.1
port = 0

[watcher:web]
cmd = env HEALTH={port}$(circus.wid) {cmd}
working_dir = {{DIR}}
use_sockets = True
copy_env = True
numprocesses = {number}
warmup_delay = 0
graceful_timeout = 2
stdout_stream.filename = {{DIR}}/output
stderr_stream.filename = {{DIR}}/output
ready.serves = {check}
ready.health = http://127.0.0.1:{port}$(circus.wid)/health
ready_interval = 50ms

[env:web]
PYTHONDONTWRITEBYTECODE = 1
"""


def free_ports() -> int:
    """Return a number that makes a free port with each wid behind it: what four processes have left
    may take as many slots as they and their successors."""
    for number in range(110 + os.getpid() % 200, 320):
        try:
            for wid in range(1, 20):
                with socket.socket() as one:
                    one.bind(("127.0.0.1", int(f"{number}{wid}")))
        except OSError:
            continue
        return number
    raise AssertionError("no ports are free")


class Load:
    """Requests, all the time. Owned by the test."""

    def __init__(self, test: unittest.TestCase, port: int) -> None:
        """Start, and wait until the first one was answered."""
        argv = command("load", port, RATE)
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True)
        test.addCleanup(self._process.communicate)
        assert self._process.stdout is not None
        test.assertEqual(self._process.stdout.readline(), "ready\n")

    def so_far(self) -> tuple[int, Counter[str]]:
        """Return how many requests there have been, and how often each failure."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._told(self._process.stdout.readline())

    def end(self) -> tuple[int, Counter[str]]:
        """Ask no more, wait for the last answer, and return the same."""
        return self._told(self._process.communicate(timeout=60)[0])

    def _told(self, line: str) -> tuple[int, Counter[str]]:
        words = line.split(" ", 4)
        return int(words[1]), Counter(json.loads(words[4]))


class UnderLoad(DaemonCase):
    """A program under load. Owned by the test's thread."""

    def up(self, cmd: str, number: int = 1, check: str = "notify", more: str = "") -> Daemon:
        """Start a daemon and its program, wait until that is ready, and begin to ask it."""
        files = {"plain.py": PLAIN}
        text = TEXT.format(cmd=cmd, number=number, check=check, port=free_ports()) + more

        def prepare(folder: Path) -> None:
            for name, source in files.items():
                (folder / name).write_text(source)
            (folder / "app.py").write_text(APPLICATION.format(how=""))

        self.served = self.daemon(text, prepare=prepare)
        self.served.wire.events.next("ready")
        (listed,) = self.served.call("listsockets")["sockets"]
        self.load = Load(self, listed["port"])
        return self.served

    def code(self, how: str) -> None:
        """Put other code in place."""
        (self.served.folder / "app.py").write_text(APPLICATION.format(how=HOW[how]))

    def good(self) -> None:
        """Every process is replaced, whole, and it costs nothing."""
        old = self.served.wire.pids("web")
        self.code("good")
        self.served.order("reload", name="web")
        new = self.served.wire.pids("web")
        self.assertEqual((len(new), set(new) & set(old)), (len(old), set()))
        self.served.log.containing("web: reloaded (command:reload)")

    def broken(self, how: str) -> None:
        """The old processes go on, and the answer says why."""
        wire, old = self.served.wire, self.served.wire.pids("web")
        self.code(how)
        in_time = {"hangs": 1, "sick": 8 if IS_LONG else 3}.get(how, 20)  # a sick one is up by then
        wire.call("set", name="web", options={"ready_timeout": in_time})
        said = wire.refused("reload", name="web", waiting=True, timeout=TIMEOUT)
        wire.call("set", name="web", options={"ready_timeout": 20})
        self.assertRegex(said, CAUSES[how])
        self.assertRegex(
            said, "^reload of web: process [0-9]+ .*; the old process(es were| was) kept"
        )
        self.served.log.containing("web: rollout failed (command:reload): process ")
        self.assertTrue(eventually(lambda: wire.pids("web") == old, TIMEOUT), "new ones were left")
        ended = {one["process_pid"] for one in wire.events.of("reap")}
        self.assertEqual(ended & set(old), set())

    def rounds(self, first: str) -> None:
        """Go through good and broken reloads, and judge what has come of the requests."""
        for number in range(RELOADS):
            self.good()
            self.broken(BROKEN[(BROKEN.index(first) + number) % len(BROKEN)])
        self.judge()

    def judge(self) -> None:
        """No request may have failed but those that a sick process has accepted itself."""
        enough = RATE / 2  # on a fast machine the reloads are over before
        self.assertTrue(eventually(lambda: self.load.so_far()[0] > enough, TIMEOUT), "asks no more")
        asked, failed = self.load.end()
        own = {text: count for text, count in failed.items() if "'sick " in text}
        if IS_LONG:
            print(f"{self.id()}: asked {asked}, failed {sum(failed.values())}: {dict(failed)}")
        self.assertEqual({text: n for text, n in failed.items() if text not in own}, {}, asked)


@unittest.skipUnless(importlib.util.find_spec("gunicorn"), "gunicorn is not installed")
class TestGunicorn(UnderLoad):
    def test_a_master_of_many_workers(self) -> None:
        self.up(f"{GUNICORN} -w {8 if IS_LONG else 2} --preload app")
        self.rounds("hangs")

    def test_masters(self) -> None:
        conf, number = EXAMPLES / "gunicorn.conf.py", 4 if IS_LONG else 1
        self.up(f"{GUNICORN} -w 1 -c {conf} app", number=number, check="log:serves")
        self.rounds("syntax")


@unittest.skipUnless(importlib.util.find_spec("uvicorn"), "uvicorn is not installed")
class TestUvicorn(UnderLoad):
    def test_some_of_them(self) -> None:
        cmd = f"{PYTHON} {EXAMPLES}/uvicorn_server.py $(circus.sockets.web) app:asgi"
        self.up(cmd, number=2 if IS_LONG else 1, check="log:Uvicorn running")
        self.rounds("exits")


class TestPlain(UnderLoad):
    """A program that knows nothing but sockets."""

    CMD = f"{PYTHON} plain.py $(circus.sockets.web)"
    DIES = (
        f"{PYTHON} -c 'import sys, time; time.sleep(0.2); sys.exit(\"no $(circus.sockets.web)\")'"
    )

    def test_reloads(self) -> None:
        self.up(self.CMD, number=2)
        self.rounds("sick")

    def test_other_orders(self) -> None:
        self.up(self.CMD)
        self.set()
        self.reloadconfig()
        self.max_age()
        self.judge()

    def set(self) -> None:
        served = self.served
        cmd = served.call("get", name="web", keys=["cmd"])["options"]["cmd"]
        for number in range(RELOADS):
            self.replaced("set", name="web", options={"cmd": f"{cmd} {number}"})
            options = {"cmd": self.DIES}
            self.kept("set of web: process .* exited with 1 .*", "set", name="web", options=options)
            now = served.call("get", name="web", keys=["cmd"])["options"]["cmd"]
            self.assertEqual(now, f"{cmd} {number}")

    def reloadconfig(self) -> None:
        served = self.served
        text = served.config.read_text()
        for number in range(RELOADS):
            good = text.replace("plain.py", f"plain.py{' ' * (1 + number)}")
            served.config.write_text(good)
            self.replaced("reloadconfig")
            served.config.write_text(text.replace(self.CMD, self.DIES))
            said = "web: process .* exited with 1 .*; the options of before are back"
            for _ in range(2):  # what has failed counts as not applied, and is tried again
                self.kept(said)
        served.config.write_text(good)
        self.served.order("reloadconfig")

    def max_age(self) -> None:
        served = self.served
        events = served.wire.events
        for _ in range(RELOADS):
            self.code("good")
            (first,) = served.wire.pids("web")
            served.call("set", name="web", options={"max_age": 0.3, "max_age_variance": 0})
            events.next("reap", process_pid=first, cause="max_age")
            self.code("exits")
            said = events.next("rollback")
            self.assertRegex(said["reason"], "exited with 1 .*; the old process was kept")
            self.assertEqual(served.wire.pids("web"), said["kept"])
            served.call("set", name="web", options={"max_age": 0})

    def replaced(self, order: str, **properties: Any) -> None:
        """An order that has to replace the process."""
        old = self.served.wire.pids("web")
        self.served.order(order, **properties)
        self.assertEqual(set(self.served.wire.pids("web")) & set(old), set())

    def kept(self, said: str, order: str = "reloadconfig", **properties: Any) -> None:
        """An order that has to be refused, and to leave the process alone."""
        old = self.served.wire.pids("web")
        refused = self.served.wire.refused(order, waiting=True, timeout=TIMEOUT, **properties)
        self.assertRegex(refused, said)
        self.assertTrue(eventually(lambda: self.served.wire.pids("web") == old))


class TestOwnPort(DaemonCase):
    """A program that binds a port of its own cannot run twice."""

    def test_the_answer_the_event_and_the_log_say_so(self) -> None:
        port = int(f"{free_ports()}1")
        # An interpreter that loads next to nothing: it has to end long before it counts as up.
        serving = f"import signal, socket; it = socket.create_server(('127.0.0.1', {port})); "
        cmd = f'{PYTHON} -I -S -c "{serving}signal.pause()"'
        served = self.daemon(f"[watcher:web]\ncmd = {cmd}\nmin_uptime = 1\n")
        served.wire.events.next("ready")
        (old,) = served.wire.pids("web")
        said = served.ctl("reload", "web", "--waiting")
        gap = "web: was down for a moment: the old process was stopped first"
        self.assertEqual((said.stdout, said.stderr), ("ok\n", f"{gap}\n"))
        (new,) = served.wire.pids("web")
        self.assertNotEqual(old, new)
        self.assertTrue(served.wire.events.next("reload")["gap"])
        options = {"cmd": cmd.replace("-I -S", "-S -I"), "rollout": "recreate", "min_uptime": 0}
        self.assertEqual(served.order("set", name="web", options=options)["gap"], ["web"])
        more = "rollout = recreate\nmin_uptime = 0\n"
        text = served.config.read_text().replace("-I -S", "-S -I")
        served.config.write_text(text.replace("min_uptime = 1\n", more))
        self.assertNotIn("gap", served.order("reloadconfig"))  # it runs like that already
        self.assertEqual(served.order("reload", name="web")["gap"], ["web"])
        served.order("quit")
        self.assertIn(
            "reloaded, with a gap: the old process was stopped", "\n".join(served.ended())
        )


if __name__ == "__main__":
    unittest.main()
