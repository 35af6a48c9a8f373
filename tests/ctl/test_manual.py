"""The manual pages are made from the parsers and the commands."""

from __future__ import annotations

import unittest

from cvec_circus.commands import table
from cvec_circus.ctl.arguments import main_parser
from cvec_circus.daemon.arguments import parser
from cvec_circus.runtime.assignment import argument_parser
from tests.test_docs import DOCS, module_of


class TestManual(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.text_of = module_of(DOCS / "reference_text.py")

    def test_every_command_with_its_switches(self) -> None:
        text = "\n".join(self.text_of.command_line_lines(table.load_all().values()))
        for command in table.load_all().values():
            head = f"**{command.name}** ``{command.usage}``" if command.usage else command.name
            self.assertIn(head, text)
            for switch in command.switches_shown:
                self.assertIn(f"* ``--{switch.name}", text)
        self.assertNotIn("````", text)

    def test_every_option(self) -> None:
        for made in (main_parser(), parser(), argument_parser()):
            text = "\n".join(self.text_of.parser_lines(made))
            for action in made._actions:
                for name in action.option_strings:
                    self.assertIn(name, text)
        self.assertIn("``CLASS``", text)

    def test_a_page_for_each_program(self) -> None:
        for name in ("cvec_circusctl", "cvec_circusd", "cvec_circus-plugin"):
            self.assertTrue((DOCS / "man" / f"{name}.rst").is_file())
            self.assertIn(f'"{name}"', (DOCS / "conf.py").read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()
