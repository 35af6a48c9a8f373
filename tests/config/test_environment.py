"""The environment of watchers, and what values say of it."""

from __future__ import annotations

from cvec_circus.config.readers.document import load
from cvec_circus.exc import ConfigError
from tests.config.support import ENVIRON, ConfigTestCase

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
            ],
        )

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
