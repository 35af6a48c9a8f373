"""README.md shows commands and code that exist and work."""

from __future__ import annotations

import re
import shlex
import tempfile
import unittest
from pathlib import Path

from cvec_circus.config.readers.document import load

ROOT = Path(__file__).resolve().parent.parent
LOGGER = ROOT / "cvec_circus" / "demo" / "logger.py"


class TestReadme(unittest.TestCase):
    """What people copy from the README."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.text = (ROOT / "README.md").read_text(encoding="utf-8")
        cls.commands = re.findall(r"^    (python3 -m venv .*)$", cls.text, re.MULTILINE)

    def test_two_commands_that_set_themselves_up(self) -> None:
        self.assertEqual(len(self.commands), 2)
        demo, suite = self.commands
        self.assertTrue(demo.endswith(".venv/bin/cvec_circusd --demo"), demo)
        self.assertTrue(suite.endswith(".venv/bin/python -W error -m unittest"), suite)
        for command in self.commands:
            self.assertNotIn("\n", command)
            self.assertEqual(shlex.split(command)[:4], ["python3", "-m", "venv", ".venv"])

    def test_ci_finds_the_command_of_the_suite(self) -> None:
        script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
        found = re.search(r"sed -n 's/\^ \*\\\((.*)\\\)\$/\\1/p' README\.md", script)
        self.assertIsNotNone(found)
        pattern = re.compile(f"^ *({found.group(1)})$", re.MULTILINE)
        self.assertEqual(pattern.findall(self.text), [self.commands[1]])

    def test_the_logger_is_the_one_of_the_demonstration(self) -> None:
        shown = re.search(r"```python\n(.*?)```", self.text, re.DOTALL)
        self.assertIsNotNone(shown)
        source = LOGGER.read_text(encoding="utf-8")
        self.assertEqual(shown.group(1), source[source.index("from cvec_circus") :])

    def test_the_file_can_be_loaded(self) -> None:
        (site, _) = re.findall(r"```ini\n(.*?)```", self.text, re.DOTALL)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "site.ini")
            file.write_text(site, encoding="utf-8")
            found = load(str(file), {"PATH": "/bin"})
        self.assertEqual(found.warnings, [])
        self.assertEqual([one.name for one in found.watchers], ["web", "queue", "backup"])

    def test_files_it_names_exist(self) -> None:
        for name in re.findall(r"`([\w/]+(?:\.rst|\.md|/))`", self.text):
            self.assertTrue((ROOT / name).exists(), name)


if __name__ == "__main__":
    unittest.main()
