"""The documentation's gunicorn behind nginx, with a socket at a path."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import sys
import unittest
from pathlib import Path

from tests.daemon.test_gunicorn import write_application
from tests.support.children import TIMEOUT
from tests.support.daemon import Daemon, DaemonCase
from tests.support.eventually import eventually

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "ready" / "nginx"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")

HAS_BOTH = bool(NGINX and importlib.util.find_spec("gunicorn"))


@unittest.skipUnless(HAS_BOTH, "nginx or gunicorn is not installed")
class TestNginx(DaemonCase):
    def served(self, text: str) -> Daemon:
        """Run what the page shows, with everything in the folder of the test."""
        text = text.replace("/run/myproject", "{DIR}").replace("/etc/myproject", "{DIR}")
        text = text.replace("owner = www-data\n", "")
        text = text.replace("cmd = gunicorn", f"cmd = {sys.executable} -m gunicorn")
        text = text.replace("cmd = nginx", f"cmd = {NGINX}")
        web = "[watcher:web]\n"
        self.assertIn(web, text)
        daemon = self.daemon(text.replace(web, f"{web}working_dir = {{DIR}}\n"), prepare=configure)
        self.path = daemon.folder / "front"
        daemon.wire.call("wait", name=["web", "nginx"])
        self.assertTrue(eventually(lambda: self.asked() != "", TIMEOUT))
        return daemon

    def asked(self) -> str:
        """Ask nginx for a page, and return the status of the answer."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(TIMEOUT)
            try:
                client.connect(str(self.path))
            except OSError:
                return ""
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return client.recv(64).decode().split(" ")[1]

    def test_it_goes_on_whatever_becomes_of_gunicorn(self) -> None:
        daemon = self.served((EXAMPLE / "web.ini").read_text())
        self.assertEqual(self.asked(), "200")
        for order in ("reload", "restart"):
            daemon.wire.order(order, name="web")
            self.assertEqual(self.asked(), "200", order)
        [pid] = daemon.wire.pids("web")
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(self.asked(), "200")
        self.assertTrue(eventually(lambda: pid not in daemon.wire.pids("web"), TIMEOUT))
        self.assertEqual(self.asked(), "200")
        daemon.signal(signal.SIGTERM)
        self.assertNotIn("was deleted", "\n".join(daemon.log.rest()))

    def test_without_listen_fds_the_path_is_made_again(self) -> None:
        text = (EXAMPLE / "web.ini").read_text()
        self.assertIn("listen_fds = True\n", text)
        daemon = self.served(text.replace("listen_fds = True\n", ""))
        self.assertEqual(self.asked(), "200")
        daemon.wire.order("restart", name="web")
        daemon.log.containing("web.sock was deleted, and was made again")
        self.assertTrue(eventually(lambda: self.asked() == "200", TIMEOUT))


def configure(folder: Path) -> None:
    """Write the application, and the configuration of an nginx that needs no other folder."""
    write_application(folder)
    text = (EXAMPLE / "nginx.conf").read_text()
    text = text.replace("user www-data;", f"user {pwd.getpwuid(os.geteuid()).pw_name};")
    text = text.replace("/run/myproject", str(folder))
    text = text.replace("listen 127.0.0.1:8080;", f"listen unix:{folder}/front;")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    own = "".join(f"    {kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    (folder / "nginx.conf").write_text(text.replace("http {\n", f"http {{\n{own}"))


if __name__ == "__main__":
    unittest.main()
