"""A package of plugins that is installed for a test: a folder to put on the path of imports."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PLUGIN = '''
from cvec_circus.plugins import CircusPlugin

class {name}(CircusPlugin):
    """{doc}"""

    def handle_recv(self, data):
        pass
'''


def install(folder: str | Path, points: Mapping[str, str], **modules: str) -> None:
    """Write a package.

    Args:
        folder: Where to.
        points: Its entry points: short names, and what they stand for.
        **modules: The texts of its modules.
    """
    told = Path(folder, "their_plugins-1.5.dist-info")
    told.mkdir()
    told.joinpath("METADATA").write_text(
        "Metadata-Version: 2.1\nName: their-plugins\nVersion: 1.5\n"
    )
    lines = [f"{name} = {value}\n" for name, value in points.items()]
    told.joinpath("entry_points.txt").write_text("[cvec_circus.plugins]\n" + "".join(lines))
    for name, text in modules.items():
        Path(folder, f"{name}.py").write_text(text)
