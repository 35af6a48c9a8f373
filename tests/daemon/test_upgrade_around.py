"""What stands around the daemon in an upgrade: checks, statistics, ledger, service manager."""

from __future__ import annotations

import os
import signal
import socket
import sys
import unittest
from pathlib import Path

import cvec_circus
from tests.daemon import test_survival_sockets as with_sockets
from tests.support import cgroups, installations
from tests.support.background import Background
from tests.support.daemon import alive, child, folder, gone
from tests.support.eventually import eventually
from tests.support.upgrades import UpgradeCase, fifo

STARTER = "import sys\nfrom cvec_circus.daemon.main import main\nsys.exit(main())\n"
SLEEPERS = "[watcher:a]\nmin_uptime = 0.1\ncmd = sleep 100\nnumprocesses = 2\n"


class TestChecks(UpgradeCase):
    """What a process has said holds, and what it says later is heard."""

    TEXT = f"""
[watcher:ping]
cmd = {child("ping")}
ready.x = notify
live.y = notify
live_interval = 0.5
[watcher:both]
cmd = sh -c "echo it is there; echo up >&5; read word <{{DIR}}/fifo; echo $word; exec sleep 100"
ready.log = log:it is there
ready.fd = fd:5
ready.late = log:at last
ready_timeout = 60
[watcher:asks]
cmd = sleep 100
ready.it = exec:true
live.it = exec:true
live_interval = 0.1
"""

    def test_notify_and_fd_and_log_and_exec(self) -> None:
        daemon = self.daemon(self.TEXT, prepare=fifo)
        daemon.wire.events.wait("watcher.ping.ready", 1)
        daemon.wire.events.wait("watcher.asks.ready", 1)

        def states(name: str) -> dict[str, str]:
            (rows,) = daemon.call("why", name=name)["checks"].values()
            return {f"{row['family']}.{row['name']}": row["state"] for row in rows}

        before = {"ready.log": "holds", "ready.fd": "holds", "ready.late": "not yet"}
        self.assertTrue(eventually(lambda: states("both") == before), states("both"))
        pids = {name: daemon.wire.pids(name) for name in ("ping", "both", "asks")}
        for number in ("9.1", "9.2"):
            self.upgrade(daemon, installations.version(number))
            self.assertEqual(states("both"), before)
            self.assertTrue(eventually(lambda: states("ping")["live.y"] == "holds"))
            self.assertTrue(eventually(lambda: states("asks")["live.it"] == "holds"))
        (daemon.folder / "fifo").write_text("at last\n")
        daemon.wire.events.wait("watcher.both.ready", 1)
        self.assertEqual({name: daemon.wire.pids(name) for name in pids}, pids)
        self.assertEqual(daemon.wire.events.of("unready"), [])
        self.assertEqual(len(daemon.wire.events.of("watcher.ping.ready")), 1)
        os.kill(pids["ping"][0], signal.SIGSTOP)
        reaped = daemon.wire.events.next("watcher.ping.reap")
        self.assertEqual(reaped["cause"], "live")


class TestSurvival(UpgradeCase):
    """What is written down is right after an upgrade, too; and nothing has to be."""

    def test_a_crash_after_it(self) -> None:
        daemon = self.daemon(SLEEPERS)
        daemon.wire.events.wait("watcher.a.start", 1)
        pids = daemon.wire.pids("a")
        self.upgrade(daemon, installations.version("9.1"))
        daemon.order("incr", name="a")
        pids = daemon.wire.pids("a")
        self.assertEqual(len(pids), 3)
        last = daemon.wire.events.sync()[-1]["seq"]
        daemon.kill()
        daemon.again()
        self.assertEqual(daemon.wire.pids("a"), pids)
        adopted = daemon.wire.events.wait("adopted", 3)
        self.assertGreater(adopted[0]["seq"], last)
        self.upgrade(daemon, installations.version("9.2"))  # they are strangers by now
        self.assertEqual(daemon.wire.pids("a"), pids)
        os.kill(pids[0], signal.SIGKILL)
        reaped = daemon.wire.events.next("watcher.a.reap")
        self.assertEqual((reaped["process_pid"], reaped["exit_code"]), (pids[0], -9))
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        self.assertFalse(daemon.state_dir.exists())

    def test_without_a_ledger(self) -> None:
        daemon = self.daemon(SLEEPERS, circus="adopt = False")
        daemon.wire.events.wait("watcher.a.start", 1)
        pids = daemon.wire.pids("a")
        for number in ("9.1", "9.2"):
            self.upgrade(daemon, installations.version(number))
            self.assertEqual(daemon.wire.pids("a"), pids)
        self.assertFalse(daemon.state_dir.exists())
        os.kill(pids[0], signal.SIGTERM)
        self.assertEqual(daemon.wire.events.next("watcher.a.reap")["exit_code"], -15)

    def test_a_ledger_that_was_turned_off_stays_so(self) -> None:
        """What began before is not in a new one, and would be started twice."""
        daemon = self.daemon(f"{SLEEPERS}env = A={'x' * 5000}\n")
        daemon.wire.events.wait("watcher.a.start", 1)
        daemon.state_dir.rename(daemon.folder / "elsewhere")
        for number in range(60):  # so many that it is written anew
            daemon.order("set", name="a", options={"graceful_timeout": number % 2 + 5})
        daemon.log.containing("adoption is off")
        pids = daemon.wire.pids("a")
        self.upgrade(daemon, installations.version("9.1"))
        self.assertEqual(daemon.wire.pids("a"), pids)
        daemon.order("incr", name="a")
        self.assertFalse(daemon.state_dir.exists())

    def test_a_second_daemon_is_kept_out(self) -> None:
        daemon = self.daemon(SLEEPERS)
        self.upgrade(daemon, installations.version("9.1"))
        text = daemon.config.read_text().replace(f"{daemon.folder}/control", f"{daemon.folder}/c2")
        (daemon.folder / "second.ini").write_text(text)
        second = self.daemon(circus=f"state_dir = {daemon.state_dir}", up=False)
        log = second.ended(1)
        self.assertTrue(any(f"already running with pid {daemon.pid}" in line for line in log), log)


class TestOrders(UpgradeCase):
    """What was ordered goes on, and what the file says by now counts."""

    def test_run_time_changes_and_another_file(self) -> None:
        more = "[watcher:b]\ncmd = sleep 100\n[watcher:c]\ncmd = sleep 100\n"
        daemon = self.daemon(SLEEPERS + more)
        for name in "abc":
            daemon.wire.events.wait(f"watcher.{name}.start", 1)
        daemon.order("set", name="a", options={"max_retry": 3})
        daemon.order("add", name="new", cmd="sleep 100", start=True)
        daemon.order("stop", name="b")
        daemon.order("rm", name="c")
        python = installations.version("9.1")
        self.upgrade(daemon, python)
        self.assertEqual(daemon.call("list")["watchers"], ["a", "b", "new"])
        self.assertEqual(daemon.wire.status("b")[0], "stopped")
        options = daemon.call("get", name="a", keys=["max_retry"])["options"]
        self.assertEqual(options, {"max_retry": 3})
        pids = daemon.wire.pids("a")
        text = daemon.config.read_text().replace("sleep 100\nnumpro", "sleep 99\nnumpro")
        daemon.config.write_text(f"{text}[watcher:d]\ncmd = sleep 100\n")
        self.upgrade(daemon, python)
        daemon.wire.events.wait("watcher.d.start", 1)
        daemon.wire.events.wait("watcher.a.reload", 1)
        self.assertTrue(gone(*pids))

    def test_what_has_ended_and_what_has_not_begun(self) -> None:
        text = (
            "[watcher:bad]\ncmd = sh -c 'echo dying; exit 3'\nrespawn = False\nlog_history = 64k\n"
            "[watcher:loop]\ncmd = sh -c 'exit 4'\nmin_uptime = 60\n"
            "[watcher:web]\ncmd = sleep 100\non_demand = True\nuse_sockets = True\n"
            "[socket:web]\nhost = 127.0.0.1\nport = 0\n"
        )
        daemon = self.daemon(text.replace("sleep 100", "sleep 100 $(circus.sockets.web)"))
        daemon.wire.events.wait("watcher.bad.stop", 1)
        daemon.wire.events.wait("watcher.loop.backoff", 1)  # in a second or more

        def told(name: str) -> tuple[object, ...]:
            reply = daemon.call("why", name=name)
            deaths = [{**death, "age": 0} for death in reply["deaths"]]
            return reply["phase"], deaths, reply["sentence"][:20]

        before = {name: told(name) for name in ("bad", "web")}
        count = len(daemon.call("why", name="loop")["deaths"])
        self.upgrade(daemon, installations.version("9.1"))
        self.assertEqual({name: told(name) for name in before}, before)
        self.assertGreaterEqual(len(daemon.call("why", name="loop")["deaths"]), count)
        again = daemon.wire.events.wait("watcher.loop.backoff", 2)
        self.assertGreater(again[1]["deaths"], again[0]["deaths"])
        [row] = daemon.call("listsockets")["sockets"]
        with socket.create_connection((row["host"], row["port"])):
            daemon.wire.events.wait("watcher.web.spawn", 1)
        self.assertEqual(daemon.wire.events.of("watcher.bad.spawn", cause="exit"), [])

    def test_a_rollout_proves_anew(self) -> None:
        text = (
            "[watcher:a]\ncmd = sh -c 'read go <{DIR}/fifo; echo up; exec sleep 100'\n"
            "ready.it = log:up\nready_timeout = 60\nnumprocesses = 1\n"
        )
        daemon = self.daemon(text, prepare=fifo)
        path = daemon.folder / "fifo"
        path.write_text("go\n")
        daemon.wire.events.wait("watcher.a.ready", 1)
        (old,) = daemon.wire.pids("a")
        daemon.call("reload", name="a")
        daemon.wire.events.wait("watcher.a.spawn", 2)
        self.upgrade(daemon, installations.version("9.1"))
        self.assertEqual(len(daemon.wire.events.of("watcher.a.spawn")), 2, "no second copy")
        self.assertTrue(alive(old))
        path.write_text("go\n")
        daemon.wire.events.wait("watcher.a.reload", 1)
        self.assertTrue(gone(old))
        self.assertEqual(len(daemon.wire.events.of("watcher.a.spawn")), 2)


class TestStatistics(UpgradeCase):
    """Their process is the same, and they go on."""

    def test_they_go_on(self) -> None:
        circus = "statsd = True\nstats_endpoint = tcp://127.0.0.1:*"
        daemon = self.daemon(SLEEPERS, circus=circus)
        daemon.wire.events.wait("watcher.circusd-stats.start", 1)
        (pid,) = daemon.wire.pids("circusd-stats")
        address = daemon.call("globaloptions")["options"]["stats_endpoint"]
        self.upgrade(daemon, installations.version("9.1"))
        self.assertEqual(daemon.wire.pids("circusd-stats"), [pid])
        self.assertEqual(daemon.call("globaloptions")["options"]["stats_endpoint"], address)
        os.kill(pid, signal.SIGKILL)
        daemon.wire.events.wait("watcher.circusd-stats.spawn", 2)
        host, _, port = address.partition("://")[2].rpartition(":")
        self.assertTrue(eventually(lambda: connects(host, int(port))))


def connects(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((host, port), 5).close()
    except ConnectionRefusedError:
        return False
    return True


class TestPaths(UpgradeCase):
    """A unix socket keeps its path."""

    def test_a_managed_unix_socket(self) -> None:
        daemon = self.daemon(with_sockets.TestSockets.UNIX)
        daemon.wire.events.wait("watcher.web.start", 1)
        path = str(daemon.folder / "web.sock")
        inode = os.stat(path).st_ino
        self.upgrade(daemon, installations.version("9.1"))
        self.assertEqual(os.stat(path).st_ino, inode)
        self.assertEqual(with_sockets.ask(path), daemon.wire.pids("web")[0])
        daemon.order("reload", name="web")
        self.assertEqual(with_sockets.ask(path), daemon.wire.pids("web")[0])
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        self.assertFalse(os.path.exists(path))

    def test_a_socket_that_goes(self) -> None:
        """A rollout for another socket has failed: both are there, and stay."""
        text = f"""
[watcher:web]
cmd = sh -c 'test ! -e {{DIR}}/broken && exec {child("serve", "$(circus.sockets.web)")}'
use_sockets = True
min_uptime = 0.1
[socket:web]
host = 127.0.0.1
port = 0
"""
        daemon = self.daemon(text)
        daemon.wire.events.wait("watcher.web.ready", 1)
        [before] = daemon.call("listsockets")["sockets"]
        (pid,) = daemon.wire.pids("web")
        (daemon.folder / "broken").touch()
        changed = daemon.config.read_text().replace("127.0.0.1\nport = 0", "127.0.0.2\nport = 0")
        daemon.config.write_text(changed)
        daemon.wire.client.call("reloadconfig", waiting=True)
        rows = daemon.call("listsockets")
        for count, number in enumerate(("9.1", "9.2"), 2):
            self.upgrade(daemon, installations.version(number))
            daemon.wire.events.wait("watcher.web.rollback", count)  # tried once more
            found = daemon.call("listsockets")
            self.assertEqual(found["sockets"], rows["sockets"])
            self.assertEqual(found["leaving"], rows["leaving"])
            self.assertEqual(with_sockets.ask((before["host"], before["port"])), pid)
        (daemon.folder / "broken").unlink()
        daemon.call("reloadconfig", waiting=True)
        [after] = daemon.call("listsockets")["sockets"]
        (fresh,) = daemon.wire.pids("web")
        self.assertEqual(with_sockets.ask((after["host"], after["port"])), fresh)
        self.assertTrue(eventually(lambda: not daemon.call("listsockets")["leaving"]))


class TestCgroups(UpgradeCase):
    """The cgroup of each watcher is the same, and known."""

    def test_they_go_on(self) -> None:
        above = cgroups.own(self)
        daemon = self.daemon(SLEEPERS, circus=f"cgroup = {above}")
        daemon.wire.events.wait("watcher.a.start", 1)

        def places() -> list[str]:
            pids = [daemon.pid, *daemon.wire.pids("a")]
            return [Path(f"/proc/{pid}/cgroup").read_text() for pid in pids]

        def joined() -> bool:
            leaf, *others = places()
            return leaf not in others and len(set(others)) == 1

        self.assertTrue(eventually(joined))
        before = places()
        for number in ("9.1", "9.2"):
            self.upgrade(daemon, installations.version(number))
            self.assertEqual(places(), before)
            daemon.order("incr", name="a")
            self.assertTrue(eventually(lambda: set(places()) == set(before)))
            daemon.order("decr", name="a")
        daemon.order("stop", name="a")
        daemon.signal(signal.SIGTERM)
        log = daemon.ended()
        self.assertEqual([line for line in log if "WARNING" in line and "cgroup" in line], [])


class TestService(UpgradeCase):
    """The service manager hears of it, in the foreground and in the background."""

    def test_its_messages(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            address = str(folder(self) / "notify")
            server.bind(address)
            server.settimeout(20)
            env = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "600000000"}
            daemon = self.daemon(SLEEPERS, env=env)
            self.assertIn("READY=1", server.recv(4096).decode())
            self.upgrade(daemon, installations.version("9.1"))
            told = [server.recv(4096).decode() for _ in range(3)]
            words = [text.split("=")[0] for text in told]
            self.assertEqual(words, ["WATCHDOG", "RELOADING", "READY"])
            self.assertIn(f"MAINPID={daemon.pid}", told[2])
            self.assertIn("WATCHDOG=1", server.recv(4096).decode())
            environment = Path(f"/proc/{daemon.wire.pids('a')[0]}/environ").read_text()
            self.assertNotIn("NOTIFY_SOCKET", environment)

    def test_a_module_that_python_has_run(self) -> None:
        """It is found from the working directory, before and after."""
        run = f'shift 2; exec {sys.executable} -m cvec_circus.circusd "$@"'

        def prepare(folder: Path) -> None:
            (folder / "cvec_circus").symlink_to(Path(cvec_circus.__file__).parent)

        daemon = self.daemon(SLEEPERS, wrapper=["sh", "-c", run, "sh"], prepare=prepare)
        pids = daemon.wire.pids("a")
        self.assertIn("version", daemon.call("upgrade"))
        self.assertEqual(daemon.wire.pids("a"), pids)
        words = Path(f"/proc/{daemon.pid}/cmdline").read_text().split("\0")
        self.assertEqual(words[1:4], ["-m", "cvec_circus.daemon.main", str(daemon.config)])

    def test_an_installed_script(self) -> None:
        """It is run again, and does not find the modules of the working directory."""

        def prepare(folder: Path) -> None:
            (folder / "queue.py").write_text("raise RuntimeError('not yours')\n")
            (folder / "bin").mkdir()
            (folder / "bin" / "cvec_circusd").write_text(STARTER)

        root = str(Path(cvec_circus.__file__).parents[1])
        run = f'shift 2; exec {sys.executable} bin/cvec_circusd "$@"'
        wrapper = ["env", f"PYTHONPATH={root}", "sh", "-c", run, "sh"]
        daemon = self.daemon(SLEEPERS, wrapper=wrapper, prepare=prepare)
        pids = daemon.wire.pids("a")
        self.assertIn("version", daemon.call("upgrade"))
        self.assertEqual(daemon.wire.pids("a"), pids)
        words = Path(f"/proc/{daemon.pid}/cmdline").read_text().split("\0")
        self.assertEqual(words[1], str(daemon.folder.resolve() / "bin" / "cvec_circusd"))

    def test_a_script_that_is_another_one_now(self) -> None:
        """No trial has run it."""

        def prepare(folder: Path) -> None:
            (folder / "cvec_circusd").write_text(STARTER)

        root = str(Path(cvec_circus.__file__).parents[1])
        run = f'shift 2; exec {sys.executable} cvec_circusd "$@"'
        wrapper = ["env", f"PYTHONPATH={root}", "sh", "-c", run, "sh"]
        daemon = self.daemon(SLEEPERS, wrapper=wrapper, prepare=prepare)
        (daemon.folder / "cvec_circusd").write_text("exec python is no Python\n")
        pids = daemon.wire.pids("a")
        self.assertIn("version", daemon.call("upgrade"))
        self.assertEqual(daemon.wire.pids("a"), pids)

    def test_in_the_background(self) -> None:
        daemon = Background(self, SLEEPERS).up("--log-output", "log")
        pid, pids = daemon.pid, daemon.wire.pids("a")
        other = installations.version("9.1")
        self.assertEqual(daemon.wire.call("upgrade", python=other)["version"], "9.1")
        self.assertEqual((daemon.pid, daemon.wire.pids("a")), (pid, pids))
        daemon.ended()


if __name__ == "__main__":
    unittest.main()
