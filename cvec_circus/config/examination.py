"""A close look at a file: not only what it comes to, but all there is to say of it.

It is for people who check a file, and nothing that a daemon needs.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping
from typing import NamedTuple

from cvec_circus.config.build import Build
from cvec_circus.config.configuration import Configuration, PluginConfig
from cvec_circus.config.findings import Findings
from cvec_circus.config.readers.ini import read
from cvec_circus.config.slips import Slips
from cvec_circus.exc import ConfigError


class Examination(NamedTuple):
    """All there is to know of a file. Immutable by convention.

    Attributes:
        build: How the configuration came about; its `findings` have all that is wrong or odd.
        raw: What the files say, by section and key, before anything in it was replaced.
        plugins: All plugins, with those that are to be left out.
        configuration: What they come to; None if a daemon would not start with it.
    """

    build: Build
    raw: Mapping[str, Mapping[str, str]]
    plugins: list[PluginConfig]
    configuration: Configuration | None


def examine(path: str, environ: Mapping[str, str], cwd: str) -> Examination:
    """Read a configuration file as `build.load` does, and look closely. It may block.

    Args:
        path: The main file.
        environ: The environment that `$(circus.env.NAME)` and `$NAME` see.
        cwd: The folder that a relative `path` begins in.
    """
    document = read(path, environ, cwd, Findings(thorough=True))
    raw = {section: dict(document.tree[section]) for section in document.tree}
    build = Build(document, environ)
    assembly = build.assembly()
    everything = copy.copy(assembly.configuration)
    everything.watchers = list(everything.watchers)
    everything.plugins = list(everything.plugins)
    configuration = None
    with contextlib.suppress(ConfigError):  # the findings have all of it
        configuration = assembly.finish(leave_out=True)
    Slips(document, build.tables, raw, everything, path).look()
    return Examination(build, raw, everything.plugins, configuration)
