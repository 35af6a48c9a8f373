"""The daemon becomes another version of itself, and nothing that it runs notices."""

from __future__ import annotations

import json
import os
import signal
import socket
import unittest
from pathlib import Path
from typing import Any

from cvec_circus.wire import zmtp
from tests.control.raw import RawClient
from tests.daemon.test_survival import COUNTER, ENDS, starts
from tests.daemon.test_survival_sockets import answer, ask
from tests.support import installations
from tests.support.daemon import Daemon, alive
from tests.support.eventually import eventually
from tests.support.schemas import Schemas
from tests.support.upgrades import WEB, Asking, Follower, UpgradeCase
from tests.test_docs import DOCS, module_of

STUBBORN = """
[watcher:stubborn]
cmd = sh -c "trap '' TERM; echo it is set; exec sleep 100"
graceful_timeout = 60
ready.it = log:it is set
"""


class TestUpgrade(UpgradeCase):
    """Everything goes on."""

    def test_processes_output_events_and_plugins(self) -> None:
        plugins = "".join(
            f"[plugin:log{n}]\nuse = logger\nfilename = {{DIR}}/events{n}.log\n" for n in range(3)
        )
        daemon = self.daemon(COUNTER + WEB + plugins)
        daemon.wire.events.wait("watcher.web.start", 1)
        daemon.wire.events.wait("watcher.count.start", 1)
        names = ["count", "web", *(f"plugin:log{n}" for n in range(3))]
        pids = {name: daemon.wire.pids(name) for name in names}
        pythons = [installations.version("9.1"), installations.version("9.2")]
        run, pid = daemon.run, daemon.pid
        path = daemon.folder / "out.log"
        for number, python in enumerate(pythons, 1):
            told = self.upgrade(daemon, python)
            self.assertEqual(told["version"], f"9.{number}")
            ping = daemon.call("ping")
            self.assertEqual((ping["run"], ping["pid"], ping["version"]), (run, pid, f"9.{number}"))
            self.assertEqual({name: daemon.wire.pids(name) for name in names}, pids)
            (event,) = daemon.wire.events.of("upgraded")[number - 1 :]
            self.assertEqual(event["version"], f"9.{number}")
            self.goes_on(path)
        events = daemon.wire.events.sync()
        self.assertEqual([one["seq"] for one in events], list(range(1, len(events) + 1)))
        self.assertEqual([one["action"] for one in events].count("adopted"), 0)
        for one in pids["count"]:
            os.kill(one, signal.SIGKILL)
            reaped = daemon.wire.events.next("watcher.count.reap", process_pid=one)
            self.assertEqual(reaped["exit_code"], -signal.SIGKILL)
        last = daemon.wire.events.sync()[-1]["seq"]
        for n in range(3):
            self.hears_each_once(daemon.folder / f"events{n}.log", last)
        for one in pids["count"]:
            numbers = starts(path)[one]
            self.assertEqual(numbers, list(range(len(numbers))))
        daemon.signal(signal.SIGTERM)
        log = daemon.ended()
        self.assertTrue(any("cvec_circus 9.1 on Python" in line for line in log), log)

    def goes_on(self, path: Path) -> None:
        """Wait for more output."""
        before = path.read_text().count("\n")
        self.assertTrue(eventually(lambda: path.read_text().count("\n") > before + 5))

    def hears_each_once(self, path: Path, last: int) -> None:
        """The plugin's file has each event from its start to the last one."""

        def seqs() -> list[int]:
            words = path.read_text().split('"seq": ')[1:]
            return [int(word.partition(",")[0].rstrip("}\n")) for word in words]

        self.assertTrue(eventually(lambda: seqs()[-1:] == [last]), seqs())
        self.assertEqual(seqs(), list(range(seqs()[0], last + 1)))

    def test_exit_codes(self) -> None:
        codes = {"zero": 0, "seven": 7, "most": 255}
        text = "".join(f"[watcher:{name}]\ncmd = {ENDS}\n" for name in codes)
        text = text.replace("FIFO", "{DIR}/$(circus.name)")

        def make(folder: Path) -> None:
            for name in codes:
                os.mkfifo(folder / name)

        daemon = self.daemon(text, prepare=make)
        for name in codes:
            daemon.wire.events.wait(f"watcher.{name}.start", 1)
        self.upgrade(daemon, installations.version("9.1"))
        for name, code in codes.items():
            (daemon.folder / name).write_text(f"{code}\n")
            (reaped,) = daemon.wire.events.wait(f"watcher.{name}.reap", 1)
            self.assertEqual(reaped["exit_code"], code)
            self.assertNotIn("status_lost", reaped)


class TestLines(UpgradeCase):
    """A line that is begun before an upgrade goes on where it is after that."""

    TEXT = """
[watcher:slow]
cmd = sh -c 'printf half; read it < FIFO; echo " a line"; exec sleep 100'
stdout_stream.filename = {DIR}/plain
[watcher:stamped]
cmd = sh -c 'printf half; read it < FIFO; echo " a line"; exec sleep 100'
stdout_stream.filename = {DIR}/stamped
stdout_stream.time_format = at
""".replace("FIFO", "{DIR}/$(circus.name).fifo")
    NAMES = ("slow", "stamped")

    def test_half_a_line(self) -> None:
        for is_written in (False, True):
            with self.subTest(is_written=is_written):
                self.go_on(is_written)
            self.doCleanups()

    def go_on(self, is_written: bool) -> None:
        """Upgrade amid a line, which is held back, unless its beginning is written already."""

        def make(folder: Path) -> None:
            for name in self.NAMES:
                os.mkfifo(folder / f"{name}.fifo")

        daemon = self.daemon(self.TEXT, prepare=make)
        plain, stamped = daemon.folder / "plain", daemon.folder / "stamped"
        for name in self.NAMES:
            daemon.wire.events.wait(f"watcher.{name}.start", 1)
        (pid,) = daemon.wire.pids("stamped")
        if is_written:
            self.assertTrue(eventually(lambda: stamped.read_text() == f"at [{pid}] | half"))
            self.assertTrue(eventually(lambda: plain.read_text() == "half"))
        self.upgrade(daemon, installations.version("9.1"))
        for name in self.NAMES:
            fd = os.open(daemon.folder / f"{name}.fifo", os.O_RDWR)
            self.addCleanup(os.close, fd)
            os.write(fd, b"\n")
        self.assertTrue(eventually(lambda: stamped.read_text() == f"at [{pid}] | half a line\n"))
        self.assertTrue(eventually(lambda: plain.read_text() == "half a line\n"))


class TestClients(UpgradeCase):
    """Nobody has to connect again, and nobody waits for ever."""

    NEVER = "[watcher:late]\ncmd = sleep 100\nautostart = False\nmin_uptime = 0\n"

    def in_background(self, daemon: Daemon, command: str, **properties: Any) -> Asking:
        """Ask a question that waits, and wait until the daemon has it."""
        asking = Asking(daemon, command, properties)
        self.addCleanup(asking.end)
        return asking

    def test_what_waits(self) -> None:
        daemon = self.daemon(self.NEVER + STUBBORN)
        daemon.wire.events.wait("watcher.stubborn.ready", 1)
        (pid,) = daemon.wire.pids("stubborn")
        question = self.in_background(daemon, "wait", name="late", state="up")
        order = self.in_background(daemon, "stop", name="stubborn", waiting=True)
        daemon.wire.events.next("watcher.stubborn.kill")
        self.upgrade(daemon, installations.version("9.1"))
        told = order.reply()
        self.assertEqual((told["retry"], told["accepted"]), (True, True), told)
        self.assertIn("upgraded", told["reason"])
        self.assertTrue(alive(pid))
        self.assertEqual(daemon.wire.status("stubborn")[0], "stopping")
        daemon.order("start", name="late")
        self.assertEqual(question.reply()["phases"], {"late": "up"})
        daemon.order("kill", name="stubborn", signum=9)
        daemon.wire.events.next("watcher.stubborn.stop")

    def test_followers_miss_no_line(self) -> None:
        daemon = self.daemon(COUNTER)
        path = daemon.folder / "out.log"
        self.assertTrue(eventually(path.exists))
        followers = [Follower(daemon, ["count"]), Follower(daemon, None)]
        for follower in followers:
            self.addCleanup(follower.end)
            self.assertTrue(eventually(lambda one=follower: len(one.lines) > 20))
        for number in ("9.1", "9.2"):
            self.upgrade(daemon, installations.version(number))
            for follower in followers:
                at = len(follower.lines)
                self.assertTrue(eventually(lambda one=follower, n=at: len(one.lines) > n + 20))
        for follower in followers:
            follower.end()
            self.assertEqual(follower.missed, [])
            for pid in daemon.wire.pids("count"):
                lines = [line.split() for line in follower.lines]
                numbers = [int(number) for one, number in lines if int(one) == pid]
                self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))

    def test_connections_on_a_managed_socket(self) -> None:
        daemon = self.daemon(WEB)
        daemon.wire.events.wait("watcher.web.start", 1)
        (row,) = daemon.call("listsockets")["sockets"]
        address = row["host"], row["port"]
        (pid,) = daemon.wire.pids("web")
        os.kill(pid, signal.SIGSTOP)
        with socket.create_connection(address) as waiting:
            waiting.sendall(b"GET /\r\n")
            self.upgrade(daemon, installations.version("9.1"))
            self.assertEqual(daemon.call("listsockets")["sockets"], [row])
            os.kill(pid, signal.SIGCONT)
            self.assertEqual(answer(waiting), pid)
        daemon.order("reload", name="web")
        self.assertEqual(ask(address), daemon.wire.pids("web")[0])

    def test_half_a_message_and_half_an_answer(self) -> None:
        long = "x" * 60_000
        daemon = self.daemon(f"[watcher:a]\ncmd = sleep 100\nenv = A={long}\n")
        half, slow = RawClient(daemon.endpoint), RawClient(daemon.endpoint)
        for client in (half, slow):
            self.addCleanup(client.sock.close)
            self.assertEqual(client.ask("ping")["version"], "0.1.0")
        for _ in range(20):
            slow.request("options", name="a")
        request = zmtp.message(json.dumps({"id": "y", "command": "ping"}).encode())
        half.send(request[:20])
        self.assertEqual(daemon.call("ping")["version"], "0.1.0")
        self.upgrade(daemon, installations.version("9.1"))
        half.send(request[20:])
        self.assertEqual(json.loads(half.receive()[-1])["version"], "9.1")
        for _ in range(20):
            found = json.loads(slow.receive()[-1])["options"]["env"]
            self.assertEqual(len(str(found)), len(str({"A": long})))
        self.assertEqual(slow.ask("ping")["version"], "9.1")

    def test_it_is_asked_for_at_a_terminal(self) -> None:
        daemon = self.daemon("[watcher:a]\ncmd = sleep 100\n")
        told = daemon.ctl("upgrade", "--python", installations.version("9.1"))
        self.assertEqual(told.returncode, 0, told)
        self.assertIn("cvec_circus 9.1 on Python 3.", told.stdout)
        self.assertIn("before that 0.1.0 on Python 3.", told.stdout)
        replies = daemon.call("upgrade")
        self.assertEqual(replies["previous_version"], "9.1")
        self.assertEqual(Schemas().problems("upgrade", replies), [])
        documented = module_of(DOCS / "answers.py").ANSWERS["upgrade"]
        self.assertEqual(replies.keys() - {"status", "time", "id"}, documented.keys())


if __name__ == "__main__":
    unittest.main()
