"""Hooks as files, messages and programs give them."""

from __future__ import annotations

import json
import subprocess
import sys
import unittest
from typing import Any

from cvec_circus.config.readers.mapping import from_mappings
from cvec_circus.exc import OptionError
from cvec_circus.options.hooks import NAMES, Hook
from cvec_circus.options.watcher import WATCHER_OPTIONS, public
from tests.config.support import ConfigTestCase


def hooks(given: dict[str, Any], current: dict[str, Any] | None = None) -> Any:
    """Return what hooks a full set of options has after these were given."""
    return WATCHER_OPTIONS.complete(WATCHER_OPTIONS.convert(given), current)["hooks"]


def function(**given: Any) -> bool:
    return True


class TestValues(unittest.TestCase):
    def test_a_file(self) -> None:
        self.assertEqual(hooks({"hooks.before_start": "a.b"}), {"before_start": Hook("a.b")})
        for text, expected in (
            ("a.b.c,True", Hook("a.b.c", True)),
            (" a.b , no ", Hook("a.b")),
            ("a.b:c", Hook("a.b:c")),
            ("my-hooks.f", Hook("my-hooks.f")),
            ("2nd.f", Hook("2nd.f")),
            ("a.my-hooks-2:f,yes", Hook("a.my-hooks-2:f", True)),
            ("a.b:C.d,1", Hook("a.b:C.d", True)),
            ("exec:check a, 'b c'", Hook("exec:check a, 'b c'")),
        ):
            with self.subTest(text):
                self.assertEqual(hooks({"hooks.after_stop": text}), {"after_stop": expected})
        self.assertEqual(Hook("exec: a b").command, "a b")
        self.assertEqual(Hook("a.b").command, "")

    def test_a_message(self) -> None:
        given = {"before_start": "a.b", "after_start": ["a.c", True], "after_stop": ["a.d"]}
        expected = {
            "before_start": Hook("a.b"),
            "after_start": Hook("a.c", True),
            "after_stop": Hook("a.d"),
        }
        self.assertEqual(hooks({"hooks": given}), expected)
        text = "before_start:a.b,after_start:a.c"
        self.assertEqual(
            hooks({"hooks": text}), {"before_start": Hook("a.b"), "after_start": Hook("a.c")}
        )

    def test_a_program(self) -> None:
        given = {"before_start": function, "after_start": (function, True)}
        expected = {"before_start": Hook(function), "after_start": Hook(function, True)}
        self.assertEqual(hooks({"hooks": given}), expected)
        self.assertEqual(hooks({"hooks": expected}), expected)  # as it comes out it goes in
        plugin = {"use": "a.B", "hooks": {"before_start": function}}
        (watcher,) = from_mappings([{"cmd": "x", "hooks": given}], [plugin]).watchers
        self.assertEqual(watcher.options["hooks"], expected)

    def test_all_names(self) -> None:
        self.assertEqual(len(NAMES), 11)
        self.assertEqual(list(hooks({f"hooks.{name}": "a.b" for name in NAMES})), list(NAMES))

    def test_what_is_none(self) -> None:
        for key, value, reason in (
            ("hooks.before_strat", "a.b", "there is no such hook; did you mean before_start?"),
            ("hooks.", "a.b", "there is no such hook"),
            ("hooks", {"after_stp": "a.b"}, "no hook 'after_stp'; did you mean after_stop?"),
            ("hooks", {"after_stop": "x"}, "after_stop: 'x' is neither the dotted name of a"),
            ("hooks", "after_stop", "after_stop"),
            ("hooks", 5, "5 is not a mapping"),
            ("hooks.after_stop", "a b.c", "'a b.c' is neither the dotted name of a function nor"),
            ("hooks.after_stop", "a.b, maybe", "'maybe' is neither true nor false"),
            ("hooks.after_stop", "exec:", "the command is empty"),
            ("hooks.after_stop", "exec:a 'b", "cannot be split into words: No closing quotation"),
            ("hooks.after_stop", 5, "5 is not text"),
            ("hooks.after_stop", ["a.b", True, 1], "a list has two items here"),
            ("hook_timeout", 0, "0 is less than 0.001"),
        ):
            with self.subTest(key, value=value):
                if (key, value) == ("hooks", "after_stop"):
                    self.assertEqual(hooks({key: value}), {})  # nothing takes one away
                    continue
                with self.assertRaises(OptionError) as caught:
                    WATCHER_OPTIONS.convert({key: value})
                self.assertIn(reason, str(caught.exception))


class TestSetting(unittest.TestCase):
    def test_others_stay(self) -> None:
        full = WATCHER_OPTIONS.complete(WATCHER_OPTIONS.convert({"hooks.before_start": "a.b"}))
        self.assertEqual(
            hooks({"hooks": {"after_stop": "a.c"}}, full),
            {"before_start": Hook("a.b"), "after_stop": Hook("a.c")},
        )
        self.assertEqual(hooks({"numprocesses": 2}, full), {"before_start": Hook("a.b")})
        self.assertEqual(hooks({"hooks": {}}, full), {"before_start": Hook("a.b")})

    def test_nothing_takes_one_away(self) -> None:
        full = WATCHER_OPTIONS.complete(WATCHER_OPTIONS.convert({"hooks.before_start": "a.b"}))
        for given in ({"hooks.before_start": ""}, {"hooks": {"before_start": None}}):
            with self.subTest(given):
                self.assertEqual(hooks(given, full), {})
        self.assertEqual(full["hooks"], {"before_start": Hook("a.b")})

    def test_what_is_shown(self) -> None:
        given = {"before_start": "a.b,yes", "after_start": function, "after_stop": "exec:x y"}
        full = WATCHER_OPTIONS.complete(WATCHER_OPTIONS.convert({"hooks": given}))
        expected = {
            "before_start": "a.b,True",
            "after_start": f"{__name__}.function",
            "after_stop": "exec:x y",
        }
        self.assertEqual(json.loads(json.dumps(public(full)))["hooks"], expected)
        self.assertEqual(public(WATCHER_OPTIONS.complete({}))["hooks"], {})


class TestFiles(ConfigTestCase):
    def test_in_the_section_of_a_watcher_or_a_plugin(self) -> None:
        loaded = self.load(
            "[watcher:a]\ncmd = x\nhooks.before_start = a.b,true\nhook_timeout = 5\n"
            "[plugin:p]\nuse = a.B\nhooks.after_stop = exec:x, y\n"
        )
        (watcher,), (plugin,) = loaded.watchers, loaded.plugins
        self.assertEqual(watcher.options["hooks"], {"before_start": Hook("a.b", True)})
        self.assertEqual(watcher.options["hook_timeout"], 5.0)
        self.assertEqual(plugin.options["hooks"], {"after_stop": Hook("exec:x, y")})
        self.assertEqual(plugin.config, {"hooks.after_stop": "exec:x, y"})

    def test_a_slip_is_told_with_its_line(self) -> None:
        self.assertEqual(
            self.problems("[watcher:a]\ncmd = x\nhooks.before_strat = a.b\n"),
            [
                "main.ini:3: [watcher:a] hooks.before_strat: there is no such hook; did you mean "
                "before_start?"
            ],
        )


class TestImports(unittest.TestCase):
    def test_nobody_pays_who_has_none(self) -> None:
        code = (
            "import sys; from cvec_circus.config.readers.mapping import from_mappings;"
            "from cvec_circus.options.watcher import public;"
            "c = from_mappings([{'cmd': 'x', 'hooks': {}}]); public(c.watchers[0].options);"
            "sys.exit('cvec_circus.options.hooks' in sys.modules)"
        )
        self.assertEqual(subprocess.run([sys.executable, "-c", code], check=False).returncode, 0)


if __name__ == "__main__":
    unittest.main()
