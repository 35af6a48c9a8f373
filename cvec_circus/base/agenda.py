"""An agenda: who has to be looked at when."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class Agenda(Generic[Item]):
    """One deadline an item, the earliest first. Owned by the supervisor thread.

    Setting an item's deadline again replaces it. Both `set` and `next_at` cost a step in a heap,
    however many items there are.
    """

    def __init__(self) -> None:
        self._due_at: dict[Item, float] = {}
        self._heap: list[tuple[float, int, Item]] = []
        self._serial = 0

    def __len__(self) -> int:
        return len(self._due_at)

    def __contains__(self, item: Item) -> bool:
        return item in self._due_at

    def set(self, item: Item, due_at: float | None) -> None:
        """Put `item` down for that instant; None strikes it off."""
        if due_at is None:
            if self._due_at.pop(item, None) is not None:
                self._tidy()  # or what was struck off would live until its time has come
        elif self._due_at.get(item) != due_at:
            self._due_at[item] = due_at
            self._serial += 1
            heapq.heappush(self._heap, (due_at, self._serial, item))
            self._tidy()

    def at(self, item: Item) -> float | None:
        """Return the deadline of `item`, None if it has none."""
        return self._due_at.get(item)

    def entries(self) -> list[tuple[Item, float]]:
        """Return every item with its deadline."""
        return list(self._due_at.items())

    def next_at(self) -> float | None:
        """Return the earliest deadline, None if there is none."""
        while self._heap:
            due_at, _, item = self._heap[0]
            if self._due_at.get(item) == due_at:
                return due_at
            heapq.heappop(self._heap)
        return None

    def pop_due(self, now: float) -> list[Item]:
        """Strike off every item whose time has come, and return them in order of time."""
        due: list[Item] = []
        while True:
            next_at = self.next_at()
            if next_at is None or next_at > now:
                return due
            item = heapq.heappop(self._heap)[2]
            del self._due_at[item]
            due.append(item)

    def _tidy(self) -> None:
        if len(self._heap) > 2 * len(self._due_at) + 64:
            self._heap = [entry for entry in self._heap if self._due_at.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)
