"""What is said of checks in files: slips, doubts, and values of files for Circus."""

from __future__ import annotations

import unittest

from cvec_circus.config.readers.document import load
from cvec_circus.exc import OptionError
from cvec_circus.options.checks import Check, to_checks, to_live_checks
from cvec_circus.options.doubts import doubts
from cvec_circus.options.watcher import WATCHER_OPTIONS
from tests.config.support import ENVIRON
from tests.config.test_examination import WEB, SlipsCase

SOCKET = "[socket:front]\nhost = 0.0.0.0\nport = 8080\n"
USES = "[watcher:web]\ncmd = x --fd $(circus.sockets.front)\nuse_sockets = True\n"


class DoubtsTest(SlipsCase):
    def test_the_address_of_a_socket_proves_nothing(self) -> None:
        for check in ("tcp://127.0.0.1:8080", "http://localhost:8080/health", "https://x:8080"):
            self.says(
                f"{SOCKET}{USES}ready.a = {check}\n",
                f"7: [watcher:web] ready.a: {check} is the socket front, which is open "
                "whether the process is ready or not, so it proves nothing; write notify, fd:N, "
                "log:TEXT or exec:COMMAND",
            )
        path = "[socket:front]\npath = /run/s\nfamily = AF_UNIX\n"
        (said,) = self.found(f"{path}{USES}ready.a = unix:///run/s\n")
        self.assertIn("ready.a: unix:///run/s is the socket front", said)
        unnamed = "[watcher:web]\ncmd = x\nuse_sockets = True\nready.b = log:listening\n"
        (said,) = self.found(f"{SOCKET}{unnamed}ready.a = tcp://127.0.0.1:8080\n")
        self.assertIn("ready.a: tcp://127.0.0.1:8080 is the socket front", said)

    def test_one_address_of_processes_side_by_side_proves_nothing(self) -> None:
        check = "http://127.0.0.1:8081/"
        for line, text in (
            (7, f"{SOCKET}{USES}ready.a = {check}\n"),
            (4, f"{WEB}numprocesses = 2\nready.a = {check}\n"),
            (4, f"{WEB}rollout = surge\nready.a = {check}\n"),
        ):
            self.says(
                text,
                f"{line}: [watcher:web] ready.a: {check} is one address for all processes, where "
                "others answer for the new one, so it proves nothing; write $(circus.wid) into "
                "it, or notify, fd:N, log:TEXT or exec:COMMAND",
            )

    def test_an_address_of_its_own_is_no_slip(self) -> None:
        self.silent(
            f"{SOCKET}{USES}ready.a = http://127.0.0.1:90$(circus.wid)/\n",
            f"{SOCKET}{USES}ready.a = http://127.0.0.1:8081/\nready.b = notify\n",
            f"{SOCKET}{USES}live.a = http://127.0.0.1:8080/\nready.a = notify\n",
            f"{SOCKET}{WEB}ready.a = tcp://127.0.0.1:8080\n",
            f"{SOCKET.replace('0.0.0.0', '10.0.0.1')}{USES}ready.a = tcp://127.0.0.1:8080\n"
            "ready.b = notify\n",
        )

    def test_the_place_of_a_socket(self) -> None:
        for number, said in ((3, True), (4, False)):
            found = self.found(f"{SOCKET}{USES}listen_fds = True\nready.a = fd:{number}\n")
            text = "fd:3 is where listen_fds puts a socket; write a number from 4 to 9"
            self.assertEqual(found, [f"8: [watcher:web] ready.a: {text}"] if said else [])
        self.silent(f"{SOCKET}{USES}ready.a = fd:3\n")

    def test_a_check_that_runs_once(self) -> None:
        self.says(
            f"{WEB}ready.a = exec:true\nready_timeout = 2s\nready_interval = 5s\n",
            "4: [watcher:web] ready_timeout: shorter than ready_interval, so a check runs once; "
            "write 5s or more",
        )
        self.silent(f"{WEB}ready_timeout = 2s\nready_interval = 5s\n")

    def test_names_that_mean_nothing(self) -> None:
        self.says(
            f"{WEB}ready.a = tcp://127.0.0.1:90$(circus.wd)\n",
            "3: [watcher:web] ready.a: $(circus.wd) means nothing and stays as it is; did you "
            "mean wid?",
        )
        self.silent(f"{WEB}ready.a = exec:x $(circus.wid) $(circus.pid) $(circus.cmd)\n")

    def test_overlap_without_a_schedule(self) -> None:
        self.says(
            f"{WEB}overlap = queue\n", "3: [watcher:web] overlap: of no use without a schedule"
        )
        self.silent(f"{WEB}overlap = queue\nschedule = 0 3 * * *\n")

    def test_a_check_beside_an_option_that_is_refused(self) -> None:
        shared = "numprocesses = 2\nready.a = tcp://127.0.0.1:99\n"
        self.says(
            f"{WEB}{shared}",
            "4: [watcher:web] ready.a: tcp://127.0.0.1:99 is one address for all processes, where "
            "others answer for the new one, so it proves nothing; write $(circus.wid) into it, or "
            "notify, fd:N, log:TEXT or exec:COMMAND",
        )
        [said] = self.found(f"{WEB}{shared}use_sockets = x\n")
        self.assertTrue(said.startswith("! "), said)

    def test_options_beside_one_that_is_refused(self) -> None:
        """They are judged where that one is right; its default says nothing of them."""
        for text in (
            "schedule = x\noverlap = queue\n",
            "singleton = x\nnumprocesses = 2\nrollout = surge\n",
            "max_surge = x\nmax_unavailable = 0\n",
        ):
            with self.subTest(text):
                [told] = self.found(f"{WEB}{text}")
                self.assertIn("3: [watcher:web] ", told)


class ProblemsTest(SlipsCase):
    def test_one_number_twice(self) -> None:
        found = self.found(f"{WEB}ready.a = fd:3\nready.b = fd:3\n")
        said = "! 4: [watcher:web] ready.b: fd:3 is that of ready.a already; write another number"
        self.assertEqual(found, [said])

    def test_no_output_to_look_in(self) -> None:
        text = "close_child_stdout = True\nclose_child_stderr = True\n"
        (found,) = self.found(f"{WEB}{text}ready.a = log:x\n")
        self.assertIn("! 5: [watcher:web] ready.a: needs output to look in", found)

    def test_by_order_too(self) -> None:
        now = WATCHER_OPTIONS.complete(WATCHER_OPTIONS.convert({"cmd": "x", "ready.a": "fd:3"}))
        for value, reason in (("fd:3", "is that of ready.a"), ("log:" + "x" * 4097, "4096 bytes")):
            with self.assertRaisesRegex(OptionError, reason):
                WATCHER_OPTIONS.changes(WATCHER_OPTIONS.convert({"ready.b": value}), now)

    def test_a_secret_in_an_address(self) -> None:
        with self.assertRaisesRegex(OptionError, "a user in the address is not supported"):
            WATCHER_OPTIONS.convert({"ready.a": "http://me:secret@web/"})


class FreeformTest(SlipsCase):
    """A file that Circus takes may have such keys for its own use."""

    def options(self, text: str) -> object:
        self.write("main.ini", WEB + text)
        (watcher,) = load("main.ini", ENVIRON, str(self.folder)).watchers
        return watcher.options

    def test_a_value_that_was_not_meant(self) -> None:
        self.says(
            f"{WEB}ready.color = green\n",
            "3: [watcher:web] ready.color: 'green' is not a check: write notify, fd:N (3 to 9), "
            "log:TEXT, tcp://HOST:PORT, unix:///PATH, http://HOST:PORT/PATH, "
            "https://HOST:PORT/PATH, exec:COMMAND; it is kept as an option of your own",
        )
        options = self.options("ready.color = green\nready.a = fd:3\n")
        self.assertEqual(options["ready.color"], "green")  # type: ignore[index]
        self.assertEqual(options["ready"], {"a": Check("fd", "3")})  # type: ignore[index]

    def test_a_value_that_was_meant(self) -> None:
        (said,) = self.found(f"{WEB}ready.a = http:/127.0.0.1:80/\n")
        self.assertIn("write http://HOST:PORT/PATH; as it stands it is an option of your own", said)
        self.assertTrue(said.endswith("and nothing is checked"), said)

    def test_ports(self) -> None:
        for address in (
            *("tcp://localhost:65536", "tcp://localhost:0", "tcp://[::1]:http", "tcp://a:1/x"),
            *("http://localhost:99999/x", "https://[::1]:-1?a", "http://localhost:"),
        ):
            with self.subTest(address):
                (said,) = self.found(f"{WEB}ready.a = {address}\n")
                self.assertIn("and nothing is checked", said)
        for address in (
            *("tcp://localhost:65535", "tcp://[::1]:1", "http://localhost", "https://[::1]/a:0"),
            *("tcp://localhost:90$(circus.wid)", "http://h:$(circus.wid)/", "http://h:80/?b:0"),
        ):
            with self.subTest(address):
                self.assertEqual(self.found(f"{WEB}ready.a = {address}\n"), [])

    def test_long_paths(self) -> None:
        (said,) = self.found(f"{WEB}ready.a = unix:///{'x' * 107}\n")
        self.assertIn("is longer than the 107 bytes that a path may have here", said)
        self.assertEqual(self.found(f"{WEB}ready.a = unix:///{'x' * 106}\n"), [])

    def test_no_name(self) -> None:
        for family in ("ready", "live"):
            (said,) = self.found(f"{WEB}{family} = notify\n")
            self.assertIn(
                f"a check needs a name of your choice: write {family}.NAME = notify", said
            )

    def test_names_in_a_mapping(self) -> None:
        for checks, reason in (
            ({"a b": "notify"}, "^'a b': the name of a check has 1 to 64 letters"),
            ({"a": 1}, "^a: 1 is not text"),
            ({"a": "no check"}, "^a: 'no check' is not a check"),
        ):
            for convert in (to_checks, to_live_checks):
                with self.assertRaisesRegex(ValueError, reason):
                    convert(checks)

    def test_what_cannot_be_meant(self) -> None:
        (said,) = self.found(f"{WEB}max_surge = 0\nmax_unavailable = 0%\n")
        self.assertIn("max_unavailable: with max_surge 0, too, nothing could be replaced", said)
        (said,) = self.found(f"{WEB}singleton = True\nrollout = surge\n")
        self.assertIn("rollout: a singleton never runs twice", said)
        (said,) = self.found(f"{WEB}ready.u = unix:///\n")
        self.assertIn("'/' is not a path: write unix:///PATH", said)

    def test_misspelt_families(self) -> None:
        (said,) = self.found(f"{WEB}redy.up = notify\n")
        self.assertIn("redy.up: unknown option; did you mean ready.up?", said)
        self.assertEqual(self.found(f"{WEB}flapping.up = notify\n"), [])

    def test_other_options(self) -> None:
        for text, default in (
            ("rollout = blue", "auto"),
            ("live_failures = many", 3),
            ("depends_on = db,,x", {}),
            ("max_surge = a lot", None),
        ):
            with self.subTest(text):
                (said,) = self.found(f"{WEB}{text}\n")
                name = text.partition(" ")[0]
                more = (
                    f"; the default is used, and $(circus.{name}) stands for what is written here"
                )
                self.assertTrue(said.endswith(more), said)
                self.assertEqual(self.options(f"{text}\n")[name], default)  # type: ignore[index]

    def test_commands_see_what_is_written(self) -> None:
        self.write(
            "main.ini",
            "[watcher:web]\ncmd = x $(circus.rollout) $(circus.wid)\nargs = ((circus.Rollout))\n"
            "rollout = blue\n",
        )
        (watcher,) = load("main.ini", ENVIRON, str(self.folder)).watchers
        self.assertEqual(watcher.options.cmd, "x blue $(circus.wid)")
        self.assertEqual(watcher.options.args, "blue")

    def test_it_outlives_changes(self) -> None:
        options = self.options("ready.color = green\n")
        for given in ({"numprocesses": 3}, {"ready.a": "notify"}, {"live.a": "exec:true"}):
            options = WATCHER_OPTIONS.complete(WATCHER_OPTIONS.convert(given), options)
            self.assertEqual(options["ready.color"], "green")
        self.assertEqual(set(options["ready"]), {"a"})


class SocketsTest(unittest.TestCase):
    def test_rows_of_sockets_that_listen(self) -> None:
        given = {"cmd": "x", "ready.a": "http://localhost/", "ready.b": "tcp://[::1]:90"}
        options = WATCHER_OPTIONS.complete(WATCHER_OPTIONS.convert(given))
        rows = [
            {"name": "One", "host": "127.0.0.1", "port": 80},
            {"name": "two", "host": "::", "port": 90},
            {"name": "three", "path": "/s"},
        ]
        names = ("one", "two", "three")
        self.assertEqual([key for key, _ in doubts(options, names, rows)], ["ready.a", "ready.b"])
        self.assertEqual(list(doubts(options, ("three",), rows)), [])
