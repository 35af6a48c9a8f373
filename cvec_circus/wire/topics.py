"""Topics of the event channel: ``watcher.<folded name>.<action>`` and ``sync.<marker>``."""

from __future__ import annotations

#: The first part of every topic about a watcher.
WATCHER = "watcher"
#: The first part of a topic that only marks a place in the stream.
SYNC = "sync"

LONGEST_NAME = 200
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters that count as printable, and that no font shows."""


def fold(name: str) -> str:
    """Fold a watcher's name for topics: lower case, blanks as ``_``."""
    folded = name.lower().replace(" ", "_")
    return name if folded == name else folded  # one object, as thousands are kept


def why_no_name(name: str) -> str:
    """Return why nothing can be called so, "" if it can: names go into topics, logs and files, and
    people have to tell them apart and type them."""
    if not name.strip():
        return "a name cannot be empty"
    shown = repr(name if len(name) <= 40 else f"{name[:40]}...")
    if len(name) > LONGEST_NAME:
        return f"{shown} is longer than {LONGEST_NAME} characters"
    unseen = next((one for one in name if not one.isprintable() or one in _BLANKS), "")
    if unseen:
        return f"{shown} has the invisible character U+{ord(unseen):04X}; leave it out"
    return f"{shown} begins or ends with a blank" if name != name.strip() else ""


def topic(name: str, action: str) -> str:
    """Make the topic of an event: the watcher's name as written, and "spawn", "reap" ..."""
    return f"{WATCHER}.{fold(name)}.{action}"


def sync(marker: str) -> str:
    """Make the topic that marks a place in the stream for the client that knows `marker`."""
    return f"{SYNC}.{marker}"


def split(topic: bytes | str) -> tuple[str, str, str]:
    """Split a topic into kind, name and action; "" for what is missing.

    The name is between the first and the last dot, and may contain dots, blanks and colons. A topic
    with a single dot, such as ``sync.<marker>``, has no action.
    """
    text = topic.decode("utf-8", "replace") if isinstance(topic, bytes) else topic
    kind, _, rest = text.partition(".")
    if kind == SYNC:
        return kind, rest, ""
    name, dot, action = rest.rpartition(".")
    return (kind, name, action) if dot else (kind, rest, "")
