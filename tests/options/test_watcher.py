"""The options of a watcher: Circus' names and defaults, streams, and what goes together."""

from __future__ import annotations

import unittest
from typing import Any

from cvec_circus.exc import OptionError
from cvec_circus.options.stream_classes import STREAM_CLASSES
from cvec_circus.options.watcher import WATCHER_OPTIONS, public

# What a watcher of Circus 0.19 answers to `options` when only its command is configured.
CIRCUS_DEFAULTS = {
    "args": "",
    "close_child_stderr": False,
    "close_child_stdin": True,
    "close_child_stdout": False,
    "cmd": "sleep 1000",
    "copy_env": False,
    "env": {},
    "executable": None,
    "gid": None,
    "graceful_timeout": 30.0,
    "max_age": 0,
    "max_age_variance": 30,
    "max_retry": 5,
    "numprocesses": 1,
    "on_demand": False,
    "priority": 0,
    "respawn": True,
    "send_hup": False,
    "shell": False,
    "shell_args": None,
    "singleton": False,
    "stderr_stream_conf": {},
    "stdout_stream_conf": {},
    "stop_children": False,
    "stop_signal": 15,
    "uid": None,
    "use_sockets": False,
    "warmup_delay": 0,
    "working_dir": "/srv/app",
}


def full(**given: Any) -> dict[str, Any]:
    return WATCHER_OPTIONS.complete(WATCHER_OPTIONS.convert(given))


class TestPublic(unittest.TestCase):
    def test_as_circus_shows_them(self) -> None:
        shown = public(full(cmd="sleep 1000"), working_dir="/srv/app")
        self.assertEqual({key: shown[key] for key in CIRCUS_DEFAULTS}, CIRCUS_DEFAULTS)
        for key, value in CIRCUS_DEFAULTS.items():
            self.assertIs(type(shown[key]), type(value), key)
        self.assertNotIn("stdout_stream", shown)

    def test_working_dir(self) -> None:
        self.assertEqual(public(full(working_dir="/x"), "/srv")["working_dir"], "/x")

    def test_slips(self) -> None:
        for key, meant in (
            ("command", "cmd"),
            ("user", "uid"),
            ("Group", "gid"),
            ("directory", "working_dir"),
            ("stdout_logfile", "stdout_stream.filename"),
            ("env.PATH", "env"),
            ("redy.up", "ready.up"),
            ("hook.before_start", "hooks.before_start"),
            ("stdout_strem.filename", "stdout_stream.filename"),
        ):
            with self.assertRaisesRegex(OptionError, f"unknown option; did you mean {meant}[?]$"):
                WATCHER_OPTIONS.convert({key: "x"})

    def test_freeform(self) -> None:
        self.assertEqual(public(full(**{"flapping.max_retry": "3"}))["flapping.max_retry"], "3")


class TestStreams(unittest.TestCase):
    def test_parts(self) -> None:
        options = full(**{"stdout_stream.filename": "/x", "stdout_stream.max_bytes": "10"})
        self.assertEqual(
            options["stdout_stream"], {"class": "FileStream", "filename": "/x", "max_bytes": 10}
        )
        self.assertEqual(options["stderr_stream"], {})
        self.assertNotIn("stdout_stream.filename", options)

    def test_mapping(self) -> None:
        options = full(stdout_stream={"filename": "/x", "backup_count": "2"})
        self.assertEqual(
            options["stdout_stream"], {"class": "FileStream", "filename": "/x", "backup_count": 2}
        )

    def test_a_part_changes_the_current_stream(self) -> None:
        current = full(**{"stdout_stream.filename": "/x"})
        change = WATCHER_OPTIONS.convert({"stdout_stream.max_bytes": 5})
        changed = WATCHER_OPTIONS.complete(change, current)
        self.assertEqual(changed["stdout_stream"]["filename"], "/x")
        self.assertEqual(changed["stdout_stream"]["max_bytes"], 5)
        self.assertNotIn("max_bytes", current["stdout_stream"])

    def test_what_differs_is_all_that_an_order_has_to_say(self) -> None:
        current = full(**{"stdout_stream.filename": "/x", "rlimit_core": 1, "priority": 3})
        given = {"stdout_stream.max_bytes": 5, "rlimit_core": 2, "priority": 3, "rlimit_cpu": 7}
        stream = {"class": "FileStream", "filename": "/x", "max_bytes": 5}
        for before in (current, dict(current)):
            self.assertEqual(
                WATCHER_OPTIONS.changes(WATCHER_OPTIONS.convert(given), before),
                {"stdout_stream": stream, "rlimit_core": 2, "rlimit_cpu": 7},
            )
        with self.assertRaises(OptionError):
            WATCHER_OPTIONS.changes({"copy_path": True}, current)

    def test_a_class_of_ones_own_gets_every_part(self) -> None:
        conf = {"class": "my.streams.Mail", "filename": "/x", "max_bytes": 5, "to": "me"}
        self.assertEqual(full(stdout_stream=conf)["stdout_stream"], conf)
        parts = {f"stderr_stream.{part}": value for part, value in conf.items()}
        self.assertEqual(full(**parts)["stderr_stream"], conf)

    def test_a_stream_of_a_program_is_shown_by_its_kind(self) -> None:
        options = full(stdout_stream={"stream": print})
        self.assertEqual(options["stdout_stream"], {"stream": print})
        shown = public(options)["stdout_stream_conf"]
        self.assertEqual(shown, {"stream": "builtin_function_or_method"})

    def test_none_takes_a_stream_away(self) -> None:
        current = full(**{"stdout_stream.filename": "/x"})
        for given in ({}, None):
            change = WATCHER_OPTIONS.convert({"stdout_stream": given})
            self.assertEqual(WATCHER_OPTIONS.complete(change, current)["stdout_stream"], {})

    def test_a_class_of_any_module(self) -> None:
        for name in ("a.B", "my-streams.b.C", "2nd.C"):
            given = {"stdout_stream.class": name}
            shown = full(**given)["stdout_stream"]["class"]
            self.assertEqual(shown, name)

    def test_refused(self) -> None:
        for given, line in (
            (
                {"stdout_stream.class": "NoStream"},
                f"stdout_stream.class: 'NoStream' is none of {', '.join(STREAM_CLASSES)}, "
                "and no package.Class",
            ),
            (
                {"stderr_stream": {"filename": "/x", "something_else": "H"}},
                "stderr_stream.something_else: a FileStream has no such part",
            ),
            (
                {"stderr_stream": {"filename": "/x", "max_byte": 5}},
                "stderr_stream.max_byte: a FileStream has no such part; did you mean max_bytes?",
            ),
            (
                {"stdout_stream.class": "TimedRotatingFileStream", "stdout_stream.filename": "x"},
                "stdout_stream.rotate_when: a TimedRotatingFileStream needs one of S, M, H, D, W0, "
                "W1, W2, W3, W4, W5, W6, midnight",
            ),
            (
                {"stdout_stream": {"stream": "x"}},
                "stdout_stream.stream: 'x' cannot be called; only a program can give a stream",
            ),
            (
                {"stdout_stream": {"class": "QueueStream"}},
                "stdout_stream.class: only a program can read a queue: it gives one as `stream`",
            ),
            (
                {"stdout_stream": "FileStream"},
                "stdout_stream: 'FileStream' is not a stream; give its parts, such as its "
                ".filename",
            ),
            (
                {"stdout_stream.class": "FileStream"},
                "stdout_stream.filename: a FileStream needs a file name",
            ),
        ):
            with self.subTest(line), self.assertRaises(OptionError) as caught:
                full(**given)
            self.assertEqual(str(caught.exception), line)


class TestTogether(unittest.TestCase):
    def test_singleton(self) -> None:
        self.assertEqual(full(singleton=True, numprocesses=0)["numprocesses"], 0)
        with self.assertRaisesRegex(OptionError, "numprocesses: a singleton has one process"):
            full(singleton="yes", numprocesses="2")
        with self.assertRaisesRegex(OptionError, "numprocesses: a singleton has one process"):
            WATCHER_OPTIONS.complete({"numprocesses": 2}, full(singleton=True))


class TestPartsThatMeanNothing(unittest.TestCase):
    def test_refresh_time(self) -> None:
        for given in (
            {"stdout_stream.filename": "/x", "stdout_stream.refresh_time": "0.3"},
            {"stdout_stream": {"filename": "/x", "refresh_time": 0.3}},
        ):
            full = WATCHER_OPTIONS.complete(WATCHER_OPTIONS.convert(given))
            self.assertEqual(full["stdout_stream"], {"class": "FileStream", "filename": "/x"})
            self.assertEqual([key for key in full if key.startswith("stdout_stream.")], [])


class TestAvailable(unittest.TestCase):
    def test_their_defaults_are_taken(self) -> None:
        given = {"uid": "", "umask": "", "hooks": {}, "stdin_socket": None}
        self.assertEqual(WATCHER_OPTIONS.complete(WATCHER_OPTIONS.convert(given)), full())

    def test_a_shell(self) -> None:
        given = {"shell": "on", "shell_args": "a 'b c'", "executable": "/bin/x"}
        expected = {"shell": True, "shell_args": "a 'b c'", "executable": "/bin/x"}
        self.assertEqual(WATCHER_OPTIONS.convert(given), expected)
        self.assertEqual(
            WATCHER_OPTIONS.convert({"shell_args": ["a", 1]}), {"shell_args": ["a", "1"]}
        )
        self.assertEqual(
            WATCHER_OPTIONS.convert({"executable": "", "shell_args": None}),
            {"executable": None, "shell_args": None},
        )

    def test_what_needs_fresh_processes(self) -> None:
        reloads = {option.name for option in WATCHER_OPTIONS if option.reloads}
        self.assertLessEqual({"cmd", "args", "env", "working_dir", "stdout_stream"}, reloads)
        self.assertLessEqual({"shell", "shell_args", "executable"}, reloads)
        self.assertFalse(reloads & {"stop_signal", "numprocesses", "graceful_timeout"})


if __name__ == "__main__":
    unittest.main()
