"""The daemon is killed, and another one goes on: same processes, exit codes, output, sockets."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import unittest
from pathlib import Path
from typing import Any

from tests.support.daemon import Daemon, DaemonCase, child, gone, marked
from tests.support.eventually import eventually

NUMBERS = itertools.count()

COUNTER = f"""
[watcher:count]
cmd = {child("count")}
numprocesses = 2
min_uptime = 0.1
stdout_stream.filename = {{DIR}}/out.log
"""

ENDS = 'sh -c "read code <FIFO; exit $code"'


def starts(path: Path) -> dict[int, list[int]]:
    """Return the numbers that each counter has written, by pid."""
    found: dict[int, list[int]] = {}
    for row in path.read_text().splitlines():
        match = re.fullmatch(r"(\d+) (\d+)", row)
        if match:
            found.setdefault(int(match[1]), []).append(int(match[2]))
    return found


class SurvivalCase(DaemonCase):
    """Keeps the ledger in memory, where that is possible, as most daemons do."""

    def daemon(self, text: str = "", *arguments: object, **options: Any) -> Daemon:
        memory = Path("/dev/shm")
        place = (
            memory / f"circus-{os.getpid()}-{next(NUMBERS)}" if memory.is_dir() else "{DIR}/state"
        )
        circus = f"{options.pop('circus', '')}\nstate_dir = {place}"
        daemon = super().daemon(text, *arguments, circus=circus, **options)
        if options.get("up", True):
            eventually(lambda: self.has_started(daemon), 5.0)
        return daemon

    def has_started(self, daemon: Daemon) -> bool:
        """Whether every watcher has had its turn."""
        told = daemon.call("status")
        waits = any(reason.startswith("waits for its turn") for reason in told["reasons"].values())
        return not (waits or "starting" in told["statuses"].values())


class TestProcesses(SurvivalCase):
    """They are the same, and everything about them goes on."""

    def test_nothing_is_started_twice_and_no_line_is_lost(self) -> None:
        daemon = self.daemon(COUNTER + "[plugin:log]\nuse = logger\n")
        path = daemon.folder / "out.log"
        pids, (plugin,) = daemon.wire.pids("count"), daemon.wire.pids("plugin:log")
        for _ in range(3):
            self.goes_on(path)
            last, run = daemon.wire.events.sync()[-1]["seq"], daemon.run
            daemon.kill()
            daemon.again()
            self.assertEqual(daemon.wire.pids("count"), pids)
            adopted = daemon.wire.events.wait("adopted", 2)
            self.assertEqual([event["process_pid"] for event in adopted], pids)
            self.assertEqual({event["cause"] for event in adopted}, {"adopt"})
            self.assertEqual(daemon.wire.events.of("watcher.count.spawn"), [])
            self.assertGreater(adopted[0]["seq"], last)
            self.assertNotEqual(daemon.run, run)
        daemon.wire.events.wait("watcher.plugin:log.start", 1)
        self.assertNotEqual(daemon.wire.pids("plugin:log"), [plugin])
        self.assertTrue(gone(plugin))
        self.goes_on(path)
        daemon.order("reload", name="count")
        news = daemon.wire.pids("count")
        self.assertFalse(set(pids) & set(news))
        self.assertTrue(gone(*pids))
        daemon.order("stop", name="count")
        self.assertTrue(gone(*news))
        self.judge(path, pids)
        daemon.kill()
        daemon.again()
        self.assertEqual(daemon.wire.status("count")[0], "stopped")
        self.assertEqual(daemon.wire.pids("count"), [])
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        self.assertFalse(daemon.state_dir.exists())

    def judge(self, path: Path, pids: list[int]) -> None:
        """At most one gap for each time that the daemon was killed, and each is marked."""
        found = starts(path)
        for pid in pids:
            numbers = found[pid]
            gaps = [b for a, b in zip(numbers, numbers[1:]) if b != a + 1]
            self.assertLessEqual(len(gaps), 3)
            self.assertEqual(numbers, sorted(set(numbers)))
        marks = path.read_text().count("-- cvec_circus: up to 64 KiB may be missing here")
        self.assertEqual(marks, 3 * len(pids))

    def goes_on(self, path: Path) -> None:
        """Wait for more output."""

        def count() -> int:
            return path.read_text().count("\n") if path.exists() else 0

        before = count()
        self.assertTrue(eventually(lambda: count() > before + 5))

    def test_strays(self) -> None:
        cmd = "sh -c 'setsid sleep 1005 & exec sleep 1006'"
        daemon = self.daemon(f"[watcher:a]\ncmd = {cmd}\n[watcher:b]\ncmd = {cmd}\nstrays = kill\n")
        self.assertTrue(eventually(lambda: len(marked(daemon.run)) == 4))
        daemon.kill()
        daemon.again()
        leaders = {name: daemon.wire.pids(name)[0] for name in "ab"}
        left = set(marked(daemon.runs[0])) - set(leaders.values())
        self.assertEqual(len(left), 2)
        os.kill(leaders["a"], signal.SIGKILL)
        told = daemon.log.containing("is left behind as a stray")
        (stray,) = [pid for pid in left if str(pid) in told]
        daemon.order("stop", name="b")
        self.assertTrue(gone(*left - {stray}))
        os.kill(stray, signal.SIGKILL)

    def test_exit_codes(self) -> None:
        codes = {"zero": 0, "seven": 7, "most": 255}
        text = "".join(f"[watcher:{name}]\ncmd = {ENDS}\n" for name in (*codes, "unseen"))
        text = text.replace("FIFO", "{DIR}/$(circus.name)")

        def make(folder: Path) -> None:
            for name in (*codes, "unseen"):
                os.mkfifo(folder / name)

        daemon = self.daemon(text, prepare=make)
        pids = {name: daemon.wire.pids(name)[0] for name in (*codes, "unseen")}
        daemon.kill()
        (daemon.folder / "unseen").write_text("3\n")
        # Its parent, whichever that is now, may never collect it, and then the code is known.
        is_gone = eventually(lambda: not Path(f"/proc/{pids['unseen']}").exists(), 5)
        daemon.again()
        for name, code in codes.items():
            (daemon.folder / name).write_text(f"{code}\n")
            (reaped,) = daemon.wire.events.wait(f"watcher.{name}.reap", 1)
            self.assertEqual((reaped["process_pid"], reaped["exit_code"]), (pids[name], code))
            self.assertNotIn("status_lost", reaped)
            daemon.wire.events.wait(f"watcher.{name}.spawn", 1)
        (reaped,) = daemon.wire.events.wait("watcher.unseen.reap", 1)
        self.assertEqual(reaped["process_pid"], pids["unseen"])
        told = reaped["exit_code"], reaped.get("status_lost", False)
        self.assertEqual(told, (-1, True) if is_gone else (3, False))
        (new,) = daemon.wire.events.wait("watcher.unseen.spawn", 1)
        daemon.kill()
        daemon.again()
        self.assertEqual(daemon.wire.events.of("reap"), [], "it is told once")
        os.kill(new["process_pid"], signal.SIGKILL)
        self.assertEqual(daemon.wire.events.next("reap")["exit_code"], -signal.SIGKILL)


class TestChecks(SurvivalCase):
    """What was proved is, what was not proves itself, and a watchdog goes on."""

    TEXT = f"""
[watcher:ping]
cmd = {child("ping")}
ready.x = notify
live.y = notify
live_interval = 0.5
[watcher:log]
cmd = sh -c "read word <{{DIR}}/fifo; echo it is $word; exec sleep 100"
ready.z = log:it is there
"""

    def test_notify_and_log(self) -> None:
        daemon = self.daemon(self.TEXT, prepare=lambda folder: os.mkfifo(folder / "fifo"))
        daemon.wire.events.wait("watcher.ping.ready", 1)
        (pid,) = daemon.wire.pids("ping")
        daemon.kill()
        daemon.again()
        (daemon.folder / "fifo").write_text("there\n")
        daemon.wire.events.wait("watcher.log.ready", 1)

        def checks() -> list[str]:
            rows = daemon.call("why", name="ping")["checks"].values()
            return [one["answer"] for row in rows for one in row]

        shown = ["it has held before", "WATCHDOG=1"]
        self.assertTrue(eventually(lambda: checks() == shown), checks)
        self.assertEqual(daemon.wire.pids("ping"), [pid])
        self.assertEqual(daemon.wire.events.of("watcher.ping.ready"), [], "it was told")

    def test_a_newline_while_there_is_no_daemon(self) -> None:
        """It waits in the pipe, and no process dies of SIGPIPE."""
        text = """
[watcher:early]
cmd = sh -c "read word <{DIR}/early; echo >&5; echo said >{DIR}/said; exec sleep 100"
ready.z = fd:5
[watcher:late]
cmd = sh -c "read word <{DIR}/late; echo >&5; exec sleep 100"
ready.z = fd:5
"""
        fifos = "early", "late", "said"
        daemon = self.daemon(text, prepare=lambda at: [os.mkfifo(at / one) for one in fifos])
        pids = daemon.wire.pids("early"), daemon.wire.pids("late")
        daemon.kill()
        (daemon.folder / "early").write_text("go\n")
        self.assertEqual((daemon.folder / "said").read_text(), "said\n")
        daemon.again()
        daemon.wire.events.wait("watcher.early.ready", 1)
        (daemon.folder / "late").write_text("go\n")
        daemon.wire.events.wait("watcher.late.ready", 1)
        self.assertEqual((daemon.wire.pids("early"), daemon.wire.pids("late")), pids)

    def test_one_that_hangs_by_then_is_found(self) -> None:
        text = self.TEXT.partition("[watcher:log]")[0] + "live_failures = 2\n"
        daemon = self.daemon(text)
        daemon.wire.events.wait("watcher.ping.ready", 1)
        (pid,) = daemon.wire.pids("ping")
        daemon.kill()
        os.kill(pid, signal.SIGSTOP)
        daemon.again()
        (killed,) = daemon.wire.events.wait("watcher.ping.kill", 1)
        self.assertEqual((killed["process_pid"], killed["cause"]), (pid, "live"))
        self.assertIn("no WATCHDOG=1 for 1 s", killed["why"])


class TestOrders(SurvivalCase):
    """What was ordered while the daemon ran, and what the file says now."""

    SLEEPERS = (
        "[watcher:a]\nmin_uptime = 0.1\ncmd = sleep 100\n"
        "[watcher:b]\nmin_uptime = 0.1\ncmd = sleep 100\n"
    )

    def test_run_time_changes_and_another_file(self) -> None:
        more = "[watcher:c]\ncmd = sleep 100\n[watcher:e]\ncmd = sleep 100\n"
        daemon = self.daemon(self.SLEEPERS + more)
        daemon.order("incr", name="a", nb=2)
        daemon.order("set", name="a", options={"max_retry": 3})
        daemon.order("add", name="new", cmd="sleep 100", start=True)
        daemon.order("rm", name="c")
        pids = {name: daemon.wire.pids(name) for name in ("a", "b", "e", "new")}
        daemon.kill()
        daemon.again()
        self.assertEqual({name: daemon.wire.pids(name) for name in pids}, pids)
        self.assertEqual(len(pids["a"]), 3)
        options = daemon.call("get", name="a", keys=["max_retry", "numprocesses"])["options"]
        self.assertEqual(options, {"max_retry": 3, "numprocesses": 3})
        self.assertEqual(daemon.call("list")["watchers"], ["a", "b", "e", "new"])
        daemon.kill()
        text = daemon.config.read_text()
        text = text.replace("[watcher:b]", "[watcher:d]")
        text = text.replace("sleep 100\n[watcher:d", "sleep 99\n[watcher:d")
        daemon.config.write_text(f"{text}\nnumprocesses = two\n")
        daemon.again()
        self.assertTrue(gone(*pids["a"], *pids["b"]))
        daemon.wire.events.wait("watcher.a.reload", 1)
        daemon.wire.events.wait("watcher.b.remove", 1)
        daemon.wire.events.wait("watcher.d.start", 1)
        news = daemon.wire.pids("a")
        self.assertEqual(len(news), 3, "what was set stays")
        self.assertEqual(daemon.call("list")["watchers"], ["a", "d", "e", "new"])
        self.assertEqual(daemon.wire.pids("e"), pids["e"], "a slip in its section ends nothing")
        self.assertIn("e: kept as it was: ", "\n".join(daemon.log.seen))
        self.assertEqual(Path(f"/proc/{news[0]}/cmdline").read_bytes(), b"sleep\x0099\x00")

    def test_processes_that_a_client_wants_replaced(self) -> None:
        text = "[watcher:w]\ncmd = sleep 1002\nnumprocesses = 2\nready_interval = 0.01\n"

        def prepare(folder: Path) -> None:
            for wid in (1, 2):
                (folder / f"ready{wid}").touch()

        text = f"{text}ready.file = exec:test -e {{DIR}}/ready$(circus.wid)\n"
        daemon = self.daemon(text, prepare=prepare)
        olds = daemon.wire.pids("w")
        daemon.wire.events.wait("ready", 1)
        for pid in olds:  # the second one waits for the first
            daemon.call("kill", name="w", pid=pid, surge=True)
        self.assertTrue(eventually(lambda: len(daemon.wire.pids("w")) == 3))
        daemon.kill()
        daemon.again()
        self.assertLessEqual(set(olds), set(daemon.wire.pids("w")))
        for wid in (3, 4, 5, 6):
            (daemon.folder / f"ready{wid}").touch()
        self.assertTrue(eventually(lambda: not set(olds) & set(daemon.wire.pids("w"))))
        reaps = {one["process_pid"]: one["cause"] for one in daemon.wire.events.wait("reap", 3)}
        self.assertEqual([reaps.get(pid) for pid in olds], ["command:kill"] * 2)

    def test_what_was_answered_counts(self) -> None:
        """A crash right after an answer undoes nothing."""
        daemon = self.daemon(f"[watcher:one]\ncmd = {child('ping')}\n")
        for grace in range(2, 8):
            daemon.call("set", name="one", options={"graceful_timeout": grace})
            daemon.kill()
            daemon.again()
            told = daemon.call("get", name="one", keys=["graceful_timeout"])
            self.assertEqual(told["options"], {"graceful_timeout": grace})

    def test_other_ways_than_adoption(self) -> None:
        dies = "[watcher:dies]\ncmd = sleep 100\ndie_with_daemon = True\n"
        daemon = self.daemon(self.SLEEPERS + dies, circus="adopt = stop")
        (dead,) = daemon.wire.pids("dies")
        pids = daemon.wire.pids("a") + daemon.wire.pids("b")
        daemon.kill()
        self.assertTrue(gone(dead))
        daemon.again()
        self.assertTrue(gone(*pids))
        for name in ("a", "b"):
            daemon.wire.events.wait(f"watcher.{name}.start", 1)
            (reaped,) = daemon.wire.events.of(f"watcher.{name}.reap")
            self.assertIn(reaped["process_pid"], pids)
            self.assertEqual(reaped["exit_code"], -signal.SIGTERM)
        daemon.wire.events.wait("watcher.dies.spawn", 1)
        pids = daemon.wire.pids("a") + daemon.wire.pids("b")
        daemon.kill()
        daemon.config.write_text(daemon.config.read_text().replace("= stop", "= False"))
        daemon.again()
        told = f"these processes of an earlier daemon are left alone: {pids[0]}, {pids[1]}"
        self.assertTrue(any(told in line for line in daemon.log.seen), daemon.log.seen)
        self.assertFalse(set(pids) & set(daemon.wire.pids("a")))
        self.assertFalse(gone(pids[0], timeout=0))
        self.assertFalse((daemon.state_dir / "ledger").exists())


class TestNoRoom(SurvivalCase):
    """Where the new ledger cannot be written, what the old one says is taken over all the same."""

    @unittest.skipUnless(shutil.which("prlimit"), "there is no prlimit(1)")
    def test_it_is_adopted_and_written_no_more(self) -> None:
        daemon = self.daemon(TestOrders.SLEEPERS)
        pids = {name: daemon.wire.pids(name) for name in ("a", "b")}
        daemon.kill()
        daemon.again("prlimit", "--fsize=100")
        self.assertEqual({name: daemon.wire.pids(name) for name in pids}, pids)
        told = [line for line in daemon.log.seen if "adoption is off" in line]
        self.assertEqual(len(told), 1, daemon.log.seen)
        self.assertIn("No space left on device", told[0])
        self.assertEqual(sorted(os.listdir(daemon.state_dir)), ["ledger.aside", "lock"])


if __name__ == "__main__":
    unittest.main()
