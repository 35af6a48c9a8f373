"""Admission: which orders that change options, or sizes, are taken.

What a configuration is refused for as a whole, an order is refused for too: that depends on the
other watchers, on the sockets, or on the options of the daemon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cvec_circus import exc, logger
from cvec_circus.config.dependencies import folded_needs, need_option
from cvec_circus.core.roster import Roster
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.arbiter import check_size
from cvec_circus.options.doubts import doubts
from cvec_circus.options.needs import NEEDS, circle, circle_text
from cvec_circus.options.references import REFERRING, references, unknown_sockets
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.wire.orders import Add, Configure, Order, Resize, SetOptions
from cvec_circus.wire.topics import fold

Sockets = Callable[[], Iterable[Mapping[str, Any]]]


def admit(order: Order, roster: Roster, sockets: Sockets, most: int) -> None:
    """Refuse an order that cannot hold, and log what is doubtful. On the supervisor thread.

    Args:
        roster: All watchers.
        sockets: Returns the managed sockets, as `doubts` wants them.
        most: How many processes a watcher may have.

    Raises:
        OptionError: By it a watcher would have more processes than that, wait for itself, or refer
            to a socket that is not there.
        MessageError: By one of several orders as one; it names the watcher.
    """
    if isinstance(order, Configure):
        for one in order.orders:
            try:
                admit(one, roster, sockets, most)
            except exc.OptionError as problem:
                raise exc.MessageError(f"{one.watcher.name}: {problem}") from None
    elif isinstance(order, Resize):
        check_size(order.numprocesses, most)
    elif isinstance(order, SetOptions):
        check_size(order.options.get("numprocesses", 0), most)
        changed = order.options
        _admit(order.watcher, order.watcher.options.replace(changed), changed, roster, sockets)
    elif isinstance(order, Add):
        check_size(order.watcher.goal.numprocesses, most)
        _admit(order.watcher, order.watcher.options, order.watcher.options, roster, sockets)


def _admit(
    watcher: Watcher,
    options: WatcherOptions,
    changed: Mapping[str, Any],
    roster: Roster,
    sockets: Sockets,
) -> None:
    if any(changed.get(key) for key in NEEDS):
        _check_circle(watcher, options, roster)
    if not changed.keys().isdisjoint(REFERRING):
        known = {str(one["name"]).lower() for one in sockets()}
        unknown = next(unknown_sockets(options, known), None)
        if unknown is not None:
            raise exc.OptionError(*unknown)
    if options.ready and any(name.startswith("ready") for name in changed):
        for key, said in doubts(options, references(options), sockets()):
            logger.warning("%s: %s: %s", watcher.name, key, said)


def _check_circle(watcher: Watcher, options: WatcherOptions, roster: Roster) -> None:
    def needs(name: str) -> list[str]:
        other = roster.get(name)
        if name == fold(watcher.name):
            return folded_needs(options)
        return [] if other is None else folded_needs(other.options)

    if way := circle(fold(watcher.name), needs):
        raise exc.OptionError(need_option(options, way[1]), circle_text(way))
