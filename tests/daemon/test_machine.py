"""What `--check` says of programs, modules and systemd on the machine that it runs on."""

from __future__ import annotations

import os
import unittest
from unittest import mock

from cvec_circus.system import cgroup, executables, units
from tests.daemon.machine_case import MAKE, WEB, MachineCase


class TestPrograms(MachineCase):
    def test_none_is_named(self) -> None:
        """What is missing is a problem; what stands in its place is no program."""
        for lines, said in (
            ("args = nosuch", "1: problem: [watcher:web] cmd: missing; say which program to run"),
            ("cmd = ''", "2: problem: [watcher:web] cmd: names no program"),
            ("args = /nosuch/x\nshell = True", "1: problem: [watcher:web] cmd: missing; say which"),
        ):
            with self.subTest(lines):
                [found], _ = self.said(f"[watcher:web]\n{lines}\n", False, {})
                self.assertTrue(found.startswith(said), found)

    def test_the_path_is_that_of_the_child(self) -> None:
        self.program("bin/here")
        path = {"PATH": f"{self.folder}/bin:/bin"}
        self.says(
            "[watcher:web]\ncmd = here\n",
            "2: [watcher:web] cmd: there is no program here in /bin:/usr/bin; copy_env = True "
            "gives it the daemon's PATH, which has it",
            **path,
        )
        self.says(
            "[watcher:web]\ncmd = herre\ncopy_env = True\n",
            "2: [watcher:web] cmd: there is no program herre in HERE/bin:/bin; install it, or "
            "write its path",
            **path,
        )
        self.says(
            "[watcher:web]\ncmd = here\n[env:web]\nPATH = /bin\n",
            "2: [watcher:web] cmd: there is no program here in /bin; install it, or write its path",
            **path,
        )
        self.says(
            "[watcher:web]\ncmd = circusd-stats\n[env]\nPATH = /none\n",
            "2: [watcher:web] cmd: there is no program circusd-stats in /none; it is called "
            "cvec_circusd-stats here",
        )
        self.silent(
            "[watcher:web]\ncmd = here\ncopy_env = True\n",
            "[watcher:web]\ncmd = here\n[env:web]\nPATH = $PATH\n",
            "[watcher:web]\ncmd = here\nworking_dir = bin\n[env]\nPATH = .\n",
            **path,
        )

    def test_a_path_with_a_blank(self) -> None:
        self.program("my app/serve it")
        path = f"{self.folder}/my app/serve it"
        hint = "there is no HERE/my; put quotes around HERE/my app/serve it, which has a blank"
        self.says(f"[watcher:web]\ncmd = {path} --port 80\n", f"2: [watcher:web] cmd: {hint}")
        self.says(
            f"{WEB}hooks.before_start = exec:{path}\nready.a = exec:{path} -x\n",
            f"3: [watcher:web] hooks.before_start: {hint}",
            f"4: [watcher:web] ready.a: {hint}",
        )
        self.says(
            f"[watcher:web]\ncmd = {self.folder}/my\n", "2: [watcher:web] cmd: there is no HERE/my"
        )
        self.silent(f"[watcher:web]\ncmd = '{path}' --port 80\n")

    def test_a_network_device(self) -> None:
        text = f"{WEB}[socket:s]\nport = 0\ninterface = "
        [said] = self.problems(f"{text}nope9\n")
        self.assertIn("5: [socket:s] interface: there is no network device nope9; there is ", said)
        self.silent(f"{text}lo\n")

    def test_an_interpreter_in_the_path(self) -> None:
        self.program("bin/herepython")
        self.program("x", "#!/usr/bin/env herepython\n")
        self.says(
            "[watcher:web]\ncmd = ./x\n",
            "2: [watcher:web] cmd: herepython, the interpreter of HERE/x, is not in /bin:/usr/bin; "
            "copy_env = True gives it the daemon's PATH, which has it",
            PATH=f"{self.folder}/bin",
        )

    def test_names_in_the_command(self) -> None:
        self.program("run1")
        self.silent(
            "[watcher:web]\ncmd = ./$(circus.prog)$(circus.wid) x\nprog = run\n",
            "[watcher:web]\ncmd = $(circus.env.P) x\n",
            "[watcher:web]\ncmd = ./a$(circus.sockets.s)\nuse_sockets = 1\n[socket:s]\nport = 0\n",
            P="./run1",
        )
        said = "2: [watcher:web] cmd: there is no HERE/run"
        self.says("[watcher:web]\ncmd = ./$(circus.prog) x\nprog = run\n", said)

    def test_shells(self) -> None:
        self.silent("[watcher:web]\ncmd = whatever\nshell = True\n")
        said = "2: [watcher:web] cmd: there is no HERE/no"
        self.says("[watcher:web]\ncmd = ./no way\nshell = True\n", said)
        said = "3: [watcher:web] executable: there is no /no/sh"
        self.says("[watcher:web]\ncmd = sleep 1\nexecutable = /no/sh\nshell = True\n", said)

    def test_a_program_in_the_working_dir(self) -> None:
        self.program("sub/x")
        self.silent("[watcher:web]\ncmd = ./x\nworking_dir = sub\n")
        self.says("[watcher:web]\ncmd = ./x\n", "2: [watcher:web] cmd: there is no HERE/x")
        # What is relative to a folder that is not there is not there either.
        said = f"3: [watcher:web] working_dir: there is no folder HERE/no; {MAKE}"
        self.says("[watcher:web]\ncmd = ./x\nworking_dir = no\n", said)
        both = (said, "2: [watcher:web] cmd: there is no /no/such")
        self.assertEqual(
            sorted(self.found("[watcher:web]\ncmd = /no/such\nworking_dir = no\n")), sorted(both)
        )
        said = "3: [watcher:web] working_dir: HERE/sub/x is not a folder"
        self.says("[watcher:web]\ncmd = ./x\nworking_dir = sub/x\n", said)

    def test_virtual_environments(self) -> None:
        text = "[watcher:web]\ncmd = sleep 1\ncopy_env = True\nvirtualenv = {DIR}/venv\n"
        text = text.replace("{DIR}", str(self.folder))
        (said,) = self.found(text, PATH="/bin")
        self.assertIn("4: [watcher:web] virtualenv: virtualenv HERE/venv: there is no HERE/", said)
        version = "venv/lib/python3.99/site-packages"
        os.makedirs(self.folder / version)
        self.program("venv/bin/here")
        right = text.replace("sleep 1", "here")
        self.silent(f"{right}virtualenv_py_ver = 3.99\n", PATH="/bin")

    def test_each_thing_is_looked_at_once(self) -> None:
        text = "".join(f"[watcher:w{number}]\ncmd = sleep {number}\n" for number in range(50))
        with mock.patch.object(executables, "why_not", return_value="") as look:
            self.silent(text)
        self.assertEqual(look.call_count, 1)

    def test_many_sections_with_one_fault(self) -> None:
        text = "".join(f"[watcher:{name}]\ncmd = nosuch {name}\n" for name in "abc")
        self.says(
            text,
            "2: [watcher:a] cmd: there is no program nosuch in /bin:/usr/bin; install it, or write "
            "its path (the same 2 times more)",
        )
        (said,) = self.found(text.partition("[watcher:c]")[0])
        self.assertTrue(said.endswith("its path (the same once more)"), said)
        (said,) = self.found("[DEFAULT]\nworking_dir = no\n" + text.replace("nosuch", "sleep"))
        self.assertEqual(said, f"2: [watcher:a] working_dir: there is no folder HERE/no; {MAKE}")


class TestModules(MachineCase):
    def test_hooks_and_streams(self) -> None:
        (self.folder / "lib").mkdir()
        (self.folder / "lib" / "here_hooks.py").write_text(
            "raise SystemExit\ndef hook(**facts): pass\ndef bare(): pass\n"
        )
        env = "[env]\nPYTHONPATH = lib\n"
        hook = f"{WEB}hooks.before_start = here_hooks.hook\n"
        stream = f"{WEB}stdout_stream.class = here_hooks.hook\n"
        shared = f"{hook}[env:other]\nPYTHONPATH = lib\n{other()}"
        self.silent(hook + env, stream + env, f"{shared}hooks.after_stop = here_hooks.hook\n")
        add = "add its folder to PYTHONPATH in [env]"
        none = f"there is no module here_hooks where the daemon looks; {add}"
        self.says(hook, f"3: [watcher:web] hooks.before_start: {none}")
        self.says(shared, f"3: [watcher:web] hooks.before_start: {none}")
        self.says(stream, f"3: [watcher:web] stdout_stream.class: {none}")
        self.says(
            hook.replace(".hook\n", ".hok\n") + env,
            "3: [watcher:web] hooks.before_start: there is no hok in HERE/lib/here_hooks.py",
        )

        said = "bare is called with watcher, arbiter, hook_name, which it does not take; write def"
        [found] = self.found(hook.replace(".hook\n", ".bare\n") + env)
        self.assertIn(
            f"3: [watcher:web] hooks.before_start: HERE/lib/here_hooks.py:3: {said}", found
        )
        self.silent(f"{WEB}hooks.extended_stats = here_hooks.bare\n{env}")

    def test_hooks_that_are_programs(self) -> None:
        self.program("bin/here")
        self.silent(
            f"{WEB}hooks.before_start = exec:here x\n",
            f"{WEB}hooks.before_start = exec:./here\nworking_dir = bin\n",
            PATH=f"{self.folder}/bin",
        )
        said = "3: [watcher:web] hooks.before_start: there is no HERE/here"
        self.says(f"{WEB}hooks.before_start = exec:./here\n", said)

    def test_checks_that_are_programs(self) -> None:
        self.program("bin/here")
        self.silent(
            f"{WEB}ready.up = exec:./bin/here $(circus.pid)\nlive.up = exec:true\n",
            f"{WEB}ready.up = exec:$(circus.wid)\nlive.up = tcp://127.0.0.1:1\n",
        )
        self.says(
            f"{WEB}ready.up = exec:here x\nlive.up = exec:./nothere\n",
            "3: [watcher:web] ready.up: there is no program here in /bin:/usr/bin; copy_env = True "
            "gives it the daemon's PATH, which has it",
            "4: [watcher:web] live.up: there is no HERE/nothere",
            PATH=f"{self.folder}/bin",
        )

    def test_plugins(self) -> None:
        text = "[plugin:p]\nuse = flapping\nworking_dir = no\nstdout_stream.filename = nolog/x\n"
        found = self.found(WEB + text)
        self.assertIn(f"5: [plugin:p] working_dir: there is no folder HERE/no; {MAKE}", found)
        log = f"6: [plugin:p] stdout_stream.filename: there is no folder HERE/nolog; {MAKE}"
        self.assertIn(log, found)


class TestCgroups(MachineCase):
    def test_limits_without_any(self) -> None:
        said = "no effect without cgroups; write cgroup = auto into [circus]"
        self.says(
            "[watcher:web]\ncmd = true\nmemory_limit = 64M\npids_limit = 5\n",
            f"3: [watcher:web] memory_limit: {said}",
            f"4: [watcher:web] pids_limit: {said}",
            PATH="/bin",
        )

    def test_where_they_cannot_be(self) -> None:
        text = "[circus]\ncgroup = {}\n[watcher:web]\ncmd = true\ncpu_limit = 2\n"
        (found,) = self.found(text.format(self.folder), PATH="/bin")
        where = r"HERE is in a \w+ file system, not cgroup2; "
        self.assertRegex(found, rf"^2: \[circus\] cgroup: {where}")

    def test_a_controller_that_is_missing(self) -> None:
        text = "[circus]\ncgroup = auto\n[watcher:web]\ncmd = true\ncpu_limit = 2\n"
        (self.folder / "cgroup.controllers").write_text("memory\n")
        with mock.patch.object(cgroup, "base", return_value=str(self.folder)):
            (found,) = self.found(text, PATH="/bin")
            self.assertTrue(
                found.startswith("5: [watcher:web] cpu_limit: no effect: the con"), found
            )
            (self.folder / "cgroup.controllers").write_text("cpu\n")
            self.silent(text, PATH="/bin")


class TestUnits(MachineCase):
    def test_a_unit_that_ends_what_is_to_be_taken_over(self) -> None:
        config = self.folder / "a.ini"
        unit = self.folder / "web.service"
        text = f"[Service]\nExecStart=/usr/bin/cvec_circusd {config}\n"
        unit.write_text(text)
        with mock.patch.object(units, "SYSTEM_FOLDERS", [str(self.folder)]):
            for extra, mode in (("", "control-group"), ("KillMode=mixed\n", "mixed")):
                unit.write_text(text + extra)
                (found,) = self.found(WEB, PATH="/bin")
                self.assertIn(f"[circus] adopt: HERE/web.service has KillMode={mode}, so", found)
                self.assertIn("write KillMode=process into [Service] there, or adopt =", found)
            self.silent(f"[circus]\nadopt = False\n{WEB}", PATH="/bin")
            unit.write_text(f"{text}KillMode=process\n")
            self.silent(WEB, PATH="/bin")


def other() -> str:
    """Another watcher, whose path is there for the first one too if it has a hook."""
    return WEB.replace("web", "other")


if __name__ == "__main__":
    unittest.main()
