"""Hooks in a real daemon: what they decide, whom they hold up, and that they end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import textwrap
import unittest
from pathlib import Path
from typing import Any

from tests.support.daemon import Daemon, DaemonCase, script
from tests.support.eventually import eventually
from tests.support.hurry import hurried

BOUND = 5.0
"""Seconds for an answer while a hook blocks: a millisecond, on a machine that has nothing to do."""

MODULE = """
import os, sys, time
from cvec_circus.client import CircusClient

def path(name):
    return os.path.join(os.path.dirname(__file__), name)

def block(**facts):
    open(path("blocks"), "w").close()
    with open(path("gate")) as gate:      # a named pipe, which the test opens
        gate.read()
    return True

def hang(**facts):
    open(path("hangs"), "w").close()
    while True:
        time.sleep(1000)

def ask(watcher, arbiter, hook_name, **facts):
    client = CircusClient(endpoint=arbiter.endpoint, timeout=20)
    reply = client.send_message("incr", name="other", waiting=True)
    client.stop()
    more = arbiter.get_watcher("other").incr().result()
    return (reply["numprocesses"], more) == (2, 3)

def port(watcher, **facts):
    ports = [int(p.rpartition(":")[2]) for p in watcher.env.get("PORTS", ":1").split(",")]
    watcher.env["PORTS"] = ":%d" % (max(ports) + 1)
    return True

def change(watcher, **facts):
    watcher.args = "101"
    watcher.started_by = facts["hook_name"]
    return True

def remember(watcher, **facts):
    return watcher.started_by == "before_start"

def take_away(watcher, **facts):
    del watcher.env["SECRET"]
    return True

def leave(**facts):
    sys.exit("out")

def no(**facts):
    return False

def tell(watcher, arbiter, hook_name, **facts):
    with open(path("told"), "a") as file:
        file.write("%s %s %s\\n" % (watcher.name, hook_name, arbiter.statuses()))
    return True

def extend(stats, pid, **facts):
    stats["twice"] = 2 * pid
"""

HEAD = "[env]\nPATH = /usr/bin:/bin\nPYTHONPATH = {DIR}\n[env:web]\nMODE = test\n"
SLEEP = "cmd = sleep 1000\n"
OTHER = f"[watcher:other]\n{SLEEP}graceful_timeout = 5\n"


def prepare(folder: Path) -> None:
    """Write the module, and make the gate."""
    (folder / "test_hook_module.py").write_text(textwrap.dedent(MODULE))
    os.mkfifo(folder / "gate")


class HookedDaemonCase(DaemonCase):
    """Starts daemons with hooks."""

    def hooked(self, text: str, *arguments: object, **options: Any) -> Daemon:
        """Start one; `@NAME` stands for a function of the module."""
        text = HEAD + text.replace("@", "test_hook_module.")
        return self.daemon(text, *arguments, prepare=prepare, **options)

    def open_gate(self, daemon: Daemon) -> None:
        (daemon.folder / "gate").write_text("")

    def wait_for(self, daemon: Daemon, name: str) -> None:
        self.assertTrue(eventually((daemon.folder / name).exists, 20), f"no {name}")

    def told(self, daemon: Daemon) -> list[str]:
        return (daemon.folder / "told").read_text().splitlines()


class TestWhatTheyDecide(HookedDaemonCase):
    def test_a_no(self) -> None:
        daemon = self.hooked(f"[watcher:web]\n{SLEEP}hooks.before_start = @no\n{OTHER}")
        daemon.wire.events.next("watcher.other.start")
        daemon.wire.events.next("watcher.web.hook_success", name="before_start")
        expected = ("stopped", "hook before_start said no")
        self.assertTrue(eventually(lambda: daemon.wire.status("web") == expected, 20))
        self.assertEqual(daemon.wire.events.of("watcher.web.spawn"), [])
        (success,) = daemon.wire.events.of("hook_success")
        self.assertEqual((success["watcher"], success["cause"]), ("web", "hook"))

    def test_sys_exit_ends_nothing(self) -> None:
        daemon = self.hooked(f"[watcher:web]\n{SLEEP}hooks.after_spawn = @leave\n{OTHER}")
        failure = daemon.wire.events.next("watcher.web.hook_failure")
        self.assertEqual((failure["name"], failure["error"]), ("after_spawn", "out"))
        daemon.wire.events.next("watcher.web.stop")
        reason = "hook after_spawn failed: it has called sys.exit('out')"
        self.assertEqual(daemon.wire.status("web"), ("stopped", reason))
        self.assertEqual(daemon.wire.status("other")[0], "active")
        daemon.log.containing("SystemExit: out")

    def test_one_that_cannot_be_imported(self) -> None:
        daemon = self.hooked(f"[watcher:web]\n{SLEEP}hooks.before_start = @missing\n{OTHER}")
        error = "there is no missing in test_hook_module"
        daemon.wire.events.next("watcher.web.hook_failure", error=error)
        expected = ("stopped", f"hook before_start failed: ImportError: {error}")
        self.assertTrue(eventually(lambda: daemon.wire.status("web") == expected, 20))

    def test_the_process_has_the_options_that_the_hook_has_set(self) -> None:
        hooks = "hooks.before_start = @change\nhooks.after_start = @remember\n"
        daemon = self.hooked(f"[watcher:web]\ncmd = sleep\nargs = 100\n{hooks}")
        daemon.wire.events.next("watcher.web.start")
        self.assertTrue(eventually(lambda: daemon.wire.status("web")[0] == "active", 20))
        line = Path(f"/proc/{daemon.wire.pids('web')[0]}/cmdline")
        # In the middle of an exec a process has none.
        self.assertTrue(eventually(lambda: line.read_bytes() == b"sleep\x00101\x00", 20))

    def test_the_process_sees_what_the_hook_has_changed(self) -> None:
        cmd = "cmd = sh -c 'echo ports $PORTS; exec sleep 1000'\n"
        daemon = self.hooked(f"[watcher:web]\n{cmd}numprocesses = 2\nhooks.before_spawn = @port\n")
        daemon.wire.events.next("start")
        lines = {daemon.out.next(), daemon.out.next()}
        self.assertEqual(lines, {"ports :2", "ports :3"})
        (options,) = [daemon.call("get", name="web", keys=["env"])["options"]]
        self.assertEqual((options["env"]["PORTS"], options["env"]["MODE"]), (":3", "test"))
        daemon.order("incr", name="web")
        self.assertEqual(daemon.out.next(), "ports :4")

    def test_the_process_does_not_get_what_the_hook_has_taken_away(self) -> None:
        cmd = "cmd = sh -c 'echo secret ${SECRET-none}; exec sleep 1000'\ncopy_env = True\n"
        text = f"[watcher:web]\n{cmd}hooks.before_spawn = @take_away\n"
        daemon = self.hooked(text, env={"SECRET": "x"})
        self.assertEqual(daemon.out.next(), "secret none")

    def test_programs(self) -> None:
        check = "exec:sh -c 'echo no disk >&2; exit 1'"
        daemon = self.hooked(
            f"[watcher:web]\n{SLEEP}hooks.before_start = {check}\n"
            f"[watcher:fine]\n{SLEEP}hooks.before_start = exec:sh -c 'test $MODE = test'\n"
            "[env:fine]\nMODE = test\n"
        )
        daemon.wire.events.next("watcher.fine.start")
        daemon.log.containing("web: hook before_start: no disk")
        expected = ("stopped", "hook before_start said no: no disk")
        self.assertTrue(eventually(lambda: daemon.wire.status("web") == expected, 20))

    def test_a_program_can_ask_the_daemon(self) -> None:
        ctl = " ".join(script("cvec_circusctl", "incr", "other", "--waiting"))
        daemon = self.hooked(f"[watcher:web]\n{SLEEP}hooks.before_start = exec:{ctl}\n{OTHER}")
        daemon.wire.events.next("watcher.web.start", timeout=60)
        self.assertEqual(len(daemon.wire.pids("other")), 2)

    def test_a_plugin_has_them_too(self) -> None:
        (text,) = [
            "[plugin:p]\nuse = cvec_circus.plugins.flapping.Flapping\nhooks.before_start = @tell\n"
        ]
        daemon = self.hooked(text + OTHER)
        daemon.wire.events.next("watcher.plugin:p.start", timeout=60)
        self.assertTrue(self.told(daemon)[0].startswith("plugin:p before_start {"))


class TestWhomTheyHoldUp(HookedDaemonCase):
    def test_only_their_own_watcher(self) -> None:
        daemon = self.hooked(f"[watcher:web]\n{SLEEP}hooks.before_start = @block\n{OTHER}")
        daemon.wire.events.next("watcher.other.start")
        self.wait_for(daemon, "blocks")
        for _ in range(20):
            with self.within(BOUND):
                daemon.call("ping")
        (pid,) = daemon.wire.pids("other")
        with self.within(5 * BOUND):
            os.kill(pid, signal.SIGKILL)
            daemon.wire.events.next("watcher.other.reap", process_pid=pid)
            daemon.wire.events.next("watcher.other.spawn")
            daemon.order("incr", name="other")
        self.assertEqual(daemon.wire.status("web")[0], "starting")
        self.open_gate(daemon)
        daemon.wire.events.next("watcher.web.start")

    def test_a_stop_waits_for_it(self) -> None:
        daemon = self.hooked(f"[watcher:web]\n{SLEEP}hooks.before_stop = @block\n{OTHER}")
        daemon.wire.events.next("watcher.web.start")
        daemon.call("stop", name="web")
        self.wait_for(daemon, "blocks")
        daemon.order("incr", name="other")
        self.assertEqual(daemon.wire.events.of("watcher.web.kill"), [])
        self.open_gate(daemon)
        daemon.wire.events.next("watcher.web.stop")

    def test_a_hook_gives_orders_and_waits_for_them(self) -> None:
        daemon = self.hooked(f"[watcher:web]\n{SLEEP}hooks.before_start = @ask\n{OTHER}")
        daemon.wire.events.next("watcher.web.start")
        self.assertEqual(len(daemon.wire.pids("other")), 3)

    def test_a_time_out(self) -> None:
        daemon = self.hooked(
            f"[watcher:web]\n{SLEEP}hooks.before_start = @hang\nhook_timeout = 0.2\n{OTHER}"
        )
        error = "has not answered within 0.2 s"
        daemon.wire.events.next("hook_failure", name="before_start", error=error)
        expected = ("stopped", f"hook before_start {error}")
        self.assertTrue(eventually(lambda: daemon.wire.status("web") == expected, 20))


class TestWhileTheDaemonRuns(HookedDaemonCase):
    def test_set(self) -> None:
        daemon = self.hooked(f"[watcher:web]\n{SLEEP}{OTHER}")
        daemon.wire.events.next("watcher.web.start")
        pids = daemon.wire.pids("web")
        done = daemon.ctl("set", "web", "hooks.before_start", "test_hook_module.no")
        self.assertEqual(done.returncode, 0, done.stderr)
        daemon.order("set", name="web", options={"hooks": {"after_stop": ["a.b", True]}})
        self.assertEqual(daemon.wire.pids("web"), pids)
        expected = {"before_start": "test_hook_module.no", "after_stop": "a.b,True"}
        options = daemon.call("options", name="web")["options"]
        self.assertEqual(options["hooks"], expected)
        found = daemon.call("get", name="web", keys=["hooks.after_stop", "hook_timeout"])
        self.assertEqual(found["options"], {"hooks.after_stop": "a.b,True", "hook_timeout": None})
        refused = daemon.wire.refused("restart", name="web", waiting=True)
        self.assertEqual(refused, "web gave up: hook before_start said no")
        daemon.order("set", name="web", options={"hooks.before_start": ""})
        daemon.order("start", name="web")
        self.assertEqual(daemon.wire.status("web")[0], "active")

    def test_what_cannot_be_set(self) -> None:
        daemon = self.hooked(f"[watcher:web]\n{SLEEP}")
        for options, reason in (
            ({"hooks.before_strt": "a.b"}, "no such hook; did you mean before_start?"),
            ({"hooks": {"before_strt": "a.b"}}, "no hook 'before_strt'; did you mean before_sta"),
            ({"hooks.before_start": "no name"}, "neither the dotted name of a function nor exec:"),
        ):
            for command in ("set", "add"):
                given = {"name": "web" if command == "set" else "new", "options": options}
                cmd = {} if command == "set" else {"cmd": "sleep 1"}
                self.assertIn(reason, daemon.wire.refused(command, **given, **cmd))

    def test_add(self) -> None:
        daemon = self.hooked(OTHER)
        env = {"PYTHONPATH": str(daemon.folder), "PATH": "/usr/bin:/bin"}
        hooks = {"before_start": "test_hook_module.tell", "after_stop": "test_hook_module.tell"}
        options = {"env": env, "hooks": hooks, "graceful_timeout": 5}
        daemon.order("add", name="web", cmd="sleep 1000", options=options, start=True)
        self.assertTrue(self.told(daemon)[0].startswith("web before_start "))
        daemon.order("rm", name="web")
        self.assertTrue(eventually(lambda: len(self.told(daemon)) == 2, 20))
        self.assertTrue(self.told(daemon)[1].startswith("web after_stop "))

    def test_extended_stats(self) -> None:
        daemon = self.hooked(f"[watcher:web]\n{SLEEP}hooks.extended_stats = @extend\n{OTHER}")
        daemon.wire.events.next("watcher.web.start")
        (pid,) = daemon.wire.pids("web")
        info = daemon.call("stats", name="web", extended=True)["info"]
        self.assertEqual(info[str(pid)]["twice"], 2 * pid)
        one = daemon.call("stats", name="web", process=pid, extended=True)
        self.assertEqual(one["info"]["twice"], 2 * pid)
        infos = daemon.call("stats", extended=True)["infos"]
        self.assertEqual([set(infos), infos["web"][str(pid)]["twice"]], [{"web", "other"}, 2 * pid])
        self.assertNotIn("twice", daemon.call("stats", name="web")["info"][str(pid)])
        self.assertEqual(daemon.wire.events.of("hook_success"), [])


class TestTheEnd(HookedDaemonCase):
    def test_after_stop_may_ask_the_daemon(self) -> None:
        daemon = self.hooked(f"[watcher:web]\n{SLEEP}hooks.after_stop = @tell\n")
        daemon.wire.events.next("watcher.web.start")
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        self.assertEqual(self.told(daemon), ["web after_stop {'web': 'stopped'}"])

    def test_one_that_blocks_is_abandoned(self) -> None:
        for name, timeout, wrapper in (
            ("before_stop", 2, ()),
            ("after_stop", 0.3, hurried({"supervisor.shutdown.HOOK_TIMEOUT": 0.3})),
        ):
            with self.subTest(name):
                daemon = self.hooked(
                    f"[watcher:web]\n{SLEEP}hooks.{name} = @hang\ngraceful_timeout = 5\n{OTHER}",
                    wrapper=wrapper,
                )
                daemon.wire.events.next("watcher.web.start")
                with self.within(5 + 2 + 3 + 2):
                    daemon.signal(signal.SIGTERM)
                    log = "\n".join(daemon.ended())
                self.assertIn(f"hook {name} has not answered within {timeout} s", log)
                self.assertIn(f"hook {name} of web has not returned, and is abandoned", log)

    def test_a_program_ends_with_it(self) -> None:
        daemon = self.hooked(
            f"[watcher:web]\n{SLEEP}hooks.before_start = exec:sh -c 'echo up; sleep 1000'\n{OTHER}",
            wrapper=hurried({"supervisor.shutdown.HOOK_TIMEOUT": 0.3}),
        )
        self.assertEqual(daemon.out.next(), "up")
        daemon.signal(signal.SIGTERM)
        daemon.ended()  # which shows that nothing with its mark is left


class TestCheck(DaemonCase):
    def test_a_slip(self) -> None:
        daemon = self.daemon(f"[watcher:web]\n{SLEEP}hooks.after_strat = a.b\n", up=False)
        done = subprocess.run(
            script("cvec_circusd", "--check", daemon.config),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        said = "[watcher:web] hooks.after_strat: there is no such hook; did you mean after_start?"
        self.assertIn(f"circus.ini:7: problem: {said}", done.stdout + done.stderr)
        self.assertNotEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
