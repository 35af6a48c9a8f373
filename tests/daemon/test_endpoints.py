"""Who can reach the daemon."""

from __future__ import annotations

import os
import pwd
import subprocess
import unittest

from tests.support.daemon import DaemonCase, script
from tests.support.wire import Wire

NOBODY = "nobody"


class TestRemote(DaemonCase):
    """Endpoints that other machines can reach."""

    def test_it_is_refused(self) -> None:
        daemon = self.daemon()
        config = daemon.folder / "remote.ini"
        config.write_text("[circus]\nendpoint = tcp://0.0.0.0:*\n[watcher:a]\ncmd = sleep 1\n")
        done = subprocess.run(
            script("cvec_circusd", config), capture_output=True, text=True, timeout=60, check=False
        )
        (line,) = done.stderr.splitlines()
        self.assertEqual(done.returncode, 1)
        self.assertIn(":2: [circus] endpoint: tcp://0.0.0.0:*: refused, because any client", line)

    def test_unless_it_is_meant(self) -> None:
        for lines, words in (("allow_remote = True", ()), ("", ("--allow-remote",))):
            text = f"[circus]\nendpoint = tcp://0.0.0.0:*\n{lines}\n"
            daemon = self.daemon(
                "",
                *words,
                up=False,
                prepare=lambda folder, text=text: (folder / "circus.ini").write_text(
                    f"{text}pubsub_endpoint = ipc://{folder}/events\n[watcher:a]\ncmd = sleep 9\n"
                ),
            )
            daemon.log.containing("any client that can connect can run programs here")
            daemon.log.containing(" is up: ")


class TestOwner(DaemonCase):
    """endpoint_mode and endpoint_owner."""

    def test_the_files_are_for_the_daemon_alone(self) -> None:
        daemon = self.daemon()
        for name in ("control", "events"):
            self.assertEqual((daemon.folder / name).stat().st_mode & 0o777, 0o600, name)

    def test_another_mode(self) -> None:
        daemon = self.daemon(circus="endpoint_mode = 660\n")
        self.assertEqual((daemon.folder / "control").stat().st_mode & 0o777, 0o660)

    @unittest.skipIf(os.getuid(), "only root may give something away")
    def test_what_the_owner_may_not(self) -> None:
        daemon = self.daemon("[watcher:a]\ncmd = sleep 9\n", circus=f"endpoint_owner = {NOBODY}\n")
        uid = pwd.getpwnam(NOBODY).pw_uid
        self.assertEqual((daemon.folder / "control").stat().st_uid, uid)
        self.refused(daemon.wire, "add", name="b", cmd="sleep 9")
        self.refused(daemon.wire, "add", name="b", cmd="sleep 9", options={"uid": "root"})
        self.refused(daemon.wire, "set", name="a", options={"cmd": "id"})
        daemon.wire.refused("reloadconfig", path=str(daemon.config))
        daemon.wire.refused(
            "add", name="c", cmd="id", options={"uid": NOBODY, "stdout_stream.filename": "/x"}
        )
        self.assertFalse(daemon.call("reloadconfig")["plan"]["changes"])
        daemon.call("add", name="b", cmd="sleep 9", options={"uid": NOBODY})
        daemon.call("set", name="a", options={"numprocesses": 2})
        daemon.call("stop", name="a")

    def refused(self, wire: Wire, command: str, **properties: object) -> None:
        self.assertEqual(wire.refused(command, **properties), "uid does not match endpoint_owner")


if __name__ == "__main__":
    unittest.main()
