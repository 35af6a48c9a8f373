"""Users and groups: whom a process runs as."""

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


_known: dict[tuple[Account, Account], Identity | None] = {}


def identity(user: Account, group: Account) -> Identity | None:
    """Return whom a process is to become, as it was looked up last; None for whoever we are.

    A look-up may go over the network and take its time, so a process that starts makes none.
    Called on the thread that starts processes, or alone.

    Raises:
        ValueError: There is no such user or group.
    """
    try:
        return _known[user, group]
    except KeyError:
        return look_up(user, group)


def look_up(user: Account, group: Account) -> Identity | None:
    """Ask the system whom a process is to become; None for whoever we are. Safe from any thread.

    As in Circus, a user comes with all of its groups, its own first unless another one is given. A
    group alone leaves the other ones as ours are.

    Raises:
        ValueError: There is no such user or group.
    """
    found = None
    if user is not None:
        found = _of_user(user, group)
    elif group is not None:
        gid, name = group_id(group)
        found = Identity(f"group {name}", None, gid, None)
    if found is not None and _is_ours(found):
        found = None
    _known[user, group] = found
    return found


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


def _is_ours(wanted: Identity) -> bool:
    """Whether nothing has to change: then a program need not be started in a costlier way."""
    users = {os.getuid(), os.geteuid(), os.getuid() if wanted.uid is None else wanted.uid}
    return len(users) == 1 and {os.getgid(), os.getegid(), wanted.gid} == {wanted.gid}
