"""The manual pages that are installed say what their sources say."""

from __future__ import annotations

import importlib.util
import re
import sys
import unittest

from cvec_circus.system.completion import PROGRAMS
from tests.test_docs import DOCS, module_of

ROOT = DOCS.parent


def words(page: str) -> list[str]:
    """Return what a reader of a page sees, whatever release of Sphinx has made it."""
    _, _, text = page.partition("\n.SH NAME")
    lines = (re.sub(r"^\.[A-Z]\w* ?|^\.\S+ ?.*", "", line) for line in text.split("\n"))
    return re.sub(r"\\f[A-Z]|\\%|\\&|\\", "", "\n".join(lines)).split()


class TestPages(unittest.TestCase):
    @unittest.skipIf(importlib.util.find_spec("sphinx") is None, "Sphinx is not installed")
    @unittest.skipIf(
        sys.version_info < (3, 10), "the Sphinx for Python 3.9 words pages differently"
    )
    def test_they_are_those_of_the_sources(self) -> None:
        pages = module_of(DOCS / "build_man.py").built()
        kept = {page.name for page in (DOCS / "man").glob("*.1")}
        again = "run: python docs/build_man.py"
        self.assertEqual(kept, set(pages), again)
        for name, text in pages.items():
            page = (DOCS / "man" / name).read_text(encoding="utf-8")
            self.assertEqual(words(page), words(text), f"{name}: {again}")

    def test_each_program_has_one_that_is_installed(self) -> None:
        setup = (ROOT / "setup.py").read_text(encoding="utf-8")
        self.assertIn('("share/man/man1", MAN_PAGES)', setup)
        for program in PROGRAMS:
            page = (DOCS / "man" / f"{program}.1").read_text(encoding="utf-8")
            self.assertIn(f'.TH "{program.upper()}" "1"', page)
            self.assertIn("NAME", page)


if __name__ == "__main__":
    unittest.main()
