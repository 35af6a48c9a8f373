"""Names of watchers on a command line, and the numbers behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cvec_circus.base.patterns import regex
from cvec_circus.exc import ArgumentError

NUMBER = regex(r"-?[0-9.]+")


def one_or_more(words: Sequence[str]) -> str | Sequence[str]:
    """Return names as they are sent: a list only if there are several."""
    return words[0] if len(words) == 1 else words


def names_and_numbers(words: Sequence[str], *keys: str, of_one: bool = True) -> dict[str, Any]:
    """Turn names, and the numbers behind them, into properties.

    Args:
        words: What was typed; the first one is a name in any case.
        keys: The properties that the numbers are for, in order.
        of_one: Whether a number belongs to one watcher, as a pid does.

    Raises:
        ArgumentError: There are too many numbers, or too many names.
    """
    end = len(words)
    while end > 1 and NUMBER.fullmatch(words[end - 1]):
        end -= 1
    names, numbers = words[:end], words[end:]
    if len(numbers) > len(keys):
        raise ArgumentError(f"too many arguments: {' '.join(numbers[len(keys) :])}")
    if of_one and numbers and len(names) > 1:
        raise ArgumentError(f"PID {numbers[0]} belongs to one watcher: give one NAME")
    return {**({"name": one_or_more(names)} if names else {}), **dict(zip(keys, numbers))}
