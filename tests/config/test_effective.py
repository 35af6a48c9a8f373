"""`--print-config`: what is written is read again as the same configuration, and says whence."""

from __future__ import annotations

import unittest
from collections.abc import Mapping
from typing import Any

from cvec_circus.config.configuration import Configuration
from cvec_circus.config.effective import Effective
from cvec_circus.config.examination import examine
from cvec_circus.config.readers.document import load
from cvec_circus.options.arbiter import ARBITER_OPTIONS
from tests.config.support import ENVIRON, ConfigTestCase


def meaning(configuration: Configuration) -> dict[str, Any]:
    """Return what a configuration means, without where it stands."""
    circus = {key: configuration.circus[key] for key in ARBITER_OPTIONS.by_name}
    for key in ("include", "include_dir"):  # what they name is in it
        del circus[key]
    return {
        "circus": circus,
        "watchers": [one[:2] for one in configuration.watchers],
        "sockets": [one[:2] for one in configuration.sockets],
        "plugins": [one[:5] for one in configuration.plugins],
    }


class EffectiveCase(ConfigTestCase):
    def written(
        self, text: str | bytes, environ: Mapping[str, str] = ENVIRON, conceals: bool = False
    ) -> str:
        """Return what is written for a main file."""
        self.write("main.ini", text)
        examination = examine("main.ini", environ, str(self.folder))
        assert examination.configuration is not None
        effective = Effective(examination.build, examination.configuration, conceals)
        return "\n".join(effective.lines())

    def check_identity(self, text: str | bytes, environ: Mapping[str, str] = ENVIRON) -> str:
        """Write what a main file comes to, read it, and compare."""
        written = self.written(text, environ)
        expected = meaning(self.load(text, environ))
        self.write("again.ini", written)
        again = load("again.ini", environ, str(self.folder))
        self.assertEqual(meaning(again), expected, written)
        self.assertEqual(again.left_out, [])
        return written

    def section(self, written: str, header: str) -> list[str]:
        lines = written.split("\n")
        lines = lines[lines.index(f"[{header}]") + 1 :]
        return lines[: lines.index("")] if "" in lines else lines


class TestIdentity(EffectiveCase):
    def test_defaults(self) -> None:
        self.check_identity("[circus]\n")
        self.check_identity(
            "[watcher:w]\ncmd = x\n[socket:s]\nport = 8080\n[plugin:p]\nuse = a.B\n"
        )

    def test_everything_at_once(self) -> None:
        self.write("more.ini", "[watcher:more]\ncmd = m\n[watcher:web]\nx.y = 2\npriority = 3\n")
        self.check_identity(
            "[DEFAULT]\nmax_retry = -1\n"
            "[circus]\ninclude = more.ini\ncheck_delay = 2.5\numask = 027\nloglevel = DEBUG\n"
            "pidfile = /run/$(circus.env.FOO)\nunknown = 1\n"
            "[env]\nPATH = /x:$HOME\nD = $DOLLAR\nM = a\n  b ; c\n"
            "[env:w*, x]\nB = ${FOO} ; cut\n"
            "[socket:web]\nhost = ::1\nport = 0\nfamily = af_inet6\nbogus = 1\n"
            "[watcher:web]\ncmd = a $(circus.wid) ((circus.env.foo)) %(x)s 'b ;c'\n"
            "numprocesses = $(circus.env.N)\nstop_signal = SIGRTMIN+1\nworking_dir =\n"
            "stdout_stream.filename = /x.log\nstdout_stream.max_bytes = 10\nflapping.x = 1, 2\n"
            "env = A=1,B=2\nown = a\n  b\n  # c\nmax_age = 1.5\n"
            "[watcher: odd name]\ncmd = x\n[watcher:DEFAULT]\ncmd = y\n"
            "[plugin:p]\nuse = a.B\nquoted = \"x; y\", 'z'\npriority = 07\ncmd = own\n"
            "stderr_stream.filename = /y\n[plugin:q]\nuse = a.C\nactive = off\n"
            "[nonsense]\na = 1\n"
        )

    def test_what_circus_implies(self) -> None:
        for text in (
            "[circus]\nstats_endpoint = tcp://127.0.0.1:5557\nstatsd = 0\n",
            "[circus]\nstatsd = yes\n",
            "[DEFAULT]\nstats_endpoint = tcp://127.0.0.1:1\n[circus]\n",
        ):
            with self.subTest(text):
                self.check_identity(text)

    def test_values_from_the_environment_that_no_file_can_say(self) -> None:
        for value in (
            "a ; b",
            " x ",
            "x\n\ny",
            "x\ny",
            '""',
            "$(circus.env.FOO)",
            "\udcff",
            "a\rb",
            "",
            "; x",
            "# x",
            "\u2028x",
        ):
            with self.subTest(value):
                self.check_identity(
                    "[watcher:w]\ncmd = a $(circus.env.V)\nx.y = $(circus.env.V)\n"
                    "[env]\nA = $V\nB = ((circus.env.v))\n"
                    "[plugin:p]\nuse = a.B\nv = $(circus.env.V)\n",
                    {**ENVIRON, "V": value},
                )

    def test_secrets_at_a_terminal(self) -> None:
        text = (
            "[watcher:w]\ncmd = x --password hunter2 $(circus.env.P)\napi_key = $(circus.env.P)\n"
            "[env]\nDB_PASS = hunter2\nLANG = C\n"
        )
        self.assertIn("DB_PASS = hunter2", self.written(text, {"P": "hunter2"}))
        said = self.written(text.replace(" $(circus.env.P)", "", 1), {"P": "hunter2"}, True)
        self.assertIn("DB_PASS = ***", said)
        self.assertIn("LANG = C", said)
        self.assertIn("--password ***", said)
        self.assertNotIn("hunter2", said)

    def test_keys_that_look_like_remarks(self) -> None:
        written = self.check_identity(
            "[watcher:w]\n  rem x = 1\n    2\ncmd = x\n[watcher:w]\n REM: 2\n"
        )
        self.assertIn("[watcher:w]\n  rem x = 1\n  2\n", written)

    def test_what_is_left_out(self) -> None:
        text = "[watcher:w]\ncmd = x\n[watcher:bad]\nmax_retry = two\n"
        written = self.written(text)
        self.assertIn(
            "# bad is left out: main.ini:4: [watcher:bad] max_retry: 'two' is not a whole number",
            written.split("\n"),
        )
        self.assertNotIn("[watcher:bad]\n", written)


class TestOrigins(EffectiveCase):
    def test_secrets_wherever_they_are_put(self) -> None:
        text = (
            "[env]\nDB_PASSWORD = hunter2zz\n[watcher:w]\ncmd = run $(circus.env.DB_PASSWORD) "
            "$(circus.env.TOKEN)\nbroker = x$(circus.env.DB_PASSWORD)y\nuid =\n"
        )
        environ = {**ENVIRON, "TOKEN": "sesame-2"}
        hidden = self.written(text, environ, conceals=True)
        for value in ("hunter2zz", "sesame-2"):
            self.assertNotIn(value, hidden)
            self.assertIn(value, self.written(text, environ))
        self.assertIn("cmd = run *** ***", self.section(hidden, "watcher:w"))
        self.assertIn("broker = x***y", self.section(hidden, "watcher:w"))

    def test_of_a_watcher(self) -> None:
        self.write("more.ini", "[watcher:web]\npriority = 3\n")
        written = self.written(
            "[DEFAULT]\nmax_retry = -1\n[circus]\ninclude = more.ini\n"
            "[watcher:web]\ncmd = a\nnumprocesses = $(circus.env.N)\n"
            "[env]\nHOME = $HOME/x\nT = \x1b\n[env:w*]\nA = 1\n"
        )
        lines = self.section(written, "watcher:web")
        self.assertEqual(
            lines[:10],
            [
                "# main.ini:6",
                "cmd = a",
                "# main.ini:7, from $(circus.env.N)",
                "numprocesses = 3",
                "# more.ini:2",
                "priority = 3",
                "# main.ini:2 in [DEFAULT]",
                "max_retry = -1",
                "# default",
                "args =",
            ],
        )
        self.assertIn("graceful_timeout = 30", lines)
        self.assertIn("stop_signal = TERM", lines)
        self.assertEqual(
            [line for line in lines if line.startswith("# env.")],
            ["# env.HOME = /root/x", "# env.T = \\x1b", "# env.max_retry = -1", "# env.A = 1"],
        )
        self.assertEqual(
            self.section(written, "env")[:2],
            ["# main.ini:9, which is /root/x", "HOME = $HOME/x"],
        )

    def test_of_the_daemon(self) -> None:
        written = self.written("[circus]\ninclude = nope\nstats_endpoint = tcp://h:1\nstatsd = 0\n")
        lines = self.section(written, "circus")
        self.assertEqual(
            lines[:6],
            [
                "# main.ini:2, read already",
                "# include = nope",
                "# main.ini:3",
                "stats_endpoint = tcp://h:1",
                "# main.ini:4, implied by stats_endpoint",
                "statsd = True",
            ],
        )
        self.assertIn("check_delay = 5", lines)
        lines = self.section(self.written("[watcher:w]\ncmd = x\n"), "circus")
        self.assertIn("# stats_endpoint = tcp://127.0.0.1:5557", lines)

    def test_of_a_plugin(self) -> None:
        written = self.written("[plugin:p]\nuse = a.B\nx = 1\n")
        lines = self.section(written, "plugin:p")
        self.assertEqual(lines[:4], ["# main.ini:2", "use = a.B", "# main.ini:3", "x = 1"])
        self.assertEqual([line for line in lines[4:] if line[:2] != "# "], [])
        self.assertIn("# priority = 1", lines)

    def test_every_line_has_one(self) -> None:
        """Every key stands below a comment at the margin that says where it comes from."""
        written = self.written(
            "[watcher:w]\ncmd = x\n[socket:s]\nport = 8080\n[plugin:p]\nuse = a.B\n"
        )
        origin = ""
        for line in written.split("\n"):
            if line.startswith("# ") and " = " not in line:
                origin = line
            elif line.startswith("["):
                origin = ""
            elif line:
                self.assertTrue(origin, line)


if __name__ == "__main__":
    unittest.main()
