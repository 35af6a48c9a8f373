"""What speaks against an order, before the roster gets it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cvec_circus import exc, logger
from cvec_circus.config.dependencies import folded_needs, need_option
from cvec_circus.core.watchers import Watchers
from cvec_circus.options.arbiter import check_size
from cvec_circus.options.doubts import doubts
from cvec_circus.options.needs import NEEDS, circle, circle_text
from cvec_circus.sockets.registry import references
from cvec_circus.wire.orders import Add, Order, Resize, SetOptions
from cvec_circus.wire.topics import fold


def check_size_of(order: Order, most: int) -> None:
    """Raise OptionError if an order wants more processes than `most`, which a watcher may have."""
    if isinstance(order, Resize):
        check_size(order.numprocesses, most)
    elif isinstance(order, SetOptions):
        check_size(order.options.get("numprocesses", 0), most)
    elif isinstance(order, Add):
        check_size(order.watcher.goal.numprocesses, most)


def check_circle(order: Add | SetOptions, roster: Watchers) -> None:
    """Raise OptionError if a watcher would wait for itself by an order."""
    watcher = order.watcher
    options = watcher.options
    if isinstance(order, SetOptions):
        if not any(order.options.get(key) for key in NEEDS):
            return
        options = options.replace(order.options)

    def needs(name: str) -> list[str]:
        other = roster.get(name)
        if name == fold(watcher.name):
            return folded_needs(options)
        return [] if other is None else folded_needs(other.options)

    if way := circle(fold(watcher.name), needs):
        raise exc.OptionError(need_option(options, way[1]), circle_text(way))


def doubt(order: Add | SetOptions, sockets: Callable[[], Sequence[dict[str, Any]]]) -> None:
    """Log what is doubtful about checks that an order gives; `sockets` returns those managed."""
    options = order.watcher.options
    if isinstance(order, SetOptions):
        if not any(name.startswith("ready") for name in order.options):
            return
        options = options.replace(order.options)
    if options.ready:
        for key, said in doubts(options, references(options), sockets()):
            logger.warning("%s: %s: %s", order.watcher.name, key, said)
