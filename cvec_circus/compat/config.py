"""Reading a configuration file into the mappings that Circus makes of one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from cvec_circus import logger
from cvec_circus.config.build import Build
from cvec_circus.config.readers.document import read
from cvec_circus.config.section import Findings, Section
from cvec_circus.exc import ConfigError, UnreadableError
from cvec_circus.options.rights import LIMIT
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.options.watcher import WATCHER_OPTIONS

_WATCHER_KEYS = (
    "cmd args numprocesses warmup_delay executable working_dir on_demand shell uid gid send_hup"
    " stop_signal stop_children max_retry graceful_timeout stderr_stream stdout_stream priority"
    " use_sockets singleton copy_env copy_path hooks respawn autostart"
).split()
_LOG = ("loglevel", "logoutput")


def watcher_defaults() -> dict[str, Any]:
    """Return the options of a watcher that `get_config` always gives, with their defaults."""
    defaults = {key: WATCHER_OPTIONS.by_name[key].default for key in _WATCHER_KEYS}
    defaults.update({key: dict(value) for key, value in defaults.items() if value == {}})
    return {"name": "", **defaults, "cmd": "", "rlimits": {}}


def rlimit_value(val: str | None) -> int:
    """Return a resource limit given as text; -1, which is none, for nothing.

    Raises:
        ValueError: It is not a number.
    """
    return int(val) if val else -1


def get_config(config_file: str) -> dict[str, Any]:
    """Read a configuration file, with all that it includes. It may block.

    The mappings are what `Arbiter`, `Watcher` and `CircusSocket` take as keywords. A watcher or
    plugin that is wrong in itself is left out, with a warning in the log for each problem. Users
    and groups need not be those of this machine.

    Args:
        config_file: The main file.

    Returns:
        The options of the daemon by name, and under `watchers`, `plugins` and `sockets` a list with
        a mapping for each, in the order of the file.

    Raises:
        ConfigError: The file cannot be used; it lists all problems, a line each. That is a
            ValueError, and if the file cannot be read an OSError, too.
    """
    findings = Findings()
    document = read(config_file, os.environ, os.getcwd(), findings)
    build = Build(document.sections.values(), findings, os.environ, judges_users=False)
    try:
        configuration = build.configuration()
    except ConfigError as error:
        if os.access(config_file, os.R_OK):
            raise
        raise UnreadableError(error.problems) from None
    for line in configuration.warnings:
        logger.warning("%s", line)
    for name, problems in configuration.left_out:
        for line in problems:
            logger.warning("%s is left out: %s", name, line)
    config: dict[str, Any] = dict(configuration.circus)
    config.update({key: None for key in _LOG if key not in build.circus.values})
    config["watchers"] = [
        {"name": one.name, **_watcher(one.options, one.section)} for one in configuration.watchers
    ]
    config["plugins"] = [
        {**one.config, "use": one.use, "name": one.name} for one in configuration.plugins
    ]
    config["sockets"] = [{**one.options, "name": one.name} for one in configuration.sockets]
    return config


def _watcher(options: WatcherOptions, section: Section) -> dict[str, Any]:
    """Return what a section says of a watcher, under the names of whole options."""
    given = {key.partition(".")[0] if _is_part(key) else key for key in section.values}
    described = watcher_defaults()
    described.pop("name")
    described.update({key: options[key] for key in options if key in given})
    described["env"] = dict(options.env)
    described["rlimits"] = {
        key[len(LIMIT) :]: described.pop(key) for key in list(described) if key.startswith(LIMIT)
    }
    described["hooks"] = {name: list(hook) for name, hook in options.hooks.items()}
    for family in ("ready", "live"):
        if family in described:
            checks: Mapping[str, Any] = described[family]
            described[family] = {name: str(check) for name, check in checks.items()}
    return described


def _is_part(key: str) -> bool:
    """Whether a key is one of several that make an option, such as `stdout_stream.class`."""
    option = WATCHER_OPTIONS.find(key)
    return option is not None and "." in key
