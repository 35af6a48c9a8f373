"""Names in option values: `$(circus.NAME)` and, for shells that expand `$`, `((circus.NAME))`.

Names match in any case, and an unknown one stays as it is written. A replacement is not expanded
again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_NAME = re.compile(r"\$\(circus\.([^()]+)\)|\(\(circus\.([^()]+)\)\)", re.IGNORECASE)


def expand(text: str, values: Mapping[str, str]) -> str:
    """Return text with the names in it replaced.

    Args:
        text: An option's value, or one word of it.
        values: What each name stands for, under its lower-case name: "wid", "env.path".
    """
    if not has_names(text):
        return text
    return _NAME.sub(lambda found: values.get((found[1] or found[2]).lower(), found[0]), text)


def names_in(text: str) -> list[str]:
    """Return the names in a text as they are written, without the "circus." before them."""
    return [dollar or brackets for dollar, brackets in _NAME.findall(text)]


def has_names(text: str) -> bool:
    """Return whether a text can have a name in it."""
    return "circus." in text.lower()


def env_values(env: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables under the names that they are written with: "env.path"."""
    return {f"env.{name.lower()}": value for name, value in env.items()}


def watcher_values(
    options: Mapping[str, Any],
    env: Mapping[str, str],
    sockets: Mapping[str, int],
    **own: Any,
) -> dict[str, str]:
    """Return what the names in a watcher's command stand for.

    Args:
        options: The watcher's full options; each goes under its own name.
        env: The environment of the process.
        sockets: The file descriptors of the daemon's sockets by their names.
        own: What belongs to this process alone: `name`, `wid`.
    """
    values = {name.lower(): str(value) for name, value in options.items()}
    values.update(env_values(env))
    values.update({f"sockets.{name.lower()}": str(fd) for name, fd in sockets.items()})
    values.update({name: str(value) for name, value in own.items()})
    return values
