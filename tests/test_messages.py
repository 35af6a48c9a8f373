"""The texts for people: each log line and error of the package, as one list.

    python -m tests.test_messages

prints the list, so that a reader can judge the texts together. Nothing freezes them.
"""

from __future__ import annotations

import ast
import re
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support import architecture

ROOT = Path(__file__).resolve().parent.parent

LOGS = frozenset({"debug", "info", "warning", "error", "critical", "exception"})
"""Methods of a logger, whose first argument is the text."""

SAYS = frozenset({"note", "complain", "usage_error", "give_up", "refuse", "_refuse"})
"""Functions of ours that take a text for people."""

AVOIDED = (
    r"belongs? into",
    r"for to\b",
    r"\bof what there is not\b",
    r"\bwhoever\b",
    r"\bsomebody\b",
    r"\beverybody\b",
    r"\bis told\b",
    r"\bmended\b",
    r"\b(are|is) wanted\b",
    r"\bis no (pid|port|path|number|file)\b",
)
"""Turns that no text has: see "Words" in the design."""


class Message(NamedTuple):
    """A text for people, and where it stands. Immutable."""

    place: str
    kind: str
    text: str


def text_of(node: ast.expr) -> str:
    """Return a literal as a reader sees it, with `{}` for what is filled in; "" for no literal."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
        return "".join(map(str, parts))
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mod)):
        return text_of(node.left) + (text_of(node.right) if isinstance(node.op, ast.Add) else "")
    if isinstance(node, ast.IfExp):
        return " | ".join(filter(None, (text_of(node.body), text_of(node.orelse))))
    return ""


def messages(module: architecture.Module) -> Iterator[Message]:
    """Find the log lines and the errors of a module, in the order of its lines."""
    path = module.path.relative_to(ROOT)
    for node in sorted(
        (node for node in module.nodes if isinstance(node, (ast.Raise, ast.Call))),
        key=lambda node: node.lineno,
    ):
        found: list[tuple[str, ast.expr]] = []
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            name = ast.unparse(node.exc.func).rpartition(".")[2]
            found = [(name, argument) for argument in node.exc.args]
        elif isinstance(node, ast.Call) and node.args:
            name = ast.unparse(node.func).rpartition(".")[2]
            is_log = name in LOGS and "logger" in ast.unparse(node.func)
            if is_log or name in SAYS:
                found = [(name, argument) for argument in node.args]
        for kind, argument in found:
            text = text_of(argument)
            if " " in text.strip():
                yield Message(f"{path}:{argument.lineno}", kind, text)


def all_messages() -> list[Message]:
    """Return the texts of the whole package."""
    package = architecture.read(ROOT)
    return [message for name in sorted(package) for message in messages(package[name])]


class TestMessages(unittest.TestCase):
    def test_they_are_found(self) -> None:
        self.assertGreater(len(all_messages()), 200)

    def test_no_turn_that_is_avoided(self) -> None:
        avoided = re.compile("|".join(AVOIDED), re.IGNORECASE)
        found = [f"{one.place}: {one.text}" for one in all_messages() if avoided.search(one.text)]
        self.assertEqual(found, [])


def main() -> None:
    """Print the list."""
    for one in all_messages():
        print(f"{one.place:52} {one.kind:18} {one.text}")


if __name__ == "__main__":
    main()
