"""From a configuration that was read to what runs: a plan, and how it is carried out.

Sockets come first, which may fail, then the watchers, which cannot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cvec_circus import exc
from cvec_circus.base.named import NamedTuple
from cvec_circus.config.configuration import Configuration
from cvec_circus.config.dependencies import folded_needs, need_option
from cvec_circus.config.diff import FAILED, FINISHED, IDLE, STOPPED, UP, Present, Running, compare
from cvec_circus.config.plan import (
    ADD,
    CHANGE,
    REMOVE,
    REPLACE,
    START,
    STOP,
    Options,
    Plan,
    Step,
)
from cvec_circus.config.socket_diff import Exchange, Held, exchange
from cvec_circus.core.goal import THE_END
from cvec_circus.core.life import WAITING
from cvec_circus.core.roster import Roster
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.needs import circle, circle_text, knotted
from cvec_circus.options.references import references, unknown_sockets
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.sockets.registry import Newcomers
from cvec_circus.supervisor.answers.verdicts import RECONFIGURED
from cvec_circus.supervisor.compose import Desks, Loaded
from cvec_circus.supervisor.departures import Departures
from cvec_circus.supervisor.helper_rows import Plugin
from cvec_circus.supervisor.helpers import Helpers
from cvec_circus.wire import orders
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.topics import fold

CAUSE = Cause(RECONFIGURED, "file")


class Planned(NamedTuple):
    """What a configuration comes to, given what is there. Immutable.

    Attributes:
        plan: All of it.
        exchange: What becomes of the sockets.
        held: The sockets that the numbers in `exchange` mean.
        new: Those that it needs beside these, not bound.
    """

    plan: Plan
    exchange: Exchange
    held: list[CircusSocket]
    new: list[CircusSocket]


def plan(desks: Desks, loaded: Loaded, wanted: Configuration, departures: Departures) -> Planned:
    """Return the plan for a configuration. Called on the supervisor thread; nothing is changed.

    Raises:
        ConfigError: Something is missing in the configuration.
    """
    now, origin = loaded.configuration, loaded.origin
    leaving = set(desks.sockets.leaving)
    held = [*desks.sockets, *desks.sockets.leaving]
    names = {one.name.lower() for one in now.sockets}
    there = [Held(s.name, s.options(), s.name.lower() in names, s in leaving) for s in held]
    sockets = [CircusSocket(name=one.name, **one.options) for one in wanted.sockets]
    exchanged = exchange(there, {one.name: one.options() for one in sockets})

    def other_sockets(running: Running, after: Mapping[str, Any]) -> str:
        watcher = desks.roster.get(running.name)
        assert watcher is not None
        found = []
        for name in sorted(references(running.options) & references(after)):
            number = exchanged.numbers.get(name)
            if number is not None or name in exchanged.renewed:
                comes = None if number is None else held[number]
                why = exchanged.renewed.get(name, "")
                found.append(departures.why_replaced(watcher, name, comes, why))
        return ", ".join(filter(None, found))

    files = {fold(one.name) for one in now.watchers}
    watchers = desks.roster.watchers()
    present = Present(
        now.circus,
        [running(w, fold(w.name) in files) for w in watchers if not w.kind.is_helper],
        now.plugins,
        {w.name: standing(w) for w in watchers if w.kind.is_helper},
        origin.path is not None,
        origin.set_level is not None,
    )
    made = compare(present, wanted, exchanged.steps, other_sockets)
    after = _after(made, present)
    problems = _missing(after, wanted, set(exchanged.numbers)) or _taken(made, desks.roster)
    problems += _circles(after, wanted)
    if problems:
        raise exc.ConfigError(problems)
    new = [one for one in sockets if exchanged.numbers[one.name.lower()] is None]
    return Planned(made, exchanged, held, new)


def standing(watcher: Watcher) -> str:
    """Return where a watcher stands, in the words of `config.diff`."""
    goal = watcher.goal
    if goal.up:
        return UP
    if goal.word == "giveup":
        return FAILED
    if goal.word == THE_END:
        return FINISHED
    return STOPPED if goal.word else IDLE


def running(watcher: Watcher, is_loaded: bool) -> Running:
    """Return a watcher as `config.diff` sees it; of a loaded one, with what was loaded."""
    loaded = watcher.settings.configured() if is_loaded else None
    stands = standing(watcher), watcher.life is WAITING, watcher.is_outdated
    return Running(watcher.name, watcher.options, loaded, *stands)


def is_applied(step: Step, watcher: Watcher | None) -> bool:
    """Tell whether a watcher keeps what a step has given it although the order failed for it: the
    processes of a job have failed, say, and no rollback takes the options back."""
    if step.target is None or watcher is None:
        return False
    rollout, failed = watcher.rollout, watcher.failed
    if (rollout is not None and rollout.way_back) or (failed is not None and not failed.is_over):
        return False
    return watcher.settings.configured() == step.target.loaded


def _taken(made: Plan, roster: Roster) -> list[str]:
    """Name what a plan adds under the name of a watcher that stays, of that of a plugin, say."""
    steps = [*made.watchers, *made.plugins]
    gone = {fold(step.name) for step in steps if step.action == REMOVE}
    added = [step.name for step in steps if step.action == ADD]
    return [
        f"{name}: there is another one of that name, which was added at run time"
        for name in added
        if fold(name) not in gone and roster.get(name) is not None
    ]


After = Mapping[str, tuple[str, Options]]
"""The name and the options of each watcher after a plan, by its folded name."""


def _after(made: Plan, present: Present) -> After:
    after = {fold(one.name): (one.name, one.options) for one in present.watchers}
    for step in made.watchers:  # a removal comes before an addition
        if step.target is None:
            after.pop(fold(step.name), None)
        else:
            after[fold(step.name)] = (step.name, step.target.options)
    return after


def _circles(after: After, wanted: Configuration) -> list[str]:
    """Name a circle of what the file says and what was added at run time."""
    sections = {fold(one.name): one.section for one in wanted.watchers}
    needs = {key: folded_needs(options) for key, (_, options) in after.items()}
    for key in sorted(knotted(needs) & sections.keys()):
        if way := circle(key, lambda name: needs.get(name, ())):
            name, options = after[key]
            option = need_option(options, way[1])
            text = circle_text([after[one][0] for one in way])
            return [f"{sections[key].place(option)}: [watcher:{name}] {option}: {text}"]
    return []


def _missing(after: After, wanted: Configuration, sockets: set[str]) -> list[str]:
    """Name the sockets that watchers name and that are not there after a plan."""
    sections = {fold(one.name): one.section for one in wanted.watchers}
    problems = []
    for key, (name, options) in sorted(after.items()):
        for option, said in unknown_sockets(options, sockets):
            place = sections[key].place(option) if key in sections else None
            text = f"[watcher:{name}] {option}: {said}"
            problems.append(f"{place}: {text}" if place else text)
    return problems


class Application:
    """One plan that is carried out. Owned by the supervisor thread.

    Args:
        plan: It.
        wanted: The configuration that it leads to.

    Attributes:
        cause: What has ordered it.
    """

    def __init__(self, plan: Plan, wanted: Configuration, roster: Roster, helpers: Helpers) -> None:
        self._plan, self.cause = plan, CAUSE
        self._wanted = wanted
        self._roster = roster
        self._helpers = helpers
        self._plugins = {plugin.name: plugin for plugin in wanted.plugins}

    def exchange_sockets(
        self, planned: Planned, newcomers: Newcomers, departures: Departures
    ) -> None:
        """Change the sockets as planned.

        Args:
            planned: What happens to them.
            newcomers: The new sockets, bound.
            departures: Takes those that go.

        Raises:
            SocketError: One cannot be changed. Then all are as before, and the new ones are closed.
        """
        new = {managed.name.lower(): managed for managed in newcomers.sockets}
        after = [
            (key, new[key] if number is None else planned.held[number])
            for key, number in planned.exchange.numbers.items()
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
        there_before, comes = {one.name.lower(): one for one in departures.sockets}, dict(after)
        for name, why in planned.exchange.renewed.items():
            watchers = self._roster.all_watchers()
            departures.renew(name, there_before[name], comes[name], why, watchers)
        there = {managed for _, managed in after}
        for managed in list(departures.sockets):
            if managed not in there:
                departures.add(managed, self._roster.all_watchers(), self._counting())
        for key, managed in after:
            departures.take_back(managed)
            if key in wanted:
                managed.name = wanted[key].name
        departures.sockets.exchange(managed for _, managed in after)

    def order(self) -> orders.Configure:
        """Return what is wanted of the watchers; nothing of it can fail."""
        steps = [*self._plan.watchers, *self._plan.plugins]
        made: list[orders.Order] = [
            orders.Remove(self._there(step), self.cause) for step in steps if step.action == REMOVE
        ]
        bases: list[tuple[Watcher, Mapping[str, Any]]] = []
        starts: list[Watcher] = []
        for step in steps:
            if step.action == CHANGE:
                watcher = self._there(step)
                made += self._change(step, watcher)
                if step.name not in self._plugins:
                    assert step.target is not None
                    bases.append((watcher, step.target.loaded))
                if step.processes == START and not watcher.goal.up:
                    starts.append(watcher)  # one that waits starts when nothing holds it
        for step in steps:
            if step.action == ADD:
                watcher = self._new(step)
                made.append(orders.Add(watcher, self.cause))
                if step.processes == START:
                    starts.append(watcher)
        counting = self._counting()
        has_others = any(step.action != CHANGE for step in self._plan.sockets)
        if counting is not None and counting.is_running and has_others:
            made.append(orders.Reload([counting], self.cause))  # it gets the sockets at its start
        if starts:
            made.append(orders.Start(starts, self.cause, beside=True))
        touched = {fold(step.name) for step in steps if not step.is_idle}
        watchers = self._roster.watchers()
        settled = [one for one in watchers if one.failed and fold(one.name) not in touched]
        joined = [one for one in watchers if fold(one.name) not in touched and _is_made_so(one)]
        return orders.Configure(made, bases, self.cause, settled, joined)

    def _counting(self) -> Watcher | None:
        """Return the watcher of the statistics, which has every socket; None without one."""
        return next((w for w, one in self._helpers.rows.items() if one.has_sockets), None)

    def _there(self, step: Step) -> Watcher:
        watcher = self._roster.get(step.name)
        assert watcher is not None
        return watcher

    def _new(self, step: Step) -> Watcher:
        assert step.target is not None
        if step.name in self._plugins:
            return self._helpers.add(Plugin(self._plugins[step.name], self._helpers.events))
        return Watcher(step.name, WatcherOptions(step.target.options))

    def _change(self, step: Step, watcher: Watcher) -> Iterator[orders.Order]:
        """Say what is wanted of a watcher that is there already."""
        if step.name in self._plugins:
            helper = self._helpers.rows[watcher]
            assert isinstance(helper, Plugin)
            helper.config = self._plugins[step.name]
            options: Mapping[str, Any] = helper.options
        else:
            assert step.target is not None
            if step.is_idle:
                return
            options = step.target.options
        if step.processes == STOP:
            # First, so that nothing is replaced that goes anyway.
            yield orders.Stop([watcher], self.cause)
        dropped = frozenset(watcher.options.keys() - options.keys())
        yield orders.SetOptions(watcher, options, self.cause, step.processes == REPLACE, dropped)


def _is_made_so(watcher: Watcher) -> bool:
    """Tell whether a rollout is under way whose failure takes back what a configuration says."""
    if watcher.rollout is None:
        return False
    wanted, before = watcher.settings.configured(), watcher.rollout.undo.configured
    return any(wanted.get(name) != before.get(name) for name in watcher.at_stake())
