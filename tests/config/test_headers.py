"""Headers that are taken as they stand, as Circus takes them, and look like slips."""

from __future__ import annotations

import unittest

from cvec_circus.config.examination import There
from cvec_circus.config.section import printable
from cvec_circus.wire.topics import why_no_name
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

    def test_sections_of_other_supervisors(self) -> None:
        said = "unknown section, ignored; did you mean"
        for header, body in (
            ("program:b", "command = x"),
            ("process: b", "x = y"),
            ("b", "cmd = x"),
            ("app:b", "cmd = x"),
        ):
            with self.subTest(header):
                self.says(f"{WEB}[{header}]\n{body}\n", f"3: [{header}] {said} [watcher:b]?")
        self.says(f"[DEFAULT]\ncmd = x\n{WEB}[b]\nx = y\n", "5: [b] unknown section, ignored")

    def test_what_would_lose_what_runs(self) -> None:
        """A header of no known kind, or with a mark too many, that names what runs."""
        there = There(before=["socket:web", "socket:s", "plugin:p", "watcher:b", "watcher:Web"])
        for header, meant in (
            ("b", "watcher:b"),
            ("B", "watcher:b"),
            ("program:b", "watcher:b"),
            ("process: b", "watcher:b"),
            ("p", "plugin:p"),
            ("s", "socket:s"),
        ):
            with self.subTest(header):
                said = f"! 3: [{header}] unknown section; did you mean [{meant}]?"
                self.assertEqual(self.found(f"{WEB}[{header}]\nx = y\n", there), [said])
        [said] = self.found(f"{WEB}[watcher::b]\ncmd = sleep 10\n", there)
        self.assertRegex(said, r"^! 3: \[watcher::b\] .*; did you mean \[watcher:b\]\?$")
        for text in (
            f"{WEB}[c]\nx = y\n",
            f"{WEB}[watcher:b]\ncmd = sleep 10\n[b]\nx = y\n",
            f"{WEB}[watcher:b]\ncmd = sleep 10\n[watcher::b]\ncmd = sleep 10\n",
        ):
            with self.subTest(text):
                self.assertNotIn("!", "".join(self.found(text, there)))

    def test_toml_in_an_ini_file(self) -> None:
        for header, meant in (
            ("watcher.web", "watcher:web"),
            ('plugin."a b"', "plugin:a b"),
            ("env.a", "env:a"),
            ("[socket]", "socket:NAME"),
        ):
            said = f"! 3: [{header}] unknown section; did you mean [{meant}]?"
            found = self.found(f"{WEB}[{header}]\n")
            self.assertEqual(found[:1], [f"{said} (TOML needs a name that ends in .toml)"])
        self.assertEqual(
            self.found(f"{WEB}[watcher]\n")[:1],
            ["! 3: [watcher] unknown section; did you mean [watcher:NAME]?"],
        )

    def test_indented_ones(self) -> None:
        self.says(
            f"{WEB}  [watcher:b]\n  cmd = sleep 20\n",
            "! 3: [watcher:web] indented, so a part of cmd above; begin [watcher:b] at the margin",
            "4: [watcher:web] cmd: indented, so a part of cmd above; begin cmd at the margin",
        )
        for header in ("[env:web*]", "[Socket: s]", "[plugin:a]", "[env]", "[circus]", "[DEFAULT]"):
            said = f"[env] indented, so a part of A above; begin {header} at the margin"
            for note in ("", " ; a note", "# another"):
                self.says(f"{WEB}[env]\nA = 1\n\t{header}{note}\n", f"! 5: {said}")
        self.silent(f"{WEB}args = a\n  [b]\n  watcher:b\n  [watcher:b] c\n  [[watcher:b]\n")

    def test_one_without_its_brackets(self) -> None:
        """Read as a key of the section above, it would take a watcher away."""
        said = "this is not a section header; write"
        for line, meant in (
            ("watcher:b", "[watcher:b], or watcher = b for a key"),
            ("Watcher:Bad One;", "[Watcher:Bad One], or Watcher = Bad One for a key"),
            ("socket:b.c-1 ; a note", "[socket:b.c-1], or socket = b.c-1 for a key"),
            ("plugin:b # a note", "[plugin:b], or plugin = b for a key"),
            ("env:w*, b[0-9]", "[env:w*, b[0-9]], or env = w*, b[0-9] for a key"),
            ("watcher:b]", "[watcher:b]"),
            ("watcher:b] ; a note", "[watcher:b]"),
            ("watcher:b)", "[watcher:b]"),
            ("watcher:b}", "[watcher:b]"),
            ("(watcher: b)", "[watcher: b]"),
            ("{socket:b}", "[socket:b]"),
            ("<plugin:b>", "[plugin:b]"),
            ("'[watcher:b]'", "[watcher:b]"),
            ('"watcher:b"', "[watcher:b]"),
            ("- [watcher:b]", "[watcher:b]"),
            ("x[watcher:b]", "[watcher:b]"),
            ("env:b[01]]", "[env:b[01]]"),
        ):
            for header in ("watcher:web", "env", "circus"):
                with self.subTest(line, header=header):
                    found = self.found(f"{WEB}[{header}]\n{line}\n")
                    self.assertIn(f"! 4: [{header}] {said} {meant}", found)

    def test_keys_called_like_a_kind(self) -> None:
        for line in (
            *("watcher: b", "watcher :b", "watcher = b", "watcher=[b]", "watcher: [b]"),
            *(
                "env:A=b",
                "socket: a (b)",
                "socket:/b",
                "socket:127.0.0.1:80",
                "plugin:",
                "watchers:b",
            ),
            *("# [watcher:b]", ";[watcher:b]", "rem [watcher:b]"),
        ):
            with self.subTest(line):
                self.assertEqual(self.load(f"{WEB}{line}\n").left_out, [])

    def test_a_bracket_too_many(self) -> None:
        for header, meant in (
            ("watcher:b] ", "watcher:b"),
            ("watcher:b]", "watcher:b"),
            ("socket:[b", "socket:b"),
            ("plugin:b]", "plugin:b"),
            ("env:web]", "env:web"),
        ):
            with self.subTest(header):
                said = f"a bracket too many or too few; write [{meant}]"
                found = self.found(f"{WEB}[{header}]\ncmd = x\n")
                self.assertIn(f"! 3: [{header.strip()}] {said}", found)
        self.silent(f"{WEB}[env:w[a-e]b]\nA = 1\n")

    def test_one_with_another_bracket(self) -> None:
        for line in (
            "[watcher:b}",
            "[watcher:b)",
            "[watcher:b",
            "[watcher:b ; a note",
            "[watcher:b>",
        ):
            self.says(
                f"{WEB}{line}\nx = y\n",
                "! 3: this is not a section header; write [watcher:b]",
            )

    def test_a_start_leaves_the_section_out(self) -> None:
        for slip in ("watcher:b", "<watcher:b>", "x = y\n  [watcher:b]"):
            with self.subTest(slip):
                configuration = self.load(f"[watcher:a]\ncmd = x\n{slip}\ncmd = z\n{WEB}")
                self.assertEqual([one.name for one in configuration.watchers], ["web"])
                self.assertEqual([name for name, _ in configuration.left_out], ["a"])

    def test_names_in_another_case(self) -> None:
        [said] = self.found(f"{WEB}[watcher:WEB]\ncmd = sleep 10\n")
        self.assertIn("! 3: [watcher:WEB] commands and events cannot tell this name from web", said)

    def test_names_that_do_not_show(self) -> None:
        """The same that `add` refuses."""
        for name, said in (
            ("w\u200b", "'w\\u200b' has the invisible character U+200B; leave it out"),
            ("a\x1bb", "'a\\x1bb' has the invisible character U+001B; leave it out"),
            ("a\u3164b", "'a\u3164b' has the invisible character U+3164; leave it out"),
            ("x" * 201, f"'{'x' * 40}...' is longer than 200 characters"),
        ):
            self.assertEqual(why_no_name(name), said)
            for kind, key in (("watcher", "cmd"), ("socket", "port"), ("plugin", "use")):
                with self.subTest(name=name, kind=kind):
                    found = self.found(f"{WEB}[{kind}:{name}]\n{key} = 1\n")
                    header = printable(f"[{kind}:{name}]")
                    self.assertIn(f"! 3: {header} {said}", found)
        for name in ("a b", "Größe", "e\u0301", "\u2764\ufe0f", "x" * 200):
            self.silent(f"[watcher:{name}]\ncmd = sleep 10\n")


if __name__ == "__main__":
    unittest.main()
