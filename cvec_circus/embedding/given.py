"""What an arbiter was made with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Union

from cvec_circus.config.configuration import Configuration
from cvec_circus.config.readers.mapping import from_mappings
from cvec_circus.embedding.watcher import Watcher
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.wire.topics import fold

Described = Union[Mapping[str, Any], Watcher]
Sockets = Iterable[Union[Mapping[str, Any], CircusSocket]]


class Given:
    """The watchers, plugins and sockets that a program has described, objects and mappings.

    Owned by whoever describes; an arbiter reads it when it is made and when it is started.

    Attributes:
        watchers: Watchers, and the options of others.
        sockets: The sockets that were given as objects.
        circus: The options of the daemon; None stands for "not given".
    """

    def __init__(
        self,
        watchers: Iterable[Described],
        plugins: Iterable[Mapping[str, Any]],
        sockets: Sockets,
        circus: dict[str, Any],
    ) -> None:
        self.watchers = list(watchers)
        self._plugins = list(plugins)
        all_sockets = list(sockets)
        self.sockets = [one for one in all_sockets if isinstance(one, CircusSocket)]
        self._described = [one for one in all_sockets if not isinstance(one, CircusSocket)]
        self.circus = circus

    def objects(self) -> list[Watcher]:
        """The watchers that were given as objects."""
        return [one for one in self.watchers if isinstance(one, Watcher)]

    def remove(self, name: str) -> None:
        """Forget a watcher that was given as an object, or as options with its name.

        Raises:
            KeyError: It is that of a plugin, or has its name from its command.
        """
        for one in self.watchers:
            named = one.name if isinstance(one, Watcher) else one.get("name", "")
            if fold(str(named)) == fold(name):
                self.watchers.remove(one)
                return
        raise KeyError(f"{name} has no description of its own")

    def configuration(self) -> Configuration:
        """Return what it comes to now.

        Raises:
            ConfigError: Everything that is wrong with it, a line each.
        """
        return from_mappings(
            [one.mapping() if isinstance(one, Watcher) else one for one in self.watchers],
            self._plugins,
            self._described,
            self.circus,
        )
