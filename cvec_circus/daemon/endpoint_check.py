"""What `cvec_circusd --check` says of endpoints: who could connect to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus.config.examination import Examination
from cvec_circus.control import endpoints
from cvec_circus.exc import SocketError
from cvec_circus.system.accounts import look_up

CIRCUS = "circus"


def look_at_endpoints(examination: Examination) -> Examination:
    """Returns an examination whose findings tell what is wrong with endpoints, too.

    One that a daemon would refuse leaves it without a configuration.
    """
    if examination.configuration is None:
        return examination
    circus = examination.configuration.circus
    problems = list(_problems(circus))
    for key, text in problems:
        place = _place(examination, key)
        examination.build.findings.problem(place, text, CIRCUS, key)
    for key in ("pubsub_endpoint", "stats_endpoint"):
        if not endpoints.is_local(circus[key]) and not circus["allow_remote"]:
            text = f"other machines can listen to {circus[key]}"
            examination.build.findings.warn(_place(examination, key), text, CIRCUS, key)
    return examination._replace(configuration=None) if problems else examination


def _problems(circus: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    try:
        endpoints.examine(circus)
    except SocketError as error:
        found.append(("endpoint", str(error).partition(" ")[2]))
    owner = circus["endpoint_owner"]
    if owner is not None:
        try:
            look_up(owner, None)
        except ValueError as error:
            found.append(("endpoint_owner", str(error)))
    return found


def _place(examination: Examination, key: str) -> Any:
    return examination.build.document.places.get((CIRCUS, key))
