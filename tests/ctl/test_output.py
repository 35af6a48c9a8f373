"""Tables on terminals of every width, and off them."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import unittest
from argparse import Namespace
from unittest import mock

from cvec_circus.base.figures import duration
from cvec_circus.commands.render import Table, ending
from cvec_circus.ctl.output import Page, lay_out, page_of, show_error

ROWS = [("web", "active", "2/2", ""), ("a name", "stopped", "0/1", "cannot run it: not there")]
TABLE = Table(("NAME", "STATE", "PROCESSES", "REASON"), ROWS, marked=1, note=True)


class TestErrors(unittest.TestCase):
    def test_each_line_is_one(self) -> None:
        options = Namespace(json=False, prettify=False, show_secrets=False)
        with contextlib.redirect_stderr(io.StringIO()) as said:
            show_error({}, "a.ini:1: one\na.ini:2: two", options)
        self.assertEqual(said.getvalue(), "error: a.ini:1: one\nerror: a.ini:2: two\n")


class TestTables(unittest.TestCase):
    def shown(self, table: Table, page: Page) -> list[str]:
        text = lay_out(table, page)
        lines = text.split("\n")
        self.assertEqual([line.rstrip() for line in lines], lines)
        return lines

    def test_wide(self) -> None:
        wanted = [
            "NAME    STATE    PROCESSES  REASON",
            "web     active   2/2",
            "a name  stopped  0/1        cannot run it: not there",
        ]
        for width in (None, 80, 52):
            self.assertEqual(self.shown(TABLE, Page(width)), wanted)

    def test_a_column_that_may_be_cut(self) -> None:
        rows = [("web", "7", "a.long.dotted.name", "1M"), ("web", "8", "  short", "2M")]
        table = Table(("WATCHER", "PID", "NAME", "RSS"), rows, numbers=(1, 3), cut=2)
        self.assertEqual(
            self.shown(table, Page(30)),
            [
                "WATCHER  PID  NAME         RSS",
                "web        7  a.long.dot~   1M",
                "web        8    short       2M",
            ],
        )
        self.assertEqual(
            self.shown(table, Page(22)),
            ["    PID  NAME      RSS", "web", "      7  a.long.~   1M", "      8    short    2M"],
        )
        blocks = self.shown(table, Page(20))
        self.assertEqual(
            blocks[:4], ["watcher  web", "pid      7", f"name     {rows[0][2]}", "rss      1M"]
        )
        self.assertIn("name     short", blocks)

    def test_narrow(self) -> None:
        wanted = [
            "NAME    STATE    PROCESSES",
            "web     active   2/2",
            "a name  stopped  0/1",
            "    cannot run it: not",
            "    there",
        ]
        self.assertEqual(self.shown(TABLE, Page(26)), wanted)

    def test_long_names(self) -> None:
        rows = [
            ("a name that is rather long", "active", "2/2", ""),
            ("a name that is rather long", "active", "3/3", "a reason, and some more words"),
            ("b", "stopped", "0/1", ""),
        ]
        wanted = [
            "    STATE    PROCESSES",
            "a name that is rather long",
            "    active   2/2",
            "    active   3/3",
            "        a reason, and some",
            "        more words",
            "b",
            "    stopped  0/1",
        ]
        self.assertEqual(self.shown(TABLE._replace(rows=rows), Page(26)), wanted)
        table = Table(("A", "B"), [("a long name", "1"), ("a long name", "2")])
        wanted = ["    B", "a long name", "    1", "    2"]
        self.assertEqual(self.shown(table, Page(11)), wanted)

    def test_too_narrow_for_a_row(self) -> None:
        wanted = [
            "name       web",
            "state      active",
            "processes  2/2",
            "",
            "name       a name",
            "state      stopped",
            "processes  0/1",
            "reason     cannot run it: not there",
        ]
        for width in (21, 1):
            self.assertEqual(self.shown(TABLE, Page(width)), wanted)

    def test_a_long_word_of_a_note_does_not_take_the_table_apart(self) -> None:
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
        rows = [("web", "active", "2/2", ""), ("x", "stopped", "0/1", f"not in {path} (5 times)")]
        wanted = [
            "NAME  STATE    PROCESSES",
            "web   active   2/2",
            "x     stopped  0/1",
            "    not in",
            f"    {path}",
            "    (5 times)",
        ]
        self.assertEqual(self.shown(TABLE._replace(rows=rows), Page(30)), wanted)
        long_name = [("a name that is rather long", *row[1:]) for row in rows]
        lines = self.shown(TABLE._replace(rows=long_name), Page(30))
        self.assertEqual(lines[:2], ["    STATE    PROCESSES", "a name that is rather long"])
        self.assertIn(f"        {path}", lines)

    def test_a_table_without_notes(self) -> None:
        table = Table(("FD", "NAME"), [("7", "a long name")])
        self.assertEqual(self.shown(table, Page(20)), ["FD  NAME", "7   a long name"])
        self.assertEqual(self.shown(table, Page(9)), ["fd    7", "name  a long name"])

    def test_keys_are_aligned_for_people_only(self) -> None:
        table = Table((), [("cmd:", "sleep 5"), ("numprocesses:", "2"), ("args:", "")])
        lines = ["cmd: sleep 5", "numprocesses: 2", "args:"]
        self.assertEqual(self.shown(table, Page()), lines)
        lines = ["cmd:          sleep 5", "numprocesses: 2", "args:"]
        self.assertEqual(self.shown(table, Page(80)), lines)
        self.assertEqual(lay_out(Table((), []), Page(80)), "")

    def test_wide_letters(self) -> None:
        table = Table(("A", "B"), [("\u65e5\u672c", "x"), ("e\u0301", "y"), ("abcd", "z")])
        lines = self.shown(table, Page())
        self.assertEqual(lines[1:], ["\u65e5\u672c  x", "e\u0301     y", "abcd  z"])

    def test_a_cell_cannot_leave_its_line_nor_colour_anything(self) -> None:
        table = Table(("A", "B"), [("x\ny", "\x1b[2J\t\u202e")])
        self.assertEqual(self.shown(table, Page(80, True))[1], "x\\ny  \\x1b[2J\\t\\u202e")

    def test_colours(self) -> None:
        lines = self.shown(TABLE, Page(80, True))
        self.assertEqual(lines[0], "\x1b[1mNAME    STATE    PROCESSES  REASON\x1b[0m")
        self.assertEqual(lines[1], "web     \x1b[32mactive\x1b[0m   2/2")
        self.assertTrue(lines[2].startswith("a name  \x1b[31mstopped\x1b[0m  0/1  "))
        self.assertIn("state      \x1b[32mactive\x1b[0m", self.shown(TABLE, Page(10, True)))
        self.assertEqual(len(self.shown(TABLE, Page(52, True))), 3)


class TestPages(unittest.TestCase):
    def test_no_terminal(self) -> None:
        self.assertEqual(page_of(io.StringIO(), {"TERM": "xterm", "COLUMNS": "40"}), Page())

    def test_a_terminal(self) -> None:
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        with os.fdopen(theirs, "w") as terminal:
            self.assertEqual(page_of(terminal, {"TERM": "xterm"}), Page(80, True))
            self.assertEqual(page_of(terminal, {"TERM": "xterm", "NO_COLOR": "1"}), Page(80))
            self.assertEqual(page_of(terminal, {"TERM": "xterm", "NO_COLOR": ""}), Page(80, True))
            self.assertEqual(page_of(terminal, {"TERM": "dumb"}), Page(80))
            self.assertEqual(page_of(terminal, {"COLUMNS": "40"}), Page(40))
            self.assertEqual(page_of(terminal, {"COLUMNS": "0"}), Page(80))
            size = os.terminal_size((33, 10))
            with mock.patch("os.get_terminal_size", return_value=size):
                self.assertEqual(page_of(terminal, {}), Page(33))


class TestWords(unittest.TestCase):
    def test_durations(self) -> None:
        for seconds, text in (
            (-1, "0 s"),
            (59.9, "59 s"),
            (60, "1 m"),
            (3599, "59 m"),
            (3600, "1 h 0 m"),
            (86399, "23 h 59 m"),
            (3 * 86400 + 4 * 3600, "3 d 4 h"),
        ):
            self.assertEqual(duration(seconds), text)

    def test_endings(self) -> None:
        self.assertEqual(ending(1), "exit 1")
        self.assertEqual(ending(-9), "SIGKILL")
        self.assertEqual(ending(-35), "SIGRTMIN+1")
        self.assertEqual(ending(None), "status lost")


if __name__ == "__main__":
    unittest.main()
