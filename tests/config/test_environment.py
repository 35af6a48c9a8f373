"""The environment of watchers, and what values say of it."""

from __future__ import annotations

from cvec_circus.config.examination import examine
from cvec_circus.config.readers.document import load
from cvec_circus.exc import ConfigError
from cvec_circus.options.expand import watcher_values
from cvec_circus.supervisor.launching import command
from tests.config.support import ENVIRON, ConfigTestCase
from tests.options.test_expand import HARD

WEB = "[watcher:web]\ncmd = x\n"


class TestSections(ConfigTestCase):
    def env(self, text: str) -> dict[str, str]:
        return self.watcher(WEB + text).options["env"]

    def test_which_apply(self) -> None:
        for text, env in (
            ("[env]\nA = 1\na = 2\nE =\n", {"A": "1", "a": "2", "E": ""}),
            ("[env]\nA = 1\n[env:web]\nA = 2\n", {"A": "2"}),
            ("[env:web]\nA = 2\n[env]\nA = 1\nB = 3\n", {"A": "2", "B": "3"}),
            ("[env:w*]\nA = 1\n[env:web]\nA = 2\n", {"A": "2"}),
            ("[env:web]\nA = 1\n[env:w*]\nA = 2\n", {"A": "2"}),
            ("[env:foo, w?b]\nA = 1\n", {"A": "1"}),
            ("[env:w[ae]b]\nA = 1\n", {"A": "1"}),
            ("[env:WEB]\nA = 1\n", {}),
            ("[env:other]\nA = 1\n", {}),
            ("[env:we]\nA = 1\n", {}),
        ):
            with self.subTest(text):
                self.assertEqual(self.env(text), env)

    def test_dollar_names_see_the_daemons_environment(self) -> None:
        for value, meant in (
            ("$FOO", "foo"),
            ("${FOO}:$N", "${FOO}:3"),
            ("$Mixed", "ixed"),
            ("a:$NOPE ${NOPE} $", "a: ${NOPE} $"),
            ("$NOPE a $NOPE", "a"),
            ("$$FOO $$", "$foo $$"),
            ("$foo $FOOd $_FOO", "$foo food $_FOO"),
            ("$(circus.env.foo)1 ((circus.env.FOO))", "foo1 foo"),
            ("$(circus.env.nope) $(circus.wid)", "$(circus.env.nope) $(circus.wid)"),
            ("$DOLLAR $(circus.env.DOLLAR)", "$FOO $FOO"),
        ):
            with self.subTest(value):
                self.assertEqual(self.env(f"[env]\nA = 0\nB = {value}\n")["B"], meant)
                self.assertEqual(self.env(f"[env:w*]\nB = {value}\n")["B"], meant)

    def test_they_do_not_see_each_other(self) -> None:
        self.assertEqual(
            self.env("[env]\nA = 1\nFOO = $FOO:2\nB = $A\nC = $(circus.env.A)\nD = $FOO\n"),
            {"A": "1", "FOO": "foo:2", "B": "", "C": "$(circus.env.A)", "D": "foo"},
        )

    def test_names_that_are_not_what_they_seem(self) -> None:
        text = "[env]\nA = a:$NOPE$NOPE:$FOO\nB = ${FOO} ${foo-x}\nC = $low $$ $(circus.env.FOO)\n"
        self.assertEqual(
            self.load(WEB + text).warnings,
            [
                "main.ini:4: [env] A: $NOPE is not set where the daemon starts, so it is empty "
                "here",
                "main.ini:5: [env] B: ${FOO} stays as it is; write $(circus.env.FOO)",
                "main.ini:5: [env] B: ${foo} stays as it is; write $(circus.env.foo)",
            ],
        )

    def test_names_of_variables_that_are_not_there(self) -> None:
        said = "stays as it is: there is no such variable where the daemon starts"
        found = self.load(WEB + "[env]\nA = 1\nB = $(circus.env.A) $(circus.env.foo)\n").warnings
        self.assertEqual(found, [f"main.ini:5: [env] B: $(circus.env.A) {said}"])

    def test_dollar_names_stay_elsewhere(self) -> None:
        watcher = self.watcher("[watcher:w]\ncmd = x $FOO\nworking_dir = $HOME\nx.y = ${FOO}\n")
        self.assertEqual(watcher.options["cmd"], "x $FOO")
        self.assertEqual(watcher.options["working_dir"], "$HOME")
        self.assertEqual(watcher.options["x.y"], "${FOO}")

    def test_the_daemons_environment_is_not_copied_here(self) -> None:
        watcher = self.watcher(WEB + "copy_env = true\n[env]\nA = 1\n")
        self.assertIs(watcher.options["copy_env"], True)
        self.assertEqual(watcher.options["env"], {"A": "1"})

    def test_a_key_of_the_watcher_itself_wins(self) -> None:
        self.assertEqual(
            self.env("env = A=1,B=2\n[env:web]\nA = 3\nC = 4\n"), {"A": "1", "B": "2", "C": "4"}
        )

    def test_plugins_have_their_own_name(self) -> None:
        configuration = self.load(
            "[plugin:p]\nuse = a.B\n[env]\nA = 1\n[env:p]\nB = 2\n[env:plugin:p]\nC = 3\n"
        )
        self.assertEqual(configuration.plugins[0].options["env"], {"A": "1", "C": "3"})


class TestSecrets(ConfigTestCase):
    """What a variable stands for is in no message."""

    def test_errors_have_its_name(self) -> None:
        for value in ("hunter2", "hun'ter\\2", "x" * 300, "a b"):
            for section in (
                "[watcher:w]\ncmd = x\nnumprocesses = $(circus.env.P)",
                "[watcher:w]\ncmd = x\nuid = a$(circus.env.P)",
                "[watcher:w]\ncmd = x\nstop_signal = $(circus.env.P)",
                "[watcher:w]\ncmd = x\nhooks.after_stop = exec:'$(circus.env.P)",
                "[watcher:w]\ncmd = x\nrlimit_nofile = $(circus.env.P)",
                "[watcher:w]\ncmd = x\nstdout_stream.class = FileStream\n"
                "stdout_stream.max_bytes = $(circus.env.P)",
                "[watcher:w]\ncmd = x\n[socket:s]\nport = $(circus.env.P)",
                "[circus]\nendpoint = $(circus.env.P)\ncheck_delay = $(circus.env.P)",
            ):
                with self.subTest(section, value=value):
                    self.write("main.ini", f"{section}\n")
                    with self.assertRaises(ConfigError) as caught:
                        load("main.ini", {"P": value}, str(self.folder))
                    said = "\n".join(caught.exception.problems)
                    for part in (value, repr(value)[1:-1], value[:20]):
                        self.assertNotIn(part, said)

    def test_of_a_newer_option(self) -> None:
        self.write("main.ini", "[watcher:w]\ncmd = x\nready_timeout = $(circus.env.P)\n")
        loaded = load("main.ini", {"P": "hunter2"}, str(self.folder))
        self.assertEqual(len(loaded.warnings), 1)
        self.assertNotIn("hunter2", loaded.warnings[0])

    def test_parts_of_it(self) -> None:
        for value, section, said in (
            ("/no/hunter2", "env_file = $(circus.env.P)", "$(circus.env.P): cannot be read"),
            ("hunter2", "depends_on = a$(circus.env.P)", "no watcher a$(circus.env.P)"),
            ("hunter2", "stdin_socket = $(circus.env.P)", "[socket:$(circus.env.P)]"),
        ):
            with self.subTest(section):
                self.write("main.ini", f"[watcher:w]\ncmd = x\n{section}\n")
                findings = examine("main.ini", {"P": value}, str(self.folder)).build.findings
                lines = [one.line for one in findings.everything()]
                self.assertIn(said, "\n".join(lines))
                self.assertNotIn("hunter2", "\n".join(lines))

    def test_of_a_folder_that_is_included(self) -> None:
        self.write("hunter2/a.ini", "[watcher:w]\ncmd = x\nnumprocesses = y\n")
        for value, path in (("hunter2", "$(circus.env.P)/a.ini:3"), ("none-of-it", "")):
            self.write(
                "main.ini", "[circus]\ninclude = $(circus.env.P)/*.ini\n[watcher:v]\ncmd = x\n"
            )
            loaded = load("main.ini", {"P": value}, str(self.folder))
            said = "\n".join(
                [*loaded.warnings, *(line for one in loaded.left_out for line in one[1])]
            )
            self.assertIn("$(circus.env.P)/", said)
            self.assertIn(path, said)
            self.assertNotIn(value, said)

    def test_names_of_the_file_are_none(self) -> None:
        self.write("main.ini", "[watcher:web-1]\ncmd = x $(circus.env.P)\npriority = y\n")
        with self.assertRaises(ConfigError) as caught:
            load("main.ini", {"P": "web"}, str(self.folder))
        self.assertIn("[watcher:web-1]", str(caught.exception))


class TestOwnOptions(ConfigTestCase):
    """What a variable stands for is the same in a command, whichever option has put it there."""

    def words(self, text: str, value: str) -> list[str]:
        self.write("main.ini", f"[watcher:w]\n{text}\n")
        watcher = load("main.ini", {"P": value}, str(self.folder)).watchers[0]
        values = watcher_values(watcher.options, {}, {}, name="w", wid=7)
        return command(watcher.options, values)

    def test_one_word(self) -> None:
        for value in (*HARD, "a b", " a  b "):
            for text in (
                'mine = $(circus.env.P)\ncmd = x "$(circus.mine)" y',
                "mine = $(circus.env.P)\ncmd = x '((circus.MINE))' y",
                'mine = "$(circus.env.P)"\ncmd = x $(circus.mine) y',
                'working_dir = $(circus.env.P)\ncmd = x "$(circus.working_dir)" y',
                'mine = $(circus.env.P)\ncmd = x\nargs = "$(circus.mine)" y',
                # a newer option whose value it cannot read
                'ready_timeout = $(circus.env.P)\ncmd = x "$(circus.ready_timeout)" y',
            ):
                with self.subTest(text, value=value):
                    self.assertEqual(self.words(text, value), ["x", value, "y"])

    def test_hard_words_are_split_at_blanks_alone(self) -> None:
        for value in (*HARD, "a b"):
            for own in ("mine = $(circus.env.P)", "mine = $(circus.env.P)\nother = 1"):
                found = self.words(f"{own}\ncmd = x $(circus.mine) y", value)
                self.assertEqual(found, ["x", *value.split(), "y"])

    def test_hooks_and_plugins_get_the_value(self) -> None:
        for value in HARD:
            self.write("main.ini", "[watcher:w]\nmine = $(circus.env.P)\ncmd = x $(circus.mine)\n")
            watcher = load("main.ini", {"P": value}, str(self.folder)).watchers[0]
            self.assertEqual(watcher.options["mine"], value)

    def test_what_is_plain_can_be_set_later(self) -> None:
        text = "numprocesses = $(circus.env.P)\ncmd = x -w $(circus.numprocesses)"
        self.write("main.ini", f"[watcher:w]\n{text}\n")
        options = load("main.ini", {"P": "4"}, str(self.folder)).watchers[0].options
        self.assertEqual(options.cmd, "x -w $(circus.numprocesses)")


class TestNamesInValues(ConfigTestCase):
    def test_everywhere(self) -> None:
        configuration = self.load(
            "[circus]\nendpoint = tcp://$(circus.env.HOST):1\n[socket:s]\nport = $(circus.env.N)\n"
            "[watcher:web]\ncmd = $(circus.env.FOO) $(CIRCUS.ENV.mixed) ((circus.env.OWN)) "
            "$(circus.env.no) $(circus.wid)\nnumprocesses = $(circus.env.N)\n"
            "x.y = <$(circus.env.HOST)>\n"
            "[env]\nHOST = h\n[env:web]\nOWN = own\nFOO = over\n"
        )
        [watcher] = configuration.watchers
        self.assertEqual(watcher.options["cmd"], "over mx own $(circus.env.no) $(circus.wid)")
        self.assertEqual(watcher.options["numprocesses"], 3)
        self.assertEqual(watcher.options["x.y"], "<h>")
        self.assertEqual(configuration.circus["endpoint"], "tcp://h:1")
        self.assertEqual(configuration.sockets[0].options["port"], 3)

    def test_a_watcher_sees_its_own_sections_only(self) -> None:
        configuration = self.load(
            "[watcher:a]\ncmd = $(circus.env.B)\n[watcher:b]\ncmd = $(circus.env.B)\n"
            "[env:b]\nB = yes\n"
        )
        commands = [watcher.options["cmd"] for watcher in configuration.watchers]
        self.assertEqual(commands, ["$(circus.env.B)", "yes"])

    def test_the_environ_is_only_read(self) -> None:
        before = dict(ENVIRON)
        self.watcher(WEB + "[env]\nFOO = 1\n")
        self.assertEqual(before, ENVIRON)
