"""What to check when there is no daemon, or no watcher, of the name that was given."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from cvec_circus.client.connect import ENDPOINT_VARIABLES, endpoint_from
from cvec_circus.ctl.candidates import Candidates
from cvec_circus.options.nearest import LONGEST_WORD, nearest_to

PROBE_TIMEOUT = 0.5
"""Seconds that a connection may take that only has to show whether anybody listens."""


def why_unreachable(
    given: str | None, timeout: float, environ: Mapping[str, str] = os.environ
) -> str:
    """Say that nobody has answered, and what to check.

    Args:
        given: The endpoint of the command line; None when the environment or the default names it.
        timeout: The seconds that were waited.
        environ: The environment.
    """
    endpoint = given or endpoint_from(environ)
    named = "" if given else f" ({_source(environ)})"
    found = _probe(endpoint)
    return (
        f"cannot reach {endpoint}{named} within {timeout:g} s: {found}is cvec_circusd running, "
        "and is --endpoint right?"
    )


def near_watcher(name: str, endpoint: str) -> str:
    """Make the hint that follows a name that no watcher has; "" when none is near."""
    names = {each.lower(): each for each in Candidates(endpoint).names()}
    meant = nearest_to(name[:LONGEST_WORD], frozenset(names))
    return f"; did you mean {names[meant]}?" if meant else ""


def _source(environ: Mapping[str, str]) -> str:
    for name in ENDPOINT_VARIABLES:
        if environ.get(name):
            return f"from {name}"
    return "the default"


def _probe(endpoint: str) -> str:
    """Look who is there: a finding that ends in "; ", or "" when there is nothing to say."""
    scheme, _, where = endpoint.partition("://")
    if scheme == "ipc" and not where.startswith("@"):
        family, address = socket.AF_UNIX, where
    elif scheme == "tcp":
        return _probe_tcp(where)
    else:
        return ""
    with socket.socket(family) as probe:
        return _connect(probe, address)


def _probe_tcp(where: str) -> str:
    host, _, port = where.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
    except OSError as error:
        return f"{host}: {error.strerror}; "
    with socket.socket(family, kind, protocol) as probe:
        return _connect(probe, address)


def _connect(probe: socket.socket, address: object) -> str:
    probe.settimeout(PROBE_TIMEOUT)
    try:
        probe.connect(address)  # type: ignore[arg-type]
    except ConnectionRefusedError:
        return "nobody listens there; "
    except FileNotFoundError:
        return "there is no such socket; "
    except socket.timeout:
        return "that machine does not respond; "
    except OSError as error:
        return f"{error.strerror or error}; "
    return "somebody listens there and does not answer; "
