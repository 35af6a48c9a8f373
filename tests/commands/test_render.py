"""Replies, rendered for people."""

from __future__ import annotations

import unittest
from typing import Any

from cvec_circus.commands import render
from cvec_circus.commands.reloadconfig import ReloadConfig
from cvec_circus.ctl.output import Page, lay_out


class TestRender(unittest.TestCase):
    def test_values(self) -> None:
        for value, shown in (
            (None, ""),
            ({"B": "2", "A": None}, "A=,B=2"),
            (["a", 1], "a 1"),
            (True, "True"),
            (30.0, "30.0"),
        ):
            self.assertEqual(render.value(value), shown)

    def lines(self, table: render.Table) -> list[str]:
        """The lines of a table in a pipe."""
        return lay_out(table, Page()).splitlines()

    def test_dependencies_are_shown_as_a_file_has_them(self) -> None:
        given = {"depends_on": {"db": "", "a:b": "started"}, "part_of": ["db", "with blank"]}
        self.assertEqual(
            render.key_lines(given).rows,
            [("depends_on:", "db, a:b:started"), ("part_of:", "db, with blank")],
        )

    def test_keys(self) -> None:
        self.assertEqual(self.lines(render.key_lines({"b": 1, "a": None})), ["a:", "b: 1"])
        self.assertEqual(self.lines(render.key_lines({})), [])

    def test_children_follow_their_parents(self) -> None:
        child = {"pid": 8, "cmdline": "python3", "command": "worker", "children": []}
        process = {"pid": 7, "cmdline": "master", "mem": 0.25, "age": 75.5, "children": [child]}
        process["ctime"] = "0:01.5"
        head, *rows = self.lines(render.process_table({"web": {"7": process}, "idle": {}}))
        self.assertEqual(
            [row.split()[:2] for row in rows], [["idle", "-"], ["web", "7"], ["web", "8"]]
        )
        self.assertEqual(rows[1].index("master"), head.index("NAME"))
        self.assertEqual(rows[2].index("worker"), rows[1].index("master") + 2)
        self.assertIn("0.250", rows[1])
        self.assertIn(" 0:01.50 ", rows[1])
        self.assertTrue(rows[1].endswith("1 m"))

    def test_processor_times_have_as_many_digits(self) -> None:
        """On the wire, no hundredths are one digit, as in Circus; the points stand in a column."""
        rows = {
            str(pid): {"pid": pid, "ctime": time} for pid, time in ((7, "0:00.0"), (8, "0:01.27"))
        }
        _, *lines = self.lines(render.process_table({"": rows}))
        self.assertEqual([line.split()[1:] for line in lines], [["0:00.00"], ["0:01.27"]])

    def test_what_vanished_or_is_denied(self) -> None:
        table = render.process_table({"web": {"7": {"pid": 7, "username": "N/A"}}})
        self.assertIn("N/A", self.lines(table)[1])
        vanished = self.lines(render.process_table({"web": {"7": "No such process"}}))
        self.assertEqual(vanished[1].split(), ["web", "-"])
        head = self.lines(render.process_table({"": {"7": {"pid": 7}}}))[0]
        self.assertTrue(head.startswith("PID "))


def plan(**parts: Any) -> dict[str, Any]:
    """Make the answer that has that plan."""
    empty: dict[str, Any] = {"watchers": [], "plugins": [], "sockets": [], "circus": []}
    return {"plan": {"changes": True, **empty, **parts}}


class TestReloadConfig(unittest.TestCase):
    """What `reloadconfig` says of a plan."""

    def lines(self, **parts: Any) -> list[str]:
        return ReloadConfig().words(plan(**parts)).splitlines()

    def test_what_is_written_in_octal_is_shown_so(self) -> None:
        mode = {"option": "endpoint_mode", "before": 0o600, "after": 0o666, "effect": "restart"}
        umask = {"option": "umask", "before": None, "after": 0o22, "effect": "restart"}
        self.assertEqual(
            self.lines(circus=[mode, umask]),
            [
                "[circus]:",
                "    endpoint_mode: 600 -> 666 needs a restart of the daemon",
                "    umask: nothing -> 022 needs a restart of the daemon",
            ],
        )

    def test_what_differs_is_seen(self) -> None:
        stream = {"class": "FileStream", "filename": "/var/log/web.log", "max_bytes": 10240}
        larger = {**stream, "max_bytes": 20480, "backup_count": 3}
        cmd = f"gunicorn {'--with-a-switch ' * 4}-w "
        changes = [
            {"option": "stdout_stream", "before": stream, "after": larger, "effect": "fresh"},
            {"option": "stderr_stream", "before": None, "after": {"class": "x"}, "effect": "fresh"},
            {
                "option": "cmd",
                "before": f"{cmd}2",
                "after": f"{cmd}3{' x' * 40}",
                "effect": "fresh",
            },
        ]
        step = {"name": "web", "action": "change", "processes": "replace", "why": ""}
        first, *told, last = self.lines(watchers=[{**step, "changes": changes}])
        self.assertEqual(first, "watcher web: changed, its processes are replaced")
        self.assertEqual(
            told,
            [
                "    stdout_stream.backup_count: nothing -> 3 (with fresh processes)",
                "    stdout_stream.max_bytes: 10240 -> 20480 (with fresh processes)",
                "    stderr_stream: nothing -> 'class=x' (with fresh processes)",
            ],
        )
        before, after = last.split(" -> ")
        self.assertEqual(before, "    cmd: ...th-a-switch -w 2'")
        self.assertTrue(after.startswith("...th-a-switch -w 3 x x x"), after)
        self.assertTrue(after.endswith("... (with fresh processes)"), after)

    def test_a_secret_that_differs_is_seen_to(self) -> None:
        before, after = ({"class": "own.Stream", "password": word} for word in ("one1", "two2"))
        change = {"option": "stdout_stream", "before": before, "after": after, "effect": "live"}
        step = {"name": "web", "action": "change", "processes": "", "why": "", "changes": [change]}
        shown = ReloadConfig().concealed(plan(watchers=[step]))
        self.assertEqual(
            ReloadConfig().words(shown).splitlines(),
            ["watcher web: changed", "    stdout_stream.password: *** -> ***"],
        )
