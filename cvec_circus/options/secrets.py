"""What may be a secret: values with a name that sounds like one, and passwords in addresses.

One rule for plans, for what a terminal shows, and for the log of the daemon: what is printed there
is copied into tickets and chats. Messages, JSON and pipes carry the values, since programs copy
watchers by them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

CONCEALED = "***"
"""In place of a value that may be a secret."""

_NAME = re.compile(r"passw|secret|token|credential|dsn|ur[il]\b|(\b|_)key\b", re.IGNORECASE)

_LIKE_ONE = r"(?:passw|secret|token|credential|apikey|[_-]key(?![a-z]))"
_WORD = rf"[\w.-]{{0,60}}?{_LIKE_ONE}[\w.-]{{0,40}}"  # bounded: a line of output may be anything
_VALUE = r"""(?:"[^"]*"|'[^']*'|[^\s"',;&]+)"""
_ASSIGNED = re.compile(
    rf"(?<![\w.-])({_WORD}=|--{_WORD} ){_VALUE}",
    re.IGNORECASE,
)
_IN_ADDRESS = re.compile(r"(://[^\s/:@]{0,100}:)[^\s/@]{1,300}(?=@)")


def is_secret(name: str) -> bool:
    """Tell whether the value of an option or a variable may be a secret, by its name."""
    return _NAME.search(name) is not None


def conceal(name: str, value: Any) -> Any:
    """Return a value as it may be shown: `***` for a secret; of an object, each key by its name."""
    if isinstance(value, Mapping):
        return {key: conceal(str(key), one) for key, one in value.items()}
    if value in (None, "") or not is_secret(name):
        return conceal_text(value) if isinstance(value, str) else value
    return CONCEALED


def conceal_text(text: str) -> str:
    """Return a text without the values of `API_KEY=...`, `--password ...` and `//user:...@`."""
    if "://" in text:
        text = _IN_ADDRESS.sub(rf"\1{CONCEALED}", text)
    return _ASSIGNED.sub(rf"\1{CONCEALED}", text)


AS_IS = "as_is"
"""What a record of the log has if it keeps the values of variables: `extra={AS_IS: True}`."""


class Variables:
    """The environment variables that a configuration names, and what they stand for.

    An error names the variable, never its value. Owned by the thread that made it; `conceal` is for
    any thread.
    """

    def __init__(self, values: Mapping[str, str] = MappingProxyType({})) -> None:
        """Prepare: `values` are the variables' names, as they are written, by their values."""
        self._names: Mapping[str, str] = {}
        self.adopt(values)

    def adopt(self, values: Mapping[str, str]) -> None:
        """Take those of another configuration instead."""
        longest_first = sorted(values, key=len, reverse=True)
        self._names = {value: values[value] for value in longest_first}

    def conceal(self, text: str) -> str:
        """Return a text with the names in place of the values."""
        for value, name in self._names.items():
            text = text.replace(value, name)
        return text
