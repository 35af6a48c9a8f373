"""Names in option values: `$(circus.NAME)` and, for shells that expand `$`, `((circus.NAME))`.

Names match in any case, and an unknown one stays as it is written. A replacement is not expanded
again.

In a command line, the value of a variable is what a shell makes of `$NAME`: blanks in it separate
words unless it stands in quotes, and no character in it quotes or escapes anything.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from cvec_circus.base.patterns import regex

_NAME = regex(r"\$\(circus\.([^()]+)\)|\(\(circus\.([^()]+)\)\)", re.IGNORECASE)


def expand(text: str, values: Mapping[str, str]) -> str:
    """Return text with the names in it replaced.

    Args:
        text: An option's value, or one word of it.
        values: What each name stands for, under its lower-case name: "wid", "env.path".
    """
    if not has_names(text):
        return text
    return _NAME.sub(lambda found: values.get((found[1] or found[2]).lower(), found[0]), text)


def expand_words(text: str, values: Mapping[str, str], whole: bool = False) -> str:
    """Return a command line with the names in it replaced, ready to be split into words.

    What variables stand for is quoted, so that it means itself when the line is split, and stays as
    it is when the line is expanded once more. Other values are taken as they are: options are
    written by those who write the command.

    Args:
        text: The command line, not split.
        values: As for `expand`.
        whole: Whether all that a name stands for belongs to the word that the name is in.
    """
    if not has_names(text):
        return text
    done: list[str] = []
    quote, at = "", 0
    while found := _STEPS[quote].search(text, at):
        done.append(text[at : found.start()])
        at, step = found.end(), found[0]
        name = (found[1] or found[2] or "").lower()
        if name:
            value = values.get(name, step)
            if name in values and whole and not quote:
                value = shlex.quote(value)
            elif name in values and (whole or name.startswith("env.")):
                value = _literal(value, quote)
            done.append(value)
            continue
        done.append(step)
        if step in _QUOTES:
            quote = "" if quote else step
    return "".join(done) + text[at:]


_QUOTES = frozenset("'\"")
_STEPS = {
    "": regex(rf"{_NAME.pattern}|['\"]|\\(?!\$\(|\(\().", re.IGNORECASE | re.DOTALL),
    "'": regex(rf"{_NAME.pattern}|'", re.IGNORECASE),
    '"': regex(rf'{_NAME.pattern}|"|\\["\\]', re.IGNORECASE),
}
"""What counts in a command line, by the quote that is open: names, quotes, escaped characters."""

_EDGES = r"[$(](?=\(?circus\.|\(?\Z)|\A(?:\(|c(?=ircus\.))"
"""The characters of a value that could be part of a name, alone or with what stands beside it."""

_SPECIAL = {
    "": regex(rf"['\"\\]|{_EDGES}", re.IGNORECASE),
    "'": regex(rf"'|{_EDGES}", re.IGNORECASE),
    '"': regex(rf'["\\]|{_EDGES}', re.IGNORECASE),
}


def is_plain(value: str) -> bool:
    """Tell whether each character of a value but blanks means itself in any command line."""
    return not any(special.search(value) for special in _SPECIAL.values())


def _literal(value: str, quote: str) -> str:
    """Return a value so that each character but blanks means itself within that quote."""

    def alone(found: re.Match[str]) -> str:
        letter = found[0]
        return f'{quote}"{letter}"{quote}' if letter == "'" else f"{quote}'{letter}'{quote}"

    return _SPECIAL[quote].sub(alone, value)


def names_in(text: str) -> list[str]:
    """Return the names in a text as they are written, without the "circus." before them."""
    return [dollar or brackets for dollar, brackets in _NAME.findall(text)]


def without_variable(text: str) -> list[str]:
    """Return what to say of each variable in a text that does not exist; others are replaced."""
    names = (name.partition(".") for name in names_in(text))
    missing = [variable for kind, _, variable in names if kind.lower() == "env"]
    return [f"there is no variable {variable}; give it a value in [env]" for variable in missing]


def has_names(text: str) -> bool:
    """Return whether a text can have a name in it."""
    return "circus." in text.lower()


def env_values(env: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables under the names that they are written with: "env.path"."""
    return {f"env.{name.lower()}": value for name, value in env.items()}


def watcher_values(
    options: Mapping[str, Any],
    env: Mapping[str, str],
    sockets: Mapping[str, int],
    **own: Any,
) -> dict[str, str]:
    """Return what the names in a watcher's command stand for.

    Args:
        options: The watcher's full options; each goes under its own name.
        env: The environment of the process.
        sockets: The file descriptors of the daemon's sockets by their names.
        own: What belongs to this process alone: `name`, `wid`.
    """
    values = {name.lower(): str(value) for name, value in options.items()}
    values.update(env_values(env))
    values.update({f"sockets.{name.lower()}": str(fd) for name, fd in sockets.items()})
    values.update({name: str(value) for name, value in own.items()})
    return values
