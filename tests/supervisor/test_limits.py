"""Processes with resource limits."""

from __future__ import annotations

import json
import os
import pwd
import resource
import unittest
from typing import Any

from cvec_circus.exc import ConfigError, OptionError
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.system.launch import LIMITS
from tests.support.embedded import EmbeddedCase
from tests.support.eventually import eventually

NONE = resource.RLIM_INFINITY
NOBODY = pwd.getpwnam("nobody")
AS_ROOT = unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
SCRIPT = 'exec >"$0"; ulimit -S{0}; ulimit -H{0}; grep -E "^(Uid|Gid|Groups):" /proc/self/status'


class LimitCase(EmbeddedCase):
    """Runs a shell that says its limits."""

    def shell(self, letter: str, **options: Any) -> dict[str, Any]:
        """The options of a watcher whose process says that limit and who it is, and ends."""
        path = self.fifo()
        os.chmod(path, 0o622)
        self.folder.chmod(0o711)
        args = ["-c", SCRIPT.replace("{0}", letter), path]
        return {"name": "a", "cmd": "/bin/sh", "args": args, "respawn": False, **options}

    def limits(self) -> tuple[str | None, str | None]:
        """The soft and the hard limit that the next process says."""
        soft, hard = self.lines.next(), self.lines.next()
        self.ids = [(self.lines.next() or "").split()[1:] for _ in range(3)]
        return soft, hard

    def gives_up(self) -> str:
        """Wait until the watcher gives up, and return its reason."""
        self.events.next("giveup")
        self.assertTrue(eventually(lambda: self.wire.status("a")[0] == "stopped"))
        return self.wire.status("a")[1]


class TestLimits(LimitCase):
    """What they get."""

    def test_a_number(self) -> None:
        self.arbit(self.shell("n", rlimit_nofile="100"))
        self.assertEqual(self.limits(), ("100", "100"))
        self.assertEqual(self.events.next("reap")["exit_code"], 0)
        shown = self.wire.call("get", name="a", keys=["rlimit_nofile"])["options"]
        self.assertEqual(shown, {"rlimit_nofile": 100})
        self.wire.call("set", name="a", options={"rlimit_nofile": 90})
        self.wire.call("start", name="a")
        self.assertEqual(self.limits(), ("90", "90"))

    def test_every_process_has_them(self) -> None:
        self.arbit(self.shell("n", rlimit_nofile=77, numprocesses=20))
        self.events.wait("reap", 20)
        text = [self.lines.next() for _ in range(5 * 20)]
        self.assertEqual(text.count("77"), 40)

    def test_a_mapping(self) -> None:
        self.arbit(self.shell("c", rlimits={"core": 0, "nofile": 50}))
        self.assertEqual(self.limits(), ("0", "0"))

    def test_none(self) -> None:
        for given in ("", None, -1, "infinity"):
            self.assertEqual(WATCHER_OPTIONS.convert({"rlimit_cpu": given}), {"rlimit_cpu": -1})
        if resource.getrlimit(resource.RLIMIT_CPU)[1] != NONE:
            self.skipTest("there is a limit already")
        self.arbit(self.shell("t", rlimit_cpu=""))
        self.assertEqual(self.limits(), ("unlimited", "unlimited"))

    def test_files_without_end(self) -> None:
        hard = str(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        with self.assertLogs("cvec_circus", "WARNING") as logged:
            self.arbit(self.shell("n", rlimit_nofile=""))
            self.assertEqual(self.limits(), (hard, hard))
            self.events.next("reap")
        expected = f"a: rlimit_nofile: infinity is more than the system allows, so it is {hard}"
        self.assertIn(expected, logged.output[0])

    def test_nothing_else_changes(self) -> None:
        plain = self.program("tell", "a b", "", "ü$x'\n")
        self.arbit({"name": "a", "respawn": False, **plain, "env": {"LC_ALL": ""}})
        without = json.loads(self.lines.next() or "")
        options = {"rlimit_nofile": 100, "respawn": False, "autostart": True}
        self.wire.call(
            "add",
            name="b",
            options={**options, "copy_env": True, "env": {"LC_ALL": ""}},
            cmd=plain["cmd"],
            args=plain["args"],
            start=True,
        )
        limited = json.loads(self.lines.next() or "")
        for told in (without, limited):
            told["env"].pop("CVEC_CIRCUS_MARK")
            told["fds"] = sorted(told["fds"])
        self.assertEqual(limited, without)
        self.assertTrue(limited["session"])

    def test_signals_are_not_ignored(self) -> None:
        script = 'exec >"$0"; grep -E "^Sig(Ign|Blk)" /proc/self/status'
        args = ["-c", script, self.fifo()]
        self.arbit({"name": "a", "cmd": "sh", "args": args, "rlimit_core": 0, "respawn": False})
        for _ in range(2):
            self.assertEqual(int((self.lines.next() or "").split()[1], 16), 0)

    @AS_ROOT
    def test_the_limit_comes_before_the_user(self) -> None:
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        self.arbit(self.shell("c", rlimit_core="", uid="nobody", gid="daemon"))
        self.assertEqual(self.limits(), ("unlimited", "unlimited"), hard)
        self.assertEqual(self.ids[0], [str(NOBODY.pw_uid)] * 4)
        daemon = pwd.getpwnam("daemon").pw_gid
        self.assertEqual(self.ids[1], [str(daemon)] * 4)
        groups = os.getgrouplist("nobody", daemon)
        self.assertEqual(sorted(map(int, self.ids[2])), sorted(groups))

    @AS_ROOT
    def test_a_program_in_the_path_of_a_user_who_cannot_read_our_python(self) -> None:
        shell = self.shell("c", rlimit_core=0, uid="nobody", env={"PATH": "/nowhere:/usr/bin:/bin"})
        self.arbit({**shell, "cmd": "sh"})
        self.assertEqual(self.limits(), ("0", "0"))
        self.assertEqual(self.ids[0], [str(NOBODY.pw_uid)] * 4)

    @AS_ROOT
    def test_its_environment_is_its_own(self) -> None:
        traces = self.folder / "traces"
        traces.mkdir()
        traces.chmod(0o777)
        # What runs before the user changes would be traced, or preloaded, as root (ld.so(8)).
        env = {"LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": str(traces / "trace")}
        self.arbit(self.shell("c", rlimit_core=0, uid="nobody", env=env))
        self.assertEqual(self.limits(), ("0", "0"))
        self.events.next("reap")
        self.assertEqual({path.stat().st_uid for path in traces.iterdir()}, {NOBODY.pw_uid})


class TestFailures(LimitCase):
    """Why they did not start."""

    def refused(self, **options: Any) -> str:
        """Run what cannot be run, and return the reason."""
        limits = {"rlimit_core": 0, "max_retry": 3}
        self.arbit({"name": "a", "cmd": "true", **limits, **options})
        return self.gives_up()

    def test_a_limit_that_cannot_be_set(self) -> None:
        reason = self.refused(rlimit_nofile=10**15)
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        more = f"{10**15} is more than the {allowed} that is allowed here"
        expected = f"cannot set rlimit_nofile: {more} (3 attempts)"
        self.assertEqual(reason, expected)
        codes = [event["exit_code"] for event in self.events.of("reap")]
        self.assertEqual(codes, [127] * 3)

    def test_no_such_program(self) -> None:
        reason = self.refused(cmd="/no/such/program x")
        self.assertIn("cannot run /no/such/program: No such file or directory (3", reason)

    def test_no_such_program_in_the_path(self) -> None:
        reason = self.refused(cmd="no-such-program", env={"PATH": "/bin"})
        self.assertIn("cannot run no-such-program: there is no such program in /bin", reason)

    def test_no_such_folder(self) -> None:
        self.assertIn("working directory /no/such: No such", self.refused(working_dir="/no/such"))

    @AS_ROOT
    def test_what_another_user_may_not_run(self) -> None:
        path = self.folder / "mine"
        path.write_text("#!/bin/sh\n")
        path.chmod(0o700)
        expected = f"cannot run {path} as nobody: Permission denied (3 attempts)"
        self.assertEqual(self.refused(cmd=str(path), uid="nobody"), expected)

    def test_another_limit_and_program(self) -> None:
        self.refused(rlimit_nofile=10**15)
        self.wire.order("set", name="a", options={"rlimit_nofile": 60, "cmd": "sleep 1000"})
        self.wire.order("start", name="a")
        (pid,) = self.wire.pids("a")

        def said() -> str:
            with open(f"/proc/{pid}/limits") as file:
                return file.read()

        self.assertTrue(eventually(lambda: "60" in said().split("Max open files")[1][:30]))
        self.assertEqual(self.wire.status("a"), ("active", ""))

    def test_without_backoff(self) -> None:
        self.arbit({"name": "a", "cmd": "/no/such", "rlimit_core": 0, "backoff": False})
        self.assertIn(
            "cannot run /no/such: No such file or directory (5 attempts)", self.gives_up()
        )


class TestNames(LimitCase):
    """Which limits there are."""

    def test_unknown_ones(self) -> None:
        self.assertLess({"nofile", "core", "as", "cpu"}, LIMITS)
        with self.assertRaises(OptionError) as caught:
            WATCHER_OPTIONS.convert({"rlimit_nofiles": 5})
        expected = "rlimit_nofiles: there is no such limit; did you mean rlimit_nofile?"
        self.assertEqual(str(caught.exception), expected)
        WATCHER_OPTIONS.convert({"rlimit_NOFILE": 5})  # as in Circus
        for name in ("", "zork"):
            with self.assertRaisesRegex(OptionError, f"rlimit_{name}: there is no such limit"):
                WATCHER_OPTIONS.convert({f"rlimit_{name}": 5})

    def test_values(self) -> None:
        for value in ("many", -2, True, 1.5, [], {}):
            with self.assertRaises(OptionError):
                WATCHER_OPTIONS.convert({"rlimit_nofile": value})
        with self.assertRaisesRegex(ConfigError, "this is not a mapping of names to values"):
            self.arbit({"name": "a", "cmd": "true", "rlimits": 5})


if __name__ == "__main__":
    unittest.main()
