"""A watcher or plugin that is wrong in itself is left out of what a file comes to."""

from __future__ import annotations

import unittest

from tests.config.support import ConfigTestCase


class TestLeftOut(ConfigTestCase):
    """What is wrong in itself is left out, and the others run."""

    def test_a_watcher_and_a_plugin(self) -> None:
        configuration = self.load(
            "[watcher:good]\ncmd = x\n[watcher:My Bad]\nnumprocesses = two\nmax_retry = -2\n"
            "[plugin:p]\nuse = a.B\nmax_retry = x\n[plugin:q]\nuse = a.B\n"
            "[watcher:both]\ncmd = x\nsingleton = 1\nnumprocesses = 2\n"
        )
        self.assertEqual(
            configuration.left_out,
            [
                (
                    "My Bad",
                    [
                        "main.ini:3: [watcher:My Bad] cmd: missing; say which program to run",
                        "main.ini:4: [watcher:My Bad] numprocesses: 'two' is not a whole number",
                        "main.ini:5: [watcher:My Bad] max_retry: -2 is less than -1",
                    ],
                ),
                (
                    "both",
                    [
                        "main.ini:14: [watcher:both] numprocesses: a singleton has one process at "
                        "most",
                    ],
                ),
                ("plugin:p", ["main.ini:8: [plugin:p] max_retry: 'x' is not a whole number"]),
            ],
        )
        self.assertEqual([watcher.name for watcher in configuration.watchers], ["good"])
        self.assertEqual([plugin.name for plugin in configuration.plugins], ["plugin:q"])

    def test_nothing_is_left_to_run(self) -> None:
        bad = "[watcher:bad]\ncmd =\n"
        for rest in (
            "",
            "[socket:s]\nport = 1\n",
            "[plugin:p]\nuse = a.B\nactive = no\n",
            "[plugin:p]\n",
        ):
            with self.subTest(rest):
                self.assertIn("main.ini:2: [watcher:bad] cmd: ", self.problems(bad + rest)[0])
        left_out = self.load(f"{bad}[plugin:p]\nuse = a.B\n").left_out
        self.assertEqual([name for name, _ in left_out], ["bad"])

    def test_nothing_is_left_but_what_depends_on_it(self) -> None:
        bad = "[watcher:bad]\ncmd =\n[watcher:b]\ncmd = x\npart_of = BAD\n"
        more = "[watcher:c]\ncmd = x\ndepends_on = b\n"
        for rest in ("", more, "[plugin:p]\nuse = a.B\ndepends_on = bad\n"):
            with self.subTest(rest):
                self.assertIn("main.ini:2: [watcher:bad] cmd: ", self.problems(bad + rest)[0])
        good = "[watcher:good]\ncmd = x\n"
        self.assertEqual([name for name, _ in self.load(bad + more + good).left_out], ["bad"])
        for key in ("depends_on = b", "part_of = bad"):
            essential = f"[watcher:e]\ncmd = x\nessential = True\n{key}\n"
            self.assertIn("[watcher:bad] cmd: ", self.problems(bad + good + essential)[0])

    def test_a_circle(self) -> None:
        circle = "[watcher:a]\ncmd = x\npart_of = b\n[watcher:b]\ncmd = x\ndepends_on = a\n"
        said = "main.ini:3: [watcher:a] part_of: a circle, in which each waits for the next: "
        said += "a -> b -> a"
        self.assertEqual(self.problems(circle), [said])
        found = self.load(f"{circle}[watcher:good]\ncmd = x\n")
        self.assertEqual(found.left_out, [("a", [said])])
        self.assertEqual([one.name for one in found.watchers], ["b", "good"])

    def test_what_concerns_everything_stops_everything(self) -> None:
        watchers = "[watcher:good]\ncmd = x\n[watcher:bad]\nnumprocesses = two\ncmd = x\n"
        for text, problem in (
            (
                "[circus]\ncheck_delay = x\n",
                "main.ini:7: [circus] check_delay: 'x' is not a time: write 30, 30s, 5m or 1h",
            ),
            ("[socket:s]\nport = x\n", "main.ini:7: [socket:s] port: 'x' is not a whole number"),
            ("x\n", "main.ini:6: this is neither KEY = VALUE nor a section header"),
            (
                "[watcher:]\ncmd = x\n",
                "main.ini:6: [watcher:] the name is missing; write [watcher:NAME]",
            ),
        ):
            with self.subTest(text):
                self.assertEqual(
                    self.problems(watchers + text),
                    [
                        "main.ini:4: [watcher:bad] numprocesses: 'two' is not a whole number",
                        problem,
                    ],
                )


if __name__ == "__main__":
    unittest.main()
