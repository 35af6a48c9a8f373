"""Make the manual pages that `pip install` puts into share/man: python docs/build_man.py

They are kept beside their sources, because whoever installs has no Sphinx. A test compares them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PAGES = DOCS / "man"

ONLY_MAN = "[a-z]*.rst,benchmark,design,examples"
"""What Sphinx need not read for them."""


def built() -> Mapping[str, str]:
    """Return the text of each page by the name of its file.

    Raises:
        subprocess.CalledProcessError: Sphinx has failed.
    """
    with tempfile.TemporaryDirectory(prefix="cvec_circus-man-") as folder:
        chosen = {"root_doc": "man/index", "exclude_patterns": ONLY_MAN, "today": " "}
        words = [f"-D{name}={value}" for name, value in chosen.items()]
        argv = [sys.executable, "-m", "sphinx", "-q", "-E", "-b", "man", *words, DOCS, folder]
        subprocess.run(argv, check=True)
        pages = sorted(Path(folder).glob("*.1"))
        return {page.name: page.read_text(encoding="utf-8") for page in pages}


def main() -> None:
    """Write all pages, and delete those that are none any more."""
    pages = built()
    for page in PAGES.glob("*.1"):
        if page.name not in pages:
            page.unlink()
    for name, text in pages.items():
        (PAGES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
