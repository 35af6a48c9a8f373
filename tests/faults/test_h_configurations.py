"""Group H: made-up configurations: what --check says of a file is what a start does with it.

CVEC_CIRCUS_CONFIGURATIONS says how many there are, CVEC_CIRCUS_SEED chooses others.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import signal
import unittest
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from cvec_circus import exc
from cvec_circus.client import Client
from cvec_circus.config.configuration import PluginConfig
from cvec_circus.config.readers.document import load
from cvec_circus.daemon import check
from cvec_circus.options.arbiter import ARBITER_OPTIONS
from cvec_circus.options.socket import SOCKET_OPTIONS
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.supervisor.reload import inspecting
from cvec_circus.supervisor.supervisor import Supervisor
from tests.config.test_fuzz import VALUES
from tests.support.daemon import DaemonCase, folder
from tests.support.eventually import eventually
from tests.support.nightly import NIGHTLY, SEED, repetitions, times
from tests.support.silence import silence

COUNT = int(os.environ.get("CVEC_CIRCUS_CONFIGURATIONS", "10000" if NIGHTLY else "200"))

GOOD = {
    "cmd": ("sleep 5", "sh -c 'exit 1'", "/no/such/program $(circus.wid)"),
    "numprocesses": ("0", "1", "3"),
    "stop_signal": ("QUIT", "15"),
    "graceful_timeout": ("0.5", "1s"),
    "max_age": ("10", "1h"),
    "depends_on": ("a", "b:started", "a, b"),
    "ready.r": ("fd:3", "log:up", "tcp://127.0.0.1:1", "exec:true"),
    "live.l": ("tcp://127.0.0.1:1", "exec:true"),
    "stdout_stream.filename": ("{DIR}/out", "/no/such/folder/out"),
    "stdout_stream.max_bytes": ("1000", "1MB"),
    "use_sockets": ("True", "no"),
    "hooks.before_start": ("exec:true", "no.such.module.hook"),
    "schedule": ("* * * * *", "0 5 31 2 *"),
    "rlimit_nofile": ("100",),
    "env.A": ("1",),
    "priority": ("1", "-1"),
    "rollout": ("surge", "recreate"),
    "max_retry": ("1", "-1"),
    "copy_env": ("1",),
    "on_demand": ("True",),
    "singleton": ("True",),
    "respawn": ("False",),
}
"""What makes sense, mostly; the rest of the options get values from a list of odd ones."""

SOCKETS = {"host": ("127.0.0.1",), "port": ("0",), "backlog": ("5",), "umask": ("077",)}
CIRCUS = {"umask": ("022",), "loglevel": ("info",), "priority_timeout": ("5",), "debug": ("no",)}

ELSEWHERE = ("logoutput", "loggerconfig", "loglevel", "state_dir", "name", "pidfile", "adopt")
"""What would hide from the test what the daemon says, or how it ends."""

MISSPELT = "wacher:x"

OF_WATCHERS = [option.name for option in WATCHER_OPTIONS]
OF_SOCKETS = [option.name for option in SOCKET_OPTIONS]
OF_CIRCUS = [
    *(one.name for one in ARBITER_OPTIONS if one.name not in ("endpoint", "pubsub_endpoint")),
]


class Draw:
    """Makes configurations up. Owned by the test."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)

    def text(self) -> str:
        """Write a file, most of which makes sense."""
        head = ["[circus]", "endpoint = ipc://{DIR}/control", "pubsub_endpoint = ipc://{DIR}/pub"]
        circus, body = self.parts()
        return "\n".join([*head, *circus, body])

    def parts(self) -> tuple[list[str], str]:
        """Write options of the daemon, and the other sections."""
        chance = self.random
        circus, lines = self.options(CIRCUS, OF_CIRCUS, 0.5), []
        for name in ("a", "b", "c"):
            if name == "a" or chance.random() < 0.5:
                lines += [f"[watcher:{name}]"]
                lines += ["cmd = sleep 5"] if chance.random() < 0.9 else []
                lines += self.options(GOOD, OF_WATCHERS, 2.5)
        if chance.random() < 0.5:
            lines += ["[socket:s]", *self.options(SOCKETS, OF_SOCKETS, 1.0)]
        if chance.random() < 0.2:
            lines += ["[plugin:p]", "use = flapping", *self.options({}, OF_WATCHERS, 0.5)]
        if chance.random() < 0.2:
            lines += [f"[{chance.choice(('env:a', 'env:*', 'watcher:A', MISSPELT, 'extra'))}]"]
            lines += ["X = 1"]
        return circus, "\n".join([*lines, ""])

    def options(self, good: dict[str, tuple[str, ...]], names: list[str], mean: float) -> list[str]:
        """Write a few options, one in five of them oddly."""
        chance = self.random
        lines = []
        for _ in range(int(chance.expovariate(1 / mean))):
            if good and chance.random() < 0.8:
                name = chance.choice(list(good))
                lines.append(f"{name} = {chance.choice(good[name])}")
            else:
                value = chance.choice([one for one in VALUES if one.isprintable()])
                lines.append(f"{chance.choice(names)} = {value}")
        return lines


class Start(NamedTuple):
    """What a start comes to. Immutable."""

    is_up: bool
    is_of_machine: bool = False
    lost: Collection[str] = ()  # what it leaves out
    waits: Collection[str] = ()  # what depends on something


class Inspections:
    """Inspects each plugin once, however many files have it: that takes a Python of its own.

    Owned by the test.
    """

    READ = ("uid", "gid", "env", "copy_env", "working_dir")
    """The options of a plugin that decide on what its process finds."""

    def __init__(self) -> None:
        self._inspect = inspecting._inspection
        self._done: dict[str, inspecting._Inspection] = {}

    @contextlib.contextmanager
    def of(self, plugin: PluginConfig, *rest: Any) -> Iterator[inspecting._Inspection]:
        """Inspect a plugin, in the place of `inspecting._inspection`."""
        options = [plugin.options.get(name) for name in self.READ]
        key = repr((plugin.use, plugin.config, options, rest))
        if key not in self._done:
            with self._inspect(plugin, *rest) as done:
                done.process.wait(inspecting.TIMEOUT)
                done.report.seek(0)
                self._done[key] = done._replace(report=io.BytesIO(done.report.read()))
        yield self._done[key]._replace(plugin=plugin)


class TestConfigurations(DaemonCase):
    def setUp(self) -> None:
        super().setUp()
        patched = mock.patch.object(inspecting, "_inspection", Inspections().of)
        patched.start()
        self.addCleanup(patched.stop)
        self.folder = folder(self)
        self.path = str(self.folder / "circus.ini")
        self.environ = {"PATH": os.environ["PATH"], "HOME": "/root"}

    def verdict(self) -> tuple[int, str]:
        """Return what --check says: its exit code and its last line."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = check.check([self.path], self.environ, str(self.folder), elsewhere=True)
        self.assertNotIn("Traceback", said.getvalue())
        return code, said.getvalue().splitlines()[-1].partition(": ")[2]

    def start(self) -> Start:
        """Begin as a start does, up to the open sockets."""
        try:
            configuration = load(self.path, self.environ, str(self.folder))
            supervisor = Supervisor(configuration)
        except exc.ConfigError as error:
            self.assertTrue(error.problems)
            return Start(False)
        except exc.SocketError as error:  # no such host, device or folder: of this machine
            self.assertNotIn("\n", str(error))
            return Start(False, is_of_machine=str(error).startswith("socket "))
        except exc.CircusError as error:
            self.assertNotIn("\n", str(error))
            return Start(False)
        supervisor.close()
        needs = [(one.name, one.options) for one in configuration.watchers]
        waits = {
            name
            for name, options in needs
            if options.depends_on or options.part_of or options.stdin_socket
        }
        lost = {name for name, _ in configuration.left_out if name != MISSPELT}
        return Start(True, False, lost, waits)

    def test_h1_check_and_start_agree(self) -> None:
        silence(self)
        for number in range(COUNT):
            text = Draw(f"{SEED}:{number}").text().replace("{DIR}", str(self.folder))
            Path(self.path).write_text(text)
            with self.subTest(number=number, seed=SEED):
                code, said = self.verdict()
                came = self.start()
                self.judge(code, said, came, text)
        repetitions(self, COUNT)

    def judge(self, code: int, said: str, came: Start, text: str) -> None:
        """Compare the two."""
        self.assertEqual(code, 0 if said.startswith("ok") else 1, text)
        if came.is_of_machine:
            return
        self.assertEqual(came.is_up, "the daemon does not start" not in said, f"{said}\n{text}")
        without = re.search("the daemon runs without ([^;]*?)(, and without|$)", said)
        lost = set(without[1].split(", ")) if without else set()
        self.assertLessEqual(set(came.lost), lost, f"{said}\n{text}")
        # What never can run as it is waits, or gives up, because what it needs may be added.
        self.assertLessEqual(lost.difference(came.lost), set(came.waits), f"{said}\n{text}")

    def test_h1_a_few_with_a_whole_daemon(self) -> None:
        count = times(3, 100)
        for number in range(count):
            with self.subTest(number=number, seed=SEED):
                self.whole(Draw(f"whole:{SEED}:{number}"))
        repetitions(self, count)

    def whole(self, draw: Draw) -> None:
        """Start it, and end it."""
        circus, body = draw.parts()
        circus = [one for one in circus if one.partition(" ")[0] not in ELSEWHERE]
        daemon = self.daemon(body, circus="\n".join(circus), up=False)
        self.path = str(daemon.config)
        _, said = self.verdict()
        text = daemon.config.read_text()

        def is_up() -> bool:
            client = Client(daemon.endpoint, timeout=0.2)
            with contextlib.closing(client), contextlib.suppress(exc.CallError):
                return client.call("ping")["status"] == "ok"
            return False

        self.assertTrue(eventually(lambda: is_up() or daemon.process.poll() is not None, 20), text)
        came = daemon.process.poll() is None
        if came:
            daemon.signal(signal.SIGTERM)
        told = "\n".join(daemon.ended(0 if came else 1))
        self.assertNotIn("Traceback", told, text)
        self.assertEqual(came, "the daemon does not start" not in said, f"{said}\n{told}\n{text}")


if __name__ == "__main__":
    unittest.main()
