"""Command lines, split into words as a POSIX shell does it, fast, and up to a bound."""

from __future__ import annotations

import re

from cvec_circus.base.patterns import regex

LONGEST = 128 * 1024
"""Characters of a command line. Linux takes no argument that is longer (MAX_ARG_STRLEN)."""

_PIECES = r"""[^ \t\r\n'"\\]+|'[^']*'|"[^"\\]*(?:\\.[^"\\]*)*"|\\."""
_PIECE = regex(_PIECES, re.DOTALL)
#: A word; or a character that begins a quotation, or escapes, and has no end: never a word.
_WORD_OR_STRAY = regex(rf"""(?:{_PIECES})+|['"\\]""", re.DOTALL)
_STRAYS = frozenset("'\"\\")
_OPERATORS = frozenset(";&|()")
#: What a shell does not take for an operator, up to the next one; or such operators.
_COMMAND_OR_OPERATORS = regex(
    r"""(?:[^;&|()'"\\]+|'[^']*'|"[^"\\]*(?:\\.[^"\\]*)*"|\\.)+|[;&|()]+""", re.DOTALL
)
_PLAIN = regex(r"[^ \t\r\n]+")
_QUOTING = regex(r"""['"\\]""")
#: In double quotes, a backslash is one, unless it stands before a double quote or another one.
_ESCAPED = regex(r'\\(["\\])')


def split(text: str) -> list[str]:
    """Split a command line as `shlex.split` does, forty times as fast.

    Raises:
        ValueError: A quotation is not closed, nothing follows a backslash, or it is too long.
    """
    check_length(text)
    if not _QUOTING.search(text):
        return _PLAIN.findall(text)
    words = _WORD_OR_STRAY.findall(text)
    if not _STRAYS.isdisjoint(words):
        is_alone = text.endswith("\\") and "\\" in words
        raise ValueError("No escaped character" if is_alone else "No closing quotation")
    return [_unquoted(word) if _QUOTING.search(word) else word for word in words]


def bare(text: str) -> list[str]:
    """Return the words of a command line in which nothing is quoted or escaped.

    Raises:
        ValueError: See `split`.
    """
    split(text)
    return [word for word in _WORD_OR_STRAY.findall(text) if not _QUOTING.search(word)]


def pieces_of(text: str) -> list[tuple[str, str, str]]:
    """Return for each word the blanks in front of it, the word as it is written, and what it means.

    Raises:
        ValueError: See `split`.
    """
    found, end = [], 0
    words = split(text)
    for match, word in zip(_WORD_OR_STRAY.finditer(text), words):
        found.append((text[end : match.start()], match[0], word))
        end = match.end()
    return found


def commands_of(text: str) -> list[tuple[str, bool]]:
    """Return the commands of a script of a shell, and the operators between them: of each, whether
    it is a command.

    Raises:
        ValueError: See `split`.
    """
    split(text)
    parts = _COMMAND_OR_OPERATORS.findall(text)
    return [(part, _OPERATORS.isdisjoint(part[0])) for part in parts]


def without_literals(text: str) -> str:
    """Return a command line without what stands in single quotes, which nothing replaces."""
    return _PIECE.sub(lambda match: "" if match[0][0] == "'" else match[0], text)


def check_length(text: str) -> None:
    """Refuse a command line that is too long.

    Raises:
        ValueError: With a sentence that names the bound.
    """
    if len(text) > LONGEST:
        raise ValueError(f"{len(text)} characters are more than a command may have ({LONGEST})")


def _unquoted(word: str) -> str:
    return _PIECE.sub(_meaning, word)


def _meaning(match: re.Match[str]) -> str:
    piece = match.group()
    if piece[0] == "'":
        return piece[1:-1]
    if piece[0] == '"':
        return _ESCAPED.sub(r"\1", piece[1:-1])
    return piece[1:] if piece[0] == "\\" else piece
