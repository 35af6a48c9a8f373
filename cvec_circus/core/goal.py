"""What is wanted of a watcher: its goal, and the generations its processes are made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from cvec_circus.options.typed import ROWS, WatcherOptions
from cvec_circus.wire.cause import NONE, Cause


class Goal(NamedTuple):
    """What is wanted. Immutable: each order makes a new one.

    Attributes:
        up: Whether the watcher is to run.
        numprocesses: How many processes it is to have when it is up.
        generation: The number of the oldest generation that will do; a process from an older one
            is stale.
        cycle: Whether it has to be down once before it is up again: a restart.
        cause: Who or what last decided whether it is to be up.
        size_cause: Who or what last decided how many processes it is to have.
        word: The word for the last order: "start", "stop" ...; "" before the first.
        patience: Seconds that a process has at most until SIGKILL; None for its own
            graceful_timeout. The end of the daemon sets it.
        mute: Whether no hook is asked any more, because there is no time for it.
    """

    numprocesses: int
    up: bool = False
    generation: int = 1
    cycle: bool = False
    cause: Cause = NONE
    size_cause: Cause = NONE
    word: str = ""
    patience: float | None = None
    mute: bool = False

    def ordered(self, word: str, cause: Cause, up: bool, cycle: bool = False) -> Goal:
        """Return the goal after an order that decides whether the watcher is to run."""
        goes_on = up and self.up and not (cycle or self.cycle)
        size_cause = self.size_cause if goes_on else cause
        return self._replace(word=word, cause=cause, size_cause=size_cause, up=up, cycle=cycle)

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Goal:
        """Return the goal that was written down."""
        causes = {name: Cause.restored(state[name]) for name in ("cause", "size_cause")}
        return cls(**{**state, **causes})


class Generation(NamedTuple):
    """The options that processes are spawned with. Immutable.

    An order that needs fresh processes makes the next one. An option that counts at once, such as
    graceful_timeout, gives the generation other options under the same number.

    Attributes:
        number: 1, 2, 3 ... in the life of the watcher.
        options: All of them.
        cause: What made it.
    """

    number: int
    options: WatcherOptions
    cause: Cause


class Settings:
    """The options of a watcher, and what the configuration gave it. Owned by the supervisor thread.

    What was set while the daemon runs stays when the configuration is read again, as long as the
    configuration says the same about it: so both values are kept.

    Attributes:
        generation: The newest one, which processes are spawned from.
        base: What the configuration gave and is not so any more, by name; None stands for a
            freeform option that it did not give. None where there is nothing of that kind.
    """

    __slots__ = ("base", "generation")

    def __init__(self, generation: Generation, base: dict[str, Any] | None = None) -> None:
        self.generation = generation
        self.base = base

    @property
    def options(self) -> WatcherOptions:
        """The options of now."""
        return self.generation.options

    def change(self, options: Mapping[str, Any]) -> list[str]:
        """Give options other values, under the same generation; return the names that differ."""
        now = self.options
        changed = [name for name in options if name not in now or now[name] != options[name]]
        if not changed:
            return []
        base = self.base or {}
        for name in changed:
            base.setdefault(name, now.get(name))
        self.base = base
        new = now.replace({name: options[name] for name in changed})
        self.generation = self.generation._replace(options=new)
        return changed

    def drop(self, names: frozenset[str]) -> None:
        """Take freeform options away, which the configuration no longer gives."""
        if not names.isdisjoint(self.options.extra):
            new = self.options.replace({}, dropped=names)
            self.generation = self.generation._replace(options=new)

    def configured(self) -> WatcherOptions:
        """Return the options as the configuration has them, whatever was changed since."""
        base = self.base or {}
        absent = [name for name in base if name not in ROWS and base[name] is None]
        given = {name: base[name] for name in base if name not in absent}
        return self.options.replace(given, dropped=absent)

    def rebase(self, configured: Mapping[str, Any]) -> None:
        """Note what the configuration has from now on."""
        now = self.options
        names = {**now, **configured}
        differ = {n: configured.get(n) for n in names if now.get(n) != configured.get(n)}
        self.base = differ or None

    def renew(self, cause: Cause) -> int:
        """Make the next generation, of the same options, and return its number."""
        number = self.generation.number + 1
        self.generation = Generation(number, self.options, cause)
        return number
