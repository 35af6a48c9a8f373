"""What becomes of the listening sockets when another configuration is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cvec_circus.config.plan import CHANGE, CLOSE, LIVE, OPEN, REPLACE, Change, SocketStep

TUNABLE = frozenset({"backlog", "blocking", "umask", "owner", "replace"})
"""Options that can be changed while the descriptor stays."""

Options = Mapping[str, Any]


class Held(NamedTuple):
    """A socket that is there. Immutable by convention.

    Attributes:
        name: Its name as written.
        options: All its options.
        is_loaded: Whether the configuration of now has it; otherwise a program has given it.
        is_leaving: Whether it is there only for the processes that still serve it.
    """

    name: str
    options: Options
    is_loaded: bool = True
    is_leaving: bool = False


class Exchange(NamedTuple):
    """The sockets as they are to be. Immutable.

    Attributes:
        steps: What changes, by name.
        numbers: By name in lower case: which of the held ones it is, None for a new one.
        renewed: By name in lower case: why the processes of before have another one.
    """

    steps: tuple[SocketStep, ...]
    numbers: Mapping[str, int | None]
    renewed: Mapping[str, str]


def exchange(held: Sequence[Held], wanted: Mapping[str, Options]) -> Exchange:
    """Return what has to be done to have the wanted sockets.

    A descriptor stays as long as there is a socket at its address that differs in no more than what
    can be changed on it, whatever that is called.

    Args:
        held: The sockets that are there, those that are leaving last.
        wanted: The options of those of the file by their names.
    """
    numbers: dict[str, int | None] = {}
    now = {one.name.lower(): number for number, one in enumerate(held) if not one.is_leaving}
    for name, options in wanted.items():
        number = now.get(name.lower())
        if number is not None and _place(held[number].options) == _place(options):
            numbers[name.lower()] = number
    for name, options in wanted.items():
        if name.lower() not in numbers:
            numbers[name.lower()] = _free(held, set(numbers.values()), wanted, options)
    steps = [_step(name, options, held, numbers, now) for name, options in wanted.items()]
    for one in held:
        if one.name.lower() not in numbers and not one.is_leaving:
            if one.is_loaded:
                steps.append(SocketStep(one.name, CLOSE))
            else:
                numbers[one.name.lower()] = now[one.name.lower()]
    renewed = {}
    for key, number in now.items():
        why = _why_renewed(held[number], number, key, numbers, wanted)
        if why:
            renewed[key] = why
    done = sorted((step for step in steps if step is not None), key=lambda step: step.name)
    return Exchange(tuple(done), numbers, renewed)


def _place(options: Options) -> dict[str, Any]:
    """What a descriptor cannot be given later."""
    return {name: value for name, value in options.items() if name not in TUNABLE}


def _free(
    held: Sequence[Held],
    taken: set[int | None],
    wanted: Mapping[str, Options],
    options: Options,
) -> int | None:
    """The number of a socket at that place that goes, or is leaving, None if there is none."""
    names = {name.lower() for name in wanted}
    for number, one in enumerate(held):
        goes = one.is_leaving or one.is_loaded or one.name.lower() in names
        if goes and number not in taken and _place(one.options) == _place(options):
            return number
    return None


def _step(
    name: str,
    options: Options,
    held: Sequence[Held],
    numbers: Mapping[str, int | None],
    now: Mapping[str, int],
) -> SocketStep | None:
    number, before = numbers[name.lower()], now.get(name.lower())
    if before is None:
        source = "" if number is None else held[number].name
        return SocketStep(name, OPEN, (), source, options, number)
    changes = _changes(held[before].options, options)
    if number != before:
        source = "" if number is None else held[number].name
        return SocketStep(name, REPLACE, changes, source, options, number)
    if not changes and held[before].name == name:
        return None
    source = "" if held[before].name == name else held[before].name
    return SocketStep(name, CHANGE, changes, source, options, number)


def _changes(before: Options, after: Options) -> tuple[Change, ...]:
    return tuple(
        Change(name, before[name], after[name], LIVE)
        for name in sorted(after)
        if before[name] != after[name]
    )


def _why_renewed(
    one: Held,
    number: int,
    key: str,
    numbers: Mapping[str, int | None],
    wanted: Mapping[str, Options],
) -> str:
    """Why processes that have a socket are to be replaced, "" if they have the right one."""
    if key not in numbers:
        return ""
    if numbers[key] != number:
        return f"socket {one.name} is another one"
    after = next((options for name, options in wanted.items() if name.lower() == key), one.options)
    if after["blocking"] != one.options["blocking"]:
        return f"blocking of socket {one.name} changes"
    if after["so_reuseport"] and after["backlog"] != one.options["backlog"]:
        return f"backlog of socket {one.name} changes"
    return ""
