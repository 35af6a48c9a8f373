"""A plan becomes true: sockets first, which may fail, then the watchers, which cannot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cvec_circus import exc
from cvec_circus.config.configuration import Configuration, PluginConfig
from cvec_circus.config.plan import ADD, CHANGE, REMOVE, REPLACE, START, STOP, Plan, Step
from cvec_circus.config.socket_diff import Exchange
from cvec_circus.core.process import ManagedProcess, ProcessState
from cvec_circus.core.roster import Roster
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.sockets.registry import Newcomers, SocketRegistry, references
from cvec_circus.supervisor.helpers import Helpers
from cvec_circus.supervisor.plugins import Plugin
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import (
    Add,
    Configure,
    Order,
    Reload,
    Remove,
    SetOptions,
    Start,
    Stop,
)

CAUSE = Cause("command:reloadconfig", "file")


class Departures:
    """Sockets that are closed when the processes that serve them are gone.

    Owned by the supervisor thread. Connections that wait in their backlogs are served till then.

    Args:
        sockets: The registry, which closes what is left at the end.
    """

    def __init__(self, sockets: SocketRegistry) -> None:
        self._sockets = sockets
        self._serving: dict[CircusSocket, list[ManagedProcess]] = {}

    def add(
        self, managed: CircusSocket, watchers: Iterable[Watcher], on_all: Watcher | None
    ) -> None:
        """One is to go; `on_all` is who has every socket."""
        name = managed.name.lower()
        users = [w for w in watchers if w is on_all or name in references(w.options)]
        self._serving[managed] = [
            process for watcher in users for process in watcher.places.spawned()
        ]
        self._sockets.leaving.append(managed)

    def take_back(self, managed: CircusSocket) -> None:
        """One stays after all."""
        if self._serving.pop(managed, None) is not None:
            self._sockets.leaving.remove(managed)

    def look(self) -> None:
        """Closes those whose time has come."""
        for managed, processes in list(self._serving.items()):
            if all(process.state is ProcessState.REMOVED for process in processes):
                self.take_back(managed)
                managed.close()


class Application:
    """One plan that is carried out. Owned by the supervisor thread.

    Args:
        plan: It.
        wanted: The configuration that it leads to.
        roster: The watchers.
        helpers: What plugins get.
    """

    def __init__(self, plan: Plan, wanted: Configuration, roster: Roster, helpers: Helpers) -> None:
        self._plan = plan
        self._wanted = wanted
        self._roster = roster
        self._helpers = helpers

    def exchange_sockets(
        self,
        exchange: Exchange,
        held: Sequence[CircusSocket],
        newcomers: Newcomers,
        departures: Departures,
        sockets: SocketRegistry,
    ) -> None:
        """Has the sockets be as they are to be.

        Args:
            exchange: What is to be done.
            held: The sockets that the numbers in it mean.
            newcomers: Those that it needs beside these, bound.
            departures: Takes those that go.
            sockets: The registry.

        Raises:
            SocketError: One cannot be changed. Then all are as before, and those are closed.
        """
        new = {managed.name.lower(): managed for managed in newcomers.sockets}
        after = [
            (key, new[key] if number is None else held[number])
            for key, number in exchange.numbers.items()
        ]
        wanted = {one.name.lower(): one for one in self._wanted.sockets}
        tuned: list[tuple[CircusSocket, Mapping[str, Any]]] = []
        try:
            for key, managed in after:
                if key in wanted and key not in new:
                    tuned.append((managed, managed.options()))
                    managed.retune(wanted[key].options)
        except exc.SocketError:
            for managed, before in reversed(tuned):
                managed.retune(before)
            newcomers.abandon()
            raise
        newcomers.settle()
        there = {managed for _, managed in after}
        for managed in list(sockets):
            if managed not in there:
                departures.add(managed, self._roster.all_watchers(), self._counting())
        for key, managed in after:
            departures.take_back(managed)
            if key in wanted:
                managed.name = wanted[key].name
        sockets.exchange(managed for _, managed in after)

    def order(self) -> Configure:
        """Return what is wanted of the watchers; nothing of it can fail."""
        plugins = {plugin.name: plugin for plugin in self._wanted.plugins}
        steps = [*self._plan.watchers, *self._plan.plugins]
        orders: list[Order] = []
        bases: list[tuple[Watcher, Mapping[str, Any]]] = []
        starts: list[Watcher] = []
        for step in steps:
            if step.action == REMOVE:
                orders.append(Remove(self._there(step), CAUSE))
        for step in steps:
            if step.action == CHANGE:
                orders += self._change(step, plugins, starts)
                if step.name not in plugins:
                    assert step.target is not None
                    bases.append((self._there(step), step.target.loaded))
        for step in steps:
            if step.action == ADD:
                watcher = self._new(step, plugins)
                orders.append(Add(watcher, CAUSE))
                if step.processes == START:
                    starts.append(watcher)
        orders += self._recount()
        if starts:
            orders.append(Start(starts, CAUSE, beside=True))
        return Configure(orders, bases, CAUSE)

    def _recount(self) -> Iterator[Order]:
        """Give the process of the statistics the sockets that were not there at its start."""
        counting = self._counting()
        has_others = any(step.action != CHANGE for step in self._plan.sockets)
        if counting is not None and counting.is_running and has_others:
            yield Reload([counting], CAUSE)

    def _counting(self) -> Watcher | None:
        """Return the watcher of the statistics, which has every socket; None without one."""
        return next(iter(self._helpers.with_sockets()), None)

    def _there(self, step: Step) -> Watcher:
        watcher = self._roster.get(step.name)
        assert watcher is not None
        return watcher

    def _new(self, step: Step, plugins: Mapping[str, PluginConfig]) -> Watcher:
        assert step.target is not None
        if step.name in plugins:
            return self._helpers.add(Plugin(plugins[step.name], self._helpers.events))
        return Watcher(step.name, WatcherOptions(step.target.options))

    def _change(
        self, step: Step, plugins: Mapping[str, PluginConfig], starts: list[Watcher]
    ) -> Iterator[Order]:
        """Say what is wanted of a watcher that is there already."""
        watcher = self._there(step)
        if step.name in plugins:
            helper = self._helpers.of(watcher)
            assert isinstance(helper, Plugin)
            helper.config = plugins[step.name]
            options: Mapping[str, Any] = helper.options
        else:
            assert step.target is not None
            if step.is_idle:
                return
            options = step.target.options
        if step.processes == STOP:
            # First, so that nothing is replaced that goes anyway.
            yield Stop([watcher], CAUSE)
        dropped = frozenset(watcher.options.keys() - options.keys())
        yield SetOptions(watcher, options, CAUSE, step.processes == REPLACE, dropped)
        if step.processes == START:
            starts.append(watcher)
