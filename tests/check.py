"""Everything a change has to pass, in one command: python -m tests.check

It needs what `pip install '.[dev]'` installs. All the steps are run, so that one run tells all that
is wrong; `--without suite` leaves a step out.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

OLDEST = 9
"""The oldest Python 3 that is supported."""

THIRD = (
    *("base", "client", "compatibility", "config", "control", "core", "ctl", "embedding", "logs"),
    *("options", "probes", "runtime", "sockets", "stats", "stream", "system", "testing", "wire"),
    *("daemon.test_start", "daemon.test_signals", "supervisor.probing", "supervisor.test_hook"),
)
"""What is run on the oldest and on the newest Python: what depends on the version most."""


def steps(scratch: str) -> dict[str, list[str]]:
    """Name every step and the Python arguments that run it; `scratch` takes the built docs."""
    docs = ["-m", "sphinx", "-W", "--keep-going", "-q", "-E", "-d", f"{scratch}/doctrees"]
    return {
        "format": ["-m", "ruff", "format", "--check"],
        "lint": ["-m", "ruff", "check"],
        "types": ["-m", "mypy"],
        "suite": ["-W", "error", "-m", "unittest"],
        "docs": [*docs, "-b", "html", "docs", f"{scratch}/html"],
        "man": [*docs, "-b", "man", "docs", f"{scratch}/man"],
    }


def versions(scratch: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the steps for the oldest and the newest Python that are found beside this one.

    Each gets an environment of its own in `scratch`.
    """
    found = interpreters()
    here = sys.version_info[1]
    for minor in sorted({min(found, default=here), max(found, default=here)} - {here}):
        folder = f"{scratch}/python3.{minor}"
        python = f"{folder}/bin/python"
        patterns = [word for name in THIRD for word in ("-k", f"tests.{name}")]
        yield f"environment of 3.{minor}", [found[minor], "-m", "venv", folder]
        yield f"packages of 3.{minor}", [python, "-m", "pip", "install", "-q", ".[test]"]
        yield f"suite on 3.{minor}", [python, "-W", "error", "-m", "unittest", *patterns]


def interpreters() -> dict[int, str]:
    """Return the path of each supported Python, in PATH or of pyenv, by its minor version."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
    folders = [*map(Path, os.get_exec_path()), *pyenv.glob("3.*/bin")]
    found: dict[int, str] = {}
    for path in sorted(path for folder in folders for path in folder.glob("python3.*")):
        match = re.fullmatch(r"python3\.(\d+)", path.name)
        if match is None or int(match[1]) < OLDEST or "shims" in path.parts:
            continue
        asked = [path, "-c", "import sys, venv, ensurepip; print(sys.version_info.releaselevel)"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.stdout == "final\n":
            found[int(match[1])] = str(path)
    return found


def run(wanted: dict[str, list[str]]) -> list[str]:
    """Run the steps one after the other and return the names of those that failed."""
    failed = []
    for name, words in wanted.items():
        print(f"== {name}: {' '.join(words)}", flush=True)
        if subprocess.run(words, cwd=ROOT, check=False).returncode != 0:
            failed.append(name)
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; the exit code is 1 when anything failed."""
    names = [*steps(""), "versions"]
    parser = argparse.ArgumentParser(prog="python -m tests.check", description=__doc__)
    parser.add_argument("--without", action="append", default=[], choices=names, metavar="STEP")
    left_out = parser.parse_args(arguments).without
    with tempfile.TemporaryDirectory(prefix="cvec_circus-check-") as scratch:
        all_steps = {name: [sys.executable, *words] for name, words in steps(scratch).items()}
        wanted = {name: words for name, words in all_steps.items() if name not in left_out}
        if "versions" not in left_out:
            wanted.update(versions(scratch))
        failed = run(wanted)
    print(f"== failed: {', '.join(failed)}" if failed else "== all is well", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
