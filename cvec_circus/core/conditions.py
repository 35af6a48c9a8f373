"""Conditions: why a watcher that is wanted up has not started yet.

A watcher in WAITING holds conditions, and opens when all of them are met. The reason that a person
is shown is the first unmet one's. None of them holds up another watcher: whoever waits behind a
watcher that cannot go on waits for a bounded time (see `campaign`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

Explain = Callable[[Any], str]
"""Returns why another watcher stands where it stands, "" if there is nothing to explain."""


class Waited(Protocol):
    """What a condition needs to know of another watcher."""

    @property
    def is_gone(self) -> bool:
        """Whether nothing of it runs and nothing is left."""


Gone = TypeVar("Gone", bound=Waited)


class Stage(Protocol):
    """The watchers that a campaign asks together."""

    starts: bool

    def why(self, explain: Explain) -> str:
        """Say what the stage waits for."""


class Condition(Protocol):
    """One reason to wait. Owned by the supervisor thread."""

    def is_met(self) -> bool:
        """Tell whether there is nothing to wait for any more."""

    def why(self, explain: Explain) -> str:
        """Say what it waits for, as a sentence without a subject."""


class Turn:
    """An order to all watchers has not come to this one yet. Owned by the supervisor thread.

    Attributes:
        stage: The watchers that are asked together with it.
    """

    __slots__ = ("stage",)

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def is_met(self) -> bool:
        """See `Condition`. When the turn comes the condition is taken away."""
        return False

    def why(self, explain: Explain) -> str:
        """See `Condition`."""
        return self.stage.why(explain)


class Predecessor(Generic[Gone]):
    """A removed watcher of the same name is not all gone. Owned by the supervisor thread.

    Attributes:
        watcher: The removed one.
    """

    __slots__ = ("watcher",)

    def __init__(self, watcher: Gone) -> None:
        self.watcher = watcher

    def is_met(self) -> bool:
        """See `Condition`."""
        return self.watcher.is_gone

    def why(self, explain: Explain) -> str:
        """See `Condition`."""
        left = explain(self.watcher) or "it is stopping"
        return f"waits for the end of the one that was removed: {left}"


class Connection:
    """With `on_demand`: no client has connected yet. Owned by the supervisor thread.

    Attributes:
        has_come: Whether one has.
    """

    __slots__ = ("has_come",)

    def __init__(self) -> None:
        self.has_come = False

    def is_met(self) -> bool:
        """See `Condition`."""
        return self.has_come

    def why(self, explain: Explain) -> str:
        """See `Condition`."""
        return "waits for a connection"
