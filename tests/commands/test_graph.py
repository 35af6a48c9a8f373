"""Graphs of what waits for what, in each format."""

from __future__ import annotations

import json
import unittest
from typing import Any

from cvec_circus.commands.graph import FORMATS


def node(phase: str, *parts: str, **needs: str) -> dict[str, Any]:
    return {"phase": phase, "depends_on": needs, "part_of": list(parts), "waits_for": ""}


WATCHERS = {
    "db": node("up"),
    "web": node("waiting", db="ready", job="succeeded"),
    "front": node("stopped", web="started"),
    "cache": node("up", "db"),
    "job": node("failed"),
    'a "b"': node("up", gone="ready"),
}


class TestGraph(unittest.TestCase):
    def test_text(self) -> None:
        self.assertEqual(
            FORMATS["text"](WATCHERS).splitlines(),
            [
                "db (up)",
                "|-- cache (up): part of it",
                "`-- web (waiting): when db is ready",
                "    `-- front (stopped): when web has started",
                "job (failed)",
                "`-- web (waiting): when job has succeeded, as above",
                "gone (missing)",
                '`-- a "b" (up): when gone is ready',
            ],
        )

    def test_a_circle(self) -> None:
        watchers = {"a": node("waiting", b="ready"), "b": node("waiting", a="ready")}
        self.assertEqual(
            FORMATS["text"](watchers).splitlines(),
            [
                "a (waiting)",
                "`-- b (waiting): when a is ready",
                "    `-- a (waiting): when b is ready, as above",
            ],
        )

    def test_a_long_chain(self) -> None:
        watchers = {f"w{n}": node("up", **{f"w{n + 1}": "ready"}) for n in range(3000)}
        self.assertEqual(len(FORMATS["text"](watchers).splitlines()), 3001)

    def test_nothing(self) -> None:
        self.assertEqual(FORMATS["text"]({}), "no watchers")

    def test_mermaid(self) -> None:
        lines = FORMATS["mermaid"](WATCHERS).splitlines()
        self.assertEqual(lines[0], "flowchart LR")
        self.assertIn('    w0["a #quot;b#quot;: up"]', lines)
        self.assertIn("    w0 -->|ready| w6", lines)
        self.assertIn('    w6["gone: missing"]', lines)

    def test_names_are_no_markup(self) -> None:
        lines = FORMATS["mermaid"]({"`a` <b>#1&": node("up")}).splitlines()
        self.assertEqual(lines[1:], ['    w0["#96;a#96; #lt;b#gt;#35;1#amp;: up"]'])

    def test_dot(self) -> None:
        lines = FORMATS["dot"](WATCHERS).splitlines()
        self.assertEqual((lines[0], lines[-1]), ("digraph watchers {", "}"))
        self.assertIn('    "web" -> "job" [label="succeeded"];', lines)
        self.assertIn('    "a \\"b\\"" [label="a \\"b\\": up"];', lines)

    def test_json(self) -> None:
        self.assertEqual(json.loads(FORMATS["json"](WATCHERS)), WATCHERS)


if __name__ == "__main__":
    unittest.main()
