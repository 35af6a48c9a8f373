"""What `--check` says of files, folders, limits and syslogs of the machine that it runs on."""

from __future__ import annotations

import os
import resource
import socket
import unittest
from unittest import mock

from cvec_circus.system import privileges
from cvec_circus.system.privileges import PORTS, SCORE
from tests.daemon.machine_case import MAKE, WEB, MachineCase


class TestSyslog(MachineCase):
    def test_a_syslog_that_is_not_there(self) -> None:
        text = f"{WEB}stdout_stream.class = SyslogStream\nstdout_stream.address = "
        key = "4: [watcher:web] stdout_stream.address: cannot reach the syslog"
        self.says(f"{text}/nope/log\n", f"{key} /nope/log: No such file or directory")
        (said,) = self.found(f"{text}no.such.host.invalid\n")
        self.assertTrue(said.startswith(f"{key} no.such.host.invalid: "), said)
        path = self.folder / "log"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
            syslog.bind(str(path))
            self.silent(f"{text}{path}\n", f"{text}127.0.0.1:5140\n")


class TestVariables(MachineCase):
    def test_one_that_does_not_exist_is_the_cause(self) -> None:
        text = f"{WEB}[circus]\npidfile = $(circus.env.NOPE)/pid\nendpoint = ipc://$(circus.env.NOPE)/e\n"
        found, verdict = self.said(text, False, {})
        none = "there is no variable NOPE; give it a value in [env]"
        expected = [
            f"4: problem: [circus] pidfile: {none}",
            f"5: problem: [circus] endpoint: {none}",
        ]
        self.assertEqual(found, expected)
        self.assertTrue(verdict.endswith("; the daemon does not start"), verdict)


class TestStateDir(MachineCase):
    def test_where_none_can_be(self) -> None:
        (self.folder / "file").touch()
        (self.folder / "open").mkdir()
        (self.folder / "open").chmod(0o777)
        (self.folder / "link").symlink_to("open")
        key, without = "4: [circus] state_dir:", "; without it, a daemon that comes after a crash"
        for name, why in (
            ("file", "HERE/file: it is not a folder"),
            ("link", "HERE/link: it is a symbolic link"),
            ("open", "HERE/open: others may write to it (mode 777)"),
            ("file/x", "HERE/file/x: Not a directory"),
        ):
            with self.subTest(name):
                text = f"{WEB}[circus]\nstate_dir = {name}\n"
                self.says(text, f"{key} {why}{without} takes nothing over")
                self.silent(f"{text}adopt = False\n")
        self.silent(f"{WEB}[circus]\nstate_dir = not/yet/there\n")
        self.assertFalse((self.folder / "not").exists())


class TestPrivileges(MachineCase):
    def setUp(self) -> None:
        super().setUp()
        self.is_privileged = mock.patch.object(privileges, "has_capability", return_value=False)
        self.is_privileged.start()
        self.addCleanup(self.is_privileged.stop)
        self.uid = os.geteuid()

    def test_what_an_ordinary_user_may_not(self) -> None:
        other = self.uid + 1
        text = (
            f"[circus]\nendpoint = tcp://127.0.0.1:81\npubsub_endpoint = tcp://127.0.0.1:8181\n"
            f"[socket:low]\nport = 80\n[socket:any]\nport = 0\n[socket:path]\npath = s\n"
            f"owner = {other}\n[watcher:web]\ncmd = sleep 1\nuid = {other}\ngid = {other}\n"
            f"[watcher:score]\ncmd = sleep 1\noom_score_adj = -1000\n"
        )
        with mock.patch.object(privileges, "_number", {PORTS: 1024, SCORE: 5}.get):
            found = self.found(text)
        self.assertEqual(self.found(text, elsewhere=True), [])
        for line, said in zip(
            found,
            (
                "2: [circus] endpoint: CANNOT listen on a port below 1024",
                "5: [socket:low] port: CANNOT listen on a port below 1024",
                f"10: [socket:path] owner: CANNOT make {other} the owner of a file",
                "13: [watcher:web] uid: CANNOT become ",
                "17: [watcher:score] oom_score_adj: CANNOT lower it from 5",
            ),
        ):
            who = f"user {self.uid} cannot" if self.uid else "root cannot"
            self.assertTrue(line.startswith(said.replace("CANNOT", who)), f"{line} / {said}")
        self.assertEqual(len(found), 5, found)

    def test_what_it_may(self) -> None:
        self.silent(
            f"[socket:own]\npath = s\nowner = {self.uid}\n{WEB}uid = {self.uid}\n"
            "oom_score_adj = 1000\nworking_dir = .\n"
        )

    @unittest.skipIf(os.geteuid() == 0, "root may enter any folder")
    def test_a_closed_folder(self) -> None:
        (self.folder / "closed").mkdir(0o600)
        (said,) = self.found(f"{WEB}working_dir = closed\n")
        self.assertIn(f"user {self.uid} cannot enter HERE/closed", said)


class TestLimits(MachineCase):
    def test_more_than_is_allowed(self) -> None:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        for value in (10**15, most):
            with self.subTest(value):
                text = f"{WEB}rlimit_nofile = {value}\n"
                more = f"{value} is more than the {most} that is allowed here"
                said = (
                    f"3: [watcher:web] rlimit_nofile: {more}; lower it, or raise the daemon's own"
                )
                self.assertEqual(self.found(text), [] if value == most else [said])
        self.silent(f"{WEB}rlimit_nofile = infinity\n", f"{WEB}rlimit_core = 0\n")
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE)[1], most)


class TestFiles(MachineCase):
    def test_log_files(self) -> None:
        (self.folder / "sub").mkdir()
        for cls in ("FileStream", "WatchedFileStream", "TimedRotatingFileStream"):
            text = f"{WEB}stdout_stream.class = {cls}\nstdout_stream.rotate_when = D\n"
            if cls != "TimedRotatingFileStream":
                text = f"{WEB}stdout_stream.class = {cls}\n"
            key = "[watcher:web] stdout_stream.filename"
            line = text.count("\n") + 1
            missing = f"{line}: {key}: there is no folder HERE/no; {MAKE}"
            self.says(f"{text}stdout_stream.filename = no/x\n", missing)
            folder_said = f"{line}: {key}: HERE/sub is a folder; name a file in it"
            self.says(f"{text}stdout_stream.filename = sub\n", folder_said)
            self.silent(f"{text}stdout_stream.filename = sub/x\n")
        self.silent(f"{WEB}stderr_stream.filename = /dev/null\n")
        (self.folder / "loop").symlink_to("loop")
        circle = (
            "3: [watcher:web] stdout_stream.filename: HERE/loop: Too many levels of symbolic links"
        )
        self.says(f"{WEB}stdout_stream.filename = loop\n", circle)

    @unittest.skipIf(os.geteuid() == 0, "root may write anywhere")
    def test_log_files_that_are_not_ours(self) -> None:
        (self.folder / "sub").mkdir(0o555)
        (said,) = self.found(f"{WEB}stdout_stream.filename = sub/x\n")
        self.assertIn(f"user {os.geteuid()} cannot make files in HERE/sub", said)
        (self.folder / "x").touch(0o444)
        (said,) = self.found(f"{WEB}stdout_stream.filename = x\n")
        self.assertIn(f"user {os.geteuid()} cannot write to HERE/x", said)

    def test_files_of_the_daemon(self) -> None:
        text = f"{WEB}[circus]\npidfile = no/pid\nlogoutput = nolog/x\nloggerconfig = log.json\n"
        found = self.problems(
            f"{text}endpoint = ipc://{self.folder}/noep/x\n[socket:s]\npath = nos/s\n"
        )
        endpoint = f"ipc://HERE/noep/x: cannot listen: there is no folder HERE/noep; {MAKE}"
        expected = [
            f"4: [circus] pidfile: there is no folder HERE/no; {MAKE}",
            f"5: [circus] logoutput: there is no folder HERE/nolog; {MAKE}",
            f"6: [circus] loggerconfig: there is no log.json; {MAKE}",
            f"7: [circus] endpoint: {endpoint}",
            f"9: [socket:s] path: there is no folder HERE/nos; {MAKE}",
        ]
        self.assertEqual(found, expected)
        home = "~ is not replaced; write $(circus.env.HOME)"
        found = self.problems(f"{WEB}[circus]\npidfile = ~/x\nloggerconfig = ~/log.json\n")
        expected = [
            f"4: [circus] pidfile: there is no folder HERE/~; {home}",
            f"5: [circus] loggerconfig: there is no ~/log.json; {home}",
        ]
        self.assertEqual(found, expected)
        self.says(
            f"{WEB.replace('sleep', '~/sleep')}[watcher:dir]\ncmd = sleep 1\nworking_dir = ~/x\n",
            f"2: [watcher:web] cmd: there is no HERE/~/sleep; {home}",
            f"5: [watcher:dir] working_dir: there is no folder HERE/~/x; {home}",
        )
        runs = f"4: [circus] schedule_file: there is no folder HERE/no; {MAKE}"
        self.says(f"{WEB}[circus]\nschedule_file = no/runs.json\n", runs)
        self.silent(f"{WEB}[circus]\nloggerconfig = default\n")
        (self.folder / "log.json").write_text("{]")
        [said] = self.problems(f"{WEB}[circus]\nloggerconfig = log.json\n")
        self.assertIn("4: [circus] loggerconfig: log.json: Expecting property name", said)
        for handler, why in (
            (
                '"class": "logging.FileHandler", "filename": "no/x"',
                f"there is no folder HERE/no; {MAKE}",
            ),
            ('"class": "nowhere.Handler"', "No module named 'nowhere'"),
            ('"class": "ends.Handler"', "applying it ends the process, with code 3"),
        ):
            (self.folder / "ends.py").write_text("raise SystemExit(3)")
            (self.folder / "log.json").write_text(f'{{"handlers": {{"a": {{{handler}}}}}}}')
            [said] = self.problems(f"{WEB}[circus]\nloggerconfig = log.json\n")
            self.assertTrue(said.startswith("4: [circus] loggerconfig: log.json: "), said)
            self.assertIn(why, said)
        (self.folder / "ours.py").write_text(
            "import logging\nclass Ours(logging.FileHandler): pass\n"
        )
        right = '{"handlers": {"a": {"class": "ours.Ours", "filename": "new"}}}'
        (self.folder / "log.json").write_text(right)
        self.silent(f"{WEB}[circus]\nloggerconfig = log.json\n")
        self.assertFalse((self.folder / "new").exists())
        [said] = self.problems(f"{WEB}[circus]\nlogoutput = syslog://no.such.host.invalid\n")
        self.assertIn("4: [circus] logoutput: syslog://no.such.host.invalid: ", said)
        (self.folder / "real").mkdir()
        (self.folder / "log").symlink_to("real/log")
        self.silent(f"{WEB}[circus]\nlogoutput = log\n")
        (self.folder / "real").rmdir()
        [said] = self.problems(f"{WEB}[circus]\nlogoutput = log\n")
        self.assertIn("logoutput: there is no folder HERE/real; ", said)
        (self.folder / "log").unlink()
        self.silent(
            f"{WEB}[circus]\npidfile = pid\nlogoutput = log\nschedule_file = runs.json\n",
            f"{WEB}[circus]\nlogoutput = -\nendpoint = ipc://x\n[socket:s]\npath = s\n",
            f"{WEB}[circus]\nlogoutput = syslog://127.0.0.1\n",
        )


if __name__ == "__main__":
    unittest.main()
