"""One script for the published daemon and for ours: what comes of it is the same.

Compared are the replies, the events, what the processes were given, the files, the sockets and the
exit code, but for pids and times. What differs on purpose is named below, with the reason.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cvec_circus.client import CircusClient
from cvec_circus.exc import CallError
from tests.support.children import command as child_command
from tests.support.daemon import folder, script
from tests.support.eventually import eventually

Tree = dict[str, Any]

FACTS = shlex.join(child_command("facts"))

TEXT = f"""
[circus]
endpoint = ipc://{{DIR}}/control
pubsub_endpoint = ipc://{{DIR}}/events
check_delay = 0.2
umask = 027

[env]
FACT_COMMON = common
FACT_FOLDER = {{DIR}}

[env:facts,copied]
FACT_OWN = $HOME/own

[socket:tcp]
host = 127.0.0.1
port = 0

[socket:unix]
path = {{DIR}}/unix.sock

[watcher:facts]
cmd = {FACTS} a "b c" $(circus.wid)
args = --fact $(circus.env.FACT_COMMON) $(circus.env.NOBODY) ((circus.wid))
working_dir = {{DIR}}/work
rlimit_nofile = 100
rlimit_core = 0
stop_signal = INT
numprocesses = 2
min_uptime = 0
stdout_stream.filename = {{DIR}}/facts.out
stderr_stream.filename = {{DIR}}/facts.err
stderr_stream.time_format = %Y

[watcher:copied]
cmd = {FACTS}
copy_env = True
copy_path = True
close_child_stderr = True
stdout_stream.class = FileStream
stdout_stream.filename = {{DIR}}/copied.out
send_hup = True

[watcher:served]
cmd = {FACTS} $(circus.sockets.tcp) $(circus.sockets.unix)
use_sockets = True
close_child_stdin = False
stdout_stream.filename = {{DIR}}/served.out
close_child_stderr = True

[watcher:shell]
cmd = {FACTS} "$HOME | cat; exit"
shell = True
stdout_stream.filename = {{DIR}}/shell.out
close_child_stderr = True

[watcher:once]
cmd = sh -c "echo done; exit 7"
respawn = False
stdout_stream.filename = {{DIR}}/once.out

[watcher:later]
cmd = sleep 1000
autostart = False
priority = 7
free.form = text
"""

# Nobody may not even be able to read our Python.
AS_NOBODY = """
[watcher:nobody]
cmd = /bin/sh -c "id -un; id -gn; id -Gn; umask; exec /bin/sleep 1000"
working_dir = /
uid = nobody
gid = nogroup
stdout_stream.filename = {DIR}/nobody.out
close_child_stderr = True
"""

BEGUN = '"cwd"'
"""What a process has written when it can be told to end."""

# A command, its properties, and how many processes have begun in a file before the next one.
SCRIPT: list[tuple[Any, ...]] = [
    ("list", {}),
    ("numwatchers", {}),
    ("status", {}),
    ("status", {"name": "FACTS"}),
    ("numprocesses", {}),
    ("numprocesses", {"name": "facts"}),
    ("get", {"name": "facts", "keys": ["numprocesses", "stop_signal", "graceful_timeout"]}),
    ("get", {"name": "facts", "keys": ["nothing"]}),
    ("options", {"name": "facts"}),
    ("globaloptions", {}),
    ("listsockets", {}),
    ("incr", {"name": "facts", "nb": 2, "waiting": True}, "facts.out", 4),
    ("decr", {"name": "facts", "nb": 3, "waiting": True}),
    ("set", {"name": "facts", "options": {"numprocesses": 2}, "waiting": True}, "facts.out", 5),
    ("reload", {"name": "copied", "waiting": True}),
    ("restart", {"name": "served", "waiting": True}, "served.out", 2),
    ("start", {"name": "later", "waiting": True}),
    ("stop", {"name": "later", "waiting": True}),
    ("status", {"name": "later"}),
    ("add", {"name": "added", "cmd": "sleep", "args": ["1000"], "start": True, "waiting": True}),
    ("add", {"name": "added", "cmd": "sleep 1000"}),
    ("signal", {"name": "copied", "signum": "hup"}),
    ("rm", {"name": "added", "waiting": True}),
    ("status", {"name": "added"}),
    ("nothing", {}),
    ("incr", {}),
    ("signal", {"name": "facts"}),
]

AT_THE_END = {'{"signal": "SIGTERM"}', '{"signal": "SIGINT"}'}
"""Last words of processes, which Circus may lose; and the child of a shell gets no signal from it,
and lives on."""

IGNORED = {"__name__", "multicast_endpoint"}
"""Keys of Circus' replies that mean nothing: one leaks out of its reader, the other names what is
not there in any version for Python 3."""


def missing(mine: Any, their: Any, path: str = "") -> Iterator[str]:
    """Yield what the published daemon says, and ours does not. Ours may say more."""
    if isinstance(mine, dict) and isinstance(their, dict):
        for key in their.keys() - IGNORED:
            yield from missing(mine.get(key), their[key], f"{path}/{key}")
    elif path.endswith("/reason"):
        # The same, but for the whole message that Circus puts before it.
        if not their.endswith(mine):
            yield f"{path}: {mine!r} is not the end of {their!r}"
    elif mine != their:
        yield f"{path}: {mine!r} is not {their!r}"


class Run:
    """The script, run on one of the daemons. Owned by the test."""

    def __init__(self, test: unittest.TestCase, argv: list[str]) -> None:
        self.folder = folder(test)
        self.folder.chmod(0o755)
        (self.folder / "work").mkdir()
        text = TEXT + (AS_NOBODY if os.getuid() == 0 else "")
        self.names = [line[9:-1] for line in text.splitlines() if line.startswith("[watcher:")]
        config = self.folder / "circus.ini"
        config.write_text(text.replace("{DIR}", str(self.folder)))
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [*argv, str(config)],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        test.addCleanup(self.end)
        self.client = CircusClient(endpoint=f"ipc://{self.folder}/control", timeout=20)
        test.addCleanup(self.client.stop)
        self.test = test

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.end_orphans()

    def end_orphans(self) -> None:
        """End what the daemon has left, which is what the published one does to a shell's child."""
        mark = f"FACT_FOLDER={self.folder}\0".encode()
        for name in filter(str.isdecimal, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if mark in Path(f"/proc/{name}/environ").read_bytes():
                    os.kill(int(name), signal.SIGKILL)

    def play(self) -> Tree:
        """Run the script, and return what came of it."""
        self.until(self.is_up, "everything runs")
        replies = [self.step(*step) for step in SCRIPT]
        self.until(lambda: self.read("copied.out").count("SIGHUP") == 2, "both have come")
        sockets = stat.S_IMODE((self.folder / "unix.sock").stat().st_mode)
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        return {
            "replies": replies,
            "files": {path.name: self.told(path.name) for path in self.folder.glob("*.[oe]*")},
            "socket": oct(sockets),
            "code": code,
        }

    def step(self, command: str, properties: Tree, name: str = "", count: int = 0) -> Any:
        reply = self.reply(command, properties)
        if name:
            self.until(lambda: self.read(name).count(BEGUN) >= count, f"{count} in {name}")
        return reply

    def until(self, reached: Any, what: str) -> None:
        if not eventually(reached, 40):
            self.test.fail(f"never: {what}\n{self.read('log')}")

    def is_up(self) -> bool:
        with contextlib.suppress(CallError):
            states = self.client.send_message("status")["statuses"]
            up = [name for name in self.names if name not in ("once", "later")]
            is_up = all(states.get(name) == "active" for name in up)
            outs = all(self.read(f"{name}.out") for name in [*up, "once"])
            all_begun = self.read("facts.out").count(BEGUN) == 2
            return is_up and outs and all_begun and states["once"] == "stopped"
        return False

    def read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def reply(self, command: str, properties: Tree) -> tuple[str, Any]:
        try:
            told = self.client.call({"command": command, "properties": properties})
        except CallError as error:
            told = {"raised": str(error)}
        return f"{command} {properties}", self.same(told)

    def same(self, told: Any, key: str = "") -> Any:
        """What is told, without what differs from run to run."""
        if isinstance(told, dict):
            # min_uptime, which Circus does not know, is 0: decr then ends the oldest, as there
            skip = {"id", "time", "tb", "fd", "min_uptime"}
            return {k: self.same(v, k) for k, v in told.items() if k not in skip}
        if isinstance(told, list):
            pids = key in ("started", "stopped", "kept", "pids")
            return f"{len(told)} pids" if pids else [self.same(one, key) for one in told]
        if key == "port":
            return "PORT"
        return told.replace(str(self.folder), "DIR") if isinstance(told, str) else told

    def told(self, name: str) -> list[str]:
        """The lines of a file, sorted: several processes may write to it."""
        lines = self.read(name).replace(str(self.folder), "DIR").splitlines()
        return sorted(without_numbers(line) for line in lines if line not in AT_THE_END)


def without_numbers(line: str) -> str:
    """A line of a file, without pids and the numbers of sockets."""
    try:
        facts = json.loads(line)
    except ValueError:
        head, mark, rest = line.partition("] | ")
        return f"{head.partition('[')[0]}[PID{mark}{rest}" if mark else line
    words = facts.get("words", [])
    if len(words) == 2 and all(word.isdigit() for word in words):
        facts["words"] = ["FD", "FD"]
    return json.dumps(facts, sort_keys=True)


class TestChild(unittest.TestCase):
    """The child of this script, whose last words are counted."""

    def test_it_tells_a_signal_that_comes_with_its_first_words(self) -> None:
        for _ in range(10):
            argv, pipe, null = child_command("facts"), subprocess.PIPE, subprocess.DEVNULL
            with subprocess.Popen(argv, stdout=pipe, stderr=null, env={}) as child:
                assert child.stdout is not None
                first = os.read(child.stdout.fileno(), 65536)
                child.send_signal(signal.SIGINT)
                self.assertTrue((first + child.stdout.read()).endswith(b'{"signal": "SIGINT"}\n'))
            self.assertEqual(child.returncode, 3)


@unittest.skipUnless(importlib.util.find_spec("circus"), "the published circus is not installed")
class TestBothDaemons(unittest.TestCase):
    maxDiff = None

    def test_the_same_script(self) -> None:
        program = "import sys; from circus.circusd import main; main()"
        theirs = Run(self, [sys.executable, "-W", "ignore", "-c", program]).play()
        run = Run(self, script("cvec_circusd"))
        ours = run.play()
        self.assertEqual(run.read("facts.out").count("SIGINT"), 5)  # nothing is lost here
        self.assertEqual(ours["code"], theirs["code"])
        self.assertEqual(ours["socket"], theirs["socket"])
        self.assertEqual(ours["files"], theirs["files"])
        for (command, mine), (_, their) in zip(ours["replies"], theirs["replies"]):
            with self.subTest(command):
                self.assertEqual(list(missing(mine, their)), [])


if __name__ == "__main__":
    unittest.main()
