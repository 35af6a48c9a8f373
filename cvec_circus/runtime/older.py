"""What the events of Circus itself do not tell, for plugins that are run beside it."""

from __future__ import annotations

import json
from typing import Any

from cvec_circus.wire import topics

OURS = b'{"run": "'
"""How the events of our daemon begin. They are not looked at: they tell everything."""

KEPT = 10_000
"""Processes that were asked to end and are remembered: the end of some is never told."""


class OlderEvents:
    """Completes the events of a daemon that does not number them. Owned by the plugin thread.

    Circus tells neither the name of the watcher nor what brought an event about. The name that is
    added is the one of the topic. A process that dies after it was asked to end has died of an
    order, any other by itself; of other events the cause is not known.
    """

    def __init__(self) -> None:
        self._asked_to_end: dict[int, None] = {}

    def complete(self, topic: bytes, payload: bytes) -> bytes:
        """Return the payload of an event with `watcher` and `cause` in it."""
        try:
            message = json.loads(payload)
        except ValueError:
            return payload
        if not isinstance(message, dict) or "seq" in message:
            return payload
        _, name, action = topics.split(topic)
        told = {
            "watcher": name,
            "cause": self._cause(action, message.get("process_pid")),
            **message,
        }
        return json.dumps(told).encode()

    def _cause(self, action: str, pid: Any) -> str:
        if not isinstance(pid, int):
            return "unknown"
        if action == "kill":
            self._asked_to_end[pid] = None
            if len(self._asked_to_end) > KEPT:
                del self._asked_to_end[next(iter(self._asked_to_end))]
            return "command"
        if action != "reap":
            return "unknown"
        if pid not in self._asked_to_end:
            return "exit"
        del self._asked_to_end[pid]
        return "command"
