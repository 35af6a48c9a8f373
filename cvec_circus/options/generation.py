"""The options that a watcher's processes are spawned with, and how they changed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from cvec_circus.base.named import NamedTuple
from cvec_circus.options.checks import wants_watchdog
from cvec_circus.options.stream import STREAMS
from cvec_circus.options.typed import ROWS, WatcherOptions
from cvec_circus.options.watcher import WATCHER_OPTIONS, needs_fresh
from cvec_circus.wire.cause import Cause


class Generation(NamedTuple):
    """The options that processes are spawned with. Immutable.

    An order that needs fresh processes makes the next one. An option that counts at once, such as
    graceful_timeout, gives the generation other options under the same number.
    """

    number: int  # 1, 2, 3 ... in the life of the watcher
    options: WatcherOptions
    cause: Cause  # what made it


class Undo(NamedTuple):
    """The options before an order, to go back to. Immutable."""

    number: int  # of the generation
    last: int  # of the newest one that has the same options
    names: tuple[str, ...]  # those that the order has changed
    options: WatcherOptions
    configured: WatcherOptions  # as the configuration had them

    def merged(self, later: Undo) -> Undo:
        """Return the way back from a later order as well."""
        last = self.last if self.names else later.last
        names = tuple(dict.fromkeys((*self.names, *later.names)))
        return self._replace(last=last, names=names)

    def to_state(self) -> list[Any]:
        """Return all of it in JSON's types."""
        options, configured = written(self.options), written(self.configured)
        return [self.number, self.last, self.names, options, configured]

    @classmethod
    def restored(cls, state: Sequence[Any]) -> Undo:
        """Return what `to_state` has written."""
        number, last, names, options, configured = state
        return cls(number, last, tuple(names), read(options), read(configured))


class Settings:
    """The options of a watcher, and what the configuration gave it. Owned by the supervisor thread.

    What was set while the daemon runs stays when the configuration is read again, as long as the
    configuration says the same about it: so both values are kept.
    """

    generation: Generation  # the one that processes are spawned from
    newest: int  # the number of the newest one, which may have been taken back
    base: dict[str, Any] | None
    """What the configuration gave of the options that have other values now, by name; None for a
    freeform option that it did not give. None if there is no such option."""

    __slots__ = tuple(__annotations__)

    def __init__(self, generation: Generation, base: dict[str, Any] | None = None) -> None:
        self.generation = generation
        self.newest = generation.number
        self.base = base

    def change(self, options: Mapping[str, Any], dropped: Collection[str] = ()) -> list[str]:
        """Give options other values, under the same generation; return the names that differ.

        Args:
            options: The new values by name.
            dropped: Freeform options that the configuration no longer gives.
        """
        now = self.generation.options
        if not now.extra.keys().isdisjoint(dropped):
            now = now.replace({}, dropped=dropped)
        changed = [name for name in options if name not in now or now[name] != options[name]]
        if changed:
            self.base = {**{name: now.get(name) for name in changed}, **(self.base or {})}
            now = now.replace({name: options[name] for name in changed})
        self.generation = self.generation._replace(options=now)
        return changed

    def renew(self, cause: Cause) -> int:
        """Make the next generation, of the options of now, and return its number."""
        self.newest += 1
        self.generation = self.generation._replace(number=self.newest, cause=cause)
        return self.newest

    def undo_nothing(self) -> Undo:
        """Return the way back from an order that has changed no option."""
        number, options, _ = self.generation
        return Undo(number, number, (), options, self.configured())

    def undo(self, undo: Undo) -> None:
        """Go back to the generation of before."""
        now, configured = self.generation.options, self.configured()
        options = _restored(now, undo.options, undo.names)
        self.generation = self.generation._replace(number=undo.number, options=options)
        self.rebase(_restored(configured, undo.configured, undo.names))

    def configured(self) -> WatcherOptions:
        """Return the options as the configuration has them, whatever was changed since."""
        base = self.base
        if not base:
            return self.generation.options
        absent = [name for name in base if name not in ROWS and base[name] is None]
        given = {name: base[name] for name in base if name not in absent}
        return self.generation.options.replace(given, dropped=absent)

    def rebase(self, configured: Mapping[str, Any]) -> None:
        """Set what the configuration has from now on."""
        now = self.generation.options
        names = {**now, **configured}
        differ = {n: configured.get(n) for n in names if now.get(n) != configured.get(n)}
        self.base = differ or None

    def to_state(self) -> list[Any]:
        """Return all of it in JSON's types."""
        number, options, cause = self.generation
        base = self.base and _plain(self.base)
        return [number, written(options), cause, base, self.newest]

    @classmethod
    def restored(cls, state: Sequence[Any]) -> Settings:
        """Return the settings that `to_state` has written."""
        number, options, cause, base, newest = state
        settings = cls(Generation(number, read(options), Cause(*cause)), base and _read(base))
        settings.newest = newest
        return settings


def _restored(now: WatcherOptions, before: WatcherOptions, names: Sequence[str]) -> WatcherOptions:
    """Return options with the values of before for some names."""
    there = {name: before[name] for name in names if name in before}
    return now.replace(there, dropped=[name for name in names if name not in before])


def written(options: WatcherOptions) -> dict[str, Any]:
    """Return options in JSON's types, those that are not at their default."""
    return _plain(options.given())


def read(state: Mapping[str, Any]) -> WatcherOptions:
    """Return the options that `written` has made of them."""
    return WatcherOptions(_read(state))


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options in JSON's types."""
    plain = dict(options)
    for family in PLAIN:
        if plain.get(family):
            plain[family] = {n: one and PLAIN[family](one) for n, one in plain[family].items()}
    return plain


def _read(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that `_plain` has written."""
    families = [family for family in PLAIN if state.get(family)]
    return {**state, **{f: WATCHER_OPTIONS.convert_one(f, state[f]) for f in families}}


PLAIN: dict[str, Callable[[Any], Any]] = {"hooks": list, "ready": str, "live": str}
"""The options whose values are not of JSON's types, with what writes one part of each."""


def asked_of(options: WatcherOptions) -> int:
    """Return what is expected of a process from its start on, in bits: that it becomes ready, that
    it says WATCHDOG=1."""
    return bool(options.ready) + 2 * bool(options.live and wants_watchdog(options.live))


def digest(options: WatcherOptions) -> str:
    """Return a digest of what needs fresh processes when it changes."""
    state = {name: value for name, value in written(options).items() if needs_fresh(name)}
    state.update((name, True) for name in STREAMS if name in state)
    text = json.dumps(state, sort_keys=True).encode()
    return f"{zlib.crc32(text):08x}{len(text):x}"
