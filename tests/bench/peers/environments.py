"""The environments of what is measured, under the directory for temporary files."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import site
import subprocess
import sys
import tempfile
from pathlib import Path

VERSIONS = {"circus": "circus==0.19.0", "supervisor": "supervisor==4.3.0"}

PIP_TIMEOUT = 300


def environment(name: str) -> Path:
    """Return the folder with a peer's programs, after installing it if it is not there yet.

    Raises:
        OSError: It cannot be installed; the text has pip's last line.
    """
    version = "{}.{}".format(*sys.version_info[:2])
    wanted = VERSIONS[name].replace("==", "-")
    folder = (
        Path(tempfile.gettempdir()) / f"cvec_circus-bench-{os.getuid()}" / f"{wanted}-{version}"
    )
    done = folder / "complete"
    if not done.exists():
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        # supervisor needs pkg_resources where importlib is too old for it
        _run([str(folder / "bin/pip"), "install", "-q", "--no-input", VERSIONS[name]])
        done.touch()
    return folder / "bin"


@functools.cache
def python() -> str:
    """Make a Python that has the packages of this one, as an installer leaves them.

    An editable installation adds a module that each Python loads at its start, with all that it
    imports: 15 ms and 2 MiB, which no peer has.
    """
    folder = tempfile.mkdtemp(prefix="cb-python-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", "--without-pip", folder])
    [packages] = Path(folder).glob("lib/python*/site-packages")
    (packages / "ours.pth").write_text("\n".join(site.getsitepackages()))
    return f"{folder}/bin/python"


def _run(argv: list[str]) -> None:
    made = subprocess.run(
        argv, capture_output=True, text=True, timeout=PIP_TIMEOUT, check=False, env=_clean()
    )
    if made.returncode:
        lines = (made.stderr or made.stdout).strip().splitlines()
        raise OSError(f"{' '.join(argv[-4:])}: {lines[-1] if lines else made.returncode}")


def _clean() -> dict[str, str]:
    """The environment without what would lead Python elsewhere."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
