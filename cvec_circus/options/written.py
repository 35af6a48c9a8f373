"""The options of a watcher as plain JSON values, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus.options.typed import WatcherOptions
from cvec_circus.options.watcher import WATCHER_OPTIONS


def from_options(options: WatcherOptions) -> dict[str, Any]:
    """Return options in JSON's types, those alone that are not at their default."""
    defaults = WATCHER_OPTIONS.defaults()
    return plain({n: options[n] for n in options if options[n] != defaults.get(n)})


def to_options(state: Mapping[str, Any]) -> WatcherOptions:
    """Return the options that `from_options` wrote down."""
    return WatcherOptions({**WATCHER_OPTIONS.defaults(), **read(state)})


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return some options in JSON's types."""
    hooks = options.get("hooks")
    if not hooks:
        return dict(options)
    return {**options, "hooks": {name: hook and list(hook) for name, hook in hooks.items()}}


def read(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that `plain` wrote down."""
    hooks = state.get("hooks")
    if not hooks:
        return dict(state)
    made = {name: hook and tuple(hook) for name, hook in hooks.items()}
    return {**state, "hooks": WATCHER_OPTIONS.convert_one("hooks", made)}
