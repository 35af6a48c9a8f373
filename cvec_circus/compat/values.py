"""Conversions of values: text, booleans, sizes, users and groups, environments."""

from __future__ import annotations

import grp
import os
import pwd
import re
from collections.abc import Mapping
from typing import Any

from cvec_circus.base.figures import size_text
from cvec_circus.base.patterns import regex
from cvec_circus.options.expand import expand
from cvec_circus.options.kinds import to_boolean, to_environment

_VARIABLE = regex(r"\$([A-Z]+[A-Z0-9_]*)")


def to_bool(s: Any) -> bool:
    """Return true/yes/on/1 or false/no/off/0, in any case, as a boolean; None is false.

    Raises:
        ValueError: It is none of these.
    """
    return s is not None and to_boolean(s)


def to_str(s: Any, encoding: str = "utf8", errors: str = "replace") -> str:
    """Return bytes decoded, and anything else as text."""
    return s.decode(encoding, errors) if isinstance(s, bytes) else str(s)


def to_bytes(s: Any, encoding: str = "utf8") -> bytes:
    """Return bytes as they are, and anything else as encoded text."""
    return s if isinstance(s, bytes) else str(s).encode(encoding)


def bytes2human(n: int) -> str:
    """Return a number of bytes as people write it: 1519616 is "1.45M".

    Raises:
        TypeError: It is not a whole number.
    """
    if not isinstance(n, int):
        raise TypeError(f"{n!r} is not a number of bytes")
    return size_text(n)


def to_uid(name: int | str) -> int:
    """Return the number of a user, given by name or number. It may ask a directory, and block.

    Raises:
        ValueError: There is no such user.
        TypeError: It is neither text nor a number.
    """
    return _number(name, pwd.getpwuid, pwd.getpwnam, "pw_uid", "user")


def to_gid(name: int | str) -> int:
    """Return the number of a group; see `to_uid`."""
    return _number(name, grp.getgrgid, grp.getgrnam, "gr_gid", "group")


def _number(name: int | str, by_number: Any, by_name: Any, field: str, what: str) -> int:
    if not isinstance(name, (int, str)):
        raise TypeError(f"{name!r} is neither the name nor the number of a {what}")
    is_number = isinstance(name, int) or name.strip().isdecimal()
    try:
        row = by_number(int(name)) if is_number else by_name(name)
    except (KeyError, OverflowError):
        raise ValueError(f"there is no {what} {name!r}") from None
    return int(getattr(row, field))


def get_username_from_uid(uid: int | str) -> str:
    """Return the name of the user with that number; a name is returned as it is.

    Raises:
        KeyError: There is no such user.
    """
    return pwd.getpwuid(uid).pw_name if isinstance(uid, int) else uid


def get_default_gid(uid: int | str) -> int:
    """Return the number of the primary group of a user, given by number or name.

    Raises:
        KeyError: There is no such user.
    """
    return (pwd.getpwuid(uid) if isinstance(uid, int) else pwd.getpwnam(uid)).pw_gid


def parse_env_str(env_str: str) -> dict[str, str]:
    """Return the variables in a text such as "A=1,B=$HOME"; see `parse_env_dict`.

    Raises:
        ValueError: The text has another form.
    """
    return parse_env_dict(to_environment(env_str))


def parse_env_dict(env: Mapping[str, str]) -> dict[str, str]:
    """Return variables with each `$NAME` in them replaced by that of this process.

    One that is not set is empty. Blanks around names and values are dropped.
    """
    return {key.strip(): _VARIABLE.sub(replace_env, env[key]).strip() for key in env}


def replace_env(var: re.Match[str]) -> str:
    """Return what the variable is set to whose name is the first group of a match."""
    return os.environ.get(var[1], "")


def env_to_str(env: Mapping[str, Any] | None) -> str:
    """Return variables as text such as "A=1,B=2", in the order of their names."""
    return ",".join(f"{key}={value}" for key, value in sorted((env or {}).items()))


def convert_opt(key: str, val: Any) -> str:
    """Return the value of an option as text; None is empty."""
    if key == "env":
        return env_to_str(val)
    return "" if val is None else str(val)


def replace_gnu_args(data: str, prefix: str | None = "circus", **options: Any) -> str:
    """Return text with the names in it replaced: `$(circus.wid)`, `((circus.env.home))`.

    Args:
        data: The text.
        prefix: What the names begin with, before their first dot; None for nothing.
        **options: What the names stand for. A mapping is for a further part of the name. A name
            that stands for nothing stays as it is.
    """
    values = {}
    for key, value in options.items():
        if isinstance(value, Mapping):
            values.update({f"{key}.{inner}".lower(): str(one) for inner, one in value.items()})
        else:
            values[key.lower()] = str(value)
    if prefix is None:
        own = re.compile(r"\$\(([\w.-]+)\)|\(\(([\w.-]+)\)\)")
    elif prefix.lower() != "circus":
        word = re.escape(prefix)
        own = re.compile(rf"\$\({word}\.([\w.-]+)\)|\(\({word}\.([\w.-]+)\)\)", re.IGNORECASE)
    else:
        return expand(data, values)
    return own.sub(lambda found: values.get((found[1] or found[2]).lower(), found[0]), data)


def get_working_dir() -> str:
    """Return the working directory as `PWD` names it, with symbolic links, if that is the same."""
    here, named = os.getcwd(), os.environ.get("PWD", "")
    try:
        return named if os.path.isabs(named) and os.path.samefile(named, here) else here
    except OSError:
        return here
