"""Names that clients give: of watchers, as patterns; of users, groups and hooks, looked up on a
thread."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.base.patterns import regex
from cvec_circus.commands.base import MOST_PATTERNS
from cvec_circus.exc import MessageError, OptionError
from cvec_circus.options.rights import judge
from cvec_circus.supervisor.chores import Chore
from cvec_circus.wire.topics import fold

if TYPE_CHECKING:
    from cvec_circus.commands.target import Wanted
    from cvec_circus.options.hooks import Use

LONGEST = 1000
MOST_REPEATS = 3
_GLOB = regex(r"[*?\[]")
_REGEX = regex(r"[][.*+?^$\\|(){}]")
"""What makes a pattern of a name."""

#: What stands for one character.
_ATOM = regex(r"(?s)\\.|\[\^?\]?(?:\\.|[^\]\\])*\]")
#: A repeat that takes as little as it can, or gives nothing back.
_MODIFIED = regex(r"([*+?}])[?+]")
_GROUP_REPEATED = regex(r"\)[*+{]")


def compile_pattern(text: str, match: str) -> re.Pattern[str]:
    """Compile a pattern for the names of watchers; `match` is "glob" or "regex".

    A search for a regular expression holds the interpreter until it is over, and with repeats in
    each other that may be never: ``(a+)+$`` takes twice as long for each letter of a name. So
    repeats are bounded: with three of them, a name of 200 characters takes some milliseconds.
    Safe from any thread.

    Raises:
        MessageError: It is not a regular expression, or a search for it might take too long.
    """
    if len(text) > LONGEST:
        raise MessageError(f"{text[:60]!r}... is longer than {LONGEST} characters")
    if match == "glob":
        return re.compile(fnmatch.translate(text), re.IGNORECASE)
    bare = _MODIFIED.sub(r"\1", _ATOM.sub("x", text).replace("(?", "("))
    if _GROUP_REPEATED.search(bare) or sum(map(bare.count, "*+?{")) > MOST_REPEATS:
        raise MessageError(
            f"{text!r} could take forever to match: use at most {MOST_REPEATS} repeats, "
            "and none of a group"
        )
    try:
        return re.compile(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise MessageError(f"{text!r} is not a regular expression: {error}") from None


def names_filter(names: Sequence[str] | None, match: str) -> Callable[[str], bool]:
    """Return what tells whether a watcher has one of some names, or matches a pattern among them.

    Raises:
        MessageError: A pattern might take too long, or there are too many.
    """
    if names is None:
        return lambda name: True
    exact = set(map(fold, names))
    sign = {"glob": _GLOB, "regex": _REGEX}.get(match)
    texts = [one for one in names if sign and sign.search(one)]
    if len(texts) > MOST_PATTERNS:
        raise MessageError(f"message invalid: name: more than {MOST_PATTERNS} patterns")
    patterns = [compile_pattern(one, match) for one in texts]
    return lambda name: fold(name) in exact or any(one.match(name) for one in patterns)


class NameDesk:
    """Looks up users and groups, which may take LDAP, and hooks. Owned by the supervisor thread.

    What is found of accounts is kept, for starting processes and for judging messages: see
    `cvec_circus.system.accounts`.
    """

    def __init__(self, loop: Loop, chore: Chore) -> None:
        self._loop, self._chore = loop, chore

    def look_up(self, wanted: Wanted, then: Callable[..., object]) -> None:
        """Look up what a message names, accounts as `judge` takes them.

        `then` gets what is wrong with the accounts, None if nothing is, and warnings, later.

        Raises:
            CircusError: There is no thread for it.
        """
        self._chore.attempt(self._look_up, wanted, then)

    def _look_up(self, wanted: Wanted, then: Callable[..., object]) -> None:
        """On the names thread."""
        problem: OptionError | None = OptionError(
            "uid", "cannot be looked up now; the daemon's log has more"
        )
        warnings: list[str] = []
        try:
            judge(wanted.accounts)
            problem = None
            warnings = _doubts(wanted.hooks)
        except OptionError as error:
            problem = error
        except MemoryError:
            problem = OptionError("uid", "cannot be looked up: the daemon has no memory for that")
        finally:
            self._loop.post(then, problem, warnings)


def _doubts(hooks: Iterable[Use]) -> list[str]:
    if not hooks:
        return []
    from cvec_circus.supervisor.hook_calls import doubts_of  # most daemons have no hooks

    try:
        return list(dict.fromkeys(doubts_of(hooks)))
    except Exception as error:  # the order is carried out without a warning
        logger.debug("hooks could not be looked for", exc_info=error)
        return []
