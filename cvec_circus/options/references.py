"""Which sockets a watcher refers to: by names in its command, and by `stdin_socket`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from cvec_circus.options.expand import names_in
from cvec_circus.options.nearest import did_you_mean

REFERRING = frozenset({"cmd", "args", "shell_args", "shell", "use_sockets", "stdin_socket"})
"""The options that decide which sockets those are."""

NO_SOCKET = "the command refers to no socket"
UNREACHABLE = "has so_reuseport, so no client can connect to it before there is a process"
"""What `on_demand` cannot be with."""


def command_texts(options: Mapping[str, Any]) -> list[str]:
    """Return what a command is made of, as it is written."""
    return [text for key in _command_keys(options) for text in texts(options[key])]


def texts(given: Any) -> list[str]:
    """Return the words of an option that may also be one string, which is not split."""
    return [given] if isinstance(given, str) else [str(word) for word in given or ()]


def sockets_in(text: str) -> list[str]:
    """Return the names of the sockets that a text refers to, as they are written."""
    names = (name.partition(".") for name in names_in(text))
    return [name for kind, _, name in names if kind.lower() == "sockets" and name]


def references(options: Mapping[str, Any]) -> set[str]:
    """Return the names, in lower case, of the sockets that the processes of a watcher get."""
    return {name.lower() for _, name in _references(options)}


def unknown_sockets(
    options: Mapping[str, Any], known: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield what refers to a socket that is not there, as pairs of key and text.

    Args:
        options: All options of a watcher.
        known: The names of the sockets, in lower case.
    """
    for key, name in dict.fromkeys(_references(options)):
        if name.lower() not in known:
            yield key, f"there is no [socket:{name}]{did_you_mean(name.lower(), known)}"


def _command_keys(options: Mapping[str, Any]) -> tuple[str, ...]:
    return ("cmd", "args", "shell_args") if options["shell"] else ("cmd", "args")


def _references(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the names of the sockets that the processes of a watcher get, each after its key."""
    for key in _command_keys(options) if options["use_sockets"] else ():
        for text in texts(options[key]):
            for name in sockets_in(text):
                yield key, name
    if options["stdin_socket"]:
        yield "stdin_socket", str(options["stdin_socket"])
