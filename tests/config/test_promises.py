"""What Circus' users rely on in their files, sentence by sentence, where no other test says it."""

from __future__ import annotations

import unittest

from cvec_circus.config.readers.mapping import from_mappings
from cvec_circus.options.arbiter import ARBITER_OPTIONS
from tests.config.support import ConfigTestCase

WEB = "[watcher:web]\ncmd = x\n"

CIRCUS_KEYS = {
    "check_delay": "2",
    "debug": "no",
    "endpoint": "tcp://127.0.0.1:5555",
    "fqdn_prefix": "a",
    "httpd_close_outputs": "yes",
    "httpd_host": "localhost",
    "httpd_port": "8080",
    "include": "",
    "include_dir": "",
    "logoutput": "/x.log",
    "loglevel": "DEBUG",
    "pidfile": "/x.pid",
    "pubsub_endpoint": "tcp://127.0.0.1:5556",
    "stats_endpoint": "tcp://127.0.0.1:5557",
    "statsd": "True",
    "statsd_close_outputs": "1",
    "umask": "022",
    "warmup_delay": "1",
}

WARNING_KEYS = {
    "check_flapping": "yes",
    "httpd": "True",
    "multicast_endpoint": "udp://237.219.251.97:12027",
    "refresh_time": "1",
    "stream_backend": "gevent",
}


class TestCircusSection(ConfigTestCase):
    def test_every_key_of_circus_is_known(self) -> None:
        later = "debug_gc endpoint_owner loggerconfig proc_name".split()
        for key in [*CIRCUS_KEYS, *WARNING_KEYS, *later]:
            self.assertIsNotNone(ARBITER_OPTIONS.find(key), key)

    def test_keys_that_are_taken(self) -> None:
        for key, value in CIRCUS_KEYS.items():
            with self.subTest(key):
                self.assertEqual(self.load(f"[circus]\n{key} = {value}\n{WEB}").warnings, [])

    def test_keys_that_are_taken_with_a_warning(self) -> None:
        for key, value in WARNING_KEYS.items():
            with self.subTest(key):
                [warning] = self.load(f"[circus]\n{key} = {value}\n{WEB}").warnings
                self.assertTrue(warning.startswith(f"main.ini:2: [circus] {key}: "), warning)

    def test_check_delay(self) -> None:
        self.assertEqual(self.load(WEB).circus["check_delay"], 5.0)
        self.assertEqual(self.load("[circus]\n").circus["check_delay"], 5.0)
        self.assertEqual(from_mappings([{"cmd": "x"}]).circus["check_delay"], 1.0)


class TestNames(ConfigTestCase):
    def test_numbers_by_the_environment(self) -> None:
        for value in ("$(circus.env.N)", "((circus.env.n))", "$(CIRCUS.ENV.N)"):
            watcher = self.watcher(f"{WEB}numprocesses = {value}\nmax_age = {value}.5\n")
            self.assertEqual(watcher.options["numprocesses"], 3)
            self.assertEqual(watcher.options["max_age"], 3.5)

    def test_the_environment_in_every_section(self) -> None:
        configuration = self.load(
            "[circus]\npidfile = /$(circus.env.FOO)\n[socket:s]\nport = ((circus.env.N))\n"
            "[plugin:p]\nuse = a.$(circus.env.FOO)\nx = $(circus.env.N)\n"
            "max_retry = $(circus.env.N)\n"
            f"{WEB}stdout_stream.filename = /((circus.env.foo)).log\nx.y = $(circus.env.FOO)\n"
        )
        self.assertEqual(configuration.circus["pidfile"], "/foo")
        self.assertEqual(configuration.sockets[0].options["port"], 3)
        [plugin] = configuration.plugins
        self.assertEqual((plugin.use, plugin.config["x"]), ("a.foo", "3"))
        self.assertEqual(plugin.options["max_retry"], 3)
        options = configuration.watchers[0].options
        self.assertEqual(options["stdout_stream"]["filename"], "/foo.log")
        self.assertEqual(options["x.y"], "foo")

    def test_other_names_wait_for_the_process(self) -> None:
        cmd = "x $(circus.wid) ((circus.sockets.web)) $(circus.name) $(circus.own) $(circus.NOPE)"
        self.assertEqual(self.watcher(f"[watcher:w]\ncmd = {cmd}\n").options["cmd"], cmd)

    def test_dollars_mean_nothing_outside_of_environments(self) -> None:
        configuration = self.load(
            "[circus]\npidfile = /$FOO\n[socket:s]\nhost = ${FOO}\n"
            "[plugin:p]\nuse = a.B\nx = $FOO ${N}\n[watcher:w]\ncmd = $FOO\nargs = ${N} $$\n"
        )
        self.assertEqual(configuration.circus["pidfile"], "/$FOO")
        self.assertEqual(configuration.sockets[0].options["host"], "${FOO}")
        self.assertEqual(configuration.plugins[0].config["x"], "$FOO ${N}")
        options = configuration.watchers[0].options
        self.assertEqual((options["cmd"], options["args"]), ("$FOO", "${N} $$"))

    def test_no_name_is_read_into_what_a_variable_says(self) -> None:
        """`DOLLAR` of the daemon is the text `$FOO`, and stays that."""
        watcher = self.watcher(f"{WEB}x.y = $(circus.env.DOLLAR)\n[env]\nA = $DOLLAR\n")
        self.assertEqual((watcher.options["x.y"], watcher.options["env"]["A"]), ("$FOO", "$FOO"))


class TestFiles(ConfigTestCase):
    def test_marks_and_line_ends_in_what_is_included(self) -> None:
        self.write("more.ini", b"\xef\xbb\xbf[watcher:more]\r\ncmd = a\r\n  b \r\n\r\n")
        more, web = sorted(
            self.load(f"[circus]\ninclude = more.ini\n{WEB}").watchers, key=lambda one: one.name
        )
        self.assertEqual((more.options["cmd"], web.options["cmd"]), ("a\nb", "x"))

    def test_defaults_and_environments_over_files(self) -> None:
        self.write(
            "more.ini",
            "[DEFAULT]\nmax_retry = 7\nx.y = more\n[env]\nA = more\nB = more\n"
            "[env:web]\nC = more\n",
        )
        watcher = self.watcher(
            f"[circus]\ninclude = more.ini\n[DEFAULT]\nx.y = main\n{WEB}[env]\nA = main\n"
        )
        self.assertEqual((watcher.options["max_retry"], watcher.options["x.y"]), (7, "main"))
        env = {key: watcher.options["env"][key] for key in "ABC"}
        self.assertEqual(env, {"A": "main", "B": "more", "C": "more"})

    def test_twice_in_every_kind_of_section(self) -> None:
        configuration = self.load(
            f"[env]\nA = 1\nA = 2\n{WEB}[socket:s]\nport = 1\nport = 2\n"
            "[plugin:p]\nuse = a.B\nx = 1\nx = 2\n[circus]\ncheck_delay = 1\ncheck_delay = 2\n"
        )
        self.assertEqual(len(configuration.warnings), 4)
        self.assertEqual(configuration.watchers[0].options["env"], {"A": "1"})
        self.assertEqual(configuration.sockets[0].options["port"], 1)
        self.assertEqual(configuration.plugins[0].config, {"x": "1"})
        self.assertEqual(configuration.circus["check_delay"], 1.0)

    def test_booleans_in_any_case(self) -> None:
        for words, value in (("true Yes ON 1", True), ("FALSE no Off 0", False)):
            for word in words.split():
                watcher = self.watcher(f"{WEB}respawn = {word}\nsingleton: {word}\n")
                self.assertIs(watcher.options["respawn"], value)
                self.assertIs(watcher.options["singleton"], value)

    def test_unknown_options_are_strings(self) -> None:
        options = self.watcher(f"{WEB}own = 1\nown.two = True\nOwn-Three x = a, b\n").options
        self.assertEqual(
            (options["own"], options["own.two"], options["Own-Three x"]), ("1", "True", "a, b")
        )
        self.assertNotIn("__name__", options)
        self.assertNotIn("__name__", options["env"])

    def test_what_many_files_say_of_streams(self) -> None:
        text = f"{WEB}stderr_stream.filename = /x\nstderr_stream.refresh_time = 0.3\n"
        configuration = self.load(text)
        stream = configuration.watchers[0].options["stderr_stream"]
        self.assertEqual(stream, {"class": "FileStream", "filename": "/x"})
        said = "main.ini:4: [watcher:web] stderr_stream.refresh_time: nothing waits to be written"
        self.assertEqual(configuration.warnings, [said + "; leave it out"])

    def test_the_class_of_a_stream(self) -> None:
        for given in ("", "stdout_stream.class = FileStream\n"):
            options = self.watcher(f"{WEB}stdout_stream.filename = /x\n{given}").options
            expected = {"class": "FileStream", "filename": "/x"}
            self.assertEqual(options["stdout_stream"], expected)


if __name__ == "__main__":
    unittest.main()
