"""Restrictions on clients where `endpoint_owner` gives the endpoint to another user."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Callable

from cvec_circus.exc import MessageError
from cvec_circus.options.kinds import to_account
from cvec_circus.options.stream import STREAMS
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.system.accounts import Account, known, look_up

Guard = Callable[[str, Mapping[str, Any]], None]

REFUSED = "uid does not match endpoint_owner"
"""Circus' text."""

INSIDE = "hooks and custom stream classes run inside the daemon: endpoint_owner may not set them"

GROUP = "gid must be a group of endpoint_owner"
"""As group root, shadow or docker, a user can do much of what root can."""

FILES = "the daemon itself writes to that file: endpoint_owner may not choose it"

ANOTHER_PROGRAM = "endpoint_owner may upgrade the daemon on its own Python only"

ANOTHER_FILE = "endpoint_owner may only reload the file that the daemon was started with"
"""Another file could run anything as any user. Even an error message shows contents of a file that
the owner may not be allowed to read."""


def guard(endpoint: str, owner: int | str | None) -> Guard | None:
    """Return what checks every request; None if we own the endpoint.

    The owner may connect, and the daemon may be root: without this the owner could become root by
    adding a watcher, or by setting the command of one that runs as root.

    The owner is looked up here; users and groups in a request were looked up before: see
    `control.dispatch`.
    """
    if owner is None or not endpoint.startswith("ipc://"):
        return None
    uid = _asked(owner)

    def look(command: str, props: Mapping[str, Any]) -> None:
        """Raise MessageError for a request that would run something as another user."""
        options = props.get("options") or {}
        if command == "add" and ("uid" not in options or _number(options["uid"]) != uid):
            raise MessageError(REFUSED)
        if command == "add" and any(_runs_in_the_daemon(key, options[key]) for key in options):
            raise MessageError(INSIDE)
        if command == "add" and not _is_in(options):
            raise MessageError(GROUP)
        if command in ("add", "set") and any(_is_a_file(key, options[key]) for key in options):
            raise MessageError(FILES)
        if command == "upgrade" and props.get("python") is not None:
            raise MessageError(ANOTHER_PROGRAM)
        if command == "reloadconfig" and props.get("path") is not None:
            raise MessageError(ANOTHER_FILE)
        if command == "set" and any(_is_protected(key) for key in options):
            raise MessageError(REFUSED)

    return look


def _runs_in_the_daemon(key: object, value: object) -> bool:
    """Return whether an option names code that the daemon itself imports."""
    name = str(key)
    if name == "hooks" or name.startswith("hooks."):
        return True
    if name in STREAMS:
        value = value.get("class") if isinstance(value, Mapping) else value
    elif name not in ("stdout_stream.class", "stderr_stream.class"):
        return False
    return "." in str(value)


def _is_a_file(key: object, value: object) -> bool:
    """Return whether an option names a file for output, or the socket of a syslog."""
    if key in STREAMS:
        parts = value if isinstance(value, Mapping) else {}
        return any(_is_a_file(f"{key}.{part}", parts[part]) for part in parts)
    stream, _, part = str(key).partition(".")
    return stream in STREAMS and (
        part == "filename" or (part == "address" and "/" in str(value or ""))
    )


def _is_protected(key: object) -> bool:
    """Return whether an option must not be set. A command may use a freeform key: `$(circus.k)`."""
    option = WATCHER_OPTIONS.find(str(key))
    return option is None or not option.harmless


def _is_in(options: Mapping[str, Any]) -> bool:
    """Return whether the group in options, if any, is one of their user's."""
    user, group = options["uid"], options.get("gid")
    if group is None or group == "":
        return True
    try:
        wanted = known(None, to_account(group)).gid
        account = known(to_account(user), None)
    except ValueError:
        return False
    return wanted == account.gid or wanted in (account.groups or ())


def _number(account: Any) -> int | None:
    """Return the number of a user given by name or number; None if there is no such user."""
    try:
        user = to_account(account)
        return user if isinstance(user, int) else known(user, None).uid
    except ValueError:
        return None


def _asked(account: Account) -> int | None:
    """As `_number`, but ask the system for a name."""
    if isinstance(account, str):
        with contextlib.suppress(ValueError):
            look_up(account, None)
    return _number(account)
