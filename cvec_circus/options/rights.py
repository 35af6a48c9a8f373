"""The accounts that processes run as, and their resource limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus.base.named import NamedTuple
from cvec_circus.exc import OptionError
from cvec_circus.options.nearest import did_you_mean

ACCOUNTS = ("uid", "gid")
LIMIT = "rlimit_"


def limits(extra: Mapping[str, Any]) -> dict[str, int]:
    """Return the resource limits among the freeform options, by their names: {"nofile": 100}."""
    return {key[len(LIMIT) :]: value for key, value in extra.items() if key.startswith(LIMIT)}


def why_no_limit(key: str) -> str:
    """Return what is wrong with the name of a resource limit, "" if it is one."""
    from cvec_circus.system.launch import LIMITS

    known = [f"{LIMIT}{name}" for name in sorted(LIMITS)]
    return "" if key.lower() in known else f"there is no such limit{did_you_mean(key, known)}"


class Accounts(NamedTuple):
    """The user and the group that processes run as: numbers, names, or None. Immutable."""

    uid: int | str | None
    gid: int | str | None


def accounts_of(full: Mapping[str, Any]) -> Accounts | None:
    """Return the accounts in a full set of options, None where there are none."""
    wanted = Accounts(full["uid"], full["gid"])
    return None if wanted == (None, None) else wanted


def why_no_user(user: int | str | None) -> str:
    """Return why nothing can belong to a user, "" if it can; a number needs no name. May block."""
    if not isinstance(user, str) or not user:
        return ""
    from cvec_circus.system import accounts

    try:
        accounts.look_up(user, None)
    except ValueError as error:
        return str(error)
    return ""


def judge(each: Mapping[Accounts, str]) -> None:
    """Refuse accounts that are not there, as `problems` does.

    Args:
        each: Accounts, each with the watcher to name in a refusal; "" names none.

    Raises:
        OptionError: The first problem.
    """
    for wanted, name in each.items():
        for key, reason in problems(wanted):
            raise OptionError(f"{name}: {key}" if name else key, reason)


def problems(wanted: Accounts | None) -> list[tuple[str, str]]:
    """Look accounts up; return what is wrong with them, as pairs of key and reason.

    It may block for long, so it is not for the supervisor thread. The result holds for processes
    that start from now on: see `system.accounts`.
    """
    if wanted is None:
        return []
    from cvec_circus.system import accounts

    found = {}
    for key, uid, gid in (("gid", None, wanted.gid), ("uid", wanted.uid, None)):
        try:
            accounts.look_up(uid, gid)
        except ValueError as error:
            found[key] = str(error)
    if None not in wanted and "gid" not in found:
        try:
            accounts.look_up(*wanted)
            found.pop("uid", None)  # a number that only needs a group
        except ValueError as error:
            found["uid"] = str(error)
    return list(found.items())
