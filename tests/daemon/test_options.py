"""The options of the daemon itself: what each of them comes to in a real one."""

from __future__ import annotations

import json
import signal
import stat
import unittest
from pathlib import Path

from tests.support.daemon import Daemon, DaemonCase, child

TEXT = "[watcher:a]\ncmd = sh -c 'umask; : > made'\nrespawn = False\n"
SLEEP = "[watcher:a]\ncmd = sleep 1000\n"


def name(daemon: Daemon) -> str:
    """What ps calls it."""
    return Path(f"/proc/{daemon.pid}/comm").read_text().rstrip("\n")


class TestOptions(DaemonCase):
    """Each in a daemon of its own."""

    def test_umask(self) -> None:
        daemon = self.daemon(TEXT, circus="umask = 027\nlogoutput = log", up=False)
        self.assertEqual(int(daemon.out.next() or "", 8), 0o27)
        daemon.connect()
        daemon.wire.events.next("reap")
        for file in ("log", "made"):
            mode = stat.S_IMODE((daemon.folder / file).stat().st_mode)
            self.assertEqual(mode, 0o640, file)

    def test_proc_name(self) -> None:
        self.assertEqual(name(self.daemon()), "cvec_circusd")
        named = self.daemon(SLEEP, circus="proc_name = a longer name than that")
        self.assertEqual(name(named), "a longer name t")
        named.wire.events.next("start")
        (pid,) = named.wire.pids("a")
        self.assertEqual(Path(f"/proc/{pid}/comm").read_text(), "sleep\n")

    def test_debug(self) -> None:
        daemon = self.daemon(SLEEP, circus="debug = True\nloglevel = error")
        self.assertIn("[DEBUG] a: added (config)", "\n".join(daemon.log.seen))
        daemon = self.daemon(SLEEP, "--log-level", "info", circus="debug = True")
        daemon.wire.events.next("start")
        daemon.signal(signal.SIGTERM)
        self.assertNotIn("[DEBUG]", "\n".join(daemon.ended()))

    def test_debug_gc(self) -> None:
        daemon = self.daemon(SLEEP, circus="debug = True\ndebug_gc = True")
        for _ in range(20):
            daemon.call("options", name="a")
        daemon.log.containing("] garbage: generation 0: ")
        daemon.signal(signal.SIGTERM)
        daemon.ended()

    def test_httpd_and_others_warn_and_do_nothing(self) -> None:
        daemon = self.daemon(
            SLEEP,
            circus="httpd = True\nhttpd_host = 0.0.0.0\nhttpd_port = 80\nhttpd_close_outputs = 1\n"
            "statsd_close_outputs = yes\nmulticast_endpoint = udp://237.219.251.97:12027\n",
        )
        daemon.wire.events.next("start")
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        warnings = [text for level, text in daemon.told() if level == "WARNING"]
        self.assertEqual(len(warnings), 2, warnings)
        self.assertIn("[circus] httpd: there is no web console here", warnings[0])
        self.assertIn("[circus] multicast_endpoint: ", warnings[1])

    def test_relative_to_where_it_was_started(self) -> None:
        daemon = self.daemon(
            f"[watcher:a]\ncmd = {child('tell')}\nrespawn = False\n", "--pidfile", "p"
        )
        self.assertEqual(json.loads(daemon.out.next() or "")["cwd"], str(daemon.folder.resolve()))
        self.assertTrue((daemon.folder / "p").exists())


if __name__ == "__main__":
    unittest.main()
