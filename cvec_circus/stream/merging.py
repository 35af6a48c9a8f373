"""The lines of several histories, in the order in which their ends were read.

Both functions are generators that pause after each history, because there may be thousands; the
return value is the result.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterator, Sequence

from cvec_circus.base.named import NamedTuple
from cvec_circus.stream.history import History, Line


class Found(NamedTuple):
    """Lines, each with the index of its history. Immutable.

    Attributes:
        next: The number to go on from.
        more: Whether there is more already.
    """

    lines: list[tuple[int, Line]]
    next: int
    more: bool = False


Search = Generator[None, None, Found]


def last(histories: Sequence[History], count: int, horizon: int, not_before: float = 0.0) -> Search:
    """Find that many lines from the end.

    Lines that have no end yet may be among them.

    Args:
        histories: Where to look.
        count: How many lines.
        horizon: A number from `Arrivals.next`, taken before: nothing behind it counts.
        not_before: The time that the lines begin at, or later.
    """
    best: list[tuple[int, int, Line]] = []
    for index in sorted(range(len(histories)), key=lambda i: -histories[i].newest):
        floor = best[0][0] if best and len(best) >= count else 0
        if not count or histories[index].newest <= floor:
            break
        for line in histories[index].last(count, floor)[1]:
            if line.number < horizon and line.at >= not_before:
                row = line.number, index, line
                (heapq.heappush if len(best) < count else heapq.heappushpop)(best, row)
        yield
    return Found([(index, line) for _, index, line in sorted(best)], horizon)


def behind(
    histories: Sequence[History],
    number: int,
    horizon: int,
    most_lines: int,
    most_bytes: int,
    not_before: float = 0.0,
    with_rest: bool = False,
) -> Search:
    """Find the lines that ended after a number, the oldest first.

    Args:
        histories: Where to look.
        number: 0, or what an earlier result has as `next`.
        horizon: As for `last`.
        most_lines: How many lines are returned at once.
        most_bytes: How many bytes of text, not counting the first line.
        not_before: As for `last`.
        with_rest: Whether lines that have no end yet come after the others.
    """
    # First a bound for each history, and its first line only when that is reached: to make lines of
    # a page of a history takes a while.
    heap: list[tuple[int, int, Line | None]] = []
    opened: dict[int, Iterator[Line]] = {}
    for index, history in enumerate(histories):
        if history.newest > number:
            heap.append((history.bound(number), index, None))
    heapq.heapify(heap)
    yield
    found: list[tuple[int, Line]] = []
    rest: list[tuple[int, Line]] = []
    size, place = 0, number
    while heap:
        _, index, line = heapq.heappop(heap)
        if line is None:
            opened[index] = histories[index].behind(number, horizon)
            yield
        elif line.at < not_before:
            pass
        elif not line.has_end:
            rest.append((index, line))
        else:
            size += len(line.text)
            if found and (len(found) == most_lines or size > most_bytes):
                return Found(found, place, more=True)
            found.append((index, line))
        if line is not None and line.has_end:
            place = line.number
        line = next(opened[index], None)
        if line is not None:
            heapq.heappush(heap, (line.number, index, line))
    return Found(found + rest if with_rest else found, horizon)
