"""Configurations in TOML: the same sections, with the lines of what is wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest import mock

from cvec_circus.config.configuration import Configuration
from cvec_circus.config.effective import Effective
from cvec_circus.config.examination import examine
from cvec_circus.config.readers import toml
from cvec_circus.config.readers.document import load
from cvec_circus.config.section import Findings
from cvec_circus.exc import ConfigError
from tests.config.support import ENVIRON, ConfigTestCase

ALL = """\
# the same as INI below
[circus]
check_delay = 2
umask = "022"
include = []
[env]
PATH = "$HOME/bin"
[env."w*"]
N = 5
[socket.web]
host = "127.0.0.1"
port = 8000
[watcher.web]
cmd = ["serve", "a b", "$(circus.wid)"]
args = "-v '$(circus.env.N)'"
numprocesses = 2
copy_env = true
graceful_timeout = 1.5
depends_on = { db = "ready", cache = "started" }
part_of = ["db"]
rlimit_nofile = 100
own.key = "x"
ready = { up = "http://localhost/#top" }
hooks.before_start = ["a.b", true]
[watcher.web.stdout_stream]
class = "FileStream"
filename = "web # 1.log"
max_bytes = "10MB"
[watcher.web.env]
"WORKERS" = 4
LIST = "a,b"
[watcher."my.db"]
cmd = '''
serve db
--fast'''
extends = "web"
[plugin.logger]
use = "a.B"
level = 3
since = 2026-01-02T03:04:05
[plugin.logger.env]
A = "1"
"""

SAME = """\
[circus]
check_delay = 2
umask = 022
[env]
PATH = $HOME/bin
[env:w*]
N = 5
[socket:web]
host = 127.0.0.1
port = 8000
[watcher:web]
cmd = serve 'a b' '$(circus.wid)'
args = -v '$(circus.env.N)'
numprocesses = 2
copy_env = yes
graceful_timeout = 1.5
depends_on = db:ready, cache:started
part_of = db
rlimit_nofile = 100
own.key = x
ready.up = http://localhost/#top
hooks.before_start = a.b, true
stdout_stream.class = FileStream
stdout_stream.filename = web # 1.log
stdout_stream.max_bytes = 10MB
[env:web]
WORKERS = 4
LIST = a,b
[watcher:my.db]
cmd = serve db
  --fast
extends = web
[plugin:logger]
use = a.B
level = 3
since = 2026-01-02T03:04:05
[env:plugin:logger]
A = 1
"""


class TomlCase(ConfigTestCase):
    def toml(
        self, text: str, name: str = "main.toml", environ: dict[str, str] = ENVIRON
    ) -> Configuration:
        """Return what a main file in TOML comes to."""
        self.write(name, text)
        return load(name, environ, str(self.folder))

    def wrong(self, text: str) -> list[str]:
        """Return its problems."""
        with self.assertRaises(ConfigError) as caught:
            self.toml(text)
        return caught.exception.problems


class TestForm(TomlCase):
    def test_the_same_as_an_ini_file(self) -> None:
        ours, theirs = self.toml(ALL), self.load(SAME)
        self.assertEqual(ours.circus, theirs.circus)
        for mine, other in zip(ours.watchers, theirs.watchers):
            self.assertEqual((mine.name, dict(mine.options)), (other.name, dict(other.options)))
        self.assertEqual([one.options for one in ours.sockets], [s.options for s in theirs.sockets])
        [plugin], [other] = ours.plugins, theirs.plugins
        self.assertEqual((plugin.config, plugin.options), (other.config, other.options))
        self.assertEqual((ours.warnings, theirs.warnings), ([], []))

    def test_the_same_however_it_is_written(self) -> None:
        expected = self.toml("[watcher.a]\ncmd = 'x'\nhooks.after_stop = 'a.b'\n").watchers
        for text in (
            "watcher.a.cmd = 'x'\nwatcher.a.hooks.after_stop = 'a.b'\n",
            "watcher = { a = { cmd = 'x', hooks = { after_stop = 'a.b' } } }\n",
            "[watcher]\na.cmd = 'x'\n[watcher.a.hooks]\nafter_stop = 'a.b'\n",
        ):
            with self.subTest(text):
                found = self.toml(text).watchers
                self.assertEqual(found[0].options, expected[0].options)

    def test_what_is_printed_is_an_ini_file_that_says_the_same(self) -> None:
        self.write("main.toml", ALL)
        examination = examine("main.toml", ENVIRON, str(self.folder))
        assert examination.configuration is not None
        lines = list(Effective(examination.build, examination.configuration).lines())
        again = self.load("\n".join(lines))
        before = [one.options for one in examination.configuration.watchers]
        self.assertEqual([one.options for one in again.watchers], before)
        self.assertIn("# main.toml:16", lines)

    def test_what_an_ini_file_cannot_say_is_printed_as_a_note(self) -> None:
        text = "[watcher.web]\ncmd = \"x\"\nown.key = ' a'\n'a=b.c' = 'd'\nargs = 'a ; b'\n"
        text += "[env]\nA = 'a ; b'\n"
        self.write("main.toml", text)
        examination = examine("main.toml", ENVIRON, str(self.folder))
        assert examination.configuration is not None
        lines = list(Effective(examination.build, examination.configuration).lines())
        for number, note in (
            (3, "own.key =  a"),
            (4, "a=b.c = d"),
            (5, "args = a ; b"),
            (7, "A = a ; b"),
        ):
            at = lines.index(f"# main.toml:{number}, which no INI file can say")
            self.assertEqual(lines[at + 1], f"# {note}")

    def test_includes_of_either_kind(self) -> None:
        self.write("a.ini", "[watcher:a]\ncmd = ini\n")
        self.write("b.toml", "[watcher.b]\ncmd = 'toml'\n[watcher.c]\npriority = 1\n")
        for main, text in (
            ("main.toml", "[circus]\ninclude = ['a.ini', 'b.*']\n[watcher.c]\ncmd = 'c'\n"),
            ("main.ini", "[circus]\ninclude = a.ini b.*\n[watcher:c]\ncmd = c\n"),
        ):
            with self.subTest(main):
                found = {w.name: w.options for w in self.toml(text, main).watchers}
                commands = {name: options.cmd for name, options in found.items()}
                self.assertEqual(commands, {"a": "ini", "b": "toml", "c": "c"})
                self.assertEqual(found["c"].priority, 1)

    def test_default(self) -> None:
        [watcher] = self.toml("[DEFAULT]\nnumprocesses = 3\n[watcher.a]\ncmd = 'x'\n").watchers
        self.assertEqual(watcher.options.numprocesses, 3)

    def test_the_environment_of_a_name_that_looks_like_a_pattern(self) -> None:
        text = "[watcher.'a*'.env]\nA = 1\n[watcher.'a*']\ncmd = 'x'\n[watcher.ab]\ncmd = 'x'\n"
        text = text.replace("[watcher.'a*'.env]\nA = 1\n", "") + "[watcher.'a*'.env]\nA = 1\n"
        envs = {one.name: one.options.env for one in self.toml(text).watchers}
        self.assertEqual(envs, {"a*": {"A": "1"}, "ab": {}})


class TestWhatIsWrong(TomlCase):
    def test_lines_of_problems(self) -> None:
        text = (
            "[circus]\n"
            "# note\n"
            "\n"
            "[watcher.web]  # [x]\n"
            'cmd = """\n'
            "numprocesses = 1\n"
            '"""\n'
            "args = [\n"
            "  'a',\n"
            "]\n"
            "numprocesses = 'x'\n"
            "stdout_stream = { class = 'FileStream',  max_bytes = 'y', filename = 'z' }\n"
            "[watcher.web.hooks]\n"
            "\n"
            "after_stop = 'q q'\n"
            "[socket.'a b']\n"
            "port = -1\n"
        )
        self.assertEqual(
            [one.partition(": ")[0] for one in self.wrong(text)],
            ["main.toml:11", "main.toml:12", "main.toml:15", "main.toml:17"],
        )

    def test_what_is_no_toml(self) -> None:
        for text, where, wrong in (
            ("[watcher:web]\ncmd = x\n", 1, "not TOML: "),
            ("[watcher.web]\ncmd = x\n", 2, "not TOML: invalid value"),
            ("[watcher.web]\ncmd = 'x'\ncmd = 'y'\n", 3, "not TOML: cannot overwrite a value"),
            ("[watcher.web]\ncmd = 'x", 2, "not TOML: "),
            ("a = " + "[" * 100_000, 0, "nested too deeply"),
        ):
            with self.subTest(text[:30]):
                [problem] = self.wrong(text)
                at = f"main.toml:{where}" if where else "main.toml"
                self.assertTrue(problem.startswith(f"{at}: {wrong}"), problem)

    def test_headers_in_what_is_said(self) -> None:
        for text, said in (
            ("", "main.toml: nothing in it says what to run; write a [watcher.NAME] with a cmd"),
            (
                "[watchr.web]\ncmd = 'x'\n",
                "main.toml:1: [watchr:web] unknown section; did you mean [watcher.web]?",
            ),
            (
                "[watcher.web]\ncmd = 'x'\nstdin_socket = 's'\n",
                "main.toml:3: [watcher:web] stdin_socket: there is no [socket.s]",
            ),
        ):
            with self.subTest(text):
                self.assertEqual(self.wrong(text), [said])

    def test_what_is_an_ini_file(self) -> None:
        ini = "; this looks like an INI file: give it a name that does not end in .toml"
        for text, said in (
            ("[watcher:web]\ncmd = x\n", ini),
            ("; a note\n[circus]\n[env:a*]\n", ini),
            ("[circus]\nhttpd = False\n[Socket: a]\n", ini),
            ("[circus]\nhttpd = False\n", "; TOML has text in quotes, and true or false"),
        ):
            with self.subTest(text):
                [problem] = self.wrong(text)
                self.assertTrue(problem.endswith(said), problem)
        [problem] = self.wrong('[watcher.web]\ncmd = "[watcher:x]')
        self.assertNotIn("INI", problem)

    def test_what_has_no_meaning(self) -> None:
        form = "a list or table is not allowed here; write text, a number or true"
        rest = "[watcher.web]\ncmd = 'x'\n"
        for text, problem in (
            (f"a = 1\n{rest}", "1: a: outside any table; write [circus] above it"),
            (
                f"[watcher]\ncmd = 'x'\n{rest}",
                "2: cmd: of no watcher; write [watcher.NAME] above it",
            ),
            (
                f"[[watcher]]\ncmd = 'x'\n{rest.replace('watcher', 'socket')}",
                "1: watcher: a list of tables; write [watcher.NAME], in single brackets",
            ),
            (
                f"{rest}[[watcher.b]]\ncmd = 'x'\n",
                "3: b: a list of tables; write [watcher.b], in single brackets",
            ),
            (
                f"[[circus]]\ndebug = true\n{rest}",
                "1: circus: a list of tables; write [circus], in single brackets",
            ),
            (
                f"watcher = 5\n{rest.replace('watcher', 'socket')}",
                "1: watcher: not a value but a table; write [watcher.NAME]",
            ),
            (f"circus = true\n{rest}", "1: circus: not a value but a table; write [circus]"),
            (
                f"{rest}numprocesses = true\n",
                "3: [watcher:web] numprocesses: 'true' is not a whole number",
            ),
            (
                f"{rest}[socket.s]\npath = 'x'\numask = 0o027\n",
                '5: [socket:s] umask: a number is not octal here; write it as text, such as "027"',
            ),
            (f"{rest}args = [['a']]\n", f"3: [watcher:web] args: {form}"),
            (f"{rest}args = [{{ a = 1 }}]\n", f"3: [watcher:web] args: {form}"),
            (
                "[watcher.'a,b']\ncmd = 'x'\nenv.A = 1\n",
                "3: env: a name with a comma has none; write [env.PATTERN]",
            ),
        ):
            with self.subTest(text):
                self.assertIn(f"main.toml:{problem}", self.wrong(text))

    def test_slips_are_those_of_toml(self) -> None:
        text = (
            "[watcher.web]\ncmd = 'x'\nworking_dir = '\"/a # b\"'\nnumproceses = 1\n[wacther.a]\n"
            "[wacther.b]\n[wathcer]\ncmd = 'x'\n[envs.web]\nA = 1\n[plugn]\n"
        )
        self.write("main.toml", text)
        found = examine("main.toml", ENVIRON, str(self.folder)).build.findings.everything()
        self.assertEqual(
            [one.line for one in found],
            [
                "main.toml:4: [watcher:web] numproceses: unknown option; did you mean "
                "numprocesses? (kept for hooks and plugins)",
                "main.toml:5: [wacther:a] unknown section; did you mean [watcher.a]?",
                "main.toml:6: [wacther:b] unknown section; did you mean [watcher.b]?",
                "main.toml:7: [wathcer] unknown section; did you mean [watcher.NAME]?",
                "main.toml:9: [envs:web] unknown section; did you mean [env.web]?",
                "main.toml:11: [plugn] unknown section; did you mean [plugin.NAME]?",
            ],
        )

    def test_without_a_parser(self) -> None:
        with mock.patch.dict(sys.modules, {"tomllib": None, "tomli": None}):
            [problem] = self.wrong("[watcher.web]\ncmd = 'x'\n")
        self.assertIn("needs tomli before Python 3.11: pip install 'cvec_circus[toml]'", problem)

    def lines_of(self, text: str) -> dict[str | None, int]:
        """Return the line of each key; None for the last table."""
        findings = Findings()
        entries = toml.parse(text, "main.toml", findings)
        self.assertEqual(findings.problems(), {})
        return {one.key: one.line for one in entries}

    def test_statements_of_many_lines(self) -> None:
        """They take no time to speak of."""
        args = "\n".join("'a'," for _ in range(20_000))
        text = f"[watcher.web]\ncmd = 'x'\nargs = [\n{args}\n]\npriority = 1\n"
        expected = {None: 1, "cmd": 2, "args": 3, "priority": 20_005}
        self.assertEqual(self.lines_of(text), expected)
        words = "\n".join("a b" for _ in range(20_000))
        text = f"[watcher.web]\ncmd = 'x'\nargs = '''\n{words}\n'''\npriority = 1\n"
        self.assertEqual(self.lines_of(text), {None: 1, "cmd": 2, "args": 1, "priority": 1})


class TestExample(TomlCase):
    def test_the_page_shows_what_can_be_loaded(self) -> None:
        example = Path(__file__).parents[3] / "docs" / "examples" / "toml" / "circus.toml"
        found = self.toml(example.read_text().replace("include", "# include"), environ={"PATH": ""})
        [web] = found.watchers
        self.assertEqual(web.options.env["WORKERS"], "4")
        self.assertEqual(web.options.depends_on, {"db": "ready", "migrate": "succeeded"})
        self.assertEqual(found.warnings, [])
