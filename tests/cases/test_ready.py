"""Programs that are broken: what a reload, `status` and a mail say of them."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import unittest
from pathlib import Path

from tests.cases.case import PATIENCE, Case
from tests.support.daemon import BIN, Daemon
from tests.support.eventually import eventually

HAS_SERVER = importlib.util.find_spec("aiosmtpd") is not None
if HAS_SERVER:
    from tests.support.mailserver import MailServer

TUTORIAL = BIN.parent / "docs" / "examples" / "tutorial"
SOCKET = "[socket:web]\nhost = 127.0.0.1\nport = 0\n"
SERVED = "use_sockets = True\ncopy_env = True\nworking_dir = {DIR}\nnumprocesses = 2\n"
CRASHES = "[watcher:web]\ncmd = sh -c 'echo no database; exit 3'\nbackoff = False\n"


def tutorial(folder: Path) -> None:
    shutil.copy(TUTORIAL / "web.py", folder)


def application(folder: Path) -> None:
    (folder / "app.py").write_text("def application(environ, start):\n    return []\n")


class TestReady(Case):
    def kept(self, daemon: Daemon, program: str) -> str:
        """Break the program, reload it, and see that what ran before still does."""
        daemon.wire.call("wait", name="web", timeout=PATIENCE)
        before = daemon.wire.pids("web")
        (daemon.folder / program).write_text("def broken(:\n")
        done = daemon.ctl("reload", "web", "--waiting")
        self.assertNotEqual(done.returncode, 0)
        self.assertTrue(eventually(lambda: daemon.wire.pids("web") == before, PATIENCE))
        self.assertEqual(daemon.ctl("is-active", "web").returncode, 0)
        return done.stderr

    def test_a_reload_of_a_program_with_a_slip(self) -> None:
        """A syntax error in web.py, `reload web --waiting` -> an error that names the process and
        its last line, and the old processes go on."""
        text = f"{SOCKET}[watcher:web]\ncmd = {sys.executable} web.py $(circus.sockets.web)\n"
        said = self.kept(
            self.daemon(f"{text}{SERVED}log_history = 4k\n", prepare=tutorial), "web.py"
        )
        self.assertRegex(said, r"process \d+ exited with 1 after .* s, before it was ready")
        self.assertIn("SyntaxError", said)
        self.assertIn("the old processes were kept", said)

    @unittest.skipUnless(importlib.util.find_spec("gunicorn"), "gunicorn is not installed")
    def test_a_reload_of_gunicorn_with_a_slip_in_its_application(self) -> None:
        """The same with two masters of gunicorn -> both stay."""
        words = f"{sys.executable} -m gunicorn --log-level error -b fd://$(circus.sockets.web) app"
        ready = "log_history = 4k\nready_timeout = 20\nmin_uptime = 5\n"
        text = f"{SOCKET}[watcher:web]\ncmd = {words}\n{SERVED}{ready}"
        said = self.kept(self.daemon(text, prepare=application), "app.py")
        self.assertIn("the old processes were kept", said)

    def test_a_program_that_ends_at_once(self) -> None:
        """`cmd = sleep abc` -> never shown as up, and no UPTIME: a table shows backoff with the
        reason, `is-active` exits with 1."""
        daemon = self.daemon("[watcher:w]\ncmd = sleep abc\n")
        daemon.wire.events.wait("watcher.w.reap", 3)
        row = self.table(daemon, "w")
        self.assertEqual(row["STATE"], "backoff")
        self.assertIn("slot 1", row["REASON"])
        self.assertEqual(daemon.ctl("is-active", "w").returncode, 1)
        self.assertEqual(daemon.ctl("status", "w", "--phase").stdout, "backoff\n")

    @unittest.skipUnless(HAS_SERVER, "aiosmtpd is not installed")
    def test_flapping_gives_up(self) -> None:
        """Flapping gives up -> `status` says stopped by whom and why, and a mail does."""
        server = MailServer()
        self.addCleanup(server.close)
        mail = "[plugin:mail]\nuse = mail\nto = a@b.c\nsender = d@b.c\n"
        mail += f"host = localhost\nport = {server.port}\n"
        flapping = "[plugin:flapping]\nuse = flapping\nattempts = 2\nwindow = 9\nmax_retry = 0\n"
        daemon = self.daemon(f"{CRASHES}{mail}{flapping}")
        daemon.wire.events.next("watcher.web.stop", timeout=PATIENCE)
        row = self.table(daemon, "web")
        self.assertRegex(row["REASON"], r"plugin:flapping: 2 deaths in .*start it with")
        said = "web is down for good: 2 deaths in"  # perhaps not in the first mail
        self.assertTrue(eventually(lambda: said in "".join(map(str, server.messages())), PATIENCE))


if __name__ == "__main__":
    unittest.main()
