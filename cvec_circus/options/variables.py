"""What the environment variables of a configuration stand for, which no error shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from cvec_circus.base.patterns import regex
from cvec_circus.options.secrets import is_secret

NOTHING: Mapping[str, str] = MappingProxyType({})

AS_IS = "as_is"
"""What a record of the log has if it keeps the values of variables: `extra={AS_IS: True}`."""

SHORTEST = 3
"""Characters. What is shorter is not a secret, and may be part of any word of a message."""

_WRITTEN = r"\$\(circus\.env\.[^()]*\)"
_WHOLE = regex(r"\$\(circus\.env\.([^()]*)\)", re.IGNORECASE)
_NAMED = regex(r"[$(]\(circus(?:\.[^()]*)?\)?", re.IGNORECASE)
"""A name that nothing has replaced, or the beginning of one: it is in messages by itself."""
_SIGNS = regex(r":/*|[?#@,;=&]+")
_MOST_SIGNS = 20
_OUR_WORDS = frozenset("tcp ipc inproc syslog http https unix exec true false".split())
"""Parts of values that a message may say by itself."""

_BEGINS, _ENDS = r"(?<![\w./-])(?:", r")(?![\w/-])"


class Variables:
    """The environment variables that a configuration names, and what they stand for.

    An error names the variable, never its value. Owned by the thread that made it; `conceal` is for
    any thread.
    """

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._parts: dict[str, str] = {}
        self._search: Callable[[str], str] | None = None

    def add(self, value: str, written: str, parts: Mapping[str, str] = NOTHING) -> None:
        """Conceal a value from now on.

        Args:
            value: What a variable stands for, or what an option with variables does.
            written: What the file has in its place.
            parts: What else may be shown of it, and is concealed where it is a word of its own.
        """
        if _WHOLE.fullmatch(value):
            return  # a variable that does not exist, which has no value to conceal
        forms = {value, value.strip(), repr(value)[1:-1]}
        self._values.update((one, written) for one in forms if len(one) >= SHORTEST)
        self._parts.update((one, shown) for one, shown in parts.items() if len(one) >= SHORTEST)
        self._search = None

    def secrets(self) -> Iterator[str]:
        """Yield the values of those variables whose names say that they may be secrets."""
        for value, written in self._values.items():
            found = _WHOLE.fullmatch(written)
            if found and is_secret(found[1], value):
                yield value

    def adopt(self, others: Variables) -> None:
        """Take those of another configuration instead."""
        self._values, self._parts = dict(others._values), dict(others._parts)
        self._search = None

    def show(self, texts: Iterable[str], path: str = "") -> None:
        """Conceal no value that is a part of one of these texts, such as names of watchers, and no
        folder with which an entry of a `PATH` begins, such as HOME: errors show that."""
        everything, folders = "\n".join(texts), f":{path}"
        for found in (self._values, self._parts):
            for value in list(found):
                if value in everything or (value[:1] == "/" and f":{value}" in folders):
                    del found[value]
        self._search = None

    def conceal(self, text: str) -> str:
        """Return a text with what is written in place of the values."""
        search = self._search
        if search is None:
            search = self._search = _search_of(self._values, self._parts)
        return search(text)

    def conceal_all(self, value: Any) -> Any:
        """Return a JSON value with the texts in it concealed, but not the keys of its objects."""
        if isinstance(value, str):
            return self.conceal(value)
        if isinstance(value, Mapping) and self._values:
            return {key: self.conceal_all(one) for key, one in value.items()}
        if isinstance(value, (list, tuple)) and self._values:
            return [self.conceal_all(one) for one in value]
        return value


def _search_of(values: Mapping[str, str], parts: Mapping[str, str]) -> Callable[[str], str]:
    """Return what replaces values and parts; what stands in their place is not searched again."""
    names = {**parts, **values}
    whole, words = ("|".join(sorted(map(re.escape, one), key=len)[::-1]) for one in (values, parts))
    either = [_WRITTEN, whole, f"{_BEGINS}{words}{_ENDS}" if words else ""]
    pattern = re.compile("|".join(filter(None, either)))
    if not names:
        return str
    return lambda text: pattern.sub(lambda found: names.get(found[0], found[0]), text)


def _pieces(value: str) -> Iterator[str]:
    """Yield what stands between any two of the signs in a value."""
    signs = list(_SIGNS.finditer(value))[:_MOST_SIGNS]
    begins, ends = [0, *(one.end() for one in signs)], [*(one.start() for one in signs), len(value)]
    for number, begin in enumerate(begins):
        yield from (value[begin:end] for end in ends[number:])


def parts_of(value: str, written: str) -> dict[str, str]:
    """Return what a message may show of a value alone: words, what stands between the signs of an
    address or a list, folders above it, and packages."""
    found = {word: written for word in value.split()}
    for place in re.finditer(r"[./]", value):
        above = f"{written}{'/..' * value.count('/', place.start())}"
        found.setdefault(value[: place.start()], written if place[0] == "." else above)
    for piece in _pieces(value):
        if piece not in _OUR_WORDS:
            found.setdefault(piece, written)
    found.pop(value, None)
    return {part: shown for part, shown in found.items() if not _NAMED.fullmatch(part)}
