"""cvec_circusctl with a daemon behind it: every command as a person types it."""

from __future__ import annotations

import json
import re
import shlex
import unittest

from cvec_circus import __version__
from cvec_circus.commands import table
from tests.ctl.ctl_case import Run, run
from tests.support.daemon import Daemon, DaemonCase, alive, child, gone

TEXT = f"""
[watcher:web]
cmd = sleep 1000
numprocesses = 2

[watcher:One Shot]
cmd = sh -c "exit 3"
respawn = False

[watcher:solo]
cmd = {child("wait", "fork")}
singleton = True

[watcher:broken]
cmd = /no/such/program
max_retry = 1

[socket:sock]
host = 127.0.0.1
port = 0
"""

BROKEN = "cannot run /no/such/program: No such file or directory (1 attempt)"


class TestCommands(DaemonCase):
    """A session at a prompt."""

    daemon_: Daemon

    def setUp(self) -> None:
        super().setUp()
        self.typed: set[str] = set()
        self.daemon_ = self.daemon(TEXT)
        events = self.daemon_.wire.events
        events.wait("start", 3)
        events.wait("stop", 2)
        self.child = int(self.daemon_.out.until("child"))
        self.daemon_.out.until("ready")

    def ctl(self, line: str, code: int = 0, remark: str = "") -> Run:
        words = shlex.split(line)
        self.typed.update(set(words) & set(table.NAMES))
        done = run("--endpoint", self.daemon_.endpoint, *words)
        self.assertEqual(done.code, code, (line, done))
        if code == 0:
            self.assertEqual(done.err, f"{remark}\n" if remark else "", line)
        else:
            self.assertNotEqual(done.err, "", line)
        return done

    def says(self, line: str, *expected: str) -> str:
        out = self.ctl(line).out
        for text in expected:
            self.assertIn(text, out, line)
        return out

    def prints(self, line: str, expected: str, remark: str = "") -> None:
        self.assertEqual(self.ctl(line, remark=remark).out, f"{expected}\n", line)

    def refused(self, line: str, expected: str, code: int = 3) -> None:
        done = self.ctl(line, code)
        self.assertEqual(done.out, "", line)
        self.assertEqual(done.err, f"error: {expected}\n", line)

    def pids(self, name: str) -> list[str]:
        return self.ctl(f"list '{name}'").out.strip().split(",")

    def test_a_session(self) -> None:
        self.questions()
        self.numbers_and_options()
        self.ups_and_downs()
        self.signals()
        self.comings_and_goings()
        self.several()
        self.where_they_stand()
        self.refusals()
        self.the_end()
        self.assertEqual(set(table.NAMES) - self.typed, {"listen"})

    def questions(self) -> None:
        self.prints("list", "broken,one shot,solo,web")
        head, *rows = self.ctl("status --table").out.splitlines()
        self.assertEqual(head.split()[:4], ["NAME", "STATE", "PROCESSES", "RESTARTS"])
        self.assertRegex(rows[0], rf"^broken    failed +0/1 +0 +- +- +{re.escape(BROKEN)}$")
        why = r"process \d+ exited with 3"
        self.assertRegex(rows[1], rf"^One Shot  failed +0/1 +0 +exit 3, \d+ s ago +- +{why}$")
        self.assertRegex(rows[2], r"^solo      (up|starting) +1/1 +0 +- +\d+ s$")
        self.prints("status WEB", "active")
        self.prints("status 'one shot'", "stopped")
        self.assertRegex(self.ctl("status 'one shot' --table").out, rf"^failed \({why}\)\n$")
        lines = self.ctl("status").out.splitlines()
        states = ["One Shot: stopped", "broken: stopped", "solo: active", "web: active"]
        self.assertEqual(lines, states)
        self.prints("numwatchers", "4")
        self.prints("numprocesses", "3")
        self.prints("numprocesses web", "2")
        self.says("options web", "cmd: sleep 1000\n", "numprocesses: 2\n", "respawn: True\n")
        self.prints("get web cmd stop_signal", "cmd: sleep 1000\nstop_signal: 15")
        self.says("globaloptions", f"endpoint: {self.daemon_.endpoint}\n", "check_delay: 5.0\n")
        self.says("globaloptions check_delay", "check_delay: 5.0\n")
        self.says("listsockets", ":socket 'sock' at 127.0.0.1:")
        self.says("ping", f"pid: {self.daemon_.pid}\n", f"version: {__version__}\n", "uptime: ")
        self.says("dstats", "Main Process:", str(self.daemon_.pid))
        self.says("dstats --table", "PID", str(self.daemon_.pid))
        self.says("stats --table", "WATCHER", "sleep", str(self.child), *self.pids("web"))
        first, second = self.pids("web")
        self.assertNotIn(second, self.says(f"stats web {first}", first))
        first_event = " #1 web add actor=file cause=config"
        self.says("events --since 0 --limit 1", first_event, "(there are more: --since 1)")
        self.says("--json status solo", '"status": "active"')
        self.refused(
            "logs web",
            "web: its standard output goes to the daemon's own stdout and is not kept;"
            " `cvec_circusctl set web log_history 64k` replaces no process, "
            "and keeps it from the next start on",
        )

    def numbers_and_options(self) -> None:
        self.prints("incr web 2 --waiting", "4")
        self.assertEqual(len(self.pids("web")), 4)
        self.prints("decr web --waiting", "3")
        self.prints("decr web", "ok")
        self.says("incr solo", "This watcher is a Singleton - ")
        self.says("incr solo --table", "a singleton: the number of processes stays as it is")
        self.prints("set web numprocesses 1 graceful_timeout 7 --waiting", "ok")
        self.prints(
            "get web numprocesses graceful_timeout", "numprocesses: 1\ngraceful_timeout: 7.0"
        )
        before = self.pids("web")
        self.prints("set web env A=1,B=2 --waiting", "ok")
        self.assertNotEqual(self.pids("web"), before)
        self.says("options web", "env: A=1,B=2\n")

    def ups_and_downs(self) -> None:
        self.prints("stop web --waiting", "ok")
        self.prints("status web", "stopped")
        self.prints("start web --waiting", "ok")
        (first,) = self.pids("web")
        self.prints("restart w* --waiting", "ok")
        (second,) = self.pids("web")
        self.prints("reload web --waiting", "ok")
        (third,) = self.pids("web")
        gap = "was down for a moment: the old process was stopped first"
        line = "reload 's.lo|web' --match regex --sequential --waiting"
        self.prints(line, "ok", f"solo: {gap}\nweb: {gap}")
        (fourth,) = self.pids("web")
        self.prints("reload web --terminate --waiting", "ok", f"web: {gap}")
        (fifth,) = self.pids("web")
        self.assertEqual(len({first, second, third, fourth, fifth}), 5)
        reply = json.loads(self.ctl("--json restart web --waiting").out)
        self.assertEqual(reply["info"]["stopped"], [int(fifth)])
        self.daemon_.out.until("ready")  # solo was reloaded

    def signals(self) -> None:
        (pid,) = self.pids("solo")
        (worker,) = (
            line.split()[1] for line in self.ctl("stats solo --table").out.splitlines()[2:]
        )
        self.prints("signal solo USR1", "ok")
        self.assertEqual(self.daemon_.out.until("signal"), "USR1")
        self.prints(f"signal solo {pid} {worker} USR2", "ok")
        self.assertEqual(self.daemon_.out.until("signal"), "USR2")
        self.prints("signal solo SIGHUP --children", "ok")
        self.assertEqual(self.daemon_.out.until("signal"), "HUP")
        self.prints("reopen solo", "ok")
        self.prints("kill solo --waiting", "ok")
        self.assertFalse(alive(int(pid)) or alive(int(worker)))
        self.daemon_.out.until("ready")
        (pid,) = self.pids("solo")
        self.prints(f"kill solo {pid} --signum KILL --graceful_timeout 5 --waiting", "ok")
        self.daemon_.out.until("ready")

    def comings_and_goings(self) -> None:
        self.prints("add new 'sleep 1000' --start --waiting", "ok")
        self.prints("add other sleep 1000", "ok")
        self.prints("status other", "stopped")
        self.prints("start other --waiting", "ok")
        (new,), (other,) = self.pids("new"), self.pids("other")
        self.prints("rm new --waiting", "ok")
        self.assertFalse(alive(int(new)))
        self.prints("rm other --nostop --waiting", "ok")
        self.prints("list", "broken,one shot,solo,web")
        self.assertTrue(alive(int(other)))
        self.nostop = int(other)

    def several(self) -> None:
        for name in ("idle1", "idle2", "idle3"):
            self.prints(f"add {name} 'sleep 1000'", "ok")
            self.prints(f"set {name} autostart False", "ok")
        self.prints("start idle2 IDLE1 idle2 --waiting", "ok")
        self.prints("start 'idle*' --waiting", "ok")  # not the third, which nobody has named
        head, *rows = self.says("status 'idle*' web --details").splitlines()
        self.assertEqual(head.split()[0], "NAME")
        states = [row.split()[:2] for row in rows]
        up = [[name, "active"] for name in ("idle1", "idle2")]
        self.assertEqual(states, [*up, ["idle3", "stopped"], ["web", "active"]])
        (one,), (two,) = self.pids("idle1"), self.pids("idle2")
        self.prints("list 'idle*'", f"idle1: {one}\nidle2: {two}\nidle3:")
        self.prints("numprocesses 'idle[12]' web", "3")
        self.says("stats idle1 idle2", one, two)
        seen = int(json.loads(self.ctl("--json events").out)["seq"])
        self.refused("stop idle1 solp idle2", "no watcher solp; did you mean solo?")
        self.refused("incr idle1 'idl[4]'", "no watcher idl[4]")
        self.assertEqual(json.loads(self.ctl("--json events").out)["seq"], seen)
        self.prints("incr idle1 'idle[12]' 2 --waiting", "idle1: 3\nidle2: 3")
        self.prints("decr idle1 idle2 2 --waiting", "idle1: 1\nidle2: 1")
        self.prints("set 'idle[12]' numprocesses 2 --waiting", "ok")
        self.prints(
            "get 'idle[12]' numprocesses", "\n".join(f"idle{n}: numprocesses: 2" for n in (1, 2))
        )
        many = "idle1: numprocesses: a singleton has one process at most"
        self.refused("set 'idle[12]' singleton True", many)
        self.prints("set 'idle[12]' numprocesses 1 --waiting", "ok")
        self.says("why idle1 idle3", "idle1 is up", "idle3 is stopped")
        self.says("options idle1 idle2", "idle1: cmd: sleep", "idle2: cmd: sleep")
        self.prints("kill idle1 idle2 --waiting", "ok")
        self.prints("signal idle1 idle2 CONT", "ok")
        self.prints("restart 'idle[12]' web --waiting", "ok")
        self.prints("stop idle1 'idle(2|3)' --match regex --waiting", "ok")
        self.prints("status idle2", "stopped")
        self.prints("rm 'idle*' --waiting", "ok")
        self.prints("list", "broken,one shot,solo,web")

    def where_they_stand(self) -> None:
        self.prints("wait web solo --for up", "solo up\nweb up")
        self.prints("wait web", "up")
        self.prints("is-active web solo", "solo up\nweb up")
        self.assertEqual(self.daemon_.ctl("is-active", "web", "one shot").returncode, 1)
        self.ctl("--timeout 0.1 wait web --for stopped", 124)
        self.ctl("wait 'one shot' --for completed", 1)
        self.says("why web", "web is up: 1 process, ready for ")
        self.says("why 'one shot'", "One Shot has failed: ", "exit 3")
        self.says("why broken", f"broken has failed: it gave up: {BROKEN}")
        self.says("status --phase", "broken: failed", "One Shot: failed", "web: up")
        self.prints("set web depends_on solo", "ok")
        self.says("doctor", "CHECK ", "pidfd", "open files are allowed")
        self.says("upgrade", f"cvec_circus {__version__} on Python 3.", "before that")
        self.says("graph", "solo (up)\n`-- web (up): when solo is ready")
        way = "a circle, in which each waits for the next: solo -> web -> solo"
        self.refused("set solo depends_on web", f"depends_on: {way}")
        done = self.daemon_.ctl("stop", "solo", "--waiting")
        left = "web depends on it and goes on; `--with-dependants` stops it too\n"
        self.assertEqual((done.stdout, done.stderr), ("ok\n", left))
        self.prints("stop web --waiting", "ok")
        self.ctl("start web", 0)
        self.prints("stop solo", "ok")  # web waits for it, and cannot go on
        self.prints("set web depends_on '' part_of solo", "ok")
        self.prints("start solo --waiting", "ok")
        self.daemon_.out.until("ready")
        self.prints("wait web --for ready", "up")
        done = self.daemon_.ctl("stop", "solo", "--waiting")
        self.assertEqual((done.stdout, done.stderr), ("ok\n", "web stops with it\n"))
        self.prints("start solo --waiting", "ok")
        self.daemon_.out.until("ready")
        stopped = "stopped, in this order: web, solo"
        self.prints("stop solo --with-dependants --waiting", "ok", stopped)
        self.prints("stop solo --with-dependants --waiting", "ok")  # nothing is left to stop
        self.prints("status web", "stopped")
        self.prints("wait nothing --for gone", "ok")
        late = self.ctl("start web --waiting", 1).err
        self.assertIn("error: start of web: it waits for solo to be ready: it was stopped", late)
        self.prints("start solo --waiting", "ok")
        self.daemon_.out.until("ready")
        self.prints("wait web", "up")

    def refusals(self) -> None:
        self.refused("status nope", "no watcher nope")
        self.refused("add web 'sleep 5'", "there is already a watcher web")
        self.refused("start broken --waiting", f"broken gave up: {BROKEN}", code=1)
        self.refused("get web nokey", "'nokey' option not found")
        self.refused("stats web 1", "process 1 not found in 'web'")
        self.refused(
            "reloadconfig /no/such.ini", "/no/such.ini: cannot be read: No such file or directory"
        )
        reply = json.loads(self.ctl_json_error("--json stop nope"))
        self.assertEqual((reply["status"], reply["errno"]), ("error", 3))
        self.assertIn("did you mean", self.ctl("strat web", 2).err)

    def ctl_json_error(self, line: str) -> str:
        return run("--endpoint", self.daemon_.endpoint, *shlex.split(line)).out

    def the_end(self) -> None:
        self.prints("quit --waiting", "ok")
        self.assertEqual(self.daemon_.process.wait(20), 0)
        self.assertTrue(alive(self.nostop))
        self.ctl("--timeout 0.2 status", 4)


class TestTheScript(DaemonCase):
    """bin/cvec_circusctl itself."""

    def test_exit_codes(self) -> None:
        daemon = self.daemon(TEXT)
        done = daemon.ctl("status", "solo")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "active\n", ""))
        done = daemon.ctl("status", "nope")
        expected = (3, "", "error: no watcher nope\n")
        self.assertEqual((done.returncode, done.stdout, done.stderr), expected)
        done = daemon.ctl("stauts")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        pids = daemon.wire.pids("web")
        done = daemon.ctl("quit", "--waiting")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "ok\n", ""))
        daemon.ended()
        self.assertTrue(gone(*pids))
        done = daemon.ctl("--timeout", "0.1", "status")
        self.assertEqual((done.returncode, done.stdout), (4, ""))
        self.assertEqual(len(done.stderr.splitlines()), 1)


if __name__ == "__main__":
    unittest.main()
