"""The selection of watchers and events for a plugin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from cvec_circus.exc import OptionError
from cvec_circus.options.nearest import did_you_mean
from cvec_circus.plugins import CircusPlugin
from cvec_circus.runtime.statistics import WATCHER as STATISTICS

SELECTION = {"watchers": "list(default=list('*'))", "actions": "list(default=list('*'))"}
"""The options of a schema for a selection."""

ACTIONS = (
    "add adopted backoff check giveup hook_failure hook_success kill ready reap reload remove "
    "rollback signal spawn start stop unready updated upgraded"
).split()


class Selection:
    """Picks events by patterns such as ``web*``; ``!web*`` excludes. Immutable."""

    def __init__(self, watchers: Sequence[str], actions: Sequence[str]) -> None:
        """Take the patterns; raises OptionError for one that matches no action."""
        self._watchers = [pattern.lower() for pattern in watchers]
        self._actions = [pattern.lower() for pattern in actions]
        for pattern in self._actions:
            if not any(fnmatchcase(action, pattern.lstrip("!")) for action in ACTIONS):
                near = did_you_mean(pattern, ACTIONS)
                raise OptionError("actions", f"{pattern!r} is not an action{near}")

    def takes(self, event: Mapping[str, Any]) -> bool:
        """Tell whether an event is selected."""
        watcher, action = event["watcher"].lower(), event["action"]
        return _fits(watcher, self._watchers) and _fits(action, self._actions)

    @staticmethod
    def record(data: tuple[bytes, bytes]) -> dict[str, Any]:
        """Return an event as one mapping."""
        name, action, payload = CircusPlugin.split_data(data)
        event = CircusPlugin.load_message(payload)
        head = {"time": event.get("time"), "watcher": event.get("watcher", name), "action": action}
        return {**head, "topic": data[0].decode("utf-8", "replace"), **event}


def is_own(plugin: CircusPlugin, name: str) -> bool:
    """Tell a plugin whether a watcher is the daemon's own: a plugin, or the statistics.

    Those that a program has made may have any name, and are there before all others.
    """
    folded = name.lower()
    return folded.startswith("plugin:") or folded in {STATISTICS, *plugin._life.helpers}


def _fits(text: str, patterns: Sequence[str]) -> bool:
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    if any(fnmatchcase(text, pattern) for pattern in unwanted):
        return False
    return not wanted or any(fnmatchcase(text, pattern) for pattern in wanted)
