"""Files: what they include, what comes first, and what cannot be read."""

from __future__ import annotations

import os
import unittest

from cvec_circus.config.readers.document import load
from cvec_circus.config.readers.files import LARGEST_FILE
from cvec_circus.exc import ConfigError
from tests.config.support import ENVIRON, ConfigTestCase

MAIN = "[watcher:main]\ncmd = main\n"


class TestInclude(ConfigTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.write("a.ini", "[watcher:a]\ncmd = a\n")
        self.write("sub/b.ini", "[watcher:b]\ncmd = b\n")
        self.write("sub/c.ini", "[watcher:c]\ncmd = c\n")
        self.write("sub/d.txt", "[watcher:d]\ncmd = d\n")

    def names(self, circus: str) -> list[str]:
        configuration = self.load(f"[circus]\n{circus}\n{MAIN}")
        self.assertEqual(configuration.warnings, [])
        return [watcher.name for watcher in configuration.watchers]

    def test_a_named_pipe_is_no_file(self) -> None:
        os.mkfifo(os.path.join(self.folder, "sub", "pipe.ini"))
        loaded = self.load(f"[circus]\ninclude_dir = sub\n{MAIN}")
        self.assertEqual([one.name for one in loaded.watchers], ["main", "b", "c"])
        said = "sub/pipe.ini is a pipe, which is not read; write a regular file"
        self.assertEqual(loaded.warnings, [f"main.ini:2: [circus] include_dir: {said}"])

    def test_files_and_patterns(self) -> None:
        for circus, names in (
            ("include = a.ini", ["a"]),
            ("include = sub/b.ini a.ini", ["b", "a"]),
            ("include = sub/c.ini\n  a.ini\n", ["c", "a"]),
            ("include = sub/*.ini", ["b", "c"]),
            ("include = sub/[c-d].*", ["c", "d"]),
            ("include_dir = sub", ["b", "c"]),
            ("include_dir = s*", ["b", "c"]),
            ("include_dir = sub\ninclude = a.ini", ["a", "b", "c"]),
            (f"include = {self.folder}/a.ini", ["a"]),
            ("include = a.ini ./a.ini a.*", ["a"]),
            ("include = $(circus.env.X)/b.ini\n[env]\nX = sub", ["b"]),
        ):
            with self.subTest(circus):
                self.assertEqual(self.names(circus), ["main", *names])

    def test_relative_to_the_main_file(self) -> None:
        self.write("sub/main.ini", f"[circus]\ninclude = b.ini deep/x.ini\n{MAIN}")
        self.write("sub/deep/x.ini", "[circus]\ninclude = c.ini\n[watcher:x]\ncmd = x\n")
        names = [w.name for w in load("sub/main.ini", ENVIRON, str(self.folder)).watchers]
        self.assertEqual(names, ["main", "b", "x", "c"])

    def test_what_is_missing_warns(self) -> None:
        relative = "paths are relative to the main file"
        for circus, named, hint in (
            ("include = nope.ini", "nope.ini", relative),
            ("include_dir = nope", "nope/*.ini", relative),
            ("include = [z-a]", "[z-a]", relative),
            ("include = a.ini, a.ini", "a.ini,", "write blanks between the files, without commas"),
        ):
            with self.subTest(circus):
                configuration = self.load(f"[circus]\n{circus}\n{MAIN}")
                self.assertEqual(configuration.watchers[0].name, "main")
                self.assertEqual(
                    configuration.warnings,
                    [
                        f"main.ini:2: [circus] {circus.partition(' ')[0]}: nothing is there at "
                        f"{named}; {hint}"
                    ],
                )

    def test_circles(self) -> None:
        self.write("a.ini", "[circus]\ninclude = main.ini a.ini sub/*\n[watcher:a]\ncmd = a\n")
        self.assertEqual(self.names("include = a.ini"), ["main", "a", "b", "c", "d"])

    def test_a_folder_is_a_problem(self) -> None:
        self.assertEqual(
            self.problems("[circus]\ninclude = su*"), ["sub: cannot be read: Is a directory"]
        )


class TestWhatComesFirst(ConfigTestCase):
    def test_the_first_value_of_a_key(self) -> None:
        text = "[watcher:x]\ncmd = a\nx.y = 1\n  2\nx.y = 3\n  4\n[watcher:x]\ncmd = b\nx.z = 5\n"
        configuration = self.load(text)
        [watcher] = configuration.watchers
        self.assertEqual(watcher.options["cmd"], "a")
        self.assertEqual(watcher.options["x.y"], "1\n2\n4")  # as in Circus
        self.assertEqual(watcher.options["x.z"], "5")
        self.assertEqual(
            configuration.warnings,
            [
                "main.ini:5: [watcher:x] x.y: given in line 3 already; this one is ignored",
                "main.ini:8: [watcher:x] cmd: given in line 2 already; this one is ignored",
            ],
        )

    def test_the_main_file_before_those_it_includes(self) -> None:
        self.write("a.ini", "[watcher:x]\ncmd = a\nx.y = a\n")
        self.write("b.ini", "[watcher:x]\nx.y = b\nx.z = b\n[circus]\ncheck_delay = 9\n")
        text = "[circus]\ninclude = a.ini b.ini\ncheck_delay = 2\n[watcher:x]\ncmd = main\n"
        configuration = self.load(text)
        [watcher] = configuration.watchers
        self.assertEqual(watcher.options["cmd"], "main")
        self.assertEqual((watcher.options["x.y"], watcher.options["x.z"]), ("a", "b"))
        self.assertEqual(str(watcher.section.place("x.z")), "b.ini:3")
        self.assertEqual(configuration.circus["check_delay"], 2.0)
        self.assertEqual(configuration.warnings, [])

    def test_default(self) -> None:
        configuration = self.load(
            "[watcher:x]\ncmd = x\n[DEFAULT]\ncmd = d\nmax_retry = -1\nx.y = 1\nworking_dir = /d\n"
            "[watcher:y]\nmax_retry = 3\n[socket:s]\n[circus]\n[env]\nA = 1\n"
        )
        x, y = configuration.watchers
        self.assertEqual((x.options["cmd"], x.options["max_retry"]), ("x", -1))
        self.assertEqual((y.options["cmd"], y.options["max_retry"]), ("d", 3))
        self.assertEqual(x.options["x.y"], "1")
        self.assertEqual(x.options["env"]["max_retry"], "-1")
        self.assertEqual(str(x.section.place("max_retry")), "main.ini:5")
        self.assertEqual(configuration.warnings, [])


class TestWhatCannotBeRead(ConfigTestCase):
    def test_encodings(self) -> None:
        said = "save the file as UTF-8 text"
        for content, line in (
            (MAIN.encode("utf-16"), "main.ini:1: this is UTF-16; " + said),
            (b"\xfe\xff" + MAIN.encode("utf-16-be"), "main.ini:1: this is UTF-16; " + said),
            (MAIN.encode("utf-16-le"), "main.ini:1: unexpected NUL character; " + said),
            (MAIN.encode() + b"x = \xff\n", "main.ini:3: byte 0xff is not UTF-8; " + said),
            (
                b"\xef\xbb\xbf" + MAIN.encode() + b"x = \xe9\n",
                "main.ini:3: byte 0xe9 is not UTF-8; " + said,
            ),
            (MAIN.encode() + b"a.b = \0\n", "main.ini:3: unexpected NUL character; " + said),
        ):
            with self.subTest(line):
                self.assertEqual(self.problems(content), [line])

    def test_byte_order_mark(self) -> None:
        [watcher] = self.load(b"\xef\xbb\xbf" + MAIN.encode()).watchers
        self.assertEqual(watcher.name, "main")

    def test_missing_file(self) -> None:
        with self.assertRaises(ConfigError) as caught:
            load("nope.ini", ENVIRON, str(self.folder))
        self.assertEqual(
            caught.exception.problems, ["nope.ini: cannot be read: No such file or directory"]
        )

    def test_odd_paths(self) -> None:
        for path in ("", "a\0b", "x" * 10_000, "\udcff"):
            with self.subTest(path[:5]), self.assertRaises(ConfigError):
                load(path, ENVIRON, str(self.folder))

    def test_a_file_that_is_too_large(self) -> None:
        with open(os.path.join(self.folder, "large.ini"), "wb") as file:
            file.truncate(LARGEST_FILE + 1)
        with self.assertRaises(ConfigError) as caught:
            load("large.ini", ENVIRON, str(self.folder))
        self.assertEqual(
            caught.exception.problems, ["large.ini: larger than 16 MiB; is it the right file?"]
        )
        self.assertEqual(LARGEST_FILE, 16 * 1024 * 1024)

    def test_what_is_no_regular_file(self) -> None:
        os.mkfifo(os.path.join(self.folder, "pipe"))
        for path in ("pipe", "/dev/zero"):
            with self.assertRaises(ConfigError) as caught:
                load(path, ENVIRON, str(self.folder))
            expected = f"{path}: cannot be read: not a regular file"
            self.assertEqual(caught.exception.problems, [expected])


if __name__ == "__main__":
    unittest.main()
