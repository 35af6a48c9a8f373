"""The secrets of a daemon: what `conceal` in a request hides in the answer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cvec_circus.options.known_secrets import KnownSecrets, secrets_in
from cvec_circus.options.typed import WatcherOptions

if TYPE_CHECKING:
    from cvec_circus.core.watcher import Watcher
    from cvec_circus.supervisor.compose import Desks, Loaded


class Secrets:
    """Knows the values of the watchers, the plugins and the daemon's own environment that may be
    secrets. Owned by the supervisor thread.

    It looks for them only when a request has `conceal`, and only in what is new since the last one.
    """

    def __init__(self, desks: Desks, loaded: Loaded) -> None:
        self._desks, self._loaded = desks, loaded
        self._of: dict[Watcher, tuple[WatcherOptions, frozenset[str]]] = {}
        self._former: frozenset[str] = frozenset()
        self._known = KnownSecrets(())

    def conceal(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return an answer without the values that are known to be secrets."""
        there = self._desks.roster.all_watchers()
        self._of = {watcher: self._own(watcher) for watcher in there}
        values = set[str]().union(*(found for _, found in self._of.values()))
        values.update(secrets_in("", os.environ), self._desks.variables.secrets())
        for plugin in self._loaded.configuration.plugins:
            values.update(secrets_in("", plugin.options))
        found = frozenset(values)
        if found != self._former:
            names = [*(one.name for one in there), *(one.name for one in self._desks.sockets)]
            self._former, self._known = found, KnownSecrets(found, names)
        hidden: dict[str, Any] = self._known.conceal(answer)
        return hidden

    def _own(self, watcher: Watcher) -> tuple[WatcherOptions, frozenset[str]]:
        kept = self._of.get(watcher)
        if kept is not None and kept[0] is watcher.options:
            return kept
        return watcher.options, frozenset(secrets_in("", dict(watcher.options)))
