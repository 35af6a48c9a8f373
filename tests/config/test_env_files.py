"""Files of variables: what they may say, who gets it, and what is wrong with them."""

from __future__ import annotations

import os
import sys
from unittest import mock

from cvec_circus.config.configuration import Configuration
from cvec_circus.config.effective import Effective
from cvec_circus.config.examination import examine
from cvec_circus.config.readers.document import load, read
from cvec_circus.config.readers.mapping import from_mappings
from cvec_circus.config.section import Findings
from cvec_circus.exc import ConfigError
from tests.config.support import ENVIRON, ConfigTestCase

WEB = "[watcher:web]\ncmd = x\nenv_file = web.env\n"


class EnvFileCase(ConfigTestCase):
    def env(self, variables: str, text: str = WEB) -> dict[str, str]:
        """Return the environment of the only watcher, given what is in web.env."""
        self.write("web.env", variables)
        return self.watcher(text).options.env


class TestForm(EnvFileCase):
    def test_lines(self) -> None:
        for line, value in (
            ("A=1", "1"),
            ("A = 1 ", "1"),
            ("export A=1", "1"),
            ("A=", ""),
            ("A=a # note", "a"),
            ("A=a#b", "a#b"),
            ("A='a # b'", "a # b"),
            ('A="a\\nb"', "a\nb"),
            ('A="a\nb"', "a\nb"),
            ("A='$x `y` \\n'", "$x `y` \\n"),
            ("A=a,b=c;d", "a,b=c;d"),
            ("A=${FOO}:${N}", "foo:3"),
            ("B=b\nA=${B}", "b"),
            ("A=${NOPE:-n}${NOPE}", "n"),
            ("FOO=own\nA=${FOO}", "own"),
            ("A=$(circus.env.FOO)", "$(circus.env.FOO)"),
        ):
            with self.subTest(line):
                self.assertEqual(self.env(f"# note\n\n{line}\n")["A"], value)
        self.assertEqual(self.env("FOO\nNOPE\n"), {"FOO": "foo"})

    def test_what_is_wrong(self) -> None:
        for variables, where, wrong in (
            ("A=1\n\nB='x\n", "web.env:3", "not a NAME=VALUE line; are the quotes closed?"),
            ("= 5\n", "web.env:1", "not a NAME=VALUE line; are the quotes closed?"),
            (b"A=1\nB=\xff\n", "web.env:2", "byte 0xff is not UTF-8; save the file as UTF-8 text"),
            (b"A=1\nB=\0\n", "web.env:2", "unexpected NUL character; save the file as UTF-8 text"),
        ):
            self.write("web.env", variables)
            with self.subTest(variables):
                [problem] = self.problems(WEB)
                self.assertEqual(problem, f"main.ini:3: [watcher:web] env_file: {where}: {wrong}")

    def test_files_that_are_not_there(self) -> None:
        gone = "main.ini:3: [watcher:web] env_file: web.env: cannot be read: No such file or"
        self.assertEqual(self.problems(WEB), [f"{gone} directory"])
        self.assertEqual(self.watcher(WEB.replace("web.env", "-web.env")).options.env, {})
        self.write("other.env", "A=1\n")
        for paths in ("other.env, -web.env", "- web.env,other.env"):
            text = WEB.replace("web.env", paths)
            self.assertEqual(self.watcher(text).options.env, {"A": "1"})
        os.mkfifo(self.folder / "web.env")
        for sign in ("", "-"):
            [problem] = self.problems(WEB.replace("web.env", f"{sign}web.env"))
            self.assertIn("web.env: cannot be read: not a regular file", problem)
        [problem] = self.problems(WEB.replace("web.env", "other.env,, -"))[:1]
        self.assertIn("env_file: a path is missing beside a comma or -", problem)

    def test_without_python_dotenv(self) -> None:
        self.write("web.env", "A=1\n")
        with mock.patch.dict(sys.modules, {"dotenv.parser": None}):
            [problem] = self.problems(WEB)
        self.assertIn("env_file: needs python-dotenv: pip install 'cvec_circus[dotenv]'", problem)


class TestWhoGetsIt(EnvFileCase):
    def test_the_later_file_wins_and_the_configuration_over_both(self) -> None:
        self.write("more.env", "B=2\nC=${A}2\n")
        text = WEB.replace("web.env", "web.env, more.env")
        first = "A=1\nB=1\n"
        self.assertEqual(self.env(first, text), {"A": "1", "B": "2", "C": "12"})
        text += "env = A=own\n[env]\nB = all\n[env:w*]\nC = some\n"
        self.assertEqual(self.env(first, text), {"A": "own", "B": "all", "C": "some"})

    def test_other_watchers_have_their_own(self) -> None:
        self.write("web.env", "A=1\n")
        found = self.load(
            f"{WEB}[watcher:db]\ncmd = x\n[plugin:p]\nuse = a.B\nenv_file = web.env\n"
        )
        envs = {one.name: one.options.env for one in [*found.watchers, *found.plugins]}
        self.assertEqual(envs, {"web": {"A": "1"}, "db": {}, "plugin:p": {"A": "1"}})
        self.assertEqual(found.plugins[0].config, {})

    def test_in_options(self) -> None:
        text = WEB + "working_dir = $(circus.env.HERE)/$(circus.env.foo)\n"
        self.write("web.env", "HERE=/srv/a b\n")
        self.assertEqual(self.watcher(text).options.working_dir, "/srv/a b/foo")

    def test_paths(self) -> None:
        """They begin where the file is that names them, and may have variables in them."""
        self.write("conf/foo.env", "A=1\n")
        self.write("conf/web.ini", WEB.replace("web.env", "$(circus.env.foo).env"))
        found = self.load("[circus]\ninclude = conf/*.ini\n")
        self.assertEqual(found.watchers[0].options.env, {"A": "1"})
        path = self.folder / "conf" / "foo.env"
        self.write("default.ini", f"[DEFAULT]\nenv_file = {path}\n[watcher:a]\ncmd = x\n")
        found = load("default.ini", ENVIRON, str(self.folder))
        self.assertEqual(found.watchers[0].options.env, {"A": "1"})

    def test_from_a_program(self) -> None:
        self.write("web.env", "A=${HOME}\n")
        row = {"name": "web", "cmd": "x", "env": {"B": 2}, "env_file": str(self.folder / "web.env")}
        [watcher] = from_mappings([row]).watchers
        self.assertEqual(watcher.options.env, {"A": os.environ["HOME"], "B": "2"})
        with self.assertRaisesRegex(ConfigError, "env_file: /no/such: cannot be read"):
            from_mappings([{**row, "env_file": "/no/such"}])

    def test_only_the_file_that_is_missing_is_named(self) -> None:
        text = WEB + "numprocesses = $(circus.env.N_OF_WEB)\nuid = $(circus.env.WHO)\n"
        text += "stdout_stream.filename = $(circus.env.LOG)\nschedule = $(circus.env.WHEN)\n"
        self.write("main.ini", text)
        found = examine("main.ini", ENVIRON, str(self.folder)).build.findings.everything()
        [problem] = [one.line for one in found]
        self.assertIn("[watcher:web] env_file: web.env: cannot be read", problem)


class TestChanges(EnvFileCase):
    def test_a_file_that_changes_counts_as_one_of_the_configuration(self) -> None:
        self.write("main.ini", WEB)
        sources = []
        for variables in ("A=1\n", "A=2\n"):
            self.write("web.env", variables)
            document = read("main.ini", ENVIRON, str(self.folder), Findings())
            sources.append(document.sources[str(self.folder / "web.env")])
        self.assertNotEqual(*sources)


class TestSecrets(EnvFileCase):
    def printed(self, text: str) -> tuple[list[str], Configuration]:
        self.write("main.ini", text)
        examination = examine("main.ini", ENVIRON, str(self.folder))
        assert examination.configuration is not None
        return list(Effective(examination.build, examination.configuration).lines()), (
            examination.configuration
        )

    def test_what_is_printed(self) -> None:
        self.write("web.env", "# note\nMODE=fast\nDB_PASSWORD=hunter2\n")
        lines, before = self.printed(WEB)
        at = lines.index("# web.env:2")
        self.assertEqual(lines[at + 1], "# env.MODE = fast")
        self.assertEqual(lines[at + 2 : at + 4], ["# web.env:3", "# env.DB_PASSWORD = ***"])
        self.assertIn(f"env_file = {self.folder}/web.env", lines)
        self.write("elsewhere/main.ini", "\n".join(lines))
        again = load(str(self.folder / "elsewhere" / "main.ini"), ENVIRON, "/")
        self.assertEqual(again.watchers[0].options, before.watchers[0].options)

    def test_messages_name_the_variable(self) -> None:
        self.write("web.env", "P=hunter2\n")
        [problem] = self.problems(WEB + "numprocesses = $(circus.env.P)\n")
        self.assertIn("'$(circus.env.P)' is not a whole number", problem)
