"""Values that are known to be secrets, and a text without them, whatever stands around them.

The rules of `secrets` look at names. A program may also print `user=root pw hunter2`: what gives
that away is that `hunter2` is the value of its `DB_PASSWORD`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cvec_circus.base.patterns import regex
from cvec_circus.options.secrets import CONCEALED, conceal, conceal_text

SHORTEST = 4
"""Characters. What is shorter may be part of any text."""

_LONG = 8
"""Characters from which a value is also found within a word."""

_LONGEST_SEARCHED = 10_000
_MOST_IN_ONE = 8
_NUMBER = regex(r"\d{1,5}")
_QUOTATION = regex(r"""(["'])(.+)\1,?""", re.DOTALL)
_STRUCTURE = frozenset({"status", "next", "run"})
"""Keys of answers whose values are for programs."""


def secrets_in(name: str, value: Any) -> Iterator[str]:
    """Yield the values that `conceal` hides in an option or a variable."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from secrets_in(str(key), one)
        return
    shown = conceal(name, value)
    if isinstance(value, (list, tuple)) and isinstance(shown, list):
        for one, text in zip(value, shown):
            yield from _hidden(str(one), text)
    elif isinstance(shown, str):
        text = str(value)
        yield from _hidden(text, shown)
        if shown == CONCEALED:  # of an address, the password by itself
            from urllib.parse import unquote

            yield from map(unquote, _hidden(text, conceal_text(text)))


def _hidden(text: str, shown: Any) -> Iterator[str]:
    """Yield what stands in a text where the shown one has asterisks."""
    if text == shown or not isinstance(shown, str):
        return
    around = shown.split(CONCEALED)
    if len(around) - 1 <= _MOST_IN_ONE and len(text) <= _LONGEST_SEARCHED:
        found = re.fullmatch("(.+?)".join(map(re.escape, around)), text, re.DOTALL)
        for one in found.groups() if found else ():
            quotation = _QUOTATION.fullmatch(one)
            yield quotation[2] if quotation else one


class KnownSecrets:
    """Hides known values. Immutable.

    Args:
        values: The values.
        shown: Texts that stay readable, such as the names of watchers: no value that is part of one
            is hidden.
    """

    def __init__(self, values: Iterable[str], shown: Iterable[str] = ()) -> None:
        everything = "\n".join(shown)
        lines = {line for value in values for line in _lines(value) if line not in everything}
        forms = {form for line in lines for form in _forms(line)}
        self._values = sorted(forms, key=len, reverse=True)

    def conceal(self, answer: Any) -> Any:
        """Return a JSON value with asterisks in place of the known values; keys stay."""
        if not self._values:
            return answer
        if isinstance(answer, str):
            return self._conceal_text(answer)
        if isinstance(answer, Mapping):
            return {
                key: one if key in _STRUCTURE else self.conceal(one) for key, one in answer.items()
            }
        if isinstance(answer, (list, tuple)):
            return list(map(self.conceal, answer))
        return answer

    def _conceal_text(self, text: str) -> str:
        there = [value for value in self._values if value in text]  # a pattern of all takes longer
        if not there:
            return text
        return re.sub("|".join(map(_pattern, there)), CONCEALED, text)


def _lines(value: str) -> Iterator[str]:
    """Yield the lines of a value, which a program prints one by one, without what is no secret."""
    for line in map(str.strip, value.splitlines()):
        if len(line) >= SHORTEST and not _NUMBER.fullmatch(line) and not line.startswith("-----"):
            yield line


def _forms(line: str) -> set[str]:
    """Return a value as it may be printed: as it is, in quotes, in JSON and in an address."""
    from urllib.parse import quote

    return {line, repr(line)[1:-1], json.dumps(line)[1:-1], quote(line, safe="")}


def _pattern(value: str) -> str:
    text = re.escape(value)
    return text if len(value) >= _LONG else rf"(?<![^\W_]){text}(?![^\W_])"
