"""The public names of Circus 0.19 that are left out: what each was, and what to write instead.

Each of them can be imported; its use raises one line.
"""

from __future__ import annotations

from typing import Any, NoReturn

from cvec_circus.compat.gone_table import GONE, Gone
from cvec_circus.exc import GoneError

__all__ = ["GONE", "Gone", "Name", "find", "names_of", "refuse"]


def find(place: str, name: str) -> Gone | None:
    """Return the row of a name, or None if it is not gone."""
    return _BY_NAME.get((place, name))


def names_of(place: str) -> list[str]:
    """List the names of a module, or the members of a class, that are gone."""
    return [name for where, name in _BY_NAME if where == place]


def refuse(place: str, name: str) -> None:
    """Do nothing for a name that is not gone.

    Raises:
        GoneError: It is; the text says what to write instead.
    """
    row = find(place, name)
    if row is not None:
        raise GoneError(row._replace(place=place).line(name))


class Name:
    """A name that is gone: it can be imported, and any use of it raises. Immutable."""

    def __init__(self, row: Gone, name: str) -> None:
        self.__line = row.line(name)

    def __repr__(self) -> str:
        return f"<gone: {self.__line}>"

    def __refuse(self, *args: Any, **more: Any) -> NoReturn:
        raise GoneError(self.__line)

    __call__ = __getitem__ = __instancecheck__ = __iter__ = __mro_entries__ = __refuse
    __getattr__ = __refuse


_BY_NAME = {
    (place, name): row._replace(place=place)
    for row in GONE
    for place in row.place.split() or [""]
    for name in row.names.split()
}
