"""The kinds of values: one function each, from what is given to a typed value.

A value comes as text (from a file or a command line) or typed (from a JSON message or from Python).
Files and messages share these functions, so `numprocesses = two` and `{"numprocesses": "two"}` are
refused with the same words. Each raises ValueError with a text that does not name the option: the
caller knows its name, and for a file its line as well.
"""

from __future__ import annotations

import importlib
import math
import os
import re
import shlex
from collections.abc import Mapping
from enum import Enum
from typing import Any, Callable, Optional

from cvec_circus.base.patterns import DOTTED, regex
from cvec_circus.options.endpoint import why_no_endpoint
from cvec_circus.options.renamed import OUR_STREAMS, ours
from cvec_circus.options.stream_classes import STREAM_CLASSES
from cvec_circus.options.words import check_length
from cvec_circus.system.accounts import HIGHEST_ACCOUNT
from cvec_circus.system.signals import to_signum

Bound = Optional[float]

LONGEST_SECONDS = 1e9
"""No wait is longer (31 years): what is more is a slip, and a poll could not wait for it."""

LARGEST_INTEGER = 10**15
"""Larger whole numbers lose digits on their way through JSON readers that know only floats."""

PROTOCOLS = {
    "ip": 0,
    "icmp": 1,
    "tcp": 6,
    "udp": 17,
    "ipv6-icmp": 58,
    "sctp": 132,
    "udplite": 136,
    "raw": 255,
    "mptcp": 262,
}
"""The protocols with a name. Not from /etc/protocols, which containers lack."""

_HIGHEST_PROTOCOL = 0xFFFF

LONGEST_ACCOUNT = 256  # characters; Linux allows 32, a company's directory may have more

_UNITS = (
    ("B", "byte", ""),
    ("K", "kilo", "Ki", "kibi"),
    ("M", "mega", "Mi", "mebi"),
    ("G", "giga", "Gi", "gibi"),
    ("T", "tera", "Ti", "tebi"),
    ("P", "peta", "Pi", "pebi"),
    ("E", "exa", "Ei", "exbi"),
    ("Z", "zetta", "Zi", "zebi"),
    ("Y", "yotta", "iotta", "Yi", "yobi"),
)
_POWERS = {name.lower(): power for power, names in enumerate(_UNITS) for name in names}
_SIZE = regex(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([a-zA-Z]*)\s*", re.ASCII)

TIME_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
"""The units of a time, each with its seconds."""

_TIME = regex(rf"([0-9]{{1,300}}(?:\.[0-9]*)?|\.[0-9]+)\s*({'|'.join(TIME_UNITS)})", re.ASCII)

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_WHOLE = regex(r"[+-]?[0-9]{1,300}")
_DECIMAL = regex(r"[+-]?(?:[0-9]{1,300}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_OCTAL = regex(r"(?:0o)?[0-7]{1,4}")
_INFINITY = frozenset({"", "infinity", "unlimited"})
_VARIABLE = regex(r"[^=\0]+")


def to_boolean(value: Any) -> bool:
    """Return true/yes/on/1 or false/no/off/0, in any case, as a boolean."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, (str, int)) else ""
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"{shown(value)} is neither true nor false")


def to_integer(value: Any, low: Bound = None, high: Bound = None) -> int:
    """Return a whole number within its bounds."""
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        value = int(value)
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{shown(value)} is not a whole number")
    _check_bounds(value, low, LARGEST_INTEGER if high is None else high)
    return value


def to_number(value: Any, low: Bound = None, high: Bound = None) -> int | float:
    """Return a number of seconds that stays an int when it is whole.

    Circus' replies show these options as ints, and no reply may change a type.
    """
    number = to_seconds(value, low, high)
    return int(number) if number.is_integer() else number


def to_float(value: Any, low: Bound = None, high: Bound = None) -> float:
    """Return a finite number within its bounds."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        value = float(value)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not _is_finite(value):
        raise ValueError(f"{shown(value)} is not a number")
    _check_bounds(value, low, LONGEST_SECONDS if high is None else high)
    return float(value)


def to_seconds(value: Any, low: Bound = None, high: Bound = None) -> float:
    """Return a time within its bounds, in seconds: a number, or one with a unit such as "5m"."""
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is not None:
        value = float(found[1]) * TIME_UNITS[found[2]]
    elif isinstance(value, str) and not _DECIMAL.fullmatch(value.strip()):
        raise ValueError(f"{shown(value)} is not a time: write 30, 30s, 5m or 1h")
    return to_float(value, low, high)


def to_size(value: Any, low: Bound = None, high: Bound = None) -> int:
    """Return a number of bytes within its bounds: a number, or one with a unit such as "10MB"."""
    if isinstance(value, str) and not _WHOLE.fullmatch(value.strip()):
        found = _SIZE.fullmatch(value)
        unit = found[2].lower() if found else ""
        power = _POWERS.get(unit, _POWERS.get(unit[:-1] if unit.endswith("b") else unit))
        if found is None or not unit or power is None:
            raise ValueError(f"{shown(value)} is not a size: write 65536, 64k, 10MB or 1GiB")
        value = int(float(found[1]) * 1024**power)
    return to_integer(value, low, high)


def to_signal(value: Any) -> int:
    """Return the number of a signal given as 15, "15", "TERM", "SIGTERM" or "SIGRTMIN+1"."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError(f"{shown(value)} is not a signal")
    return to_signum(value)


def to_text(value: Any) -> str:
    """Return text that can go to the operating system, so without a NUL; a path is text too."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is not text")
    if "\0" in value:
        raise ValueError(f"{shown(value)} has a NUL in it")
    return value


def to_choice(value: Any, *choices: str) -> str:
    """Return the choice that the value names, in any case; a constant such as AF_INET names one."""
    value = value.name if isinstance(value, Enum) else value
    for choice in choices:
        if isinstance(value, str) and value.strip().lower() == choice.lower():
            return choice
    raise ValueError(f"{shown(value)} is not one of {', '.join(choices)}")


def to_endpoint(value: Any) -> str:
    """Return the address of a ZeroMQ socket, such as tcp://127.0.0.1:5555."""
    text = to_text(value)
    if reason := why_no_endpoint(text):
        raise ValueError(f"{shown(text)}: {reason}")
    return text


def to_command(value: Any) -> str:
    """Return a command line; a list of words is quoted into one."""
    if isinstance(value, (list, tuple)):
        value = shlex.join(to_words(value))
    if not to_text(value).strip():
        raise ValueError("the command is empty")
    check_length(value)
    return to_text(value)


def to_args(value: Any) -> str | list[str]:
    """Return arguments as they are given: text that a shell would split, or a list of words."""
    if isinstance(value, (list, tuple)):
        return to_words(value)
    check_length(to_text(value))
    return to_text(value)


def to_words(value: Any) -> list[str]:
    """Return a list of words; numbers in it become text."""
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{shown(value)} is not a list")
    return [_number_as_text(word) for word in value]


def to_environment(value: Any) -> dict[str, str]:
    """Return environment variables, given as a mapping or as `A=1,B=2`."""
    if isinstance(value, str):
        pairs = [pair.partition("=") for pair in value.split(",") if pair.strip()]
        if not all(equals for _, equals, _ in pairs):
            raise ValueError(f"{shown(value)} is not of the form NAME=value,NAME=value")
        value = {name.strip(): text.strip() for name, _, text in pairs}
    if not isinstance(value, Mapping):
        raise ValueError(f"{shown(value)} is not a mapping of names to values")
    for name in value:
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise ValueError(f"{shown(name)} cannot be the name of an environment variable")
    return {name: _number_as_text(text) for name, text in value.items()}


def to_stream(value: Any) -> dict[str, Any]:
    """Return the parts of a stream; null is none. Text cannot be one: a file gives each part."""
    if value is not None and not isinstance(value, Mapping):
        raise ValueError(f"{shown(value)} is not a stream; give its parts, such as its .filename")
    return to_mapping(value or {})


def to_logging(value: Any) -> str | dict[str, Any]:
    """Return a configuration of Python's logging: the path of a file, or a mapping."""
    return to_mapping(value) if isinstance(value, Mapping) else to_text(value)


def to_mapping(value: Any) -> dict[str, Any]:
    """Return a mapping of names to values of any kind."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{shown(value)} is not a mapping of names to values")
    return dict(value)


def to_umask(value: Any) -> int:
    """Return a file mode mask; text is octal (`022`), a number is taken as it is."""
    if isinstance(value, str) and _OCTAL.fullmatch(value.strip()):
        value = int(value, 8)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 0o777:
        raise ValueError(f"{shown(value)} is not an octal mask from 0 to 777")
    return value


def to_account(value: Any) -> int | str:
    """Return a user or group: its number, or its name."""
    if isinstance(value, str) and not _WHOLE.fullmatch(value.strip()):
        name = to_text(value).strip()
        if len(name.split()) != 1 or not name.isprintable() or len(name) > LONGEST_ACCOUNT:
            raise ValueError(f"{shown(value)} is not the name of a user or group")
        return name
    return to_integer(value, 0, HIGHEST_ACCOUNT)


def to_protocol(value: Any) -> int:
    """Return the number of an internet protocol, which is given by its name or number."""
    if isinstance(value, str):
        value = PROTOCOLS.get(value.strip().lower(), value)
    try:
        return to_integer(value, 0, _HIGHEST_PROTOCOL)
    except ValueError:
        names = ", ".join(PROTOCOLS)
        raise ValueError(f"{shown(value)} is not a protocol: a number, or one of {names}") from None


def to_limit(value: Any) -> int:
    """Return a resource limit; nothing, -1 and "infinity" are none, which is -1."""
    if value is None or (isinstance(value, str) and value.strip().lower() in _INFINITY):
        return -1
    return to_integer(value, low=-1)


def to_stream_class(value: Any) -> str:
    """Return the name of a class of streams: a built-in one, or one with its module before it."""
    name = to_text(value)
    place, _, last = ours(name).rpartition(".")
    name = last if place in OUR_STREAMS and last in STREAM_CLASSES else name
    if name not in STREAM_CLASSES and not DOTTED.fullmatch(name):
        known = ", ".join(STREAM_CLASSES)
        raise ValueError(f"{shown(value)} is none of {known}, and no package.Class")
    return name


def to_stream_object(value: Any) -> Any:
    """Return a stream that a program has made; a file or a message cannot have one."""
    if not callable(value):
        raise ValueError(f"{shown(value)} cannot be called; only a program can give a stream")
    return value


def to_hook(value: Any) -> Any:
    """Return a hook: see `options.hooks`, which is imported only if there is a hook."""
    from cvec_circus.options import hooks

    return hooks.to_hook(value)


def to_hooks(value: Any) -> Any:
    """Return hooks by name."""
    if isinstance(value, Mapping) and not value:
        return {}
    from cvec_circus.options import hooks

    return hooks.to_hooks(value)


def to_part(value: Any) -> Any:
    """Return the value unchanged."""
    return value


def _late(module: str, name: str) -> Callable[..., Any]:
    """Return a kind of another module, which is imported only if there is such an option."""

    def to_kind(value: Any) -> Any:
        found = importlib.import_module(f"cvec_circus.options.{module}")
        return getattr(found, f"to_{name}")(value)

    return to_kind


KINDS: dict[str, Callable[..., Any]] = {
    function.__name__[len("to_") :]: function
    for function in (
        *(to_account, to_args, to_boolean, to_choice, to_command, to_endpoint),
        *(to_environment, to_hook, to_hooks, to_integer, to_limit, to_logging, to_mapping),
        *(to_number, to_part, to_protocol, to_seconds, to_signal, to_size, to_stream),
        *(to_stream_class, to_stream_object, to_text, to_umask, to_words),
    )
}
"""Every kind by the name that the tables and the reference call it."""

_CHECKS = "check checks live_check live_checks dependencies share watcher_names"
KINDS.update({name: _late("checks", name) for name in _CHECKS.split()})
KINDS["log"] = _late("syslog", "log")
KINDS["schedule"] = _late("schedule", "schedule")
KINDS.update({name: _late("cgroup", name) for name in ("cgroup", "processors")})
KINDS.update({name: _late("survival", name) for name in ("adoption", "state_name")})


def shown(value: Any) -> str:
    """Return a value as an error message shows it: quoted, on one line, never very long."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (Mapping, list, tuple)):
        return "a mapping" if isinstance(value, Mapping) else "a list"
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        return "a huge number"
    text = repr(value[:200] if isinstance(value, (str, bytes)) else value)
    return text if len(text) <= 60 else text[:57] + "..."


def _number_as_text(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return to_text(value)


def _is_finite(value: int | float) -> bool:
    return isinstance(value, int) or math.isfinite(value)


def _check_bounds(number: int | float, low: Bound, high: Bound) -> None:
    if low is not None and number < low:
        raise ValueError(f"{_exact(number)} is less than {_exact(low)}")
    if high is not None and number > high:
        raise ValueError(f"{_exact(number)} is more than {_exact(high)}")


def _exact(number: int | float) -> str:
    is_whole = abs(number) <= LARGEST_INTEGER and float(number).is_integer()
    return str(int(number)) if is_whole else shown(number)


def human2bytes(s: str) -> int:
    """Return the bytes of a size as people write it: "1.5 M" is 1572864, "10kilo" is 10240.

    Units are powers of 1024, in any case: K, Ki, kilo, kibi; the same for the larger ones. Without
    one, or with B, the size is in bytes.
    """
    found = _SIZE.fullmatch(s)
    power = _POWERS.get(found[2].lower()) if found else None
    if found is None or power is None:
        raise ValueError(f"{s!r} is not a size such as 1.5M")
    return int(float(found[1]) * 1024**power)
