"""Users and groups: whom a process runs as.

A look-up may ask a directory service and block. So it is made on a thread that may wait, when
options are judged, and the result is kept for threads that must not wait.
"""

from __future__ import annotations

import grp
import os
import pwd
from typing import Optional, Union

from cvec_circus.base.named import NamedTuple

Account = Optional[Union[int, str]]

HIGHEST_ACCOUNT = 2**32 - 2
"""The greatest number of a user or group; the next one means "no change" (setuid(2))."""


class Identity(NamedTuple):
    """The user and groups that a process changes to before its program runs. Immutable."""

    name: str  # in messages: "nobody", "nobody:users", "group users"
    uid: int | None  # None for ours
    gid: int
    groups: tuple[int, ...] | None  # supplementary; None for ours


_known: dict[tuple[Account, Account], Identity] = {}


def identity(user: Account, group: Account) -> Identity | None:
    """Return an identity as last looked up; None if it is ours already.

    Never asks the system for names. Safe from any thread.

    Raises:
        ValueError: It was not looked up, or not found.
    """
    if user is None and group is None:
        return None
    found = known(user, group)
    return None if _is_ours(found) else found


def known(user: Account, group: Account) -> Identity:
    """Return an identity as last looked up, ours too. Safe from any thread.

    Raises:
        ValueError: It was not looked up, or not found.
    """
    try:
        return _known[user, group]
    except KeyError:
        raise ValueError(f"{_shown(user, group)} was not found when it was looked up") from None


def look_up(user: Account, group: Account) -> Identity | None:
    """Ask the system for a user and group; return None if they are ours already. Any thread.

    As in Circus, a user comes with all of its groups, the primary one replaced by `group`. A group
    alone leaves our supplementary groups as they are. A number need not be in the system's lists,
    as in containers; a user that is not has no groups but `group`.

    Raises:
        ValueError: There is no such user or group, or nothing says which group a number is in.
    """
    if user is not None:
        found = _of_user(user, group)
    elif group is not None:
        gid, name = _group(group)
        found = Identity(f"group {name}", None, gid, None)
    else:
        return None
    _known[user, group] = found
    return None if _is_ours(found) else found


def _of_user(user: int | str, group: Account) -> Identity:
    try:
        entry = pwd.getpwuid(user) if isinstance(user, int) else pwd.getpwnam(user)
    except (KeyError, OverflowError):
        return _of_number(user, group)
    name, gid = entry.pw_name, entry.pw_gid
    if group is not None:
        gid, group_name = _group(group)
        name = f"{name}:{group_name}"
    return Identity(name, entry.pw_uid, gid, tuple(os.getgrouplist(entry.pw_name, gid)))


def _of_number(user: int | str, group: Account) -> Identity:
    """Take a user that the system does not know, which only a number can be."""
    if not isinstance(user, int) or user > HIGHEST_ACCOUNT:
        raise ValueError(f"there is no user {user}")
    if group is None:
        raise ValueError(f"user {user} is not in passwd, which would name its group; set gid too")
    gid, group_name = _group(group)
    return Identity(f"{user}:{group_name}", user, gid, (gid,))


def _group(group: int | str) -> tuple[int, str]:
    try:
        entry = grp.getgrgid(group) if isinstance(group, int) else grp.getgrnam(group)
    except (KeyError, OverflowError):
        if isinstance(group, int) and group <= HIGHEST_ACCOUNT:
            return group, str(group)
        raise ValueError(f"there is no group {group}") from None
    return entry.gr_gid, entry.gr_name


def _shown(user: Account, group: Account) -> str:
    parts = [f"{what} {one}" for what, one in (("user", user), ("group", group)) if one is not None]
    return " with ".join(parts)


def _is_ours(wanted: Identity) -> bool:
    """Return whether nothing has to change: a start without changes is cheaper."""
    users = {os.getuid(), os.geteuid(), os.getuid() if wanted.uid is None else wanted.uid}
    return len(users) == 1 and {os.getgid(), os.getegid(), wanted.gid} == {wanted.gid}
