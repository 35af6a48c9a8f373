"""The options that say whom a watcher's processes run as, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from cvec_circus.exc import OptionError
from cvec_circus.options.nearest import did_you_mean
from cvec_circus.options.option import Option

ACCOUNTS = ("uid", "gid")
LIMIT = "rlimit_"

RIGHTS = [
    Option(
        "uid",
        "account",
        None,
        "The user that the processes run as, with all of its groups. Only root can have others run "
        "as somebody else. What they write goes to the files of a stream, which stay the "
        "daemon's. HOME and USER are for `env` to say.",
        reloads=True,
    ),
    Option(
        "gid",
        "account",
        None,
        "The group that the processes run as; without it, the first one of `uid`.",
        reloads=True,
    ),
    Option(
        "umask",
        "umask",
        None,
        "The rights that files made by the processes do not get, such as `027`; without it, as "
        "the daemon's own files.",
        reloads=True,
    ),
    Option(
        f"{LIMIT}*",
        "limit",
        "",
        "A resource limit, soft and hard, such as `rlimit_nofile` (open files), `rlimit_core` or "
        "`rlimit_as`: see setrlimit(2) for their names and units. Empty, or -1, for none. A limit "
        "costs each start 15 ms or so, because it takes a Python of its own that sets it. If it "
        "cannot be set, the start has failed.",
        reloads=True,
    ),
]


def limits(extra: Mapping[str, Any]) -> dict[str, int]:
    """Return the resource limits among the freeform options, by their names: {"nofile": 100}."""
    return {key[len(LIMIT) :]: value for key, value in extra.items() if key.startswith(LIMIT)}


def why_no_limit(key: str) -> str:
    """Return what is wrong with the name of a resource limit, "" if it is one."""
    from cvec_circus.system.launch import LIMITS

    known = [f"{LIMIT}{name}" for name in sorted(LIMITS)]
    return "" if key.lower() in known else f"there is no such limit{did_you_mean(key, known)}"


class Accounts(NamedTuple):
    """Immutable. Whom processes are to run as: numbers, names, or None."""

    uid: int | str | None
    gid: int | str | None


def accounts_of(full: Mapping[str, Any]) -> Accounts | None:
    """Return the accounts in a full set of options, None where there are none."""
    wanted = Accounts(full["uid"], full["gid"])
    return None if wanted == (None, None) else wanted


def judge(wanted: Accounts | None) -> None:
    """Ask the system for accounts. It may take its time, and is not for the supervisor thread.

    What is found holds for the processes that start from now on: see `system.accounts`.

    Raises:
        OptionError: There is no such user or group.
    """
    if wanted is None:
        return
    from cvec_circus.system import accounts

    for key, uid, gid in (("gid", None, wanted.gid), ("uid", wanted.uid, None)):
        try:
            accounts.look_up(uid, gid)
        except ValueError as error:
            raise OptionError(key, str(error)) from None
    if None not in wanted:
        accounts.look_up(*wanted)
