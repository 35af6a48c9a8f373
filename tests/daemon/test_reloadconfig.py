"""reloadconfig, of a daemon that runs."""

from __future__ import annotations

import os
import socket
import unittest

from tests.support.daemon import gone
from tests.support.eventually import eventually
from tests.support.reloads import ReloadCase

SLEEP = "cmd = sleep 600\n"


class TestWatchers(ReloadCase):
    """What becomes of watchers."""

    def test_nothing_changes(self) -> None:
        text = f"[watcher:a]\n{SLEEP}numprocesses = 2\n"
        self.up(text)
        before = self.pids("a")
        self.assertFalse(self.reload()["changes"])
        self.assertEqual(self.pids("a"), before)
        self.assertEqual(self.served.ctl("reloadconfig").stdout, "ok\n")
        shown = self.served.ctl("reloadconfig", "--table").stdout
        self.assertEqual(shown, "nothing changes\n")

    def test_more_processes_are_spawned_and_none_is_killed(self) -> None:
        daemon = self.up(f"[watcher:a]\n{SLEEP}[watcher:b]\n{SLEEP}")
        before, other = self.pids("a"), self.pids("b")
        reply = self.reload(f"[watcher:a]\n{SLEEP}numprocesses = 5\n[watcher:b]\n{SLEEP}")
        self.assertEqual([step["name"] for step in reply["watchers"]], ["a"])
        after = self.pids("a")
        self.assertEqual(len(after), 5)
        self.assertEqual([pid for pid in after if pid in before], before)
        self.assertEqual(self.pids("b"), other)
        events = daemon.call("events", since=0)["events"]
        self.assertEqual([topic for topic, _ in events if topic.endswith((".kill", ".reap"))], [])
        self.assertIn("watcher.a.updated", [topic for topic, _ in events])

    def test_a_circle_is_refused(self) -> None:
        self.up(f"[watcher:a]\n{SLEEP}[watcher:b]\n{SLEEP}depends_on = a\n")
        before = self.pids("a")
        self.write(f"[watcher:a]\n{SLEEP}part_of = B\n[watcher:b]\n{SLEEP}depends_on = a\n")
        refused = self.served.ctl("reloadconfig", "--waiting")
        self.assertEqual(refused.returncode, 3)
        self.assertRegex(
            refused.stderr, r"\.ini:\d+: \[watcher:a\] part_of: a circle.* a -> b -> a"
        )
        self.assertEqual(self.pids("a"), before)
        self.assertEqual(
            self.served.call("get", name="a", keys=["part_of"])["options"]["part_of"], []
        )

    def test_what_is_not_ready_was_an_order(self) -> None:
        self.up(f"[watcher:a]\n{SLEEP}")
        dies = f"[watcher:a]\n{SLEEP}[watcher:b]\ncmd = sh -c 'echo boo; exit 2'\n"
        self.write(dies)
        done = self.served.ctl("reloadconfig", "--waiting")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(
            done.stderr, r"reloadconfig of b: process \d+ exited with 2 .*before it was ready"
        )
        self.write(
            f"{dies}[watcher:c]\n{SLEEP}depends_on = b\n[watcher:d]\n{SLEEP}depends_on = c\n"
        )
        done = self.served.ctl("reloadconfig", "--waiting")
        self.assertEqual(done.returncode, 1)
        waits = "it waits for c to be ready, which waits for b to be ready: process"
        self.assertIn(f"reloadconfig of d: {waits}", done.stderr)
        done = self.served.ctl("incr", "d", "--waiting")
        self.assertEqual(done.returncode, 1)
        self.assertIn(waits, done.stderr)

    def test_in_a_circle_of_what_was_set_the_file_counts(self) -> None:
        self.up(f"[watcher:a]\n{SLEEP}[watcher:b]\n{SLEEP}depends_on = a\n")
        daemon = self.served
        daemon.call("rm", name="b", waiting=True)
        daemon.call("set", name="a", options={"depends_on": "b"})
        self.assertTrue(self.reload()["changes"])
        self.assertEqual(daemon.call("options", name="a")["options"]["depends_on"], {})
        self.assertEqual(self.statuses(), {"a": "active", "b": "active"})

    def test_a_circle_of_what_was_added_is_refused(self) -> None:
        self.up(f"[watcher:a]\n{SLEEP}")
        options = {"depends_on": "a"}
        self.served.call("add", name="b", cmd="sleep 600", options=options, start=True)
        before = self.pids("a")
        self.write(f"[watcher:a]\n{SLEEP}depends_on = b\n")
        refused = self.served.ctl("reloadconfig")
        self.assertEqual(refused.returncode, 3)
        self.assertRegex(refused.stderr, r"\.ini:\d+: \[watcher:a\] depends_on: a circle.* a -> b")
        self.assertEqual(self.pids("a"), before)

    def test_added_removed_and_changed(self) -> None:
        self.up(f"[watcher:a]\n{SLEEP}[watcher:b]\n{SLEEP}[watcher:c]\n{SLEEP}")
        [a], [b], [c] = self.pids("a"), self.pids("b"), self.pids("c")
        plan = self.reload(
            f"[watcher:a]\n{SLEEP}[watcher:c]\ncmd = sleep 601\n[watcher:d]\n{SLEEP}"
            f"[watcher:e]\n{SLEEP}autostart = False\n"
        )
        steps = [(step["name"], step["action"], step["processes"]) for step in plan["watchers"]]
        self.assertEqual(
            steps,
            [
                ("b", "remove", "stop"),
                ("c", "change", "replace"),
                ("d", "add", "start"),
                ("e", "add", ""),
            ],
        )
        self.assertTrue(gone(b, c))
        self.assertEqual(self.pids("a"), [a])
        self.assertNotEqual(self.pids("c"), [c])
        wanted = {"a": "active", "c": "active", "d": "active", "e": "stopped"}
        self.assertEqual(self.statuses(), wanted)
        causes = self.served.call("events", since=0)["events"]
        told = {topic for topic, text in causes if '"command:reloadconfig"' in text}
        for topic in ("watcher.b.remove", "watcher.d.add", "watcher.c.updated"):
            self.assertIn(topic, told)

    def test_the_environment_of_exactly_those_concerned(self) -> None:
        text = f"[watcher:a]\n{SLEEP}[watcher:b]\n{SLEEP}[env:a]\nX = %s\n"
        self.up(text % 1)
        before = self.pids("a"), self.pids("b")
        plan = self.reload(text % 2)
        [step] = plan["watchers"]
        self.assertEqual(
            step["changes"], [{"option": "env.X", "before": "1", "after": "2", "effect": "fresh"}]
        )
        self.assertNotEqual(self.pids("a"), before[0])
        self.assertEqual(self.pids("b"), before[1])

    def test_what_was_set_at_run_time(self) -> None:
        text = f"[watcher:a]\n{SLEEP}graceful_timeout = %s\n"
        daemon = self.up(text % 20)
        daemon.call("set", name="a", options={"numprocesses": 2}, waiting=True)
        daemon.call("set", name="a", options={"graceful_timeout": 7})
        daemon.call("add", name="extra", cmd="sleep 600", start=True, waiting=True)
        extra = self.pids("extra")
        [step] = self.reload(text % 21)["watchers"]
        changes = {one["option"]: (one["after"], one["effect"]) for one in step["changes"]}
        self.assertEqual(changes, {"graceful_timeout": (21.0, "live"), "numprocesses": (1, "kept")})
        self.assertEqual(len(self.pids("a")), 2)
        self.assertEqual(self.pids("extra"), extra)
        said = daemon.ctl("reloadconfig", "--dry-run").stdout
        self.assertIn("numprocesses: 2, kept as set at run time; the file has 1", said)
        self.assertIn("nothing changes", said)
        [step] = self.reload(f"{text % 21}[watcher:extra]\n{SLEEP}stop_signal = 2\n")["watchers"][
            1:
        ]
        self.assertEqual((step["name"], step["action"]), ("extra", "change"))
        self.assertEqual(self.pids("extra"), extra)
        self.reload(text % 21)
        self.assertTrue(gone(*extra))

    def test_hooks_one_by_one(self) -> None:
        text = f"[watcher:a]\n{SLEEP}"
        self.up(f"{text}hooks.after_stop = exec:true\nhooks.before_stop = exec:true\n")
        self.served.call("set", name="a", options={"hooks.after_start": "a.b,True"})
        pids = self.pids("a")
        [step] = self.reload(f"{text}hooks.after_stop = exec:false\n")["watchers"]
        changes = {one["option"]: (one["before"], one["after"]) for one in step["changes"]}
        expected = {
            "hooks.after_start": ("a.b,True", None),
            "hooks.after_stop": ("exec:true", "exec:false"),
            "hooks.before_stop": ("exec:true", None),
        }
        self.assertEqual(changes, expected)
        effects = {one["option"]: one["effect"] for one in step["changes"]}
        self.assertEqual([*effects.values()], ["kept", "live", "live"])
        found = self.served.call("get", name="a", keys=["hooks"])["options"]["hooks"]
        self.assertEqual(found, {"after_start": "a.b,True", "after_stop": "exec:false"})
        self.assertEqual(self.pids("a"), pids)

    def test_a_changed_autostart(self) -> None:
        text = f"[watcher:a]\n{SLEEP}autostart = %s\n[watcher:b]\n{SLEEP}"
        self.up(text % False)
        self.served.call("stop", name="b", waiting=True)
        self.reload(text % True)
        self.assertEqual(self.statuses(), {"a": "active", "b": "stopped"})
        self.reload(text % False)
        self.assertEqual(self.statuses(), {"a": "stopped", "b": "stopped"})

    def test_one_that_gave_up_is_tried_again_when_it_is_changed(self) -> None:
        text = "[watcher:a]\ncmd = %s\nmax_retry = 0\n[watcher:b]\ncmd = sleep 600\n"
        self.up(text % "/no/such/program")
        self.assertTrue(eventually(lambda: self.statuses()["a"] == "stopped"))
        self.assertFalse(self.reload()["changes"])
        self.reload(text % "sleep 600")
        self.assertEqual(self.statuses()["a"], "active")
        reason = self.served.wire.refused(
            "reloadconfig", waiting=True, path=self.other(text % "/no/such")
        )
        self.assertIn("reloadconfig of a: cannot run /no/such", reason)
        self.assertEqual(self.statuses()["a"], "active")  # what ran before runs on

    def test_removed_keys(self) -> None:
        text = f"[watcher:a]\n{SLEEP}"
        self.up(f"{text}rlimit_nofile = 100\nmy.note = x\nstop_signal = 2\n")
        [before] = self.pids("a")
        [step] = self.reload(text)["watchers"]
        self.assertEqual(step["processes"], "replace")
        self.assertTrue(gone(before))
        options = self.served.call("options", name="a")["options"]
        self.assertEqual([options.get(k) for k in ("rlimit_nofile", "my.note")], [None, None])
        self.assertFalse(self.reload()["changes"])

    def test_a_name_that_is_written_otherwise(self) -> None:
        self.up(f"[watcher:Web]\n{SLEEP}")
        [before] = self.pids("web")
        self.reload(f"[watcher:web]\n{SLEEP}")
        self.assertTrue(gone(before))
        self.assertEqual(self.statuses(), {"web": "active"})

    def test_one_that_was_removed_comes_back(self) -> None:
        self.up(f"[watcher:a]\n{SLEEP}[watcher:b]\n{SLEEP}")
        self.served.call("rm", name="a")
        self.reload()
        self.assertEqual(self.statuses(), {"a": "active", "b": "active"})


class TestRefusals(ReloadCase):
    """What is wrong changes nothing."""

    def test_everything_that_is_wrong(self) -> None:
        daemon = self.up(f"[watcher:a]\n{SLEEP}")
        before = self.pids("a")
        self.write("[watcher:a]\ncmd = sleep 5\nnumprocesses = x\n[watcher:b]\ncmd =\n")
        reason = daemon.wire.refused("reloadconfig")
        self.assertRegex(reason, r"circus\.ini:7: \[watcher:a\] numprocesses")
        self.assertRegex(reason, r"circus\.ini:9: \[watcher:b\] cmd: missing")
        done = daemon.ctl("reloadconfig")
        self.assertEqual(done.returncode, 3)
        self.assertIn("circus.ini:7", done.stderr)
        self.assertEqual(self.pids("a"), before)
        self.assertEqual(self.statuses(), {"a": "active"})

    def test_no_file(self) -> None:
        daemon = self.up(f"[watcher:a]\n{SLEEP}")
        daemon.config.unlink()
        self.assertIn("circus.ini", daemon.wire.refused("reloadconfig"))

    def test_an_empty_file(self) -> None:
        daemon = self.up(f"[watcher:a]\n{SLEEP}")
        before = self.pids("a")
        daemon.config.write_text("\n# all gone\n")
        self.assertIn("nothing in it says what to run", daemon.wire.refused("reloadconfig"))
        self.assertEqual(self.pids("a"), before)

    def test_a_socket_that_is_not_there(self) -> None:
        daemon = self.up(f"[watcher:a]\n{SLEEP}")
        self.write("[watcher:a]\ncmd = sleep $(circus.sockets.web)\nuse_sockets = True\n")
        reason = daemon.wire.refused("reloadconfig")
        self.assertIn("there is no [socket:web]", reason)
        self.assertIn("circus.ini:", reason)

    def test_a_port_that_is_busy(self) -> None:
        text = (
            f"[watcher:a]\n{SLEEP}[watcher:b]\n{SLEEP}[socket:web]\nhost = 127.0.0.1\nport = %s\n"
        )
        daemon = self.up(text % 0)
        [before] = daemon.call("listsockets")["sockets"]
        with socket.create_server(("127.0.0.1", 0)) as busy:
            self.write(text.replace("[watcher:b]\n", "[watcher:c]\n") % busy.getsockname()[1])
            reason = daemon.wire.refused("reloadconfig")
        self.assertIn(":11: [socket:web] port: cannot listen on 127.0.0.1:", reason)
        self.assertEqual(self.statuses(), {"a": "active", "b": "active"})
        self.assertEqual(daemon.call("listsockets")["sockets"], [before])
        socket.create_connection(("127.0.0.1", before["port"])).close()

    def test_a_name_that_is_taken(self) -> None:
        daemon = self.up(f"[watcher:a]\n{SLEEP}")
        daemon.call("add", name="plugin:p", cmd="sleep 600")
        self.write("[plugin:p]\nuse = cvec_circus.plugins.flapping.Flapping\n")
        self.assertIn("plugin:p: there is another one", daemon.wire.refused("reloadconfig"))
        self.assertEqual(self.statuses(), {"a": "active", "plugin:p": "stopped"})

    def test_a_dry_run(self) -> None:
        daemon = self.up(f"[watcher:a]\n{SLEEP}")
        self.write(f"[watcher:b]\n{SLEEP}[socket:s]\npath = {{DIR}}/s\n")
        done = daemon.ctl("reloadconfig", "--dry-run")
        self.assertEqual(
            done.stdout.splitlines(),
            [
                "watcher a: removed",
                "watcher b: added, is started",
                "socket s: opened",
                "nothing was changed: this was a dry run",
            ],
        )
        self.assertEqual(self.statuses(), {"a": "active"})
        self.assertFalse((daemon.folder / "s").exists())


class TestFile(ReloadCase):
    """Which file."""

    def test_a_file_beside_the_caller(self) -> None:
        daemon = self.up(f"[watcher:a]\n{SLEEP}")
        folder = daemon.folder / "elsewhere"
        folder.mkdir()
        (folder / "my.ini").write_text(f"[watcher:b]\n{SLEEP}")
        here = os.getcwd()
        os.chdir(folder)
        try:
            done = daemon.ctl("reloadconfig", "my.ini", "--waiting", "--table")
        finally:
            os.chdir(here)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("watcher b: added", done.stdout)
        self.assertIn("endpoint: ", done.stdout)
        self.assertEqual(self.statuses(), {"b": "active"})

    def test_as_it_was_started(self) -> None:
        daemon = self.up(f"[watcher:a]\n{SLEEP}[env:a]\nX = $FROM_START\n", env={"FROM_START": "7"})
        self.assertFalse(self.reload()["changes"])
        self.assertEqual(daemon.call("get", name="a", keys=["env"])["options"]["env"]["X"], "7")


class TestCircus(ReloadCase):
    """The daemon's own options."""

    def test_too_many_files(self) -> None:
        few = ("sh", "-c", 'ulimit -n 1024; exec "$@"', "sh")
        daemon = self.up(f"[watcher:a]\n{SLEEP}", wrapper=few)
        self.reload(f"[watcher:a]\n{SLEEP}[watcher:b]\n{SLEEP}numprocesses=9999\nautostart = 0")
        daemon.log.containing("all processes need about")

    def test_a_level_of_the_command_line_stays(self) -> None:
        self.up(f"[watcher:a]\n{SLEEP}", "--log-level", "info")
        self.write(f"[watcher:a]\n{SLEEP}", "loglevel = debug\n")
        self.assertEqual(self.reload()["circus"], [])

    def test_what_is_live_and_what_is_not(self) -> None:
        text = f"[watcher:a]\n{SLEEP}"
        daemon = self.up(text)
        self.write(text, "check_delay = 9\nloglevel = debug\nevent_history = 5\numask = 077\n")
        plan = self.reload()
        effects = {change["option"]: change["effect"] for change in plan["circus"]}
        self.assertEqual(
            effects,
            {
                "check_delay": "live",
                "loglevel": "live",
                "event_history": "live",
                "umask": "restart",
            },
        )
        self.assertEqual(daemon.call("globaloptions")["options"]["check_delay"], 9)
        self.assertLessEqual(len(daemon.call("events", since=0)["events"]), 5)
        daemon.log.containing("[circus] umask: needs a restart of the daemon")
        plan = self.reload()
        self.assertFalse(plan["changes"])
        self.assertEqual([change["option"] for change in plan["circus"]], ["umask"])


if __name__ == "__main__":
    unittest.main()
