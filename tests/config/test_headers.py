"""Headers that are taken as they stand, as Circus takes them, and look like slips."""

from __future__ import annotations

import unittest

from tests.config.test_examination import WEB, SlipsCase


class TestHeaders(SlipsCase):
    def test_what_follows_the_bracket(self) -> None:
        said = "after the bracket is ignored; give it a line of its own"
        self.says(
            "[watcher:web] cmd = x\ncmd = sleep 10\n[env]A=1\n",
            f"1: [watcher:web] 'cmd = x' {said}",
            f"3: [env] 'A=1' {said}",
        )
        self.silent("[watcher:web] ; a note\ncmd = sleep 10\n[env]# another\n")

    def test_marks_around_a_name(self) -> None:
        said = "as it stands; did you mean"
        self.says(
            "[watcher::web]\ncmd = sleep 10\n[plugin:'p']\nuse = a.B\n",
            f"1: [watcher::web] the name is :web, {said} [watcher:web]?",
            f"3: [plugin:'p'] the name is 'p', {said} [plugin:p]?",
        )
        self.silent("[watcher: web]\ncmd = sleep 10\n[env:web]\nA = 1\n")

    def test_indented_ones(self) -> None:
        self.says(
            f"{WEB}  [watcher:b]\n  cmd = sleep 20\n",
            "3: [watcher:web] indented, so a part of cmd above; begin [watcher:b] at the margin",
            "4: [watcher:web] cmd: indented, so a part of cmd above; begin cmd at the margin",
        )
        self.silent(f"{WEB}args = a\n  [b]\n")

    def test_names_in_another_case(self) -> None:
        [said] = self.found(f"{WEB}[watcher:WEB]\ncmd = sleep 10\n")
        self.assertIn("! 3: [watcher:WEB] commands and events cannot tell this name from web", said)


if __name__ == "__main__":
    unittest.main()
