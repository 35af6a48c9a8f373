"""What to check when no daemon answers, or no watcher has the name that was given."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from fnmatch import fnmatchcase

from cvec_circus.base.figures import first_of
from cvec_circus.client.direct import PUBLISHES, publishes
from cvec_circus.client.endpoints import (
    ENDPOINT_VARIABLES,
    KNOCK_TIMEOUT,
    endpoint_from,
    finding,
    knock,
)
from cvec_circus.client.tunnel import Tunnel
from cvec_circus.ctl.completion import Candidates
from cvec_circus.exc import ERROR
from cvec_circus.options.nearest import LONGEST_WORD, nearest_to

MOST_NAMES = 5
"""Names that a hint lists; further ones are counted."""


def why_unreachable(
    given: str | None,
    timeout: float | None,
    environ: Mapping[str, str] = os.environ,
    tunnel: Tunnel | None = None,
) -> str:
    """Say that nothing has answered within `timeout` seconds, or can, and what to check.

    `given` is the endpoint of the command line; None if the environment or the default names it.
    `tunnel` is the one that it belongs to, if it is on another machine.
    """
    endpoint = given or endpoint_from(environ)
    named = ""
    if not given:
        source = next((name for name in ENDPOINT_VARIABLES if environ.get(name)), "")
        named = f" (from {source})" if source else " (the default)"
    shown = tunnel.named(endpoint) if tunnel else endpoint
    within = "" if timeout is None else f" within {timeout:g} s"
    return (
        f"{ERROR}cannot reach {shown}{named}{within}: {_probe(endpoint, bool(tunnel))}is "
        "cvec_circusd running, and is --endpoint right?"
    )


def near_watcher(name: str, endpoint: str) -> str:
    """Make the hint that follows a name that no watcher has; "" if none is near.

    A pattern can be one here only where `--match simple` makes it a name.
    """
    names = {each.lower(): each for each in Candidates(endpoint).names()}
    if matching := [names[each] for each in names if fnmatchcase(each, name.lower())]:
        return f": name one, not a pattern; it matches {first_of(sorted(matching), MOST_NAMES)}"
    several = [each.strip().lower() for each in name.split(",")]
    if len(several) > 1 and all(each in names for each in several):
        return f"; write blanks between names: {shlex.join(names[each] for each in several)}"
    meant = nearest_to(name[:LONGEST_WORD], frozenset(names))
    return f"; did you mean {names[meant]}?" if meant else ""


def _probe(endpoint: str, forwarded: bool) -> str:
    """Connect, and return a finding that ends in "; ", or "" if there is nothing to say."""
    scheme, _, where = endpoint.partition("://")
    if scheme != "tcp" and (scheme != "ipc" or where.startswith("@")):
        return ""
    if error := knock(endpoint, forwarded=forwarded):
        found = finding(endpoint, error)
    elif publishes(endpoint, KNOCK_TIMEOUT):
        found = PUBLISHES
    else:
        found = "the process that listens there does not answer"
    return f"{found}; "
