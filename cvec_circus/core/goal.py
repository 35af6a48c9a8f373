"""What is wanted of a watcher: its goal, the generations its processes are made from, and the
rollout that replaces one generation by the next."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, NamedTuple

from cvec_circus.options.typed import ROWS, WatcherOptions
from cvec_circus.wire.cause import NONE, Cause


class Goal(NamedTuple):
    """What is wanted. Immutable: each order makes a new one."""

    numprocesses: int  # how many processes it is to have when it is up
    up: bool = False
    generation: int = 1  # the oldest that will do: a process from an older one is stale
    cycle: bool = False  # it has to be down once before it is up again: a restart
    cause: Cause = NONE  # who or what last decided whether it is to be up
    size_cause: Cause = NONE  # likewise, how many processes it is to have
    word: str = ""  # for the last order: "start", "stop" ...; "" before the first
    patience: float | None = None  # seconds until SIGKILL at most; the end of the daemon sets it
    mute: bool = False  # no hook is asked any more, because there is no time for it

    def ordered(self, word: str, cause: Cause, up: bool, cycle: bool = False) -> Goal:
        """Return the goal after an order that decides whether the watcher is to run."""
        goes_on = up and self.up and not (cycle or self.cycle)
        size_cause = self.size_cause if goes_on else cause
        return self._replace(word=word, cause=cause, size_cause=size_cause, up=up, cycle=cycle)


class Generation(NamedTuple):
    """The options that processes are spawned with. Immutable.

    An order that needs fresh processes makes the next one. An option that counts at once, such as
    graceful_timeout, gives the generation other options under the same number.
    """

    number: int  # 1, 2, 3 ... in the life of the watcher
    options: WatcherOptions
    cause: Cause  # what made it


class Settings:
    """The options of a watcher, and what the configuration gave it. Owned by the supervisor thread.

    What was set while the daemon runs stays when the configuration is read again, as long as the
    configuration says the same about it: so both values are kept.
    """

    generation: Generation  # the newest one, which processes are spawned from
    base: dict[str, Any] | None
    """What the configuration gave and is not so any more, by name; None stands for a freeform
    option that it did not give. None where there is nothing of that kind."""

    __slots__ = tuple(__annotations__)

    def __init__(self, generation: Generation, base: dict[str, Any] | None = None) -> None:
        self.generation = generation
        self.base = base

    def change(self, options: Mapping[str, Any]) -> list[str]:
        """Give options other values, under the same generation; return the names that differ."""
        now = self.generation.options
        changed = [name for name in options if name not in now or now[name] != options[name]]
        if changed:
            self.base = {**{name: now.get(name) for name in changed}, **(self.base or {})}
            self._take(now.replace({name: options[name] for name in changed}))
        return changed

    def drop(self, names: frozenset[str]) -> None:
        """Take freeform options away, which the configuration no longer gives."""
        now = self.generation.options
        if not names.isdisjoint(now.extra):
            self._take(now.replace({}, dropped=names))

    def _take(self, options: WatcherOptions) -> None:
        self.generation = self.generation._replace(options=options)

    def configured(self) -> WatcherOptions:
        """Return the options as the configuration has them, whatever was changed since."""
        base = self.base
        if not base:
            return self.generation.options
        absent = [name for name in base if name not in ROWS and base[name] is None]
        given = {name: base[name] for name in base if name not in absent}
        return self.generation.options.replace(given, dropped=absent)

    def rebase(self, configured: Mapping[str, Any]) -> None:
        """Note what the configuration has from now on."""
        now = self.generation.options
        names = {**now, **configured}
        differ = {n: configured.get(n) for n in names if now.get(n) != configured.get(n)}
        self.base = differ or None


class Strategy(enum.Enum):
    """In which order a rollout replaces processes. Immutable."""

    SURGE = "surge"
    """Every successor starts beside the old processes, which stop when all successors run."""

    RECREATE = "recreate"
    """One old process stops, its successor starts, and so on with the next."""


class Rollout(NamedTuple):
    """The rollout that is under way. Immutable: an order that comes meanwhile makes a new one.

    A rollout that is asked for while another one is under way begins when that one has ended, and
    all that are asked for meanwhile are one. Otherwise a storm of reloads would have as many
    generations running side by side.
    """

    cause: Cause  # what ordered it
    strategy: Strategy
    then: Cause | None = None  # what ordered the rollout that follows it
