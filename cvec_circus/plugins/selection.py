"""Which events a plugin tells of: by the watcher's name and by what happened."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from cvec_circus.exc import OptionError
from cvec_circus.options.nearest import did_you_mean
from cvec_circus.plugins.plugin import CircusPlugin

SELECTION = {"watchers": "list(default=list('*'))", "actions": "list(default=list('*'))"}
"""What a schema has for a selection."""

ACTIONS = (
    "add backoff giveup hook_failure hook_success kill reap reload remove spawn start stop updated"
).split()


class Selection:
    """Picks events by patterns such as ``web*``. Immutable.

    A pattern with ``!`` before it leaves out what it fits.
    """

    def __init__(self, watchers: Sequence[str], actions: Sequence[str]) -> None:
        """Take the patterns; raises OptionError for one that fits no action."""
        self._watchers = [pattern.lower() for pattern in watchers]
        self._actions = [pattern.lower() for pattern in actions]
        for pattern in self._actions:
            if not any(fnmatchcase(action, pattern.lstrip("!")) for action in ACTIONS):
                near = did_you_mean(pattern, ACTIONS)
                raise OptionError("actions", f"{pattern!r} is no action{near}")

    def takes(self, watcher: str, action: str) -> bool:
        """Tell whether an event is one of them."""
        return _fits(watcher.lower(), self._watchers) and _fits(action, self._actions)

    def record(self, data: tuple[bytes, bytes]) -> dict[str, Any] | None:
        """Return all that an event tells in one mapping, None if it is not one of them."""
        topic, payload = data
        name, action, _ = CircusPlugin.split_data(data)
        event = CircusPlugin.load_message(payload)
        watcher = event.get("watcher", name)
        if not self.takes(watcher, action):
            return None
        told = {"time": event.get("time"), "watcher": watcher, "action": action}
        return {**told, "topic": topic.decode("utf-8", "replace"), **event}


def _fits(text: str, patterns: Sequence[str]) -> bool:
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    if any(fnmatchcase(text, pattern) for pattern in unwanted):
        return False
    return not wanted or any(fnmatchcase(text, pattern) for pattern in wanted)
