"""What is to be done so that what is there becomes what a file says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cvec_circus import exc
from cvec_circus.base.loop import Loop
from cvec_circus.config.configuration import Configuration, Origin
from cvec_circus.config.diff import FAILED, FINISHED, IDLE, STOPPED, UP, Present, Running, compare
from cvec_circus.config.plan import ADD, REMOVE, Plan
from cvec_circus.config.socket_diff import Exchange, Held, exchange
from cvec_circus.core.converge import THE_END
from cvec_circus.core.roster import Roster
from cvec_circus.core.watcher import Watcher
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.sockets.registry import SocketRegistry, references
from cvec_circus.supervisor.chores import Chore
from cvec_circus.supervisor.helpers import Helpers
from cvec_circus.wire.topics import fold


class World(NamedTuple):
    """What a reload works on. Owned by the supervisor thread.

    Attributes:
        loop, chores, roster, sockets, helpers: The supervisor's.
        configuration: Returns what is loaded now.
        adopt: Takes over what is loaded from now on.
        origin: Where the configuration comes from.
    """

    loop: Loop
    chores: Chore
    roster: Roster
    sockets: SocketRegistry
    helpers: Helpers
    configuration: Callable[[], Configuration]
    adopt: Callable[[Configuration, Plan], None]
    origin: Origin


class Planned(NamedTuple):
    """What a configuration comes to, given what is there. Immutable.

    Attributes:
        plan: All of it.
        exchange: What becomes of the sockets.
        held: The sockets that the numbers in that mean.
        new: Those that it needs beside these, not bound.
    """

    plan: Plan
    exchange: Exchange
    held: list[CircusSocket]
    new: list[CircusSocket]


def plan(world: World, wanted: Configuration) -> Planned:
    """Returns what is to be done. Called on the supervisor thread; nothing is changed.

    Raises:
        ConfigError: Something is missing in the configuration.
    """
    loaded = world.configuration()
    held = [*world.sockets, *world.sockets.leaving]
    names = {one.name.lower() for one in loaded.sockets}
    leaving = set(world.sockets.leaving)
    there = [Held(s.name, s.options(), s.name.lower() in names, s in leaving) for s in held]
    sockets = [CircusSocket(name=one.name, **one.options) for one in wanted.sockets]
    exchanged = exchange(there, {one.name: one.options() for one in sockets})

    def other_sockets(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
        renewed = references(before) & references(after) & exchanged.renewed.keys()
        return ", ".join(exchanged.renewed[name] for name in sorted(renewed))

    files = {fold(one.name) for one in loaded.watchers}
    watchers = world.roster.watchers()
    present = Present(
        loaded.circus,
        [_running(w, fold(w.name) in files) for w in watchers if not w.kind.is_helper],
        loaded.plugins,
        {w.name: standing(w) for w in watchers if w.kind.is_helper},
        world.origin.path is not None,
        world.origin.set_level is not None,
    )
    made = compare(present, wanted, exchanged.steps, other_sockets)
    _refuse_missing(made, wanted, present, set(exchanged.numbers))
    _refuse_taken(made, world.roster)
    new = [one for one in sockets if exchanged.numbers[one.name.lower()] is None]
    return Planned(made, exchanged, held, new)


def standing(watcher: Watcher) -> str:
    """Where a watcher stands, in the words of `config.diff`."""
    goal = watcher.goal
    if goal.up:
        return UP
    if goal.word == "giveup":
        return FAILED
    if goal.word == THE_END:
        return FINISHED
    return STOPPED if goal.word else IDLE


def _running(watcher: Watcher, is_loaded: bool) -> Running:
    loaded = watcher.settings.configured() if is_loaded else None
    return Running(watcher.name, watcher.options, loaded, standing(watcher))


def _refuse_taken(made: Plan, roster: Roster) -> None:
    """Refuses a plan that adds what has the name of somebody who stays: of a watcher called like a
    plugin, say."""
    steps = [*made.watchers, *made.plugins]
    gone = {fold(step.name) for step in steps if step.action == REMOVE}
    added = [step.name for step in steps if step.action == ADD]
    problems = [
        f"{name}: there is another one of that name, which was added at run time"
        for name in added
        if fold(name) not in gone and roster.get(name) is not None
    ]
    if problems:
        raise exc.ConfigError(problems)


def _refuse_missing(made: Plan, wanted: Configuration, present: Present, sockets: set[str]) -> None:
    """Refuses a plan after which a watcher has no socket that it names."""
    sections = {fold(one.name): one.section for one in wanted.watchers}
    after = {fold(one.name): (one.name, one.options) for one in present.watchers}
    for step in made.watchers:  # a removal comes before an addition
        if step.target is None:
            after.pop(fold(step.name), None)
        else:
            after[fold(step.name)] = (step.name, step.target.options)
    problems = []
    for key, (name, options) in sorted(after.items()):
        for missing in sorted(references(options) - sockets):
            place = sections[key].place("cmd") if key in sections else None
            text = f"[watcher:{name}] there is no [socket:{missing}], which it needs"
            problems.append(f"{place}: {text}" if place else text)
    if problems:
        raise exc.ConfigError(problems)
