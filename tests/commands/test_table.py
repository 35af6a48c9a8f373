from __future__ import annotations

import subprocess
import sys
import unittest
from pathlib import Path

from cvec_circus.commands import table
from cvec_circus.options.nearest import did_you_mean

ROOT = Path(__file__).resolve().parents[2]


class TestTable(unittest.TestCase):
    def test_names(self) -> None:
        self.assertEqual(list(table.NAMES), sorted(table.NAMES))
        for name, command in table.load_all().items():
            self.assertEqual(command.name, name)
            self.assertTrue(command.doc.endswith("."), name)
            self.assertIs(table.find(name.upper()), command)
        self.assertIsNone(table.find("bogus"))
        self.assertIsNone(table.find(""))

    def test_schemas_fit_the_command_line(self) -> None:
        for command in table.load_all().values():
            for switch in command.all_switches:
                self.assertIn(switch.prop, command.by_name)
            for prop in command.by_name.values():
                self.assertTrue(prop.doc.endswith("."), (command.name, prop.name))

    def test_hints(self) -> None:
        for typed, meant in (("statsu", "status"), ("restrat", "restart"), ("liss", "list")):
            self.assertEqual(did_you_mean(typed, table.NAMES), f"; did you mean {meant}?")
        for typed in ("zork", "x" * 100_000):
            self.assertEqual(did_you_mean(typed, table.NAMES), "")

    def test_a_command_is_loaded_when_it_is_asked_for(self) -> None:
        program = (
            "import sys; from cvec_circus.commands import table; table.find('status');"
            "print(*(m for m in sys.modules if m.startswith('cvec_circus.commands.')))"
        )
        line = [sys.executable, "-c", program]
        loaded = subprocess.run(line, capture_output=True, text=True, cwd=ROOT, check=True).stdout
        self.assertIn("commands.status", loaded)
        self.assertNotIn("commands.stop", loaded)
