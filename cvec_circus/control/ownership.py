"""What clients may not do where `endpoint_owner` has given the endpoint away to another user."""

from __future__ import annotations

import pwd
from collections.abc import Mapping
from typing import Any, Callable

from cvec_circus.exc import MessageError

Guard = Callable[[str, Mapping[str, Any]], None]

REFUSED = "uid does not match endpoint_owner"
"""What Circus says."""

INSIDE = "hooks, and stream classes of one's own, run inside the daemon: not by endpoint_owner"

FILES = "the daemon itself would write to that file, which endpoint_owner may not choose"

ANOTHER_FILE = "only the file that the daemon was started with: not another by endpoint_owner"
"""A file of his own would have anything run, as anybody. Even the refusal of a file tells what is
in it, and it may be one that he cannot read."""

STREAMS = ("stdout_stream", "stderr_stream")

PROTECTED = frozenset(
    "uid gid cmd args executable shell shell_args working_dir virtualenv copy_path env hooks"
    " stdout_stream stderr_stream stdout_stream.class stderr_stream.class".split()
)
"""What decides which program a watcher runs, and as whom."""


def guard(endpoint: str, owner: int | str | None) -> Guard | None:
    """Return what looks at every request; None if the endpoint is not given away.

    The owner may connect, and the daemon may be root: without this he could become root by adding a
    watcher, or by setting the command of one that runs as root.

    Args:
        endpoint: The control endpoint.
        owner: Who owns it.
    """
    if owner is None or not endpoint.startswith("ipc://"):
        return None
    uid = _number(owner)

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
    """Whether that names a file for output."""
    if key in STREAMS:
        return isinstance(value, Mapping) and "filename" in value
    return key in tuple(f"{stream}.filename" for stream in STREAMS)


def _is_protected(key: object) -> bool:
    return key in PROTECTED or str(key).startswith(("hooks.", "rlimit_"))


def _number(account: Any) -> int | None:
    """The number of a user that is given by name or number; None if there is no such user."""
    text = str(account).strip()
    if text.isdecimal():
        return int(text)
    try:
        return pwd.getpwnam(text).pw_uid
    except (KeyError, ValueError):
        return None
