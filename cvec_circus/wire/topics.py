"""Topics of the event channel: ``watcher.<folded name>.<action>`` and ``sync.<marker>``."""

from __future__ import annotations

#: The first part of every topic that tells of a watcher.
WATCHER = "watcher"
#: The first part of a topic that marks a place in the stream and tells of nothing.
SYNC = "sync"


def fold(name: str) -> str:
    """Fold a watcher's name as topics show it: lower-case, blanks as ``_``."""
    return name.lower().replace(" ", "_")


def topic(name: str, action: str) -> str:
    """Make the topic of what happened to a watcher.

    Args:
        name: The watcher's name as written.
        action: What happened: "spawn", "reap" ...; without a dot.
    """
    return f"{WATCHER}.{fold(name)}.{action}"


def sync(marker: str) -> str:
    """Make the topic that marks a place in the stream for whoever knows `marker`."""
    return f"{SYNC}.{marker}"


def split(topic: bytes | str) -> tuple[str, str, str]:
    """Take a topic apart; names may hold dots, blanks and colons.

    The action is what stands after the last dot, the name what stands between the first and the
    last. A topic with a single dot, such as ``sync.<marker>``, has no action.

    Returns:
        Kind, name and action; "" for what is not there.
    """
    text = topic.decode("utf-8", "replace") if isinstance(topic, bytes) else topic
    kind, _, rest = text.partition(".")
    if kind == SYNC:
        return kind, rest, ""
    name, dot, action = rest.rpartition(".")
    return (kind, name, action) if dot else (kind, rest, "")
