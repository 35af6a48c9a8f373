"""The options of a plugin: a `[plugin:NAME]` section.

A plugin runs as a watcher, so the options of a watcher can stand in its section too. All others are
the plugin's own: they reach its constructor as they are written.
"""

from __future__ import annotations

from cvec_circus.options.option import Option
from cvec_circus.options.watcher import WATCHER_OPTIONS, WatcherTable

_OF_THE_RUNNER = frozenset(
    "cmd args shell shell_args executable env numprocesses singleton use_sockets".split()
)
"""The daemon decides these itself; in a plugin's section they are the plugin's own."""

PLUGIN_OPTIONS = WatcherTable(
    [
        Option(
            "use",
            "text",
            None,
            "The full name of the plugin's class, such as `myproject.plugins.Logger`, or the short"
            " name of one that is installed, such as `flapping`. Mandatory.",
            live=False,
        ),
        Option("active", "boolean", True, "Whether the plugin runs at all.", live=False),
        *(option for option in WATCHER_OPTIONS if option.name not in _OF_THE_RUNNER),
    ]
)
"""What has a meaning to the daemon in a plugin's section."""

PLUGIN_WATCHER_DEFAULTS = {"singleton": True, "priority": 1, "copy_env": True}
"""Where the watcher of a plugin differs from others."""
