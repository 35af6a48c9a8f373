"""The paths that names have in Circus: where each is here, for modules that are asked for one.

A module at an old path has what is its own; what Circus' module of that name imports from another
one is found here, and so is what is gone.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import PathFinder
from typing import Any, NoReturn

PACKAGE = "cvec_circus"

_LOGGER = {"": "logger"}
_ENDPOINTS = "DEFAULT_ENDPOINT_DEALER DEFAULT_ENDPOINT_SUB"

ELSEWHERE: dict[str, dict[str, str]] = {
    "arbiter": {
        **_LOGGER,
        "config": "get_config",
        "controller": "Controller",
        "exc": "AlreadyExist",
        "plugins": "get_plugin_cmd",
        "sockets": "CircusSocket CircusSockets",
        "util": "DictDiffer IS_WINDOWS debuglog parse_env_dict synchronized tornado_sleep",
        "watcher": "Watcher",
    },
    "circusctl": {
        "": "__version__",
        "client": "CircusClient",
        "commands": "get_commands",
        "consumer": "CircusConsumer",
        "exc": "ArgumentError CallError",
        "util": _ENDPOINTS,
    },
    "circusd": {
        "": "__version__ logger",
        "arbiter": "Arbiter",
        "config": "get_config",
        "pidfile": "Pidfile",
        "util": "LOG_LEVELS MAXFD REDIRECT_TO check_future_exception_and_log configure_logger",
    },
    "client": {
        "compat.messages": "cast_message make_json make_message",
        "exc": "CallError",
        "util": "get_connection to_bytes",
    },
    "commands": {"compat.messages": "error ok"},
    "commands.base": {"commands": "get_commands", "compat.messages": "error ok"},
    "config": {
        **_LOGGER,
        "compat.config": "get_config rlimit_value watcher_defaults",
        "util": f"{_ENDPOINTS} DEFAULT_ENDPOINT_MULTICAST DEFAULT_ENDPOINT_STATS"
        " StrictConfigParser replace_gnu_args to_bool to_signum",
    },
    "consumer": {"util": "get_connection to_bytes"},
    "controller": {
        **_LOGGER,
        "commands": "error get_commands ok",
        "exc": "ConflictError MessageError",
        "sighandler": "SysHandler",
        "util": "AsyncPeriodicCallback check_future_exception_and_log create_udp_socket to_uid",
    },
    "plugins": {
        "": "__version__ logger",
        "client": "cast_message make_message",
        "runtime.coroutines": "AsyncPeriodicCallback",  # not before it is asked for: asyncio
        "runtime.runner": "main",
        "util": f"{_ENDPOINTS} configure_logger debuglog get_connection resolve_name to_bool"
        " to_bytes to_str",
    },
    "process": {
        **_LOGGER,
        "sockets": "CircusSocket",
        "util": "IS_WINDOWS ObjectDict debuglog get_default_gid get_info get_username_from_uid"
        " get_working_dir replace_gnu_args to_gid to_uid",
    },
    "sighandler": {**_LOGGER, "client": "make_json", "util": "IS_WINDOWS"},
    "sockets": {
        **_LOGGER,
        "sockets.managed": "CircusSocket",
        "sockets.named": "CircusSockets",
        "util": "to_bool",
    },
    "stats": {
        "": "__version__ logger",
        "stats.program": "main",
        "sighandler": "SysHandler",
        "stats.streamer": "StatsStreamer",
        "util": "configure_logger",
    },
    "stats.client": {"top.main": "main"},
    "stream": {
        "stream.own": "Empty Queue",
        "stream.redirector": "Redirector",
        "util": "resolve_name to_str",
    },
    "util": {
        **_LOGGER,
        "exc": "ConflictError",
        "runtime.coroutines": "AsyncPeriodicCallback",
    },
    "watcher": {
        **_LOGGER,
        "process": "DEAD_OR_ZOMBIE Process UNEXISTING",
        "stream": "get_stream",
        "stream.redirector": "Redirector",
        "util": "IS_WINDOWS parse_env_dict resolve_name tornado_sleep",
    },
}
"""By module, what it has from which other one. Named without the package, "" for that itself."""


def find(module: str, name: str) -> Any:
    """Return what a module at an old path has under a name, beside what is its own.

    Args:
        module: Its full name.
        name: The name that is asked for.

    Raises:
        AttributeError: Circus' module has no such name either.
    """
    if name == "__all__":
        own = vars(sys.modules[module])
        return [*others(module), *(one for one in own if not one.startswith("_"))]
    place = module[len(PACKAGE) + 1 :]
    for home, names in ELSEWHERE.get(place, {}).items():
        if name in names.split():
            where = f"{PACKAGE}.{home}" if home else PACKAGE
            if name == "main":
                return ending(where)
            return getattr(importlib.import_module(where), name)
    row = None
    if name != "__path__" and not _is_module(module, name):
        from cvec_circus.compat import gone  # only now: a table of hundreds of rows

        row = gone.find(place, name)
    if row is None:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    return gone.Name(row, name)


def _is_module(package: str, name: str) -> bool:
    """Tell whether a package has a module of that name, which each import of it asks for first."""
    path = getattr(sys.modules[package], "__path__", None)
    return path is not None and PathFinder.find_spec(f"{package}.{name}", path) is not None


def others(module: str) -> list[str]:
    """List the names that Circus' module has, and that are not a module's own: for `__all__`."""
    from cvec_circus.compat import gone

    place = module[len(PACKAGE) + 1 :]
    found = [name for names in ELSEWHERE.get(place, {}).values() for name in names.split()]
    return [*found, *gone.names_of(place)]


def finder(module: str) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module at an old path; `find` does its work."""

    def find_in(name: str) -> Any:
        return find(module, name)

    return find_in


def ending(home: str) -> Callable[..., NoReturn]:
    """Return the `main` of a program that ends the process, as those of Circus' modules do.

    Args:
        home: The module whose `main` returns the exit code; imported by the first call.
    """

    def main(argv: Sequence[str] | None = None) -> NoReturn:
        """Run the program, by default with the arguments of the process; raises SystemExit."""
        sys.exit(importlib.import_module(home).main(argv))

    return main
