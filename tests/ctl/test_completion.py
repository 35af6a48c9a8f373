"""What completes a command line: the words, and the shells of the system that show them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from cvec_circus.commands import table
from cvec_circus.ctl import completion
from cvec_circus.ctl.arguments import PROG, main_parser
from cvec_circus.ctl.completion import Candidates
from cvec_circus.ctl.shell import Completer
from cvec_circus.daemon.arguments import parser
from cvec_circus.runtime.assignment import argument_parser
from cvec_circus.stats.program import argument_parser as stats_parser
from cvec_circus.system.completion import PROGRAMS, SHELLS, answer
from cvec_circus.top.main import argument_parser as top_parser
from tests.ctl.ctl_case import CtlCase, run
from tests.support.daemon import script

BASH = """
COMP_LINE="$1" COMP_POINT=${#1} COMP_TYPE=9
read -ra COMP_WORDS <<<"$1"
[[ "$1" == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_python_argcomplete "${COMP_WORDS[0]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


class TestWords(CtlCase):
    def test_every_place_of_every_command(self) -> None:
        candidates = Candidates(self.address)
        names = ["One Shot", "solo", "web"]
        first = {
            "add": [],
            "globaloptions": sorted(self.target.global_options()),
            "listen": names,
        }
        for name, command in table.load_all().items():
            with self.subTest(name):
                expected = first.get(name, names if "name" in command.by_name else [])
                self.assertEqual(candidates.words(command, []), expected)

    def words(self, line: str) -> list[str]:
        name, *before = line.split()
        return Candidates(self.address).words(table.load_all()[name], before)

    def test_further_places(self) -> None:
        words = self.words
        others = ["One Shot", "solo"]
        for line in ("kill web", "stats web"):
            self.assertEqual(words(line), ["6178", "6179", *others])
        self.assertEqual(words("signal web"), [*completion.SIGNALS, "6178", "6179", *others])
        self.assertEqual(words("signal web 6178"), list(completion.SIGNALS))
        self.assertEqual(words("signal web solo"), [*completion.SIGNALS, "One Shot"])
        for command in ("stop", "start", "restart", "reload", "rm", "status", "incr", "list"):
            self.assertEqual(words(f"{command} web"), others)
            self.assertEqual(words(f"{command} web solo"), ["One Shot"])
        self.assertEqual(words("kill web solo"), ["One Shot"])
        for line in ("get web", "get web cmd", "get web cmd cmd"):
            self.assertEqual(words(line), ["cmd", "flapping.max_retry", "numprocesses"])
        for pattern in ("get w*", "get *o*"):
            self.assertIn("numprocesses", words(pattern))
        for command in ("why", "options"):
            self.assertEqual(words(f"{command} web"), others)
        for line in ("set web", "set web cmd x", "set web cmd x cmd y"):
            self.assertIn("graceful_timeout", words(line))
            self.assertIn("flapping.max_retry", words(line))
        for line in (
            "set web cmd",
            "set web cmd x cmd",
            "incr web 1",
            "kill web 1",
            "add a b",
        ):
            self.assertEqual(words(line), [])
        self.assertEqual(words("listen web"), ["One Shot", "solo", "web"])

    def test_options_that_can_be_set(self) -> None:
        names = self.words("set web")
        for name in ("hooks.before_start", "rlimit_nofile", "stdout_stream.class"):
            self.assertIn(name, names)
        for refused in ("extends", "env_file", "rlimit_*", "hooks.*"):
            self.assertNotIn(refused, names)

    def test_values_of_options(self) -> None:
        for line, values in (
            ("set web overlap", ["skip", "queue", "replace"]),
            ("set web numprocesses 3 copy_env", ["True", "False"]),
            ("set web stop_signal", list(completion.SIGNALS)),
            ("set web nope", []),
        ):
            self.assertEqual(self.words(line), values)
        self.assertIn("FileStream", self.words("set web stdout_stream.class"))

    def test_matches(self) -> None:
        completer = Completer(self.address)
        for before, text, matches in (
            ("", "numw", ["numwatchers "]),
            ("", "ex", ["exit "]),
            ("", "--js", ["--json "]),
            ("--json ", "dst", ["dstats "]),
            ("--timeout 5 ", "dst", ["dstats "]),
            ("status ", "'o", ["'One Shot' "]),
            ("stop --waiting ", "W", ["web "]),
            ("stop --match ", "", ["glob ", "simple ", "regex "]),
            ("stop --match glob ", "w", ["web "]),
            ("status 'One ", "s", []),
            ("status web ", "", ["'One Shot' ", "solo "]),
            ("status 'One Shot' ", "", ["solo ", "web "]),
            ("stop ", "--y", ["--yes "]),
            ("reload ", "--s", ["--sequential ", "--show-secrets "]),
            ("zork ", "", []),
        ):
            with self.subTest(before=before, text=text):
                self.assertEqual(completer.matches(before, text), matches)

    def test_no_daemon(self) -> None:
        with mock.patch("cvec_circus.ctl.completion.PATIENCE", 0.05):
            self.assertEqual(Completer("ipc:///no/such").matches("status ", ""), [])


@unittest.skipIf(importlib.util.find_spec("argcomplete") is None, "argcomplete is not installed")
class TestShells(CtlCase):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for program in PROGRAMS:
            command = Path(folder.name, program)
            words = " ".join(f"'{word}'" for word in script(program))
            command.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
            command.chmod(0o755)
        self.folder = Path(folder.name)
        self.env = {
            **os.environ,
            "PATH": f"{folder.name}:{os.environ['PATH']}",
            "HOME": folder.name,
            "CVEC_CIRCUSCTL_ENDPOINT": self.address,
        }

    def shell(self, *words: str) -> list[str]:
        if shutil.which(words[0]) is None:
            self.skipTest(f"{words[0]} is not installed")
        done = subprocess.run(
            words, env=self.env, capture_output=True, text=True, timeout=60, check=False
        )
        self.assertEqual(done.stderr, "")
        return done.stdout.split("\n")[:-1]

    def test_bash(self) -> None:
        program = f'eval "$({PROG} --completion bash)"\n{BASH}'
        for line, found in (
            (f"{PROG} numw", ["numwatchers "]),
            (f"{PROG} status w", ["web "]),
            (f"{PROG} status O", ["One\\ Shot "]),
            (f"{PROG} stop web s", ["solo "]),
            (f"{PROG} kill web 617", ["6178", "6179"]),
            (f"{PROG} stop --match ", ["glob", "simple", "regex"]),
            (f"{PROG} reload --dry", ["--dry-run "]),
            (f"{PROG} get web flap", ["flapping.max_retry "]),
            (f"{PROG} help numw", ["numwatchers "]),
            (f"{PROG} --prett", ["--prettify "]),
        ):
            with self.subTest(line):
                self.assertEqual(self.shell("bash", "-c", program, "bash", line), found)

    def test_every_program_in_bash(self) -> None:
        (self.folder / "circus.toml").touch()
        program = f'cd {self.folder}; eval "$({PROG} --completion bash)"\n{BASH}'
        for line, found in (
            ("cvec_circusd --log-level w", ["warning "]),
            ("cvec_circusd circus.t", ["circus.toml "]),
            ("cvec_circusd --check cir", ["circus.toml "]),
            ("cvec_circus-plugin flap", ["flapping "]),
            ("cvec_circus-top --sort c", ["cpu "]),
        ):
            with self.subTest(line):
                self.assertEqual(self.shell("bash", "-c", program, "bash", line), found)

    def test_every_option_of_every_program(self) -> None:
        parsers = (parser(), argument_parser(), stats_parser(), top_parser())
        program = f'eval "$({PROG} --completion bash)"\n{BASH}'
        for made in parsers:
            names = {name for action in made._actions for name in action.option_strings}
            twice = {"--show_secrets"}  # --show-secrets is enough
            expected = {name for name in names if name.startswith("--")} - twice
            with self.subTest(made.prog):
                found = self.shell("bash", "-c", program, "bash", f"{made.prog} --")
                self.assertEqual({name.strip() for name in found}, expected)

    def test_fish(self) -> None:
        program = f"{PROG} --completion fish | source; complete -C '{PROG} status w'"
        self.assertEqual(
            [line.split("\t")[0] for line in self.shell("fish", "-c", program)], ["web"]
        )

    def test_zsh_takes_the_script(self) -> None:
        program = f'eval "$({PROG} --completion zsh)"; '
        program += "".join(f"print $_comps[{name}]; " for name in PROGRAMS)
        self.assertEqual(self.shell("zsh", "-fc", program), ["_python_argcomplete"] * 5)

    def test_the_scripts(self) -> None:
        for shell in SHELLS:
            done = run("--completion", shell)
            self.assertEqual((done.code, done.err), (0, ""))
            for program in PROGRAMS:
                self.assertRegex(done.out, rf"(?m)\b{program}\b(?!-)")
        self.assertEqual(run("--completion", "tcsh").code, 2)

    def test_nothing_of_it_is_loaded_for_a_command(self) -> None:
        program = (
            "import sys; from cvec_circus.ctl.main import main; "
            f"main(['--endpoint', {self.address!r}, 'list']); print('argcomplete' in sys.modules)"
        )
        self.assertEqual(self.shell(sys.executable, "-c", program)[-1], "False")


class TestWithoutTheLibrary(unittest.TestCase):
    def test_it_says_what_to_install(self) -> None:
        gone = {"argcomplete": None, "argcomplete.shell_integration": None}
        with mock.patch.dict(sys.modules, gone):
            done = run("--completion", "bash")
            self.assertEqual((done.code, done.out), (1, ""))
            self.assertEqual(done.err, f"error: {completion.MISSING}\n")
            with mock.patch.dict(os.environ, {"_ARGCOMPLETE": "1"}):
                answer(main_parser)


if __name__ == "__main__":
    unittest.main()
