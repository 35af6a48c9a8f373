"""Sphinx settings: python -m sphinx -W docs docs/_build/html"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from cvec_circus import __version__  # noqa: E402

project = "cvec_circus"
author = "the cvec_circus maintainers"
project_copyright = author
version = release = __version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "reference_tables"]
exclude_patterns = ["_build"]
default_role = "code"
smartquotes = False  # "--check" is to stay what a person types
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_numpy_docstring = False

html_theme = "furo"  # readable on a phone, with the previous and the next page below each
html_title = f"cvec_circus {version}"
html_show_sourcelink = False
html_static_path: list[str] = []
html_extra_path = ["schemas.json"]

man_pages = [
    (f"man/{name}", name, does, author, 1)
    for name, does in (
        ("cvec_circusctl", "talk to cvec_circusd"),
        ("cvec_circusd", "start programs and keep them alive"),
        ("cvec_circus-plugin", "run a plugin of cvec_circusd"),
        ("cvec_circusd-stats", "publish what the processes of cvec_circusd use"),
        ("cvec_circus-top", "show what the processes of cvec_circusd do and use"),
    )
]
man_make_section_directory = False
