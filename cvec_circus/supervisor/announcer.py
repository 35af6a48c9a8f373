"""What the core says: to subscribers as events, to people as log lines."""

from __future__ import annotations

from cvec_circus import logger
from cvec_circus.control.events import EventStream
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor import narration
from cvec_circus.wire.cause import Cause


class Announcer:
    """The events desk of the core. Owned by the supervisor thread.

    Args:
        stream: Where events are published.
    """

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream

    def publish(self, watcher: Watcher, action: str, cause: Cause, **payload: object) -> None:
        """See `core.ports.Events`; with the actor and its reason, if there is one."""
        if cause.actor:
            payload["actor"] = cause.actor
        if cause.why:
            payload["why"] = cause.why
        self._stream.publish(watcher.name, action, cause.text, **payload)
        narration.tell(watcher, action, cause, payload)

    def note(self, watcher: Watcher, text: str) -> None:
        """See `core.ports.Events`."""
        logger.warning("%s: %s", watcher.name, text)
