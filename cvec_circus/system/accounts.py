"""Users and groups: whom a process runs as.

A look-up may ask a directory service and take its time. So it is made on a thread that may wait,
when options are judged, and what was found is kept. Where nothing may wait, that is what counts.
"""

from __future__ import annotations

import grp
import os
import pwd
from typing import NamedTuple, Optional, Union

Account = Optional[Union[int, str]]


class Identity(NamedTuple):
    """Whom a process becomes before its program runs. Immutable.

    Attributes:
        name: What to call it in messages: "nobody", "nobody:users", "group users".
        uid: The user; None for ours.
        gid: The group.
        groups: All groups besides; None for ours.
    """

    name: str
    uid: int | None
    gid: int
    groups: tuple[int, ...] | None


_known: dict[tuple[Account, Account], Identity] = {}


def identity(user: Account, group: Account) -> Identity | None:
    """Return whom a process is to become, as it was looked up last; None for whoever we are.

    Never asks the system for names. Safe from any thread.

    Raises:
        ValueError: Nobody has looked that up, or there is no such user or group.
    """
    if user is None and group is None:
        return None
    found = known(user, group)
    return None if _is_ours(found) else found


def known(user: Account, group: Account) -> Identity:
    """Return what was found at the last look-up. Safe from any thread.

    Raises:
        ValueError: Nothing was.
    """
    try:
        return _known[user, group]
    except KeyError:
        raise ValueError(f"{_shown(user, group)} was not found when it was looked up") from None


def look_up(user: Account, group: Account) -> Identity | None:
    """Ask the system whom a process is to become; None for whoever we are. Safe from any thread.

    As in Circus, a user comes with all of its groups, its own first unless another one is given. A
    group alone leaves the other ones as ours are.

    Raises:
        ValueError: There is no such user or group.
    """
    if user is not None:
        found = _of_user(user, group)
    elif group is not None:
        gid, name = group_id(group)
        found = Identity(f"group {name}", None, gid, None)
    else:
        return None
    _known[user, group] = found
    return None if _is_ours(found) else found


def _of_user(user: int | str, group: Account) -> Identity:
    try:
        entry = pwd.getpwuid(user) if isinstance(user, int) else pwd.getpwnam(user)
    except (KeyError, OverflowError):
        raise ValueError(f"there is no user {user}") from None
    name, gid = entry.pw_name, entry.pw_gid
    if group is not None:
        gid, group_name = group_id(group)
        name = f"{name}:{group_name}"
    return Identity(name, entry.pw_uid, gid, tuple(os.getgrouplist(entry.pw_name, gid)))


def group_id(group: int | str) -> tuple[int, str]:
    """Return the number and the name of a group that is given as either.

    Raises:
        ValueError: There is no such group.
    """
    try:
        entry = grp.getgrgid(group) if isinstance(group, int) else grp.getgrnam(group)
    except (KeyError, OverflowError):
        raise ValueError(f"there is no group {group}") from None
    return entry.gr_gid, entry.gr_name


def _shown(user: Account, group: Account) -> str:
    parts = [f"{what} {one}" for what, one in (("user", user), ("group", group)) if one is not None]
    return " with ".join(parts)


def _is_ours(wanted: Identity) -> bool:
    """Whether nothing has to change: then a program need not be started in a costlier way."""
    users = {os.getuid(), os.geteuid(), os.getuid() if wanted.uid is None else wanted.uid}
    return len(users) == 1 and {os.getgid(), os.getegid(), wanted.gid} == {wanted.gid}
