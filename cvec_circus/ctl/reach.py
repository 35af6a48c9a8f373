"""What to check when no daemon answers, or no watcher has the name that was given."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

from cvec_circus.client.connect import ENDPOINT_VARIABLES, endpoint_from
from cvec_circus.ctl.completion import Candidates
from cvec_circus.options.nearest import LONGEST_WORD, nearest_to

PROBE_TIMEOUT = 0.5
"""Seconds for a connection that only shows whether anything listens."""


def why_unreachable(
    given: str | None, timeout: float, environ: Mapping[str, str] = os.environ
) -> str:
    """Say that nothing has answered within `timeout` seconds, and what to check.

    `given` is the endpoint of the command line; None if the environment or the default names it.
    """
    endpoint = given or endpoint_from(environ)
    named = ""
    if not given:
        source = next((name for name in ENDPOINT_VARIABLES if environ.get(name)), "")
        named = f" (from {source})" if source else " (the default)"
    return (
        f"cannot reach {endpoint}{named} within {timeout:g} s: {_probe(endpoint)}is cvec_circusd "
        "running, and is --endpoint right?"
    )


def near_watcher(name: str, endpoint: str) -> str:
    """Make the hint that follows a name that no watcher has; "" if none is near."""
    names = {each.lower(): each for each in Candidates(endpoint).names()}
    meant = nearest_to(name[:LONGEST_WORD], frozenset(names))
    return f"; did you mean {names[meant]}?" if meant else ""


def _probe(endpoint: str) -> str:
    """Connect, and return a finding that ends in "; ", or "" if there is nothing to say."""
    scheme, _, where = endpoint.partition("://")
    address: Any = where
    if scheme == "ipc" and not where.startswith("@"):
        family = socket.AF_UNIX
    elif scheme == "tcp":
        host, _, port = where.rpartition(":")
        try:
            found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        except OSError as error:
            return f"{host}: {error.strerror}; "
        family, address = found[0][0], found[0][4]
    else:
        return ""
    with socket.socket(family) as probe:
        probe.settimeout(PROBE_TIMEOUT)
        try:
            probe.connect(address)
        except ConnectionRefusedError:
            return "nothing listens there; "
        except FileNotFoundError:
            return "there is no such socket; "
        except socket.timeout:
            return "that machine does not respond; "
        except OSError as error:
            return f"{error.strerror or error}; "
    return "the process that listens there does not answer; "
