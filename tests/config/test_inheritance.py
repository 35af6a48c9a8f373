"""Sections that extend others: what they get, and what is said of names and circles."""

from __future__ import annotations

from cvec_circus.config.effective import Effective
from cvec_circus.config.examination import examine
from cvec_circus.config.readers.mapping import from_mappings
from cvec_circus.exc import ConfigError
from tests.config.support import ENVIRON, ConfigTestCase

WEB = """
[watcher:web]
cmd = serve --port 1
numprocesses = 3
copy_env = True
stdout_stream.class = FileStream
stdout_stream.filename = web.log
hooks.before_start = a.b
ready.up = http://localhost
rlimit_nofile = 100
own.key = x
"""


class TestWhatTheyGet(ConfigTestCase):
    def test_what_it_does_not_say_itself(self) -> None:
        text = f"{WEB}[watcher:two]\nextends = Web\ncmd = other\nstdout_stream.filename = two.log\n"
        web, two = self.load(text).watchers
        differ = {name for name in web.options if web.options[name] != two.options[name]}
        self.assertEqual(differ, {"cmd", "stdout_stream"})
        self.assertEqual(two.options["cmd"], "other")
        self.assertEqual(
            two.options["stdout_stream"], {"class": "FileStream", "filename": "two.log"}
        )
        self.assertEqual(two.options.extra, {"rlimit_nofile": 100, "own.key": "x"})
        self.assertEqual(str(two.options.hooks["before_start"]), "a.b")
        self.assertNotIn("extends", two.options)

    def test_what_is_empty_takes_away(self) -> None:
        text = f"{WEB}[watcher:two]\nextends = web\nhooks.before_start =\nready.up =\n"
        two = self.load(text).watchers[1]
        self.assertEqual((two.options.hooks, two.options.ready), ({}, {}))

    def test_any_option_may_be_taken_away(self) -> None:
        keys = [line.partition(" =")[0] for line in WEB.splitlines()[3:]]
        empty = "".join(f"{key} =\n" for key in keys)
        text = f"[DEFAULT]\nnumprocesses = 7\nuid = nobodyx\n{WEB}uid =\n"
        text += f"[watcher:two]\nextends = web\nuid =\n{empty}[watcher:three]\nextends = two\n"
        text += "[watcher:four]\nextends = two\npriority =\nnumprocesses = 2\n"
        _, two, three, four = self.load(text).watchers
        bare = self.load("[watcher:two]\ncmd = serve --port 1\n").watchers[0]
        self.assertEqual(two.options, bare.options)
        self.assertEqual(three.options, bare.options)
        self.assertEqual(four.options, {**bare.options, "numprocesses": 2})
        [(name, [problem])] = self.load(f"{WEB}[watcher:two]\nextends = web\ncmd =\n").left_out
        self.assertEqual(name, "two")
        self.assertIn("[watcher:two] cmd: missing", problem)

    def test_what_is_taken_away_and_printed(self) -> None:
        keys = [line.partition(" =")[0] for line in WEB.splitlines()[3:]]
        empty = "".join(f"{key} =\n" for key in keys)
        self.write("main.ini", f"{WEB}[watcher:two]\nextends = web\n{empty}")
        examination = examine("main.ini", ENVIRON, str(self.folder))
        before = examination.configuration
        assert before is not None
        again = self.load("\n".join(Effective(examination.build, before).lines()))
        self.assertEqual(again.watchers[1].options, before.watchers[1].options)

    def test_what_is_taken_away_of_a_plugin(self) -> None:
        text = "[plugin:a]\nuse = x.Y\nkey = 1\npriority = 3\n"
        two = self.load(f"{text}[plugin:b]\nextends = a\nkey =\npriority =\n").plugins[1]
        self.assertEqual((two.config, two.options.priority), ({}, 1))

    def test_what_is_taken_away_from_a_program(self) -> None:
        rows = [
            {"name": "a", "cmd": "x", "priority": 3, "uid": 0, "args": "y"},
            {"name": "b", "extends": "a", "priority": None, "uid": "", "args": " "},
        ]
        _, two = from_mappings(rows).watchers
        self.assertEqual((two.options.priority, two.options.uid, two.options.args), (0, None, ""))

    def test_chains_in_any_order(self) -> None:
        text = (
            "[watcher:c]\nextends = b\n[watcher:b]\nextends = a\nnumprocesses = 2\n"
            "[watcher:a]\ncmd = x\nnumprocesses = 1\npriority = 5\n[watcher:d]\nextends = c\n"
        )
        found = {one.name: one.options for one in self.load(text).watchers}
        rows = {name: (one.cmd, one.numprocesses, one.priority) for name, one in found.items()}
        expected = {"a": ("x", 1, 5), **dict.fromkeys("bcd", ("x", 2, 5))}
        self.assertEqual(rows, expected)

    def test_a_long_chain(self) -> None:
        rows = [f"[watcher:w{n}]\nextends = w{n + 1}\n" for n in range(3000)]
        found = self.load("".join(rows) + "[watcher:w3000]\ncmd = x\n").watchers
        self.assertEqual({one.options.cmd for one in found}, {"x"})

    def test_a_name_that_is_no_line_is_said_on_one(self) -> None:
        with self.assertRaises(ConfigError) as caught:
            self.load("[watcher:a]\ncmd = x\nextends = b\n\thooks\x1b[0m\n")
        self.assertIn(r"there is no [watcher:b\nhooks\x1b[0m]", caught.exception.problems[0])

    def test_default_comes_last(self) -> None:
        text = (
            "[DEFAULT]\nnumprocesses = 7\npriority = 7\n[watcher:a]\ncmd = x\npriority = 1\n"
            "[watcher:b]\nextends = a\n"
        )
        two = self.load(text).watchers[1].options
        self.assertEqual((two.numprocesses, two.priority), (7, 1))

    def test_over_files_and_with_names(self) -> None:
        self.write("b.ini", "[watcher:b]\nextends = a\n[env:b]\nN = 9\n")
        text = "[circus]\ninclude = b.ini\n[watcher:a]\ncmd = x\nnumprocesses = $(circus.env.N)\n"
        found = {one.name: one.options.numprocesses for one in self.load(text).watchers}
        self.assertEqual(found, {"a": 3, "b": 9})

    def test_an_option_of_a_plugin_of_its_own(self) -> None:
        text = "[watcher:web]\ncmd = x\n[plugin:a]\nuse = x.Y\nextends = watcher:web\n"
        loaded = self.load(text)
        self.assertEqual(loaded.plugins[0].config, {"extends": "watcher:web"})
        said = "there is no [plugin:watcher:web], so it is an option of the plugin's own"
        self.assertEqual(loaded.warnings, [f"main.ini:5: [plugin:a] extends: {said}"])

    def test_plugins(self) -> None:
        text = "[plugin:a]\nuse = x.Y\nloop_rate = 5\nkey = 1\n[plugin:b]\nextends = a\nkey = 2\n"
        one, two = self.load(text).plugins
        self.assertEqual((two.use, two.config), ("x.Y", {"loop_rate": "5", "key": "2"}))
        self.assertEqual(one.config, {"loop_rate": "5", "key": "1"})

    def test_from_a_program(self) -> None:
        rows = [{"name": "b", "extends": "a"}, {"name": "a", "cmd": ["x", "y z"], "priority": 3}]
        b, a = from_mappings(rows).watchers
        self.assertEqual(b.options, a.options)
        with self.assertRaisesRegex(
            ConfigError, r"\[watcher:b\] extends: there is no \[watcher:c\]"
        ):
            from_mappings([{"name": "b", "cmd": "x", "extends": "c"}])


class TestWhatIsWrong(ConfigTestCase):
    def test_only_the_cause_is_named(self) -> None:
        rest = "shell_args = x\nstdout_stream.max_bytes = 3\nstdin_socket = no\nuid = nobodyx\n"
        text = (
            f"[watcher:a]\nextends = no\n{rest}[watcher:b]\nextends = c\n{rest}"
            f"[watcher:c]\nextends = b\n{rest}[watcher:d]\nextends = c\n{rest}"
            "[plugin:p]\nextends = no\nmax_retry = x\n[watcher:z]\ncmd = x\n"
        )
        self.write("main.ini", text)
        found = examine("main.ini", ENVIRON, str(self.folder)).build.findings.everything()
        said = [one.text.partition(": ")[0] for one in found]
        cause = [f"[watcher:{name}] extends" for name in "abcd"]
        self.assertEqual(said, [*cause, "[plugin:p] extends", "[plugin:p] max_retry"])

    def test_no_such_section(self) -> None:
        text = "[watcher:a]\nextends = wbe\ncmd = x\n[watcher:web]\ncmd = x\n"
        self.assertEqual(
            self.load(text).left_out[0].problems,
            ["main.ini:2: [watcher:a] extends: there is no [watcher:wbe]; did you mean web?"],
        )

    def test_another_kind_is_none(self) -> None:
        text = "[plugin:p]\nuse = a.B\n[watcher:a]\ncmd = x\nextends = p\n"
        [problem] = self.load(text).left_out[0].problems
        self.assertIn("extends: there is no [watcher:p]", problem)

    def test_a_circle_is_one_line_and_the_others_refer_to_it(self) -> None:
        text = "".join(f"[watcher:{a}]\ncmd = x\nextends = {b}\n" for a, b in ("xa", "ab", "bc"))
        problems = self.problems(f"{text}[watcher:c]\ncmd = x\nextends = a\n")
        circle = "a circle, in which each extends the next: a -> b -> c -> a"
        see = "cannot be extended, see main.ini"
        self.assertEqual(
            problems,
            [
                f"main.ini:3: [watcher:x] extends: a {see}:6",
                f"main.ini:6: [watcher:a] extends: {circle}",
                f"main.ini:9: [watcher:b] extends: c {see}:12",
                f"main.ini:12: [watcher:c] extends: a {see}:6",
            ],
        )

    def test_itself(self) -> None:
        [problem] = self.problems("[watcher:a]\ncmd = x\nextends = A\n")
        self.assertEqual(problem, "main.ini:3: [watcher:a] extends: it would extend itself")

    def test_where_a_value_comes_from(self) -> None:
        text = "[watcher:a]\ncmd = x\nnumprocesses = x\n[watcher:b]\nextends = a\n"
        text += "[watcher:c]\nextends = b\n[watcher:d]\ncmd = x\n"
        wrong = "'x' is not a whole number"
        self.write("main.ini", text)
        found = examine("main.ini", ENVIRON, str(self.folder)).build.findings.everything()
        self.assertEqual(
            sorted(one.line for one in found),
            [
                f"main.ini:3: [watcher:a] numprocesses: {wrong}",
                f"main.ini:3: [watcher:b] numprocesses (of a): {wrong}",
                f"main.ini:3: [watcher:c] numprocesses (of a): {wrong}",
            ],
        )

    def test_slips_are_told_once(self) -> None:
        text = "[watcher:a]\ncmd = x $HOME\nnumproceses = 2\n[watcher:b]\nextends = a\n"
        self.write("main.ini", text)
        found = examine("main.ini", ENVIRON, str(self.folder)).build.findings.everything()
        near = [one.line for one in found if "numproceses" in one.line]
        self.assertEqual(len(near), 1)

    def test_what_is_printed(self) -> None:
        self.write("main.ini", "[watcher:a]\ncmd = x\n[watcher:b]\nextends = a\npriority = 3\n")
        examination = examine("main.ini", ENVIRON, str(self.folder))
        assert examination.configuration is not None
        lines = list(Effective(examination.build, examination.configuration).lines())
        at = lines.index("[watcher:b]")
        self.assertEqual(
            lines[at + 1 : at + 6],
            ["# main.ini:4", "extends = a", "# main.ini:5", "priority = 3", "# main.ini:2, of a"],
        )
        self.assertEqual(lines[at + 6], "cmd = x")
