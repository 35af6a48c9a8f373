"""What programs for Circus ask an arbiter for, beside its watchers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cvec_circus import exc
from cvec_circus.compat.config import get_config
from cvec_circus.compat.members import Members
from cvec_circus.embedding.calls import OWN_LOOP
from cvec_circus.embedding.watcher import Watcher
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.sockets.named import CircusSockets

if TYPE_CHECKING:
    from cvec_circus.config.configuration import Configuration
    from cvec_circus.embedding.reach import Reach
    from cvec_circus.supervisor.supervisor import Supervisor

_NOT_GIVEN = ("loglevel", "logoutput")
"""Options that an arbiter does not have unless they are given: without them it opens no log."""


class PublishedArbiter(Members):
    """The options and the sockets of an arbiter. Safe from any thread.

    Each option of the `[circus]` section is an attribute, such as `pidfile` and `loggerconfig`.

    Attributes:
        config_file: The file that it was loaded from; None for none.
        ssh_server: None; an arbiter opens no tunnels.
    """

    _circus_class = "arbiter.Arbiter"
    config_file: str | None = None
    ssh_server = None
    _restarting = False  # programs that do what Circus' daemon does read it after the end
    stats_endpoint: str | None
    _reach: Reach
    _configuration: Configuration
    _circus: dict[str, Any]
    _sockets: list[Mapping[str, Any] | CircusSocket]

    @classmethod
    def load_from_config(cls, config_file: str, loop: None = None) -> Any:
        """Make an arbiter of a configuration file. It may block: files are read.

        Args:
            config_file: The main file.
            loop: None; an arbiter takes no other loop.

        Returns:
            An arbiter, of this class, not started.

        Raises:
            ConfigError: The file cannot be used; it lists all problems, a line each.
            TypeError: A loop was given.
        """
        if loop is not None:
            raise TypeError(OWN_LOOP)
        config = get_config(config_file)
        watchers = [Watcher.load_from_config(one) for one in config.pop("watchers")]
        given = {key: value for key, value in config.items() if value is not None}
        stats_endpoint = given["stats_endpoint"]
        if not given["statsd"]:
            del given["stats_endpoint"]  # which would imply it
        arbiter = cls(watchers, given.pop("endpoint"), given.pop("pubsub_endpoint"), **given)  # type: ignore[call-arg]
        arbiter.stats_endpoint = stats_endpoint
        arbiter.config_file = os.path.abspath(config_file)
        return arbiter

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Return the value of an option of the daemon."""
            configuration = vars(self).get("_configuration")
            if configuration is not None and name in configuration.circus:
                is_open = name not in _NOT_GIVEN or name in self._circus
                return configuration.circus[name] if is_open else None
            return super().__getattr__(name)

    @property
    def pid(self) -> int:
        """The process that it runs in."""
        return os.getpid()

    @property
    def sockets(self) -> CircusSockets:
        """Its listening sockets by name: while it runs those that are open, which it owns."""
        try:
            found: list[CircusSocket] = self._reach.ask(_sockets)
        except exc.SupervisorStopped:
            found = [one for one in self._sockets if isinstance(one, CircusSocket)]
            described = self._configuration.sockets
            found += [CircusSocket(name=one.name, **one.options) for one in described]
        return CircusSockets(found)

    def get_socket(self, name: str) -> CircusSocket | None:
        """Return the socket of that name, in any case; None if there is none."""
        return next(
            (one for one in self.sockets.values() if one.name.lower() == name.lower()), None
        )


def _sockets(supervisor: Supervisor) -> list[CircusSocket]:
    """On the supervisor thread."""
    return list(supervisor.desks.sockets)
