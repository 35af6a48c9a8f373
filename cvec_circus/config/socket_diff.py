"""What becomes of the listening sockets when another configuration is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cvec_circus.base.named import NamedTuple
from cvec_circus.config.plan import CHANGE, CLOSE, OPEN, REPLACE, Change, Options, SocketStep
from cvec_circus.options.socket import TUNABLE


class Held(NamedTuple):
    """A socket that exists. Immutable by convention."""

    name: str  # as written
    options: Options  # all of them
    is_loaded: bool = True  # whether the configuration of now has it; else a program has given it
    is_leaving: bool = False  # whether it stays only for the processes that still serve it


class Exchange(NamedTuple):
    """The sockets after the exchange. Immutable. Keys are names in lower case."""

    steps: tuple[SocketStep, ...]  # what changes, by name
    numbers: Mapping[str, int | None]  # which of the held ones each is, None for a new one
    renewed: Mapping[str, str]  # why the socket of running processes is replaced


def exchange(held: Sequence[Held], wanted: Mapping[str, Options]) -> Exchange:
    """Return how the held sockets become the wanted ones.

    A descriptor stays as long as there is a socket at its address that differs only in what can be
    changed on it, whatever its name.

    Args:
        held: The sockets that exist, those that are leaving last.
        wanted: The options of those of the file by their names.
    """
    after = {name.lower(): options for name, options in wanted.items()}
    now = {one.name.lower(): number for number, one in enumerate(held) if not one.is_leaving}
    numbers: dict[str, int | None] = {}
    for key, options in after.items():
        if key in now and _is_at_one_place(held[now[key]].options, options):
            numbers[key] = now[key]
    for key, options in after.items():
        if key not in numbers:
            numbers[key] = _free(held, set(numbers.values()), after, options)
    steps = [_step(name, wanted[name], held, numbers, now) for name in wanted]
    for key, number in now.items():
        if key not in numbers and held[number].is_loaded:
            steps.append(SocketStep(held[number].name, CLOSE))
        else:
            numbers.setdefault(key, number)
    renewed = {}
    for key in now.keys() & numbers.keys():
        why = _why_renewed(held[now[key]], now[key], numbers[key], after.get(key))
        if why:
            renewed[key] = why
    done = sorted((step for step in steps if step is not None), key=lambda step: step.name)
    return Exchange(tuple(done), numbers, renewed)


def _is_at_one_place(before: Options, after: Options) -> bool:
    """Whether two sockets differ only in what a descriptor can be given later."""
    return all(before[name] == after[name] for name in after if name not in TUNABLE)


def _free(
    held: Sequence[Held],
    taken: set[int | None],
    after: Mapping[str, Options],
    options: Options,
) -> int | None:
    """The number of a socket at that place that goes, or is leaving; None if there is none."""
    for number, one in enumerate(held):
        goes = one.is_leaving or one.is_loaded or one.name.lower() in after
        if goes and number not in taken and _is_at_one_place(one.options, options):
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
    source = "" if number is None else held[number].name
    if before is None:
        return SocketStep(name, OPEN, (), source)
    changes = tuple(
        Change(option, held[before].options[option], options[option])
        for option in sorted(options)
        if held[before].options[option] != options[option]
    )
    if number != before:
        return SocketStep(name, REPLACE, changes, source)
    if source == name:
        return SocketStep(name, CHANGE, changes) if changes else None
    return SocketStep(name, CHANGE, changes, source)


def _why_renewed(one: Held, before: int, after: int | None, options: Options | None) -> str:
    """Why processes that have a socket must be replaced, "" if they have the right one."""
    if after != before:
        return f"socket {one.name} is another one"
    return "" if options is None else why_retuned(one.name, one.options, options)


def why_retuned(name: str, before: Options, after: Options) -> str:
    """Say which setting of a socket changes that only new processes get; "" for none."""
    if after["blocking"] != before["blocking"]:
        return f"blocking of socket {name} changes"
    if after["so_reuseport"] and after["backlog"] != before["backlog"]:
        return f"backlog of socket {name} changes"
    return ""
