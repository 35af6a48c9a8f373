"""What a socket needs of this machine: for those that open one, and those that only ask."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping
from typing import Any

from cvec_circus.options.endpoint import why_too_long
from cvec_circus.system.paths import why_no_socket

_ASIDE = frozenset({errno.EPERM, errno.EACCES, errno.EADDRINUSE, errno.EMFILE, errno.ENFILE})
"""What another user, or another moment, may change."""


def resolve(host: str | None, port: int | None, family: int) -> Any:
    """Return the first address of a host. It may wait for a name server.

    Raises:
        OSError, UnicodeError: It has none; the latter is for a label of 64 letters.
    """
    # The address is the same for every type, and resolvers do not know all of them.
    kind, flags = socket.SOCK_STREAM, socket.AI_PASSIVE
    return socket.getaddrinfo(host or None, port, family, kind, 0, flags)[0][4]


def bind_to_device(opened: socket.socket, interface: str) -> None:
    """Bind a socket to a network device. Raises OSError if the system refuses."""
    device = os.fsencode(interface) + b"\0"
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device)


def why_not(options: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return why this machine cannot have a managed socket, for any user and at any time.

    It may wait for a name server. A port or path that is in use counts as free.

    Args:
        options: All options of the socket.

    Returns:
        The option that has to change, and the reason; None if there is none.
    """
    path = options["path"]
    family = socket.AF_UNIX if path else getattr(socket, options["family"])
    try:
        trial = socket.socket(family, getattr(socket, options["type"]), options["proto"])
    except OSError as error:
        if error.errno in _ASIDE:
            return None
        key = "family" if error.errno == errno.EAFNOSUPPORT else "type"
        key = "proto" if key == "type" and options["proto"] else key
        kind = f"{family.name} with {options['type']} and protocol {options['proto']}"
        return key, f"this machine has no {kind}: {error.strerror}"
    with trial:
        if path:
            whole = os.path.abspath(path)
            if reason := why_too_long(whole):
                return "path", f"{whole} has {reason}"
            reason = why_no_socket(whole)
            return ("path", reason) if reason else None
        return _why_not_there(trial, options)


def _why_not_there(trial: socket.socket, options: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return why a socket cannot be bound to its device and host; any port will do."""
    interface, host = options["interface"], options["host"]
    key, said = "interface", f"there is no network device {interface}"
    try:
        if interface:
            bind_to_device(trial, interface)
        key, said = "host", f"cannot resolve {host}"
        address = resolve(host, 0, trial.family)
        said = f"{host} is no address of this machine"
        trial.bind(address)
    except UnicodeError as error:
        return key, f"{said}: {error}"
    except OSError as error:
        if error.errno == errno.ENODEV:
            return key, f"{said}; there is {', '.join(name for _, name in socket.if_nameindex())}"
        return None if error.errno in _ASIDE else (key, f"{said}: {error.strerror}")
    return None
