"""Why a plugin gives an order: for the events, the log and the status of what it is about."""

from __future__ import annotations

from cvec_circus.commands import table

LONGEST = 500
"""Characters that a daemon takes."""


def because(command: str, reason: str) -> dict[str, str]:
    """Return the property of an order that says why, if the command takes one. Any thread.

    Args:
        command: The command's name.
        reason: A sentence for people: "5 deaths in 10 s".

    Returns:
        The property, to be given along with the others; empty for a command that takes none.
    """
    known = table.find(command)
    if known is None or "reason" not in known.by_name:
        return {}
    return {"reason": reason[:LONGEST]}
