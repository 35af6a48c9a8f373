"""Places that two things of one configuration would take."""

from __future__ import annotations

import unittest
from unittest import mock

from cvec_circus.config.build import Build
from cvec_circus.config.examination import examine
from cvec_circus.config.readers.document import read
from cvec_circus.config.section import Findings
from tests.config.support import ConfigTestCase

WEB = "[watcher:web]\ncmd = serve\n"


class TestPlaces(ConfigTestCase):
    """The addresses themselves are compared in `tests.options.test_address`."""

    def says(self, text: str, *expected: str) -> None:
        with self.subTest(text):
            self.write("main.ini", text)
            findings = Findings()
            document = read("main.ini", {}, str(self.folder), findings)
            Build(document.sections.values(), findings, {})
            found = [one.line.replace("main.ini:", "") for one in findings.everything()]
            self.assertEqual(found, list(expected))

    def test_sockets_and_endpoints(self) -> None:
        self.says(
            f"[circus]\nendpoint = ipc:///a/x\n[socket:s]\npath = /a/y/../x\n{WEB}",
            "4: [socket:s] path: /a/y/../x takes the path of endpoint (/a/x); change one of them",
        )
        self.says(
            f"[socket:s]\npath = /a/x\n[socket:t]\npath = /a/.x.spare\n{WEB}",
            "4: [socket:t] path: /a/.x.spare takes the second name of socket s (/a/x); "
            "change one of them",
        )

    def test_files(self) -> None:
        stream = "stdout_stream.filename"
        self.says(
            f"[circus]\nendpoint = ipc:///a/x\npidfile = /a/x\n{WEB}{stream} = /a/./x\n",
            "3: [circus] pidfile: /a/x takes the path of endpoint; change one of them",
            f"6: [watcher:web] {stream}: /a/./x takes the path of endpoint (/a/x); "
            "change one of them",
            f"6: [watcher:web] {stream}: /a/./x takes the path of pidfile (/a/x); "
            "change one of them",
        )
        self.says(
            "[circus]\npidfile = /a/x\nlogoutput = /a/x\n" + WEB,
            "3: [circus] logoutput: /a/x takes the path of pidfile; change one of them",
        )
        self.says(
            f"[socket:s]\npath = /a/x\n[plugin:p]\nuse = a.B\n{stream} = /a/x\n{WEB}",
            f"5: [plugin:p] {stream}: /a/x takes the path of socket s; change one of them",
        )

    def test_files_of_the_configuration(self) -> None:
        self.write("a.ini", "[watcher:a]\ncmd = a\n")
        self.write("e.env", "A=1\n")
        text = (
            f"[circus]\ninclude = a.ini\npidfile = {self.folder}/a.ini\n"
            f"schedule_file = {self.folder}/main.ini\n{WEB}env_file = e.env\n"
            f"stdout_stream.filename = {self.folder}/e.env\n"
        )
        takes, change = "takes the path of", "; change one of them"
        with mock.patch("os.getcwd", return_value=str(self.folder)):
            self.says(
                text,
                f"3: [circus] pidfile: {self.folder}/a.ini {takes} the configuration "
                f"(a.ini){change}",
                f"4: [circus] schedule_file: {self.folder}/main.ini {takes} the configuration "
                f"(main.ini){change}",
                f"8: [watcher:web] stdout_stream.filename: {self.folder}/e.env {takes} an env_file "
                f"(e.env){change}",
            )

    def test_logs_may_share_a_file(self) -> None:
        both = f"{WEB}stdout_stream.filename = /a/x\nstderr_stream.filename = /a/x\n"
        self.says(f"[circus]\nlogoutput = /a/x\n{both}")
        self.says(
            f"[circus]\nlogoutput = /a/x\n{both}stderr_stream.backup_count = 2\n",
            "6: [watcher:web] stderr_stream.filename: /a/x is the daemon's log, which would go on "
            "in a backup; change one of them",
        )

    def test_what_a_path_leaves_without_effect(self) -> None:
        self.write("main.ini", f"{WEB}[socket:s]\nfamily = AF_INET\nhost = x\npath = /a/x\n")
        found = examine("main.ini", {}, str(self.folder)).build.findings.everything()
        said = "has no effect, for the path makes it a unix socket; leave one of them out"
        keys = ("family", "host")
        self.assertEqual([one.text for one in found], [f"[socket:s] {key}: {said}" for key in keys])
        self.assertFalse(any(one.is_problem for one in found))

    def test_what_only_a_path_has(self) -> None:
        with_path = "[socket:u]\npath = /a/x\nreplace = True\numask = 022\n"
        self.write("main.ini", f"{WEB}[socket:s]\numask = 022\nreplace = True\n{with_path}")
        found = examine("main.ini", {}, str(self.folder)).build.findings.everything()
        said = "has no effect without a path; leave it out"
        keys = ("umask", "replace")
        self.assertEqual([one.text for one in found], [f"[socket:s] {key}: {said}" for key in keys])

    def test_what_was_refused_is_not_compared(self) -> None:
        self.says(
            f"[circus]\nendpoint = nope\n[socket:s]\nport = 5555\n[socket:t]\nfamily = AF_UNIX\n"
            f"[socket:u]\nport = x\n[socket:v]\nport = 8080\n{WEB}",
            "2: [circus] endpoint: 'nope': not an endpoint; write tcp://HOST:PORT or ipc://FILE",
            "5: [socket:t] path: missing; a unix socket has one",
            "8: [socket:u] port: 'x' is not a whole number",
        )

    def is_problem(self, text: str) -> bool:
        """Tell whether a file has a problem, at a start and at a check alike."""
        self.write("main.ini", text)
        findings = Findings()
        document = read("main.ini", {}, str(self.folder), findings)
        Build(document.sections.values(), findings, {})
        checked = examine("main.ini", {}, str(self.folder)).build.findings
        self.assertEqual(checked.problems(), findings.problems())
        return bool(findings.problems())

    def test_endpoints_at_one_address(self) -> None:
        self.says(
            f"[circus]\nstats_endpoint = tcp://127.0.0.1:5555\n{WEB}",
            "2: [circus] stats_endpoint: 127.0.0.1:5555 takes the address of endpoint; "
            "change one of them",
        )
        for options in (
            "stats_endpoint = tcp://127.0.0.1:5555",
            "stats_endpoint = tcp://localhost:5556",
            "endpoint = ipc:///a/x\nstats_endpoint = ipc:///a/x",
            "endpoint = tcp://127.0.0.1:5557\nstatsd = True",
            "pubsub_endpoint = tcp://127.0.0.1:5555",
        ):
            with self.subTest(options):
                self.assertTrue(self.is_problem(f"[circus]\n{options}\n{WEB}"))
        unused = "endpoint = tcp://127.0.0.1:5557"
        self.assertFalse(self.is_problem(f"[circus]\n{unused}\n{WEB}"))

    def test_statistics_are_not_needed(self) -> None:
        stats = "[circus]\nstats_endpoint = tcp://127.0.0.1:8080\n"
        text = f"{stats}[socket:s]\nport = 8080\nhost = 127.0.0.1\n{WEB}"
        self.says(
            text,
            "4: [socket:s] port: 127.0.0.1:8080 takes the address of stats_endpoint; "
            "change one of them",
        )
        self.assertFalse(self.is_problem(text))


if __name__ == "__main__":
    unittest.main()
