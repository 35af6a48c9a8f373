"""What may be a secret: values with a name that sounds like one, and passwords in addresses.

One rule for plans, for what a terminal shows, and for the log of the daemon: what is printed there
is copied into tickets and chats. Messages, JSON and pipes carry the values, since programs copy
watchers by them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from cvec_circus.wire.outcome import WROTE

NOTHING: Mapping[str, str] = MappingProxyType({})

CONCEALED = "***"
"""In place of a value that may be a secret."""

_ANYWHERE = (
    "passw|passphrase|secret|token|credential|dsn|authorization|ur[il]\\b|connection_?string|webhook"
    "|(?:api|access|private|signing|encryption|master|license)_?key"
)
_AT_THE_END = "pass|pwd|auth|creds?|keys?|salt|jwt|cookies?"
_NAME = re.compile(rf"{_ANYWHERE}|(?:\b|_){_AT_THE_END.join(('(?:', ')'))}\b", re.IGNORECASE)
_FOLDERS = frozenset({"PWD", "OLDPWD"})
"""The folders of a shell, and no passwords."""

_LIKE_ONE = (
    "passw|passphrase|secret|token|credential|apikey|authorization"
    "|(?:(?<=[_-])|(?<![a-z0-9]))(?:pass|pwd|auth|creds?)(?![a-z0-9_-])|(?<=[_-])keys?(?![a-z])"
)
_WORD = rf"(?!(?:OLD)?PWD=)(?i:[\w.-]{{0,60}}?(?:{_LIKE_ONE})[\w.-]{{0,40}})"
# bounded: a line of output may be anything
_VALUE = r"""(?:"[^"]*"|'[^']*'|[^\s"',;&]+)"""
_SCHEME = r"(?i:(?:bearer|basic|digest|token|apikey) +)?"
_ASSIGNED = re.compile(rf"""(?<![\w.-])({_WORD}(?:["']?=|["'] ?: ?| = )|--{_WORD} +){_VALUE}""")
_SAID = re.compile(rf"""(?<![\w.-])({_WORD}["']?: *{_SCHEME})(?:{_VALUE})""")
_QUOTED = re.compile(
    rf"""(?<![\w.-])({_WORD}: ?)(?:"[^"]*"|'[^']*'|(?=[^\s"',;&]*\d)[^\s"',;&]{{4,}})"""
)
_HEADER = re.compile(
    r"""(?i)\b((?:proxy-)?authorization|cookie|set-cookie|x-[a-z-]*(?:key|token|auth))(: *)"""
    rf"""({_SCHEME})[^"'\r\n]+?(?=["']|$|\s-)"""
)
_BEARER = re.compile(r"(?i:\b(bearer +))(?=[\w.~+/=-]*\d)[\w.~+/=-]{8,}")
_IN_ADDRESS = re.compile(
    r"""(://[^\s/:@]{0,100}:)(?!\d{1,5}(?:[/?#\s,;"')]|$))"""
    r"""(?:(?:(?!://)[^\s/?#"'<>]){1,300}(?=@|\.{3})|(?:(?!://)[^\s"'<>@]){1,300}(?=@))"""
)
_USER = re.compile(r"""(://)(?=[^\s/:@]*\d)[^\s/:@"'<>]{20,200}(?=@)""")
_SWITCHES = (
    re.compile(r"\b((?:mysql|mariadb)[\w-]*\b[^|;&\n]{0,300}? -p)[^\s\"']+"),
    re.compile(r"\b(sshpass +-p *)\S+"),
    re.compile(r"\b(redis-cli\b[^|;&\n]{0,300}? -a +)\S+"),
    re.compile(r"\b((?:curl|wget)\b[^|;&\n]{0,300}? (?:-u|--user|--proxy-user)[ =]*[^\s:]+:)\S+"),
)
"""Passwords behind switches of programs that everyone calls; `-p` alone is mostly a port."""


_HINTS = (
    "pass secret token cred dsn auth key pwd cookie bearer :// mysql mariadb redis-cli curl wget"
).split()
"""One of these is in each text that anything above finds something in."""


def is_secret(name: str) -> bool:
    """Tell whether the value of an option or a variable may be a secret, by its name."""
    if name.rpartition(".")[2] in _FOLDERS:
        return False
    return _NAME.search(name.replace("-", "_")) is not None


def conceal(name: str, value: Any) -> Any:
    """Return a value as it may be shown: `***` for a secret; of an object, each key by its name."""
    if isinstance(value, Mapping):
        return {key: conceal(str(key), one) for key, one in value.items()}
    if value not in (None, "") and is_secret(name):
        return CONCEALED
    if isinstance(value, (list, tuple)):
        return _concealed_words(value)
    return conceal_text(value) if isinstance(value, str) else value


def _concealed_words(words: Iterable[Any]) -> list[Any]:
    """Return the words of a command as they may be shown; that behind `--password` may not."""
    found: list[Any] = []
    is_due = False
    for word in words:
        found.append(CONCEALED if is_due else conceal("", word))
        is_due = isinstance(word, str) and word[:1] == "-" and "=" not in word and is_secret(word)
    return found


def conceal_text(text: str) -> str:
    """Return a text without the values of `API_KEY=...`, `--password ...`, `//user:...@` and such;
    of a line of a process that is quoted in it, see `conceal_output`."""
    if not _may_have_one(text):
        return text
    text, wrote, line = text.partition(WROTE)
    if "://" in text:
        text = _USER.sub(rf"\1{CONCEALED}", _IN_ADDRESS.sub(rf"\1{CONCEALED}", text))
    if ":" in text:
        text = _HEADER.sub(rf"\1\2\3{CONCEALED}", text)
        text = _QUOTED.sub(rf"\1{CONCEALED}", text)
    text = _BEARER.sub(rf"\1{CONCEALED}", text)
    if " -" in text:
        for switch in _SWITCHES:
            text = switch.sub(rf"\1{CONCEALED}", text)
    text = _ASSIGNED.sub(rf"\1{CONCEALED}", text)
    return f"{text}{wrote}{conceal_output(line)}" if wrote else text


def conceal_output(line: str) -> str:
    """Return what a process has written without secrets: those of `password: ...`, too.

    Our own texts say `db_password: unknown option`, so there it counts only what is in quotes or
    has a digit.
    """
    return _SAID.sub(rf"\1{CONCEALED}", conceal_text(line)) if _may_have_one(line) else line


def _may_have_one(text: str) -> bool:
    """Tell quickly of almost all lines of a log that there is nothing to conceal."""
    lower = text.lower()
    return any(hint in lower for hint in _HINTS)


AS_IS = "as_is"
"""What a record of the log has if it keeps the values of variables: `extra={AS_IS: True}`."""

SHORTEST = 3
"""Characters. What is shorter is not a secret, and may be part of any word of a message."""

_WRITTEN = r"\$\(circus\.env\.[^()]*\)"
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
        forms = {value, value.strip(), repr(value)[1:-1]}
        self._values.update((one, written) for one in forms if len(one) >= SHORTEST)
        self._parts.update((one, shown) for one, shown in parts.items() if len(one) >= SHORTEST)
        self._search = None

    def adopt(self, others: Variables) -> None:
        """Take those of another configuration instead."""
        self._values, self._parts = dict(others._values), dict(others._parts)
        self._search = None

    def show(self, texts: Iterable[str]) -> None:
        """Conceal no value that is a part of one of these texts, such as names of watchers."""
        everything = "\n".join(texts)
        for found in (self._values, self._parts):
            for value in [one for one in found if one in everything]:
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


def parts_of(value: str, written: str) -> dict[str, str]:
    """Return what a message may show of a value alone: words, folders above it, and packages."""
    found = {word: written for word in value.split()}
    for place in re.finditer(r"[./]", value):
        above = f"{written}{'/..' * value.count('/', place.start())}"
        found.setdefault(value[: place.start()], written if place[0] == "." else above)
    found.pop(value, None)
    return found
