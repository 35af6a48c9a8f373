"""The daemon is killed, its files are deleted, and what has no parent needs one."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import stat
import subprocess
import sys
import unittest
from pathlib import Path

from tests.cases.case import Case, as_root, sh
from tests.faults.container import Container, refusal
from tests.support.children import TIMEOUT
from tests.support.daemon import Daemon, alive, child, gone
from tests.support.eventually import eventually

SERVE = f"[watcher:web]\ncmd = {child('serve', '$(circus.sockets.web)')}\nuse_sockets = True\n"
TALKS = sh("while :; do echo line; sleep 0.05; done")

FORKS = """
import os, sys, warnings
warnings.simplefilter("ignore")  # newer Pythons warn of a fork beside threads
from cvec_circus.client import CircusClient
client = CircusClient(endpoint=sys.argv[1], timeout=5)
client.call({"command": "list"})
child = os.fork()
if child:
    os.waitpid(child, 0)
    print("parent", client.call({"command": "list"})["watchers"])
else:
    try:
        client.call({"command": "list"})
    except Exception as error:
        print(f"{type(error).__name__}: {error}", flush=True)
    os._exit(0)
"""


class TestSurvival(Case):
    @unittest.skipIf(refusal(), refusal())
    def test_orphans_of_process_1(self) -> None:
        """Process 1 of a pid namespace, a child that leaves a daemon behind every 0.1 s -> its
        zombies are collected."""
        orphans = sh('while :; do (setsid sh -c "sleep .1" &); sleep 0.1; done')
        text = f"[watcher:w]\ncmd = {orphans}\nstrays = ignore\ncopy_env = True\n"
        daemon = Container(self, text)
        daemon.wire.events.next("start")
        eventually(lambda: False, 2)
        self.assertTrue(daemon.wait_for_zombies(0, 2))
        daemon.signal(signal.SIGTERM)
        daemon.ended()

    def test_kill_9_of_the_daemon(self) -> None:
        """`kill -9`: programs with a stream, with a port, with a path, with nothing -> all go on,
        and the next daemon takes them over; there are no two copies."""
        sockets = "[socket:web]\nhost = 127.0.0.1\nport = 0\n[socket:run]\npath = {DIR}/run.sock\n"
        run = SERVE.replace(":web", ":run").replace("sockets.web", "sockets.run")
        talks = f"[watcher:talks]\ncmd = {TALKS}\nstdout_stream.filename = {{DIR}}/x\n"
        plain = "[watcher:plain]\ncmd = sleep 7772\nnumprocesses = 3\n"
        daemon = self.daemon(f"{sockets}{SERVE}{run}{talks}{plain}", circus="state_dir = {DIR}/s")
        names = ("web", "run", "talks", "plain")
        daemon.wire.events.wait("start", 4)
        before = {name: daemon.wire.pids(name) for name in names}
        log = daemon.folder / "x"
        self.assertTrue(eventually(lambda: log.exists() and log.stat().st_size > 20))
        daemon.kill()
        eventually(lambda: False, 0.3)
        pids = [pid for found in before.values() for pid in found]
        self.assertEqual([pid for pid in pids if not alive(pid)], [])
        daemon.again()
        self.assertEqual({name: daemon.wire.pids(name) for name in names}, before)
        size = log.stat().st_size
        self.assertTrue(eventually(lambda: log.stat().st_size > size + 20))
        self.running(daemon, "sleep 7772", 0)  # with the mark of the new daemon
        self.assertEqual(len(before["plain"]), 3)
        for name, found in before.items():
            daemon.order("stop", name=name)
            self.assertTrue(gone(*found), name)

    def test_a_port_that_another_program_holds(self) -> None:
        """`port = N` of a stranger -> the daemon names it."""
        with socket.socket() as stranger:
            stranger.bind(("127.0.0.1", 0))
            stranger.listen()
            port = stranger.getsockname()[1]
            text = f"[socket:web]\nhost = 127.0.0.1\nport = {port}\n{SERVE}"
            daemon = self.daemon(text, up=False)
            self.assertIn(f"pid {os.getpid()}", daemon.log.containing("Address already in use"))

    def test_paths_of_sockets_are_deleted(self) -> None:
        """`rm` of a managed socket's path and of the endpoints -> they are made again, with the
        same listeners behind them."""
        other = "[watcher:other]\ncmd = sleep 7772\n"
        daemon = self.daemon(f"[socket:web]\npath = {{DIR}}/web.sock\n{SERVE}{other}")
        daemon.wire.events.wait("start", 2)
        paths = [daemon.folder / name for name in ("web.sock", "control", "events")]
        inodes = [os.stat(path).st_ino for path in paths]
        for path in paths:
            path.unlink()
        daemon.call("restart", name="other")
        self.assertTrue(eventually(lambda: all(path.exists() for path in paths), TIMEOUT))
        self.assertEqual([os.stat(path).st_ino for path in paths], inodes)
        self.assertEqual(daemon.ctl("status", "web").stdout, "active\n")

    @unittest.skipUnless(importlib.util.find_spec("gunicorn"), "gunicorn is not installed")
    def test_gunicorn_deletes_the_path_that_it_was_given(self) -> None:
        """gunicorn with `fd://` deletes the path of its socket at its end -> the next one is
        reached by it."""
        text = "[socket:web]\npath = {DIR}/web.sock\n[watcher:web]\nworking_dir = {DIR}\n"
        text += f"cmd = {sys.executable} -m gunicorn -b fd://$(circus.sockets.web) app\n"
        text += "use_sockets = True\ncopy_env = True\nstderr_stream.filename = {DIR}/err\n"

        def write(folder: Path) -> None:
            said = 'start("200 OK", [("Content-Length", "2")])'
            (folder / "app.py").write_text(
                f"def application(environ, start):\n    {said}\n    return [b'ok']\n"
            )

        daemon = self.daemon(text, prepare=write)
        self.assertTrue(eventually(lambda: self.asked(daemon), TIMEOUT))
        daemon.order("restart", name="web")
        self.assertTrue(eventually(lambda: self.asked(daemon), TIMEOUT))

    def asked(self, daemon: Daemon) -> bool:
        """Ask what serves the path for a page."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(TIMEOUT)
            try:
                client.connect(str(daemon.folder / "web.sock"))
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return b" 200 OK" in client.recv(64)
            except OSError:
                return False

    @as_root
    def test_another_user_opens_its_output_by_name(self) -> None:
        """`uid = nobody` and `echo x > /dev/stdout` -> allowed."""
        cmd = sh("echo opened > /dev/stdout; exec sleep 7772")
        text = f"[watcher:w]\ncmd = {cmd}\nuid = nobody\ngid = 65534\n"
        daemon = self.daemon(f"{text}stdout_stream.filename = {{DIR}}/x\n")
        log = daemon.folder / "x"
        self.assertTrue(eventually(lambda: log.exists() and "opened\n" in log.read_text()))

    @as_root
    def test_another_user_opens_the_output_of_the_daemon_by_name(self) -> None:
        """The same without a stream, where the daemon's output is a pipe -> allowed."""
        cmd = sh("echo too > /dev/stderr; echo opened > /dev/stdout; exec sleep 7772")
        daemon = self.daemon(f"[watcher:w]\ncmd = {cmd}\nuid = nobody\ngid = 65534\n")
        daemon.out.containing("opened")
        daemon.signal(signal.SIGTERM)
        self.assertIn("too", daemon.log.rest())

    @as_root
    def test_a_named_pipe_keeps_its_mode(self) -> None:
        """`cvec_circusd > fifo` -> the file at that path stays as it is."""
        daemon = self.daemon(wrapper=["sh", "-c", 'mkfifo -m 600 fifo; exec "$0" "$@" 1<> fifo'])
        self.assertEqual(stat.S_IMODE((daemon.folder / "fifo").stat().st_mode), 0o600)

    def test_a_client_in_a_forked_child(self) -> None:
        """A client that has been used, and `os.fork()` -> an error that says so in the child, at
        once; the parent's goes on."""
        daemon = self.daemon("[watcher:w]\ncmd = sleep 7772\n")
        with self.within(5):
            done = subprocess.run(
                [sys.executable, "-c", FORKS, daemon.endpoint],
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
            )
        forked, parent = done.stdout.splitlines()
        self.assertRegex(forked, "^ForkedError: this client belongs to process .* after the fork")
        self.assertEqual(parent, "parent ['w']")


if __name__ == "__main__":
    unittest.main()
