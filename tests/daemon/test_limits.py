"""What is bounded: processes, open files, connections, and what clients send."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import threading
import unittest
from pathlib import Path

from cvec_circus.base.clock import SYSTEM
from cvec_circus.client import CircusClient
from cvec_circus.wire import zmtp
from tests.control.raw import RawClient, connected
from tests.support.daemon import Daemon, DaemonCase, folder, script
from tests.support.eventually import eventually
from tests.support.hurry import hurried
from tests.support.nightly import NIGHTLY

MIB = 1 << 20

LOOKING = hurried({"control.connections.LOOK": 0.1})
WEB = "[watcher:web]\ncmd = sleep 1000\nnumprocesses = 2\n"


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def cpu(pid: int) -> float:
    """Seconds of a processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def by_tcp(folder: Path) -> None:
    """Give a configuration endpoints on any free ports in the place of files."""
    path = folder / "circus.ini"
    path.write_text(re.sub("ipc://.*", "tcp://127.0.0.1:*", path.read_text()))


ONE = {"numprocesses": 1}


class TestProcesses(DaemonCase):
    """More processes than `max_processes` are refused, whatever the way."""

    says = "more than max_processes allows ({}); raise [circus] max_processes"

    def test_in_messages(self) -> None:
        daemon = Daemon(self, WEB, circus="max_processes = 5")
        says = self.says.format(5)
        wire = daemon.wire
        set_to = {"numprocesses": 10**9}
        self.assertEqual(
            wire.refused("set", name="web", options=set_to), f"numprocesses: {10**9} is {says}"
        )
        wire.call("incr", name="web", nb=3, waiting=True)
        self.assertEqual(wire.refused("incr", name="web"), f"numprocesses: 6 is {says}")
        options = {"numprocesses": 6}
        self.assertIn(says, wire.refused("add", name="new", cmd="sleep 9", options=options))
        self.assertEqual(wire.call("list")["watchers"], ["web"])
        wire.call("add", name="b", cmd="sleep 9")
        both = ["b", "web"]
        self.assertEqual(wire.refused("incr", name=both), f"web: numprocesses: 6 is {says}")
        reason = wire.refused("set", name=both, options={"numprocesses": 6})
        self.assertEqual(reason, f"b: numprocesses: 6 is {says}")
        self.assertEqual(wire.call("get", name="b", keys="numprocesses")["options"], ONE)
        self.assertEqual(len(daemon.wire.pids("web")), 5)

    def test_in_a_file(self) -> None:
        path = folder(self) / "circus.ini"
        path.write_text("[watcher:web]\ncmd = sleep 1000\nnumprocesses = 1000000000\n")
        for words in (["--check"], []):
            done = subprocess.run(
                script("cvec_circusd", *words, path),
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(self.says.format(10_000), done.stdout + done.stderr)


class TestFiles(DaemonCase):
    """The daemon takes all the open files it may have; its children get what it was given."""

    def test_the_soft_limit(self) -> None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        limit = "sh -c 'ulimit -Sn; ulimit -Hn; exec sleep 1000'"
        daemon = Daemon(
            self,
            f"[watcher:web]\ncmd = {limit}\nnumprocesses = 5\n",
            wrapper=["sh", "-c", 'ulimit -Sn 500; exec "$@"', "sh"],
        )
        seen = [daemon.out.next() for _ in range(10)]
        self.assertEqual(sorted(map(str, seen)), sorted(["500", str(hard)] * 5))
        limits = Path(f"/proc/{daemon.process.pid}/limits")
        all_of_them = re.compile(rf"Max open files +{hard} +{hard}")
        # While it starts one, it has the limit of its children for a moment.
        found = eventually(lambda: all_of_them.search(limits.read_text()))
        self.assertTrue(found, limits.read_text())
        many = [connected(daemon.endpoint) for _ in range(600)]
        for one in many:
            self.addCleanup(one.close)
        daemon.wire.call("incr", name="web", waiting=True)
        self.assertEqual({daemon.out.next(), daemon.out.next()}, {"500", str(hard)})

    def test_idle_clients(self) -> None:
        most = 1024 if NIGHTLY else 200
        for kind in ("ipc", "tcp"):
            for endpoint in ("endpoint", "pubsub_endpoint"):
                with self.subTest(kind, endpoint=endpoint):
                    self.idle(kind, endpoint, most)

    def idle(self, kind: str, endpoint: str, most: int) -> None:
        """Connect more often than there are descriptors, and see that nothing suffers."""
        daemon = Daemon(
            self,
            WEB,
            wrapper=["sh", "-c", f'ulimit -n {most}; exec "$@"', "sh", *LOOKING],
            prepare=by_tcp if kind == "tcp" else None,
            up=False,
        )
        said = daemon.log.containing(" is up: commands at ")
        daemon.endpoint, daemon.pubsub_endpoint = re.findall(r"(?:tcp|ipc)://[^,\s]+", said)
        daemon.connect()
        pid = daemon.process.pid
        address = getattr(daemon, endpoint)
        client = RawClient(daemon.endpoint)
        self.addCleanup(client.close)
        client.ask("ping")
        idle = [connected(address) for _ in range(most + most // 12)]
        daemon.log.containing("no more are accepted until some close")
        before, at = cpu(pid), SYSTEM.monotonic()
        self.assertLess(client.pings(500)[494], 0.5)
        victim = daemon.wire.pids("web")[0]
        os.kill(victim, 9)
        self.assertTrue(
            eventually(lambda: len({*daemon.wire.pids("web")} - {victim}) == 2, timeout=5)
        )
        spent = cpu(pid) - before
        self.assertLess(spent, 0.5 + 0.5 * (SYSTEM.monotonic() - at))
        for one in idle:
            one.close()
        late = RawClient(daemon.endpoint)
        self.assertEqual(late.ask("ping")["status"], "ok")
        late.close()
        daemon.log.containing("accepting connections again")
        self.assertTrue(eventually(lambda: len(os.listdir(f"/proc/{pid}/fd")) < 60))


class TestClients(DaemonCase):
    """What clients send is bounded, and one is not another's trouble."""

    def setUp(self) -> None:
        super().setUp()
        self.daemon = Daemon(self, WEB)
        self.pid = self.daemon.process.pid
        self.client = self.raw()
        self.client.ask("ping")
        self.before = resident(self.pid)

    def raw(self) -> RawClient:
        client = RawClient(self.daemon.endpoint)
        self.addCleanup(client.close)
        return client

    def send(self, count: int, data: bytes) -> list[RawClient]:
        """Have that many clients send the same, each on a thread of its own."""
        clients = [self.raw() for _ in range(count)]
        for client in clients:
            thread = threading.Thread(target=client.send_until_full, args=(data,))
            thread.start()
            self.addCleanup(thread.join)
        return clients

    def assert_well(self) -> None:
        self.assertLess(self.client.pings(200)[197], 0.5)
        self.assertLess(resident(self.pid) - self.before, 64 * MIB)

    def test_large_frames(self) -> None:
        self.send(50 if NIGHTLY else 5, zmtp.message(b"x" * (15 * MIB)))
        self.assert_well()

    def test_half_frames(self) -> None:
        self.send(60 if NIGHTLY else 40, zmtp.message(b"x" * MIB)[:-1])
        self.assert_well()

    def test_an_endless_message(self) -> None:
        frame = zmtp.message(b"x" * 1024)
        self.send(1, (b"\3" + frame[1:]) * (295_000 if NIGHTLY else 20_000))
        self.assert_well()

    def test_a_storm(self) -> None:
        count = 10_000 if NIGHTLY else 1000
        (client,) = self.send(1, zmtp.message(b'{"command": "status"}') * count)
        reading = threading.Thread(target=lambda: [client.receive() for _ in range(count)])
        reading.start()
        self.assert_well()
        reading.join(120)
        self.assertFalse(reading.is_alive())

    def test_waiting_clients_that_vanish(self) -> None:
        count = 30_000 if NIGHTLY else 2000
        stubborn = "sh -c 'trap \"\" TERM; exec sleep 1000'"
        options = {"graceful_timeout": 600}
        self.daemon.wire.order("add", name="stubborn", cmd=stubborn, options=options, start=True)
        message = {"command": "stop", "properties": {"name": "stubborn", "waiting": True}}
        frame = zmtp.message(json.dumps(message).encode())
        clients = [self.raw() for _ in range(20)]
        for client in clients:
            client.send(frame * (count // 20))
        for client in clients:
            client.request("ping")  # answered after all that came before it
        for client in clients:
            client.sock.settimeout(120)
            while "pid" not in json.loads(client.receive()[-1]):
                pass  # one that was refused, because too many wait
        for client in clients:
            client.close()
        self.assert_well()
        self.daemon.wire.call("kill", name="stubborn", signum=9)

    def test_a_long_command(self) -> None:
        cmd = "x " * 450_000
        self.assertIn(
            "900000 characters are more", self.daemon.wire.refused("add", name="a", cmd=cmd)
        )
        options = {"cmd": cmd}
        said = self.daemon.wire.refused("set", name="web", options=options)
        self.assertIn("more than a command may have (131072)", said)

    def test_the_sender(self) -> None:
        with CircusClient(endpoint=self.daemon.endpoint, name="deploy") as client:
            client.send_message("incr", name="web")
        event = self.daemon.wire.events.next("watcher.web.spawn", cause="command:incr")
        self.assertEqual(event["actor"], f"client deploy (pid {os.getpid()}, uid {os.getuid()})")


if __name__ == "__main__":
    unittest.main()
