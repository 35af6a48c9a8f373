"""The watchers of an arbiter, as programs and hooks ask for them."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Mapping
from functools import partial
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Callable, Union

from cvec_circus import exc
from cvec_circus.compat.signatures import ARBITER_CALLS
from cvec_circus.config.configuration import PluginConfig, WatcherConfig
from cvec_circus.config.environment import with_named_env
from cvec_circus.config.readers.mapping import from_mappings
from cvec_circus.core import watcher as core
from cvec_circus.embedding.calls import ArbiterController, ArbiterLoop
from cvec_circus.embedding.hooked import HookedWatcher
from cvec_circus.embedding.mapped import MappedWatcher
from cvec_circus.embedding.promise import Promise
from cvec_circus.embedding.published import PublishedArbiter
from cvec_circus.embedding.reach import Reach
from cvec_circus.embedding.resources import Names, stop_all
from cvec_circus.embedding.watcher import Watcher
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.supervisor.supervisor import Supervisor
from cvec_circus.wire.topics import fold

if TYPE_CHECKING:
    from cvec_circus.supervisor.hook_calls import Caller

Described = Union[Mapping[str, Any], Watcher]
Choose = Callable[..., Iterable[Watcher]]
Sockets = Iterable[Union[Mapping[str, Any], CircusSocket]]


class Watchers(PublishedArbiter):
    """The watchers of an arbiter, by name. Safe from any thread.

    Before the start these are the watchers that it was made with, and those that were added; from
    the start to the end, those that it has at this moment, those of its plugins included.

    Attributes:
        loop: An `ArbiterLoop`, which calls functions on the supervisor thread.
        ctrl: An object with a `loop` that programs for Circus set, without effect.
    """

    _in_vain = ARBITER_CALLS
    _instead = (
        "commands and signals reach the supervisor directly; override start or stop, or write "
        "hooks or a plugin"
    )

    def __init__(
        self,
        watchers: Iterable[Described],
        plugins: Iterable[Mapping[str, Any]],
        sockets: Sockets,
        circus: dict[str, Any],
    ) -> None:
        self._reach = Reach(self)
        self.loop: Any = ArbiterLoop(self._reach)
        self.ctrl = ArbiterController(self.loop)
        self._calls: ArbiterLoop = self.loop
        self._described = list(watchers)
        self._plugins = list(plugins)
        self._sockets = list(sockets)
        self._circus = circus
        self._made: dict[int, MappedWatcher] = {}  # for each mapping, by its id
        self._configure()
        typed = self._configuration.circus
        self.endpoint: str = typed["endpoint"]
        self.pubsub_endpoint: str = typed["pubsub_endpoint"]
        self.stats_endpoint: str | None = typed["stats_endpoint"] if typed["statsd"] else None
        self.check_delay: float = typed["check_delay"]

    def _configure(self) -> None:
        """Make a configuration of the present descriptions."""
        self._configuration = from_mappings(
            [self._options_of(one) for one in self._described],
            self._plugins,
            [one for one in self._sockets if not isinstance(one, CircusSocket)],
            self._circus,
            [one.name for one in self._sockets if isinstance(one, CircusSocket)],
        )
        handles: dict[str, Watcher] = {}
        made: dict[int, MappedWatcher] = {}
        for one in self._configuration.plugins:
            handles[fold(one.name)] = Watcher.of(self._reach, one.name, one.options)
        for given, described in zip(self._described, self._configuration.watchers):
            if isinstance(given, Watcher):
                given.bind(self._reach)
                handles[fold(given.name)] = given
                continue
            mapped = self._made.get(id(given)) or MappedWatcher(described.name)
            mapped.bind(self._reach)
            mapped.describe(described.options)
            made[id(given)] = handles[fold(described.name)] = mapped
        self._handles = handles
        self._made = made

    def _options_of(self, given: Described) -> Mapping[str, Any]:
        """Return the options of a watcher; names in the environment of a mapping are replaced."""
        if isinstance(given, Watcher):
            return given.mapping()
        mapped = self._made.get(id(given))
        options = with_named_env(given)
        return options if mapped is None else {**options, **mapped.changes()}

    def _configured(self) -> list[WatcherConfig | PluginConfig]:
        return [*self._configuration.watchers, *self._configuration.plugins]

    # -- questions

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._reach.is_open

    @property
    def fqdn(self) -> str:
        """The name of this machine, after `fqdn_prefix` and an @ if there is one."""
        prefix = self._configuration.circus["fqdn_prefix"]
        return f"{prefix}@{socket.getfqdn()}" if prefix else socket.getfqdn()

    def _ensure_ioloop(self) -> ArbiterLoop:
        """Set `loop` anew where a program, as for Circus, has set it to None."""
        self.loop = self._calls
        return self._calls

    def ask(self, fn: Callable[..., Any], *args: Any, timeout: float | None = None) -> Any:
        """Call `fn(supervisor, *args)` on the supervisor thread, and return its result.

        Raises:
            SupervisorStopped: The arbiter is not running, or ends meanwhile.
        """
        return self._reach.ask(fn, *args, timeout=timeout)

    def statuses(self) -> dict[str, str]:
        """Return the state of each watcher by name."""
        try:
            found: dict[str, str] = self.ask(_statuses)
        except exc.SupervisorStopped:
            return dict.fromkeys(self._names(), "stopped")
        return found

    def _names(self, reverse: bool = True) -> list[str]:
        """List the names of all watchers by priority, and as they were given where that is equal.

        The highest is the first one, the last if not `reverse`.
        """
        try:
            found: list[tuple[int, str]] = self.ask(_priorities)
        except exc.SupervisorStopped:
            found = [(one.options["priority"], one.name) for one in self._configured()]
        found.sort(key=itemgetter(0), reverse=reverse)
        return [name for _, name in found]

    def numwatchers(self) -> int:
        """Return the number of watchers."""
        return len(self._names())

    def numprocesses(self) -> int:
        """Return the number of processes."""
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
        if handle is None:  # a client has added it
            handle = self._handles.setdefault(key, Watcher.of(self._reach, names[key]))
        return handle

    def iter_watchers(self, reverse: bool = True) -> list[Watcher]:
        """List every watcher, highest priority first; lowest first if not `reverse`."""
        found = []
        for name in self._names(reverse):
            with contextlib.suppress(KeyError):  # it was removed meanwhile
                found.append(self.get_watcher(name))
        return found

    @property
    def watchers(self) -> list[Watcher]:
        """Every watcher, highest priority first."""
        return self.iter_watchers()

    def facades(
        self, supervisor: Supervisor, subject: core.Watcher, caller: Caller
    ) -> tuple[HookedWatcher, Watchers]:
        """Make the `watcher` and `arbiter` that hooks get. Called on the thread of the hooks."""
        known = Watcher.of(self._reach, subject.name)
        handle = self._handles.setdefault(fold(subject.name), known)
        return HookedWatcher.made(handle, self._reach, subject, caller), self

    # -- orders

    def add_watcher(self, name: str, cmd: str, **options: Any) -> Watcher:
        """Add a watcher; `start_watcher` starts it, or the arbiter's own start.

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
            added = self._reach.order("add", name=name, cmd=cmd, options=given)
            if not self._reach.on_owner():
                added.result()  # the names of users are looked up on a thread for that first
            handle = Watcher.of(self._reach, name)
            self._handles[fold(name)] = handle
            return handle
        if fold(name) in self._handles:
            raise exc.AlreadyExist(f"{name!r} already exist")
        watcher = Watcher(name, cmd, **given)
        self._described.append(watcher)
        try:
            self._configure()
        except exc.ConfigError:
            self._described.remove(watcher)
            raise
        return watcher

    def rm_watcher(self, name: str, nostop: bool = False) -> Promise:
        """Remove a watcher, with its processes unless `nostop`.

        Raises:
            KeyError: There is none of that name; or, before the start, a plugin or a command
                without a name has brought it.
        """
        watcher = self.get_watcher(name)
        if self._reach.is_open:
            self._handles.pop(fold(name), None)
            return self._reach.order("rm", name=watcher.name, nostop=nostop, waiting=True)
        self._described.remove(self._description(name))
        self._configure()
        return Promise.kept(None)

    def _description(self, name: str) -> Described:
        for one in self._described:
            named = one.name if isinstance(one, Watcher) else one.get("name", "")
            if fold(str(named)) == fold(name):
                return one
        raise KeyError(f"{name} cannot be removed: no description has this name")

    def start_watcher(self, watcher: Watcher | str) -> Promise:
        """Start a watcher, given by its name or as it is; see `Watcher.start`."""
        return self.get_watcher(watcher if isinstance(watcher, str) else watcher.name).start()

    def start_watchers(self, watcher_iter_func: Choose | None = None) -> Promise:
        """Start every watcher that starts by itself. The result is that of `Watcher.start`.

        Args:
            watcher_iter_func: Called without arguments, or with `reverse` where everything is
                stopped; returns which watchers are meant. None for all.
        """
        return self._order_to("start", "info", watcher_iter_func)

    def stop_watchers(self, watcher_iter_func: Choose | None = None) -> Promise:
        """Stop every watcher, or those that a function chooses; the arbiter goes on."""
        return self._order_to("stop", "", watcher_iter_func, reverse=False)

    def restart(
        self, inside_circusd: bool = False, watcher_iter_func: Choose | None = None
    ) -> Promise:
        """Stop every watcher, or those that a function chooses, then start them.

        Args:
            inside_circusd: Without effect: no restart ends the process here.
            watcher_iter_func: See `start_watchers`.

        Returns:
            A promise; its result is that of `Watcher.restart`.
        """
        return self._order_to("restart", "info", watcher_iter_func)

    def _order_to(self, command: str, field: str, choose: Choose | None, **how: bool) -> Promise:
        """Give an order to all watchers, or to those that a function of the program returns."""
        if choose is None:
            return self._reach.order(command, field, waiting=True)
        names = [one.name for one in choose(**how) if command == "stop" or one.autostart]
        if not names:
            return Promise.kept(None)
        return self._reach.order(command, field, name=names, match="simple", waiting=True)

    def reload(self, graceful: bool = True, sequential: bool = False) -> Promise:
        """Replace every process; see `Watcher.reload`."""
        return self._reach.order(
            "reload", "info", graceful=graceful, sequential=sequential, waiting=True
        )

    def reload_from_config(
        self, config_file: str | None = None, inside_circusd: bool = False
    ) -> Promise:
        """Read a configuration file, and apply it as `reloadconfig` does.

        Without one it is the file that the arbiter was loaded from. `inside_circusd` has no effect.

        The watchers that the program has made count as the previous configuration: those that are
        not in the file are removed. The result is the plan that was carried out.
        """
        config_file = config_file or self.config_file
        if config_file is None:
            raise exc.ConfigError(["this arbiter was not loaded from a file: name one"])
        path = os.path.abspath(config_file)
        return self._reach.order("reloadconfig", "plan", path=path, waiting=True)

    def _before_reload(self, names: Names) -> list[Callable[[], Any]]:
        """Return the functions to call before these watchers, or all of them, are reloaded."""
        keys = list(self._handles) if names is None else [fold(name) for name in names]
        handles = [self._handles[key] for key in keys if key in self._handles]
        return [partial(w.prereload_fn, w) for w in handles if w.prereload_fn is not None]


class RunningArbiter(Watchers):
    """The daemon as the hooks of its watchers see it. Safe from any thread."""

    def __init__(self, supervisor: Supervisor) -> None:
        super().__init__((), (), (), {})
        self._configuration = supervisor.configuration
        self._reach.begin(supervisor, supervisor.loop.thread_id)
        self.endpoint = supervisor.control.address
        self.pubsub_endpoint = supervisor.events.address
        self.stats_endpoint = self._configuration.circus["stats_endpoint"]
        self.check_delay = self._configuration.circus["check_delay"]

    def stop(self) -> None:
        """Begin to stop everything; a hook cannot wait for the end, which waits for the hook."""
        self._reach.post(stop_all, self._reach.actor)

    def end(self) -> None:
        """Disconnect: the daemon has ended."""
        self._reach.end()


def _priorities(supervisor: Supervisor) -> list[tuple[int, str]]:
    """On the supervisor thread."""
    watchers = sorted(supervisor.roster.watchers(), key=attrgetter("place"))
    return [(watcher.options.priority, watcher.name) for watcher in watchers]


def _statuses(supervisor: Supervisor) -> dict[str, str]:
    """On the supervisor thread."""
    watchers = sorted(supervisor.roster.watchers(), key=attrgetter("place"))
    return {watcher.name: watcher.status for watcher in watchers}
