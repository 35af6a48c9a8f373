"""Inspects the class of a plugin for `--check` and `reloadconfig`, in a separate process.

Its orders are JSON in the environment variable CVEC_CIRCUS_PLUGIN: `use`, `config`, `sys_path`;
`own`, each watcher's options with a dot, which may be meant for the plugin; and `report`, the
descriptor of a file for the findings as JSON. The file stays empty if a module of the plugin ends
the process.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from cvec_circus.exc import OptionError, PluginError
from cvec_circus.options.arbiter import CHECK_DELAY_IN_FILES
from cvec_circus.runtime.assignment import VARIABLE
from cvec_circus.runtime.catalogue import GROUP, load_class
from cvec_circus.runtime.plugin import CircusPlugin
from cvec_circus.runtime.runner import extend_sys_path
from cvec_circus.runtime.schema import problems, typed, typed_value, unknown
from cvec_circus.system import utf8

NOWHERE = "ipc:///nonexistent"


def main() -> None:
    """Inspect one class, report, and exit at once. The main thread."""
    os.setpgid(0, 0)  # processes that the module starts are killed with us
    utf8.require()
    given = json.loads(os.environ.pop(VARIABLE))
    os.set_inheritable(given["report"], False)
    extend_sys_path(given["sys_path"])
    with open(given["report"], "w", encoding="utf-8") as report:
        json.dump(look(given["use"], given["config"], given["own"]), report)
    os._exit(0)  # without waiting for threads that the module has started


def look(
    use: str, config: Mapping[str, Any], own: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the findings on a plugin and its configuration.

    Args:
        use: The name of the class.
        config: Its configuration.
        own: The options with a dot of each watcher.

    Returns:
        `unusable`, why the class cannot be used, or ""; `problems`, keys with the errors in their
        values; `unknown`, unknown keys with hints; `own`, watchers and their keys with warnings.
    """
    found: dict[str, Any] = {"unusable": "", "problems": [], "unknown": [], "own": []}
    try:
        plugin = load_class(use)
        found["problems"] = [(one.option, one.reason) for one in problems(plugin.schema, config)]
        found["unknown"] = list(unknown(plugin.schema, config).items())
        found["own"] = list(_own(plugin, own))
        # Built-in constructors connect to nothing and write nothing; other plugins' might.
        if not found["problems"] and plugin.__module__.startswith(f"{GROUP}."):
            plugin(NOWHERE, NOWHERE, CHECK_DELAY_IN_FILES, None, **typed(plugin.schema, config))
    except OptionError as error:  # the constructor sees more than a schema can say
        found["problems"] = [(error.option, error.reason)]
    except PluginError as error:
        found["unusable"] = str(error)
    return found


def _own(
    plugin: type[CircusPlugin], own: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str, str]]:
    """Yield warnings about options that watchers have for the plugin: `flapping.window`.

    Other plugins may read such a key, so one that resembles none of this plugin's is ignored.
    """
    for watcher, options in own.items():
        for dotted, value in options.items():
            prefix, _, key = dotted.partition(".")
            try:
                if plugin.schema and plugin.name and prefix == plugin.name:
                    typed_value(plugin.schema, key, value)
            except OptionError as error:
                if key in plugin.schema or ";" in error.reason:
                    yield watcher, dotted, error.reason


if __name__ == "__main__":
    main()
