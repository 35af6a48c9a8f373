"""What may be a secret: values with a name that sounds like one, and passwords in addresses.

One rule for plans, for what a terminal shows, and for the log of the daemon: what is printed there
is copied into tickets and chats. Messages, JSON and pipes carry the values, since programs copy
watchers by them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from cvec_circus.base.patterns import regex
from cvec_circus.options.words import commands_of, pieces_of
from cvec_circus.wire.outcome import WROTE

CONCEALED = "***"
"""In place of a value that may be a secret."""

_NAME = regex(
    r"passw|passphrase|secret|token(?!i[sz])|credential|dsn|authorization|connection_?string|webhook"
    r"|(?:api|access|private|signing|encryption|master|license)_?key"
    r"|(?:\b|_)(?:auth|creds?|keys?|salt|jwt|cookies?|pw)\b|pwd\b"
    r"|(?<!com)(?<!by)(?<!tres)(?<!sur)(?<!under)(?<!over)pass\b",
    re.IGNORECASE,
)
_ABOUT_ONE = regex(
    r"(?:\b|_)(?:files?|filename|dir|directory|folder|path|ur[il]|length|size|count|limit|timeout|ttl"
    r"|lifetime)$|(?:key|token|secret|passw(?:or)?d|pass)(?:file|path|dir)$"
    r"|\b(?:max|min|num|total)_(?:\w+_)?tokens$",
    re.IGNORECASE,
)
"""Where a secret is, or how long: no secret itself."""
_ADDRESS = regex(r"ur[il]$", re.IGNORECASE)
_USER_AND_PASSWORD = regex(r"[^\s/:@]*:[^\s/@]+@")
_FOLDERS = frozenset({"PWD", "OLDPWD"})
"""The folders of a shell, and no passwords."""
_STATES = frozenset(
    "ok yes no true false none null on off set unset failed failure success succeeded"
    " error required optional enabled disabled missing invalid valid expired empty denied"
    " accepted".split()
)
"""What is said of a password, and is none."""
_ACCOUNTS = frozenset({"files", "compat", "db"})
"""What `passwd:` is in nsswitch.conf."""

_LIKE_ONE = (
    r"passw|pass|pwd?|secret|token|cred|auth|key|salt|jwt|cookie|dsn|connection_?string|webhook"
)
_WORD = rf"(?i:[\w.-]{{0,60}}?(?:{_LIKE_ONE})[\w.-]{{0,40}})"
# bounded: a line of output may be anything. `is_secret` decides on what this finds
_QUOTATION = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|'[^']*'"""
_VALUE = rf"""(?:{_QUOTATION}|[^\s"',;&]+)"""
_BARE_END = r"""[^\s"',;&]*[^\s"',;&{}()\[\]]"""
# without the brackets of what it stands in
_SCHEME = r"(?i:(?:bearer|basic|digest|token|apikey) +)?"
_BEFORE = r"(?<![\w.-])"
_Pattern = tuple["re.Pattern[str]", "re.Pattern[str]"]


def _pattern(key: str, value: str) -> _Pattern:
    """Return how a name and what follows it is found, and then its value."""
    return regex(key), regex(value)


_ASSIGNED = _pattern(rf"{_BEFORE}({_WORD})(?:=| = )|{_BEFORE}--({_WORD}) +", _VALUE)
_IN_JSON = _pattern(rf"""{_BEFORE}({_WORD})["'](?:=| ?: *)""", f"{_QUOTATION}|{_BARE_END}")
_SAID = _pattern(rf"{_BEFORE}({_WORD}): *{_SCHEME}", f"{_QUOTATION}|{_BARE_END}")
_QUOTED = _pattern(
    rf"{_BEFORE}({_WORD}): ?", rf"""{_QUOTATION}|(?=[^\s"',;&]*\d)[^\s"',;&]{{4,}}"""
)
_UNEXPECTED = regex(r"\b(?:unexpected|invalid|illegal|bad|unknown) $", re.IGNORECASE)
"""In front of `token: x`, where a parser speaks."""
_LONGEST_BEFORE = 12
_HEADER = regex(
    r"""(?i)\b((?:proxy-)?authorization|cookie|set-cookie|x-[a-z-]*(?:key|token|auth))(: *)"""
    rf"""({_SCHEME})[^"'\r\n]+?(?=["']|$|\s-)"""
)
_BEARER = regex(r"(?i:\b(bearer +))(?=[\w.~+/=-]*\d)[\w.~+/=-]{8,}")
_IN_ADDRESS = regex(
    r"""(://[^\s/:@]{0,100}:)(?!\d{1,5}(?:[/?#\s,;"')]|$))"""
    r"""(?:(?:(?!://)[^\s/?#"'<>]){1,300}(?=@|\.{3})|(?:(?!://)[^\s"'<>@]){1,300}(?=@))"""
)
_USER = regex(r"""(://)(?=[^\s/:@]*\d)[^\s/:@"'<>]{20,200}(?=@)""")
_SWITCHES = (
    regex(r"\b((?:mysql|mariadb)[\w-]*\b[^|;&\n]{0,300}? -p)[^\s\"']*[^\s\"';]"),
    regex(r"\b(sshpass +-p *)\S*[^\s;]"),
    regex(r"\b(redis-cli\b[^|;&\n]{0,300}? -a +)\S*[^\s;]"),
    regex(r"\b((?:curl|wget)\b[^|;&\n]{0,300}? (?:-u|--user|--proxy-user)[ =]*[^\s:]+:)\S*[^\s;]"),
)
"""Passwords behind switches of programs that everyone calls; `-p` alone is mostly a port."""


_HINTS = (
    "pass secret token cred dsn auth key pw cookie bearer :// mysql mariadb redis-cli curl wget"
    " salt jwt webhook connection"
).split()
"""One of these is in each text that anything above finds something in."""


def is_secret(name: str, value: Any = None) -> bool:
    """Tell whether the value of an option, a variable or a switch may be a secret.

    Args:
        name: Its name, which decides.
        value: What it is: an address with a password, under a name that ends in `url`, is a secret;
            a folder, a state or a number of tokens is none. None if that is not known.
    """
    text = "" if value is None else str(value)
    if _sounds_secret(name):
        return not _is_harmless(name.lower(), text)
    if not text or not _ADDRESS.search(name):
        return False
    return bool(_USER_AND_PASSWORD.match(text)) or conceal_text(text) != text


def _sounds_secret(name: str) -> bool:
    if name.rpartition(".")[2] in _FOLDERS:
        return False
    if name.endswith("_PAT"):  # a personal access token; file_pat is a pattern
        return True
    name = name.replace("-", "_").lower()
    return _NAME.search(name) is not None and ("webhook" in name or not _ABOUT_ONE.search(name))


def _is_harmless(name: str, text: str) -> bool:
    """Tell whether a value is none that such a name, in lower case, has as a secret."""
    if name.endswith("tokens"):
        return text.isdigit()
    if name.rpartition(".")[2] == "pwd" and text.startswith("/"):
        return True
    return text.lower() in _STATES or (name == "passwd" and text in _ACCOUNTS)


def conceal(name: str, value: Any) -> Any:
    """Return a value as it may be shown: `***` for a secret; of an object, each key by its name;
    of a command line, whole words."""
    if isinstance(value, Mapping):
        return {key: conceal(str(key), one) for key, one in value.items()}
    if value not in (None, "") and is_secret(name, value):
        return CONCEALED
    if isinstance(value, (list, tuple)):
        return _concealed_list(value)
    return conceal_command(value) if isinstance(value, str) else value


_BLANKS = " \t\r\n\f\v\"'<>\\"
_HIDE = str.maketrans({char: chr(0xE000 + number) for number, char in enumerate(_BLANKS)})
_SHOW = str.maketrans({chr(0xE000 + number): char for number, char in enumerate(_BLANKS)})
_SHOW[0xE0FF] = ""
_DONE, _LAST = 0xE100, 0xF8FF
"""Characters for private use: for words in which nothing is searched any more, by their number."""
_QUOTED_WORD = chr(0xE0FF)
"""The same, at the end of a word that is quoted without need."""
_PRIVATE = regex("[\ue000-\uf8ff]")
_PRIVATE_WORD = regex("(?<![^ \t\r\n\f\v])[^ \t\r\n\f\v]*[\ue000-\uf8ff][^ \t\r\n\f\v]*")
_SCRIPT = regex(r"-[a-z]*c")
_SWITCH = regex(r"-(?!p(?!ass|w|riv))[^=;]*")
"""What a secret may follow; `-pmysecret` has its own."""
_SHELL = regex(r"(?:.*/)?(?:[a-z]{0,3}sh|python[\d.]*)")
"""What runs a script, and has no option -c for anything else."""
_LEADING = regex(rf"((-{{0,2}}[\w.-]{{1,100}})(?:=|: *{_SCHEME}))(?=(.+))", re.DOTALL)


def conceal_command(text: str) -> str:
    """Return a command line with whole words concealed, as a shell splits them. What no shell can
    split is a text like any other."""
    if not _may_have_one(text):
        return text
    try:
        pieces = None if _PRIVATE.search(text) else pieces_of(text)
    except ValueError:
        pieces = None
    if pieces is None or len(pieces) > _LAST - _DONE:
        return conceal_text(text)
    hidden, done = _hidden([word for _, _, word in pieces])
    shown = []
    raws, opened = {}, {}
    for one, (_, raw, word) in zip(hidden, pieces):
        if raw != word and not _PRIVATE.search(one):
            one += _QUOTED_WORD
        shown.append(one)
        opened[one] = raw[:1]
        if done.get(one, word) == word:
            raws[one] = raw
    line = "".join(f"{blank}{one}" for (blank, _, _), one in zip(pieces, shown))
    end = text[sum(len(blank) + len(raw) for blank, raw, _ in pieces) :]

    def restored(found: re.Match[str]) -> str:
        one = found[0]
        if one in raws:
            return raws[one]
        return _requoted(done.get(one, one.translate(_SHOW)), opened.get(one, "'"))

    return _PRIVATE_WORD.sub(restored, conceal_text(line) + end)


def _conceal_script(text: str) -> str:
    """Return a script of a shell with whole words of its commands concealed."""
    try:
        parts = commands_of(text)
    except ValueError:
        return conceal_text(text)
    shown = "".join(conceal_command(part) if is_command else part for part, is_command in parts)
    return _IN_ADDRESS.sub(rf"\1{CONCEALED}", shown)  # an address may have operators, by mistake


def _requoted(word: str, mark: str) -> str:
    if not word or not set(word).isdisjoint(_BLANKS):
        is_double = mark == '"' and set(word).isdisjoint('"\\')
        return f'"{word}"' if is_double else shlex.quote(word)
    return word


def _concealed_list(words: Sequence[Any]) -> list[Any]:
    """Return the words of a command as they may be shown; that behind `--password` may not."""
    texts = ["" if isinstance(word, (Mapping, list, tuple)) else str(word) for word in words]
    if any(map(_PRIVATE.search, texts)):
        return [conceal("", word) for word in words]
    hidden, done = _hidden(texts)
    shown = conceal_text(" ".join(hidden)).split(" ")
    if len(shown) != len(words):
        shown = list(map(conceal_text, hidden))
    shown = [done.get(one, one.translate(_SHOW)) for one in shown]
    return [
        conceal("", word) if one == text else one for word, text, one in zip(words, texts, shown)
    ]


def _hidden(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return words in which nothing ends a word any more, and what those are that are decided."""
    found: list[str] = []
    done: dict[str, str] = {}
    before, program = "", ""
    for number, word in enumerate(words):
        leading = _LEADING.match(word)
        decided = None
        end = ";" if word[-1:] == ";" else ""  # of a command in a script
        is_script = _SCRIPT.fullmatch(before) is not None
        if is_script and _SHELL.fullmatch(program):
            decided = _conceal_script(word)
        elif _SWITCH.fullmatch(before) and is_secret(before, word):
            decided = f"{CONCEALED}{end}"
        elif leading and is_secret(leading[2].lstrip("-"), leading[3]):
            decided = f"{leading[1]}{CONCEALED}{end}"
        elif is_script and "://" not in word.partition(" ")[0]:
            decided = _conceal_script(word)
        elif not word:
            decided = ""
        if decided is None:
            found.append(word.translate(_HIDE))
        else:
            found.append(chr(_DONE + number))
            done[found[-1]] = decided
        before, program = word, before
    return found, done


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
        text = _without_values(_QUOTED, text)
    text = _BEARER.sub(rf"\1{CONCEALED}", text)
    if " -" in text:
        for switch in _SWITCHES:
            text = switch.sub(rf"\1{CONCEALED}", text)
    text = _without_values(_ASSIGNED, _without_values(_IN_JSON, text))
    return f"{text}{wrote}{conceal_output(line)}" if wrote else text


def conceal_output(line: str) -> str:
    """Return what a process has written without secrets: those of `password: ...`, too.

    Our own texts say `db_password: unknown option`, so there it counts only what is in quotes or
    has a digit.
    """
    return _without_values(_SAID, conceal_text(line)) if _may_have_one(line) else line


def _without_values(pattern: _Pattern, text: str) -> str:
    """Return a text without the values that a pattern finds, of those whose name says a secret."""
    shown: list[str] = []
    end = 0
    key = pattern[0].search(text)
    while key:
        goes_on = key.end()
        name = key[1] or key[2]
        start = key.start()
        is_told = _UNEXPECTED.search(text, max(0, start - _LONGEST_BEFORE), start)
        is_one = _sounds_secret(name) and not is_told
        value = pattern[1].match(text, goes_on) if is_one else None
        if value:
            if not _is_harmless(name.lower(), value[0].strip("\"'")):
                shown += [text[end:goes_on], CONCEALED]
                end = value.end()
            goes_on = value.end()
        key = pattern[0].search(text, goes_on)
    return "".join([*shown, text[end:]])


def _may_have_one(text: str) -> bool:
    """Tell quickly of almost all lines of a log that there is nothing to conceal."""
    lower = text.lower()
    return any(hint in lower for hint in _HINTS)
