"""Who gave an order, as events, log lines and reasons name it.

======================================  =====================================================
``client``                              a client that does not say who it is
``client NAME``                         one that gives a name; a name proves nothing
``client NAME (pid 123, uid 1000)``     one on a unix socket: the kernel tells this
``plugin:NAME``                         a plugin; its runner gives this name
``hook:NAME``                           a hook of that name, while it runs
``program``                             the program that the daemon is embedded in
======================================  =====================================================
"""

from __future__ import annotations

import re
from typing import Any

from cvec_circus.exc import MessageError

PROGRAM = "program"
PLUGIN = "plugin:"

#: Characters that a name may have.
LONGEST_NAME = 80

# Compiled at its first use: the larger classes of this one take half a millisecond.
_UNPRINTABLE = "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"


def named(given: Any) -> str:
    """Take the name that a message gives its sender, in the key ``actor``.

    Raises:
        MessageError: It is no text, too long, or cannot be printed.
    """
    if given is None:
        return ""
    if not isinstance(given, str) or re.search(_UNPRINTABLE, given):
        raise MessageError("message invalid: actor: is not text that can be printed")
    if len(given) > LONGEST_NAME:
        raise MessageError(f"message invalid: actor: is longer than {LONGEST_NAME} characters")
    return given.strip()


def client(name: str, credentials: tuple[int, int] | None) -> str:
    """Name a client.

    Args:
        name: The name that it gives.
        credentials: Its pid and uid, if it is on a unix socket.
    """
    if name.startswith(PLUGIN):
        return name
    shown = f"client {name}" if name else "client"
    return shown if credentials is None else "{} (pid {}, uid {})".format(shown, *credentials)
