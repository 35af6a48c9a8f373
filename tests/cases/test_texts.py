"""Texts that once left people at a loss, produced by what produced them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import unittest
from pathlib import Path

from cvec_circus.client import Client
from tests.cases.case import PATIENCE, Case, as_root, long, sh
from tests.daemon.test_limits import by_tcp
from tests.support.daemon import Daemon, folder, script
from tests.support.eventually import eventually
from tests.support.filesystems import FileSystem
from tests.support.webserver import WebServer

RELOAD = ("reload", "web", "--waiting", "--timeout", "60")
SLEEPS = "[watcher:web]\ncmd = sleep 7772\n"
DIES = "[watcher:web]\ncmd = sleep abc\nbackoff_max = 0.01\n"
HUNGRY = f"{sys.executable} -c 'import time; a = bytearray(60_000_000); time.sleep(1000)'"


class TestTexts(Case):
    def asked(self, daemon: Daemon, *words: str) -> str:
        """Give an order that is refused, and return what is said."""
        done = daemon.ctl(*words)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        return done.stderr

    def check(self, text: str) -> str:
        """Check a file that has a problem or a warning, and return what is said."""
        path = folder(self) / "c.ini"
        path.write_text(text)
        words = script("cvec_circusd", "--check", path)
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout

    @as_root
    def test_a_port_of_root(self) -> None:
        """An endpoint on tcp of a daemon of root's -> who can do what by it, and what to set."""
        daemon = self.daemon(SLEEPS, prepare=by_tcp, up=False)
        said = daemon.log.containing("any local user can run programs as root")
        self.assertIn("set endpoint", re.sub("[`]", "", said))

    def test_a_reload_that_a_plugin_has_ended(self) -> None:
        """`reload --waiting`, stopped by Flapping -> abandoned, by whom and why."""
        slow = "ready.never = log:never\nready_timeout = 60\n"
        daemon = self.daemon(f"{SLEEPS}{slow}log_history = 4k\n")
        daemon.wire.events.wait("start", 1)
        said: list[str] = []
        waiting = threading.Thread(target=lambda: said.append(self.asked(daemon, *RELOAD)))
        waiting.start()
        daemon.wire.events.wait("spawn", 2)
        with Client(daemon.endpoint, name="plugin:flapping") as client:
            client.call("stop", name="web", reason="2 deaths in 5 s")
        waiting.join(PATIENCE)
        told = "reload of web abandoned: plugin:flapping stopped it (2 deaths in 5 s)"
        self.assertIn(told, "".join(said))

    def test_one_that_dies_again_and_again(self) -> None:
        """Eleven early deaths -> the slot, how often, within what time."""
        daemon = self.daemon(DIES)
        daemon.wire.events.wait("watcher.web.reap", 11)
        said = r"^slot 1 has died \d\d times in a row, each within 1 s: process \d+ exited with 1; "
        self.assertTrue(eventually(lambda: re.search(said, daemon.wire.status("web")[1])))

    def test_one_that_is_too_large(self) -> None:
        """ResourceWatcher restarts a process -> its pid, what it used, the limit, how often."""
        plugin = "[plugin:limits]\nuse = resource_watcher\nwatcher = web\nloop_rate = 0.2\n"
        text = f"[watcher:web]\ncmd = {HUNGRY}\n{plugin}max_mem = 20M\n"
        daemon = self.daemon(text)
        said = daemon.log.containing(": restarted: ", PATIENCE)
        self.assertRegex(
            said, r"restarted: pid \d+ used [\d.]+ MB, limit 20 MB, \d checks in a row"
        )

    def test_names_that_are_misspelt(self) -> None:
        """A watcher, a switch, an option, no option -> what is meant, or what can be had."""
        daemon = self.daemon(SLEEPS)
        self.assertIn("no watcher wbe; did you mean web?", self.asked(daemon, "stop", "wbe"))
        said = self.asked(daemon, "status", "--waiting")
        self.assertIn("status has no --waiting", said)
        said = self.asked(daemon, "set", "web", "numprocesses")
        self.assertIn("give OPTION VALUE pairs", said)
        self.assertIn("`cvec_circusctl options web` lists them", said)
        said = self.asked(daemon, "set", "web", "graceful_timeout", "30q")
        self.assertIn("'30q' is not a time: write 30, 30s, 5m or 1h", said)

    def test_files_that_are_none(self) -> None:
        """`command = sleep`, a line before the first section -> what is meant, and where."""
        said = self.check("[watcher:web]\ncommand = sleep 1\n")
        self.assertIn("unknown option; did you mean cmd? (kept for hooks and plugins)", said)
        self.assertIn("not an INI file: line 1 is outside any [section]", self.check("hello\n"))

    def test_ends(self) -> None:
        """A process is killed; an output cannot be opened -> the watcher, the signal, the cause."""
        log = "[watcher:log]\ncmd = sleep 7773\nstdout_stream.filename = /dev/null/x.log\n"
        daemon = self.daemon(f"{SLEEPS}{log}")
        said = daemon.log.containing("cannot open")
        self.assertIn(
            "log: cannot open /dev/null/x.log: Not a directory; its output is lost until", said
        )
        (pid,) = self.running(daemon, "sleep 7772")
        os.kill(pid, signal.SIGKILL)
        daemon.log.containing(f"web: process {pid} was killed by SIGKILL")

    @long
    def test_a_file_system_that_hangs(self) -> None:
        """A log on a file system that is frozen when the daemon stops -> which threads and what of
        whose output is given up."""
        log = "stdout_stream.filename = {DIR}/mounted/log\n"
        text = f"[watcher:web]\ncmd = {sh('while :; do echo line; sleep 0.01; done')}\n{log}"
        disks: list[FileSystem] = []
        daemon = self.daemon(text, prepare=lambda at: disks.append(FileSystem(self, at)))
        path = daemon.folder / "mounted/log"
        self.assertTrue(eventually(lambda: path.exists() and path.stat().st_size > 100))
        disks[0].freeze()
        daemon.signal(signal.SIGTERM)
        said = daemon.log.containing("abandoned, still blocked: ")
        self.assertRegex(said, r"pump threads? abandoned, still blocked: \S+ \(.*web")
        disks[0].thaw()

    def test_a_web_server_that_is_back(self) -> None:
        """Webhook, whose server fails and then does not -> deliveries are succeeding again."""
        server = WebServer()
        self.addCleanup(server.close)
        server.answers.extend([503] * 4)
        hook = f"[plugin:hook]\nuse = webhook\nurl = {server.url}\nretry_delay = 0.01\n"
        daemon = self.daemon(f"{SLEEPS}{hook}")
        daemon.log.containing("503")
        daemon.call("restart", name="web")
        daemon.log.containing("deliveries are succeeding again")

    def test_a_port_that_is_taken(self) -> None:
        """Another daemon has the endpoint -> its pid and name, and what to set."""
        first = self.daemon(SLEEPS, prepare=by_tcp, up=False)
        said = first.log.containing(" is up: ")
        events = re.findall(r"tcp://[^,\s]+", said)[1]

        def same(at: Path) -> None:
            path = at / "circus.ini"
            path.write_text(
                re.sub("pubsub_endpoint = .*", f"pubsub_endpoint = {events}", path.read_text())
            )

        second = self.daemon(SLEEPS, prepare=same, up=False)
        said = second.log.containing("Address already in use")
        self.assertRegex(said, rf"pid {first.pid} \(.*\) listens there; set pubsub_endpoint")

    def test_a_pid_file_that_is_none(self) -> None:
        """`pidfile` names a file with other content -> it is said, and overwritten."""
        daemon = self.daemon(
            SLEEPS,
            circus="pidfile = {DIR}/pid",
            prepare=lambda at: (at / "pid").write_text("hello\n"),
        )
        said = [line for line in daemon.log.seen if "contains no pid; overwriting it" in line]
        self.assertEqual(len(said), 1)

    def test_output_that_ends_with_a_program(self) -> None:
        """Output of a program without a stream in the foreground -> the name of its watcher before
        each line."""
        talks = sh("echo hello; exec sleep 7772")
        stream = "stdout_stream.class = StdoutStream\n"
        daemon = self.daemon(f"[watcher:web]\ncmd = {talks}\n{stream}", "--prefix")
        self.assertEqual(daemon.out.containing("hello"), "web | hello")


if __name__ == "__main__":
    unittest.main()
