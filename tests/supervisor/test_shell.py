"""`shell`, `shell_args` and `executable`: what a program is started as."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import unittest
from typing import Any

from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.sockets.registry import Loan, SocketRegistry
from cvec_circus.supervisor.launching import Template
from tests.support.embedded import EmbeddedCase

ENV = {"A": "a b", "B": "x"}

CASES: list[dict[str, Any]] = [
    {"cmd": "echo $HOME; ls | wc"},
    {"cmd": "echo $HOME", "args": "a 'b c' $(circus.env.a)"},
    {"cmd": "echo", "args": ["a", "b c", "$(circus.env.a)", "$HOME", ""]},
    {"cmd": "echo $0 $1", "shell_args": "x 'y z' $(circus.wid)"},
    {"cmd": "echo $0 $1", "shell_args": ["x", "y z", "$(circus.wid)"]},
    {"cmd": "echo", "shell_args": []},
    {"cmd": "echo", "shell_args": ""},
    {"cmd": "'a b' \"c\" d\\ e"},
    {"cmd": "'ls | wc'"},
    {"cmd": "echo $(circus.env.a) ((circus.env.b))"},
    {"cmd": "echo $(circus.executable) $(circus.shell)", "executable": "/x"},
]

PUBLISHED = """
import json, sys, warnings
warnings.simplefilter("ignore")
from circus.process import Process

class Watcher:
    optnames = ["shell_args"]
    sockets = None

def words(case, shell):
    watcher = Watcher()
    watcher.shell_args = case.get("shell_args")
    given = {name: case[name] for name in ("cmd", "args", "executable") if name in case}
    process = Process("n", 7, shell=shell, env=ENV, watcher=watcher, spawn=False, **given)
    return process.format_args()

CASES, ENV = map(json.loads, sys.argv[1:])
print(json.dumps([[words(case, shell) for case in CASES] for shell in (False, True)]))
"""


def words(case: dict[str, Any], shell: bool) -> list[str]:
    options = WATCHER_OPTIONS.complete(WATCHER_OPTIONS.convert({**case, "shell": shell}))
    template = Template("n", options.replace({"env": ENV}), "run")
    return [*template.spec(7, Loan(SocketRegistry())).argv]


class TestWords(unittest.TestCase):
    def test_the_shell_gets_words(self) -> None:
        for case, expected in (
            ({"cmd": "echo $HOME; ls | wc"}, ["-c", "echo '$HOME;' ls '|' wc"]),
            ({"cmd": "a", "args": ["b c"], "shell_args": "d 'e f'"}, ["-c", "a 'b c'", "d", "e f"]),
        ):
            self.assertEqual(words(case, True), ["/bin/sh", *expected])
            shell = {**case, "executable": "/bin/bash"}
            self.assertEqual(words(shell, True), ["/bin/bash", *expected])
            self.assertNotIn("-c", words(shell, False))

    @unittest.skipUnless(importlib.util.find_spec("circus"), "Circus is not installed")
    def test_the_same_words_as_circus(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", PUBLISHED, json.dumps(CASES), json.dumps(ENV)],
            capture_output=True,
            text=True,
            check=True,
        )
        theirs = dict(zip((False, True), json.loads(done.stdout)))
        for shell in (False, True):
            for case, expected in zip(CASES, theirs[shell]):
                with self.subTest(shell=shell, **case):
                    found = words(case, shell)
                    # Theirs become these words where the process is started.
                    self.assertEqual(found[2:] if shell else found, expected)


class TestRunning(EmbeddedCase):
    def tell(self, **options: Any) -> None:
        """Run a watcher that says how it was started where `lines` reads it."""
        self.arbit({"name": "a", "respawn": False, "max_retry": 1, **options})

    def said(self) -> str | None:
        return self.lines.next()

    def test_shell(self) -> None:
        fifo = self.fifo()
        script = 'echo "$0|$1|$2" > ' + fifo
        self.tell(
            cmd="eval",
            args=[script],
            shell=True,
            shell_args=["zero", "$(circus.wid)", "a b; $HOME"],
        )
        self.assertEqual(self.said(), "zero|1|a b; $HOME")

    def test_executable(self) -> None:
        script = f'echo "$0 $(cat /proc/$$/cmdline | tr "\\0" " ")" > {self.fifo()}'
        self.tell(cmd="other-name -c", args=[script, "zero"], executable="/bin/sh")
        said = self.said() or ""
        self.assertTrue(said.startswith("zero other-name -c echo"), said)

    def test_executable_in_the_path_of_the_environment(self) -> None:
        (self.folder / "mysh").symlink_to("/bin/sh")
        self.tell(
            cmd="my-name -c",
            args=[f"echo found > {self.fifo()}"],
            executable="mysh",
            env={"PATH": f"{self.folder}:/bin:/usr/bin"},
        )
        self.assertEqual(self.said(), "found")

    def test_the_file_that_is_missing_is_named(self) -> None:
        self.tell(cmd="sleep 1000", executable="/no/such/file")
        given_up = self.events.next("giveup")
        self.assertIn("cannot run /no/such/file: No such file", given_up["reason"])

    def test_set_and_add(self) -> None:
        fifo = self.fifo()
        self.arbit()
        script = f"echo $0 > {fifo}; exec sleep 1000"
        options = {"copy_env": True, "executable": "/bin/sh", "shell_args": None}
        self.wire.order(
            "add", name="a", cmd="x -c", args=[script, "one"], start=True, options=options
        )
        self.assertEqual(self.said(), "one")
        self.assertEqual(
            self.wire.call("get", name="a", keys=["executable"])["options"],
            {"executable": "/bin/sh"},
        )
        self.wire.order(
            "set",
            name="a",
            options={
                "shell": True,
                "executable": "",
                "cmd": "eval",
                "args": [script],
                "shell_args": ["two"],
            },
        )
        self.assertEqual(self.said(), "two")
        shown = self.wire.call("options", name="a")["options"]
        self.assertEqual(
            (shown["shell"], shown["shell_args"], shown["executable"]), (True, ["two"], None)
        )


if __name__ == "__main__":
    unittest.main()
