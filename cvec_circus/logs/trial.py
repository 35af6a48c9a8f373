"""Whether a configuration of `logging` can be applied: for `--check` and `reloadconfig`.

Only applying it shows that, and that runs the user's classes. So a process of its own applies it,
without creating a file, and is killed after a while.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys

from cvec_circus.logs import configured
from cvec_circus.system import utf8
from cvec_circus.system.paths import why_no_file

MODULE = "cvec_circus.logs.trial"
VARIABLE = "CVEC_CIRCUS_LOGGING"

TIMEOUT = 10.0
"""Seconds. Most apply within a tenth of one."""


def why_not(path: str, cwd: str) -> str:
    """Return why a configuration cannot be applied, "" if it can. It blocks.

    Args:
        path: Its file.
        cwd: The directory that relative paths start in.
    """
    order = {"path": path, "sys_path": sys.path}
    try:
        done = subprocess.run(
            [sys.executable, "-m", MODULE],
            env={**os.environ, "PYTHONPATH": _search_path(), VARIABLE: json.dumps(order)},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return f"not applied within {TIMEOUT:g} s"
    if done.returncode:
        return f"applying it ends the process, with code {done.returncode}"
    return done.stdout.decode("utf-8", "replace")


def _search_path() -> str:
    return os.pathsep.join(filter(None, sys.path))


def main() -> None:
    """Apply one, print why that cannot be done, and exit at once. The main thread."""
    utf8.require()
    given = json.loads(os.environ.pop(VARIABLE))
    sys.path[:] = given["sys_path"]
    report = os.dup(1)
    os.dup2(2, 1)  # what the user's classes print is no reason
    logging.FileHandler._open = _opened  # type: ignore[assignment,method-assign]
    reason = ""
    try:
        configured.apply(given["path"])
    except Exception as error:  # the user's classes may raise anything
        reason = configured.describe(error, given["path"])
    os.write(report, reason.encode("utf-8", "replace"))
    os._exit(0)  # without waiting for threads of the user's classes


def _opened(handler: logging.FileHandler) -> object:
    """Stand in for the opening of a log file, which would create it or empty it."""
    if reason := why_no_file(handler.baseFilename):
        raise ValueError(reason)
    return open(os.devnull, handler.mode, encoding=handler.encoding)


if __name__ == "__main__":
    main()
