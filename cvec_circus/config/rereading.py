"""Reading a configuration for a daemon that runs: when it is settled, and if `--check` passes it.

An editor or a deployment may be writing just now, and half a file looks like a file with fewer
watchers. So the files are read until two readings a moment apart are the same.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping

from cvec_circus.base.clock import SYSTEM
from cvec_circus.config.build import Build
from cvec_circus.config.configuration import Configuration
from cvec_circus.config.examination import There, examine
from cvec_circus.config.readers.document import Document, finish, read
from cvec_circus.config.section import Findings
from cvec_circus.exc import ConfigError

APART = 0.02
"""Seconds between two readings."""

PATIENCE = 3.0
"""Seconds until a file that changes all the time is given up."""


def reread(
    path: str,
    environ: Mapping[str, str],
    cwd: str,
    there: There,
    former: Configuration,
    inspect: Callable[[Build], None],
) -> Configuration:
    """Read a configuration as `readers.document.load` does, once it is settled. It blocks.

    Args:
        path, environ, cwd: As for `load`.
        there: What the daemon has beside the file.
        former: The configuration that is read again.
        inspect: Adds to the findings what only the classes of plugins, and this machine, can tell.

    Raises:
        ConfigError: Every problem that `--check` finds, what is included and is gone or was never
            there, or a file that is written all the time.
    """
    ends_at = SYSTEM.monotonic() + PATIENCE
    while True:
        document = read(path, environ, cwd, Findings(thorough=True))
        threading.Event().wait(APART)  # nothing sets it: so long nothing may change
        if read(path, environ, cwd, Findings(), document).sources == document.sources:
            break
        if SYSTEM.monotonic() > ends_at:
            raise ConfigError([f"{path}: changes all the time; read it again when it is written"])
    examination = examine(path, environ, cwd, there, document)
    configuration = examination.configuration
    inspect(examination.build)
    found = examination.build.findings.everything()
    problems = [one.line for one in found if one.is_problem]
    problems += _gone(document, former)
    if problems or configuration is None:
        raise ConfigError(problems)
    finish(configuration, document)
    return configuration


def _gone(document: Document, former: Configuration) -> list[str]:
    """Name what is included and cannot be read now. What could not be read before either, such as
    an optional folder, is left to the warnings; so is a pipe that was not read before."""
    found = []
    for path, place, said in document.absent:
        if path in former.sources:
            said += "; it was read before; put it back, or take it out of [circus]"
        elif not former.sources or path in former.absent or os.path.exists(path):
            continue
        else:
            said += "; make it, or correct its name"
        found.append(f"{place}: [circus] {said}" if place else said)
    return found
