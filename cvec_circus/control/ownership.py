"""What clients may not do where `endpoint_owner` has given the endpoint away to another user."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Callable

from cvec_circus.exc import MessageError
from cvec_circus.options.kinds import to_account
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.system.accounts import Account, known, look_up

Guard = Callable[[str, Mapping[str, Any]], None]

REFUSED = "uid does not match endpoint_owner"
"""What Circus says."""

INSIDE = "hooks, and stream classes of one's own, run inside the daemon: not by endpoint_owner"

GROUP = "only a group that endpoint_owner is in"
"""Of group root, shadow or docker, a user can do much of what root can."""

FILES = "the daemon itself would write to that file, which endpoint_owner may not choose"

ANOTHER_FILE = "only the file that the daemon was started with: not another by endpoint_owner"
"""A file of his own would have anything run, as anybody. Even the refusal of a file tells what is
in it, and it may be one that he cannot read."""

STREAMS = ("stdout_stream", "stderr_stream")

PROTECTED = frozenset(
    "uid gid umask cmd args executable shell shell_args working_dir virtualenv virtualenv_py_ver"
    " copy_path copy_env env hooks stdin_socket stdout_stream stderr_stream".split()
)
"""What decides which program a watcher runs, as whom, on what, and who can write to its files."""

HARMLESS_PARTS = frozenset(
    "max_bytes backup_count compress json color rotate_when rotate_interval utc".split()
)
"""The parts of a stream which do not say where output goes, nor what stands in it."""


def guard(endpoint: str, owner: int | str | None) -> Guard | None:
    """Return what looks at every request; None if the endpoint is not given away.

    The owner may connect, and the daemon may be root: without this he could become root by adding a
    watcher, or by setting the command of one that runs as root.

    The owner is looked up here. What a request names has been looked up when it comes to the guard:
    see `control.deferred`.

    Args:
        endpoint: The control endpoint.
        owner: Who owns it.
    """
    if owner is None or not endpoint.startswith("ipc://"):
        return None
    uid = _asked(owner)

    def look(command: str, props: Mapping[str, Any]) -> None:
        """Refuse a request.

        Raises:
            MessageError: It would run something as somebody else.
        """
        options = props.get("options") or {}
        if command == "add" and ("uid" not in options or _number(options["uid"]) != uid):
            raise MessageError(REFUSED)
        if command == "add" and any(_runs_in_the_daemon(key, options[key]) for key in options):
            raise MessageError(INSIDE)
        if command == "add" and not _is_in(options):
            raise MessageError(GROUP)
        if command in ("add", "set") and any(_is_a_file(key, options[key]) for key in options):
            raise MessageError(FILES)
        if command == "reloadconfig" and props.get("path") is not None:
            raise MessageError(ANOTHER_FILE)
        if command == "set" and any(_is_protected(key) for key in options):
            raise MessageError(REFUSED)

    return look


def _runs_in_the_daemon(key: object, value: object) -> bool:
    """Whether that names code which the daemon would import, whoever its processes run as."""
    name = str(key)
    if name == "hooks" or name.startswith("hooks."):
        return True
    if name in ("stdout_stream", "stderr_stream"):
        value = value.get("class") if isinstance(value, Mapping) else value
    elif name not in ("stdout_stream.class", "stderr_stream.class"):
        return False
    return "." in str(value)


def _is_a_file(key: object, value: object) -> bool:
    """Whether that names a file for output, or the socket of a syslog."""
    if key in STREAMS:
        parts = value if isinstance(value, Mapping) else {}
        return any(_is_a_file(f"{key}.{part}", parts[part]) for part in parts)
    stream, _, part = str(key).partition(".")
    return stream in STREAMS and (
        part == "filename" or (part == "address" and "/" in str(value or ""))
    )


def _is_protected(key: object) -> bool:
    """Whether that may not be set. A key of nobody's may stand in a command, `$(circus.my.key)`."""
    name = str(key)
    if name in PROTECTED or name.startswith(("hooks.", "rlimit_")):
        return True
    stream, dot, part = name.partition(".")
    if stream in STREAMS:
        return part not in HARMLESS_PARTS
    return bool(dot) and WATCHER_OPTIONS.find(name) is None


def _is_in(options: Mapping[str, Any]) -> bool:
    """Whether the group in options, if there is one, is one of their user's."""
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
    """The number of a user that is given by name or number; None if there is no such user."""
    try:
        user = to_account(account)
        return user if isinstance(user, int) else known(user, None).uid
    except ValueError:
        return None


def _asked(account: Account) -> int | None:
    """As `_number`, and asks the system for a name."""
    if isinstance(account, str):
        with contextlib.suppress(ValueError):
            look_up(account, None)
    return _number(account)
