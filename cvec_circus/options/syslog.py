"""The addresses of syslogs: those of logs, `syslog://HOST[:PORT]?FACILITY`, and of streams."""

from __future__ import annotations

from typing import Any

from cvec_circus.base.named import NamedTuple
from cvec_circus.options.kinds import to_text

SCHEME = "syslog:"
FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron"),
    *("authpriv", "ftp", "ntp", "security", "console", "solaris-cron", "local0", "local1"),
    *("local2", "local3", "local4", "local5", "local6", "local7"),
)
"""The facilities of syslog, each at its number (RFC 5424, table 1), named as in syslog.conf(5)."""

SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
"""The severities of syslog, likewise."""

SYSLOG_PORT = 514

SYSLOG = "/dev/log"
"""Where a machine's own syslog listens."""

_FORM = "write syslog://HOST[:PORT] or syslog:///dev/log, then ?FACILITY"
_USER = "user"


class Target(NamedTuple):
    """Where a log goes. Immutable."""

    url: str  # with a facility that there is
    where: tuple[str, int, str]  # see `syslog_address`
    facility: int
    doubt: str  # why the facility is another one than the URL names, "" for none


def parse(url: str) -> Target:
    """Return what a URL stands for; an unknown facility stands for `user`, as in Circus.

    Raises:
        ValueError: It is no URL of a syslog.
    """
    address, _, query = url[len(SCHEME) :].partition("?")
    facility, doubt = query or _USER, ""
    if facility not in FACILITIES:
        doubt = f"there is no facility {facility[:40]!r}, so its lines are of the facility {_USER}"
        facility, url = _USER, f"{SCHEME}{address}?{_USER}"
    place = address[2:] if address.startswith("//") else address
    try:
        where = syslog_address(place if place[:1] == "/" else place.partition("/")[0])
    except ValueError:
        raise ValueError(_FORM) from None
    return Target(url, where, FACILITIES.index(facility), doubt)


def to_log(value: Any) -> str:
    """Return where a log goes: a file, "-", or the URL of a syslog."""
    text = to_text(value)
    if text.startswith(SCHEME):
        try:
            parse(text)
        except ValueError as error:
            raise ValueError(f"{text[:200]}: {error}") from None
    return text


def doubt_of(output: str) -> str:
    """Return what is odd about where a log goes, "" for nothing."""
    return parse(output).doubt if output.startswith(SCHEME) else ""


def known(output: str) -> str:
    """Return where a log goes, with `user` for a facility that there is not, which is said."""
    return parse(output).url if output.startswith(SCHEME) else output


def syslog_address(address: str) -> tuple[str, int, str]:
    """Return host, port and path of a syslog; the host or the path is "".

    Raises:
        ValueError: That is not an address.
    """
    if address.startswith("/"):
        return "", 0, address
    host, colon, digits = address.rpartition(":")
    if not colon or address.endswith("]"):
        host, digits = address, str(SYSLOG_PORT)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not (host and digits.isdecimal() and 0 < int(digits) < 65536) or "/" in host or " " in host:
        raise ValueError(f"{address!r} is neither /PATH nor HOST nor HOST:PORT")
    return host, int(digits), ""
