"""Everything a change has to pass, in one command: python -m tests.check

It needs what `pip install '.[dev]'` installs. All the steps are run, so that one run tells all that
is wrong; `--without suite` leaves a step out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


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


def run(wanted: dict[str, list[str]]) -> list[str]:
    """Run the steps one after the other and return the names of those that failed."""
    failed = []
    for name, arguments in wanted.items():
        print(f"== {name}: python {' '.join(arguments)}", flush=True)
        if subprocess.run([sys.executable, *arguments], cwd=ROOT, check=False).returncode != 0:
            failed.append(name)
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; the exit code is 1 when anything failed."""
    names = list(steps(""))
    parser = argparse.ArgumentParser(prog="python -m tests.check", description=__doc__)
    parser.add_argument("--without", action="append", default=[], choices=names, metavar="STEP")
    left_out = parser.parse_args(arguments).without
    with tempfile.TemporaryDirectory(prefix="cvec_circus-check-") as scratch:
        wanted = {name: words for name, words in steps(scratch).items() if name not in left_out}
        failed = run(wanted)
    print(f"== failed: {', '.join(failed)}" if failed else "== all is well", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
