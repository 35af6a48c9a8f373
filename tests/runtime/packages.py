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


def install(
    folder: str | Path,
    points: Mapping[str, str],
    package: str = "their-plugins 1.5",
    **modules: str,
) -> None:
    """Write a package.

    Args:
        folder: Where to.
        points: Its entry points: short names, and what they stand for.
        package: Its name and version.
        **modules: The texts of its modules.
    """
    name, version = package.split()
    told = Path(folder, f"{name.replace('-', '_')}-{version}.dist-info")
    told.mkdir()
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    told.joinpath("METADATA").write_text(text)
    lines = [f"{short} = {value}\n" for short, value in points.items()]
    told.joinpath("entry_points.txt").write_text("[cvec_circus.plugins]\n" + "".join(lines))
    for module, text in modules.items():
        Path(folder, f"{module}.py").write_text(text)
