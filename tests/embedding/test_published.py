"""What programs for Circus do with the objects of an arbiter, before and while it runs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import unittest
from typing import Any
from unittest import mock

from cvec_circus import exc, get_arbiter
from cvec_circus.arbiter import Arbiter
from cvec_circus.process import Process
from cvec_circus.sockets import CircusSocket, CircusSockets
from cvec_circus.watcher import Watcher
from tests.embedding.arbiter_case import ArbiterCase
from tests.support.leaks import LeakCheckedTestCase


class TestArbiter(ArbiterCase):
    def test_a_list_of_watchers(self) -> None:
        arbiter = get_arbiter(
            ({"cmd": "sleep 1000"}, {"name": "z", "cmd": "sleep 1", "priority": -1})
        )
        self.assertEqual(arbiter.iter_watchers()[0].cmd, "sleep 1000")
        self.assertEqual(
            [one.name for one in arbiter.watchers], [w.name for w in arbiter.iter_watchers()]
        )
        backwards = [one.name for one in arbiter.iter_watchers(reverse=False)]
        self.assertEqual(backwards, [one.name for one in arbiter.watchers][::-1])
        self.assertEqual(arbiter.statuses(), {"sleep": "stopped", "z": "stopped"})
        self.assertEqual((arbiter.numwatchers(), arbiter.numprocesses()), (2, 0))
        self.assertIs(arbiter.watchers[0].arbiter, arbiter)

    def test_its_options(self) -> None:
        arbiter = Arbiter([], pidfile="/p", loglevel="debug", debug=True, endpoint_owner="root")
        shown = arbiter.pidfile, arbiter.loglevel, arbiter.debug, arbiter.endpoint_owner
        self.assertEqual(shown, ("/p", "debug", True, "root"))
        for given, endpoint in (
            ({}, None),
            ({"statsd": True}, "tcp://127.0.0.1:5557"),
            ({"stats_endpoint": "ipc:///s"}, "ipc:///s"),
        ):
            self.assertEqual(get_arbiter([], **given).stats_endpoint, endpoint)

    def test_a_subclass_sets_what_it_likes(self) -> None:
        class Own(Arbiter):
            def __init__(self, *args: Any, **options: Any) -> None:
                self.pidfile = "mine"
                super().__init__(*args, **options)
                self.loop = None

        arbiter = Own([], *self.endpoints)
        self.assertEqual((arbiter.pidfile, arbiter.loop), ("mine", None))

    def test_reload_without_a_file(self) -> None:
        with self.assertRaisesRegex(exc.ConfigError, "name one"):
            Arbiter([]).reload_from_config()

    def test_sockets(self) -> None:
        web = CircusSocket("web", "127.0.0.1", 0)
        arbiter = self.make(Arbiter, sockets=[web, {"name": "API", "port": 0}])
        self.assertEqual(set(arbiter.sockets), {"web", "API"})
        self.assertIs(arbiter.get_socket("web"), web)
        arbiter = self.started(sockets=[web])
        self.assertIs(arbiter.get_socket("web"), web)
        self.assertGreater(web.port, 0)


class TestSockets(LeakCheckedTestCase):
    def test_by_name(self) -> None:
        sockets = CircusSockets([CircusSocket("web", "127.0.0.1", 0)], backlog=7)
        api = sockets.add("api", host="127.0.0.1", port=0)
        shared = sockets.add("shared", "127.0.0.1", 0, so_reuseport=True)
        self.assertEqual((api.backlog, sockets.backlog), (7, 7))
        with self.assertRaisesRegex(ValueError, "there is a socket 'api' at"):
            sockets.add("api")
        sockets.bind_and_listen_all()
        self.addCleanup(sockets.close_all)
        self.assertEqual((shared.fileno(), shared.so_reuseport), (-1, True))
        with socket.create_connection(sockets["web"].getsockname()):
            connection, _ = sockets["web"].accept()
            connection.close()
        sockets.close_all()
        self.assertEqual([one.fileno() for one in sockets.values()], [-1, -1, -1])

    def test_attributes(self) -> None:
        one = CircusSocket.load_from_config({"name": "web", "host": "127.0.0.1", "port": "0"})
        self.assertEqual((one.name, one.host, one.port), ("web", "127.0.0.1", 0))
        self.assertEqual((one.is_unix, one.socktype), (False, socket.SOCK_STREAM))
        plain = one.backlog, one.blocking, one.interface, one.replace, one.umask, one.path
        self.assertEqual(plain, (2048, False, None, False, 0o010, None))
        self.assertEqual(CircusSocket("u", path="/run/u").location, "/run/u")
        with self.assertRaisesRegex(OSError, "socket 'web' at .* is not open; call bind"):
            one.getsockname()
        one.bind_and_listen()
        self.addCleanup(one.close)
        self.assertEqual(one.getsockname(), (one.host, one.port))
        self.assertTrue(one.location.startswith("127.0.0.1:"))
        with self.assertRaises(AttributeError):
            one.no_such_name  # noqa: B018

    def test_one_of_a_program(self) -> None:
        with CircusSocket("web", "127.0.0.1", 0, blocking=True) as one:
            self.assertIsInstance(one, socket.socket)
            one.bind_and_listen()
            self.assertTrue(one.get_inheritable())
            self.assertEqual((one.gettimeout(), one.family), (None, socket.AF_INET))
            command = f"import socket; print(socket.socket(fileno={one.fileno()}).getsockname())"
            done = subprocess.run(
                [sys.executable, "-c", command],
                close_fds=False,
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
            self.assertEqual(done.stdout.strip(), str(one.getsockname()))
        self.assertEqual(one.fileno(), -1)
        one.bind_and_listen()
        one.close()

    def test_options_that_there_are_not(self) -> None:
        with self.assertLogs("cvec_circus", "WARNING") as caught:
            CircusSocket.load_from_config({"name": "web", "use_papa": True, "replace": None})
        said = [record.getMessage() for record in caught.records]
        self.assertEqual(said, ["socket web: unknown option use_papa, ignored"])


class TestProcess(LeakCheckedTestCase):
    """With the arguments of Circus, in its order."""

    def process(self, *args: Any, **options: Any) -> Process:
        process = Process(*args, **options)
        self.addCleanup(process.stop)
        return process

    def output(self, process: Process) -> str:
        assert process.stdout is not None
        text = process.stdout.read().decode().strip()
        self.assertEqual(process.wait(20), 0)
        return text

    def test_by_position(self) -> None:
        limits = {"nofile": 77}
        script = "ulimit -n; echo $X $0"
        process = self.process(
            "w", 1, "sh", ["-c", script], "/", False, None, None, {"X": "x"}, limits, "/bin/sh"
        )
        self.assertEqual(self.output(process).split(), ["77", "x", "sh"])
        self.assertEqual((process.cmd, process.args), ("sh", ["-c", script]))
        self.assertEqual((process.env, process.rlimits), ({"X": "x"}, limits))
        self.assertEqual((process.working_dir, process.executable), ("/", "/bin/sh"))
        self.assertEqual((process.uid, process.gid, process.username), (None, None, None))
        closes = process.close_child_stdin, process.close_child_stdout, process.close_child_stderr
        self.assertEqual(closes, (True, False, False))
        self.assertEqual((process.pipe_stdout, process.pipe_stderr), (True, True))
        self.assertEqual((process.shell, process.use_fds, process.watcher), (False, False, None))

    def test_with_a_watcher(self) -> None:
        watcher = Watcher("web", "none", numprocesses=3, greeting="hello")
        command = "echo $(circus.greeting) $(circus.numprocesses) $(circus.wid) $(circus.sockets.x)"
        process = self.process("web", 2, command, watcher=watcher, spawn=False)
        self.assertEqual(process.format_args({"X": 5}), ["echo", "hello", "3", "2", "5"])
        process.spawn()
        self.assertEqual(self.output(process), "hello 3 2 $(circus.sockets.x)")
        self.assertIs(process.watcher, watcher)

    def test_with_files(self) -> None:
        read_fd, write_fd = os.pipe()
        self.addCleanup(os.close, read_fd)
        self.addCleanup(os.close, write_fd)
        os.set_inheritable(write_fd, True)
        of_pipe = os.readlink(f"/proc/self/fd/{write_fd}")
        listing = "ls -l /proc/self/fd"
        self.assertNotIn(of_pipe, self.output(self.process("w", 1, listing)))
        shown = self.output(self.process("w", 1, listing, use_fds=True))
        self.assertEqual(shown.count(of_pipe), 1)

    def test_a_limit_that_is_set_for_what_is_not_there(self) -> None:
        with self.assertRaisesRegex(OSError, "/no/such/program"):
            Process("w", 1, "/no/such/program", rlimits={"nofile": 77})

    @unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
    def test_as_a_user(self) -> None:
        process = self.process("w", 1, "id -un", uid="nobody", gid="nogroup")
        self.assertEqual(self.output(process), "nobody")
        self.assertEqual((process.username, process.gid), ("nobody", "nogroup"))


class TestWatcher(unittest.TestCase):
    def test_its_checks_reach_the_arbiter(self) -> None:
        checks = {"ready": {"it": "log:up"}, "live": {"it": "tcp://127.0.0.1:1"}}
        arbiter = Arbiter([Watcher("a", "sleep 1", **checks)])
        [one] = arbiter._configuration.watchers
        shown = {key: {name: str(it) for name, it in one.options[key].items()} for key in checks}
        self.assertEqual(shown, checks)

    def test_before_an_arbiter_has_it(self) -> None:
        with mock.patch.dict(os.environ, {"FROM": "here"}):
            watcher = Watcher(
                "Web One", "run", ["a"], 2, 0.5, "/", rlimits={"core": 0}, copy_env=True
            )
        self.assertEqual((watcher.name, watcher.res_name), ("Web One", "web_one"))
        self.assertEqual((watcher.cmd, watcher.args, watcher.numprocesses), ("run", ["a"], 2))
        self.assertEqual((watcher.warmup_delay, watcher.working_dir), (0.5, "/"))
        self.assertEqual((watcher.rlimits, watcher.env["FROM"]), ({"core": 0}, "here"))
        self.assertEqual((watcher.status(), watcher.pids, watcher.processes), ("stopped", [], {}))
        self.assertTrue(watcher.is_stopped())
        for key in (
            *("autostart", "close_child_stderr", "close_child_stdin", "close_child_stdout"),
            *("copy_path", "executable", "gid", "graceful_timeout", "hooks", "max_age"),
            *("max_age_variance", "max_retry", "on_demand", "priority", "respawn", "send_hup"),
            *("shell", "shell_args", "singleton", "stderr_stream", "stderr_stream_conf"),
            *("stdin_socket", "stdout_stream", "stdout_stream_conf", "stop_children"),
            *("stop_signal", "uid", "use_sockets", "virtualenv", "virtualenv_py_ver"),
        ):
            self.assertEqual(
                getattr(watcher, key), dict(watcher.options()).get(key, getattr(watcher, key))
            )


if __name__ == "__main__":
    unittest.main()
