"""The watchers of an arbiter, as the program that embeds it asks for them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Callable

from cvec_circus import exc
from cvec_circus.config.configuration import PluginConfig, WatcherConfig
from cvec_circus.embedding import snapshot
from cvec_circus.embedding.given import Described, Given, Sockets
from cvec_circus.embedding.prereload import Names
from cvec_circus.embedding.promise import Promise
from cvec_circus.embedding.reach import Reach
from cvec_circus.embedding.watcher import Watcher
from cvec_circus.wire.topics import fold


class Watchers:
    """The watchers of an arbiter, by name. Safe from any thread.

    Before the start these are the watchers that it was made with, and those that were added; from
    the start to the end, those that it has in this moment, those of its plugins included.
    """

    def __init__(
        self,
        watchers: Iterable[Described],
        plugins: Iterable[Mapping[str, Any]],
        sockets: Sockets,
        circus: dict[str, Any],
    ) -> None:
        self._reach = Reach()
        self._given = Given(watchers, plugins, sockets, circus)
        self._handles: dict[str, Watcher] = {}
        self._configure()

    def _configure(self) -> None:
        """Find out what the descriptions come to now."""
        self._configuration = self._given.configuration()
        handles = {}
        for one in self._configured():
            handles[fold(one.name)] = Watcher.of(self._reach, one.name, one.options)
        for given in self._given.objects():
            given.bind(self._reach)
            handles[fold(given.name)] = given
        self._handles = handles

    def _configured(self) -> list[WatcherConfig | PluginConfig]:
        return [*self._configuration.watchers, *self._configuration.plugins]

    # -- questions

    def ask(self, fn: Callable[..., Any], *args: Any, timeout: float | None = None) -> Any:
        """Call `fn(supervisor, *args)` on the supervisor thread and return what it returns.

        Raises:
            SupervisorStopped: It is not running, or has ended meanwhile.
        """
        return self._reach.ask(fn, *args, timeout=timeout)

    def statuses(self) -> dict[str, str]:
        """The state of each watcher by name."""
        found: dict[str, str] = self.ask(snapshot.states)
        return found

    def _names(self) -> list[str]:
        """The names of all watchers, those of a higher priority first."""
        try:
            found: list[str] = self.ask(snapshot.names)
        except exc.SupervisorStopped:
            configured = self._configured()
            configured.sort(key=lambda one: (-one.options["priority"], one.name))
            return [one.name for one in configured]
        return found

    def numwatchers(self) -> int:
        """How many watchers there are."""
        return len(self._names())

    def numprocesses(self) -> int:
        """How many processes there are."""
        return sum(len(watcher) for watcher in self.iter_watchers())

    def get_watcher(self, name: str) -> Watcher:
        """Return the watcher of that name, in any case.

        Raises:
            KeyError: There is none.
        """
        key = fold(name)
        names = {fold(known): known for known in self._names()}
        if key not in names:
            raise KeyError(f"program {name} not found")
        handle = self._handles.get(key)
        if handle is None:  # somebody has added it while we run
            handle = self._handles.setdefault(key, Watcher.of(self._reach, names[key]))
        return handle

    def iter_watchers(self, reverse: bool = True) -> Iterator[Watcher]:
        """Yield every watcher, those of a higher priority first; last, if not `reverse`."""
        names = self._names()
        for name in names if reverse else reversed(names):
            try:
                yield self.get_watcher(name)
            except KeyError:
                continue  # it was removed meanwhile

    @property
    def watchers(self) -> list[Watcher]:
        """Every watcher, those of a higher priority first."""
        return list(self.iter_watchers())

    # -- orders

    def add_watcher(self, name: str, cmd: str, **options: Any) -> Watcher:
        """Add a watcher, which `start_watcher` starts; before the arbiter's start, that does.

        Args:
            name: Its name.
            cmd: Its command.
            **options: Its other options.

        Raises:
            AlreadyExist: There is one of that name.
            CircusError: An option does not take the value.
        """
        given = {key: value for key, value in options.items() if value is not None}
        if self._reach.is_open:
            self._reach.order("add", _nothing, name=name, cmd=cmd, options=given)
            handle = Watcher.of(self._reach, name)
            self._handles[fold(name)] = handle
            return handle
        if fold(name) in self._handles:
            raise exc.AlreadyExist(f"{name!r} already exist")
        watcher = Watcher(name, cmd, **given)
        self._given.watchers.append(watcher)
        try:
            self._configure()
        except exc.ConfigError:
            self._given.watchers.remove(watcher)
            raise
        return watcher

    def rm_watcher(self, name: str, nostop: bool = False) -> Promise:
        """Remove a watcher, with its processes unless `nostop`.

        Raises:
            KeyError: There is none of that name.
        """
        watcher = self.get_watcher(name)
        if self._reach.is_open:
            self._handles.pop(fold(name), None)
            return self._reach.order("rm", _nothing, name=watcher.name, nostop=nostop, waiting=True)
        self._given.remove(name)
        self._configure()
        removed = Promise()
        removed.keep(None)
        return removed

    def start_watcher(self, watcher: Watcher | str) -> Promise:
        """Start a watcher, given by its name or as it is; see `Watcher.start`."""
        return self.get_watcher(watcher if isinstance(watcher, str) else watcher.name).start()

    def start_watchers(self) -> Promise:
        """Start every watcher that starts by itself. The result is as that of `Watcher.start`."""
        return self._reach.order("start", _info, waiting=True)

    def stop_watchers(self) -> Promise:
        """Stop every watcher; the arbiter goes on."""
        return self._reach.order("stop", _nothing, waiting=True)

    def restart(self) -> Promise:
        """Stop every watcher, then start them. The result is as that of `Watcher.restart`."""
        return self._reach.order("restart", _info, waiting=True)

    def reload(self, graceful: bool = True, sequential: bool = False) -> Promise:
        """Replace every process; see `Watcher.reload`."""
        return self._reach.order(
            "reload", _info, graceful=graceful, sequential=sequential, waiting=True
        )

    def reload_from_config(self, config_file: str) -> Promise:
        """Read a configuration file, and have everything become what it says: see `reloadconfig`.

        What the program itself has made counts as the configuration of before: watchers that it was
        made with and that are not in the file are removed.

        Args:
            config_file: The file.

        Returns:
            A promise whose result is the plan that was carried out.
        """
        path = os.path.abspath(config_file)
        return self._reach.order("reloadconfig", _plan, path=path, waiting=True)

    def _before_reload(self, names: Names) -> list[Callable[[], Any]]:
        """What is to be called before these watchers, or all of them, are reloaded."""
        keys = list(self._handles) if names is None else [fold(name) for name in names]
        handles = [self._handles[key] for key in keys if key in self._handles]
        return [partial(w.prereload_fn, w) for w in handles if w.prereload_fn is not None]


def _nothing(fields: dict[str, Any]) -> None:
    """The reply has nothing that the order's giver wants."""


def _plan(fields: dict[str, Any]) -> Any:
    return fields["plan"]


def _info(fields: dict[str, Any]) -> Any:
    return fields["info"]
