"""What `reloadconfig` says of a plan."""

from __future__ import annotations

import unittest
from typing import Any

from cvec_circus.commands.reloadconfig import ReloadConfig


def plan(**parts: Any) -> dict[str, Any]:
    """Make the answer that has that plan."""
    empty: dict[str, Any] = {"watchers": [], "plugins": [], "sockets": [], "circus": []}
    return {"plan": {"changes": True, **empty, **parts}}


class TestWords(unittest.TestCase):
    """The lines."""

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


if __name__ == "__main__":
    unittest.main()
