"""Watchers that a program describes by mappings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus.embedding.watcher import Fields, Watcher


class MappedWatcher(Watcher):
    """The object of a watcher that the arbiter was given a mapping of. Safe from any thread.

    Before the start it shows the options of the mapping; what the program sets then counts, too.
    """

    def __init__(self, name: str) -> None:
        """Make it; `describe` gives it its options."""
        super().__init__(name, "")
        self._set: Fields = {}
        self._taken: Mapping[str, Any] = {}

    def describe(self, options: Mapping[str, Any]) -> None:
        """Take the typed options of the arbiter's configuration."""
        self._given, self._taken = dict(options), options
        self._env = dict(options["env"])

    def changes(self) -> Fields:
        """Return the options that the program has set."""
        now = {**self._given, "env": self._env}
        self._set.update({key: now[key] for key in now if self._taken.get(key) != now[key]})
        return self._set
