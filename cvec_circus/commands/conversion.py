"""Options of a watcher as a message gives them, converted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus.exc import MessageError, OptionError
from cvec_circus.options.rights import ACCOUNTS, Accounts, accounts_of
from cvec_circus.options.watcher import WATCHER_OPTIONS

_MAX_KEY = 200
_UNKNOWN = "unknown option"
_NOBODY: Mapping[str, Any] = dict.fromkeys(ACCOUNTS)


def convert_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Type the options that `add` and `set` get, by the table that the configuration has too.

    Raises:
        MessageError: For a key without a dot that no option has, in the words of Circus.
        OptionError: For a value that its option does not take.
    """
    for key in given:
        if len(key) > _MAX_KEY:
            raise MessageError(f"unknown key {key[:60]!r}...: longer than {_MAX_KEY} characters")
    try:
        return WATCHER_OPTIONS.convert(given)
    except OptionError as problem:
        if problem.reason.startswith(_UNKNOWN):
            near = problem.reason[len(_UNKNOWN) :]
            raise MessageError(f"unknown key {problem.option!r}{near}") from None
        raise


def convert_accounts(
    given: Mapping[str, Any], current: Mapping[str, Any] = _NOBODY
) -> Accounts | None:
    """Type the accounts in options that `add` and `set` get.

    Args:
        given: The options.
        current: Those of the watcher that they are for.

    Returns:
        Whom processes run as with them; None if the options say nothing about that.

    Raises:
        OptionError: For a value that is no account.
    """
    said = WATCHER_OPTIONS.convert({key: given[key] for key in ACCOUNTS if key in given})
    return accounts_of({**current, **said}) if said else None


def typed_if_possible(key: str, value: str) -> Any:
    """Type an option that a command line gives; what the table refuses stays text.

    The daemon refuses it then, in its own words: it may be another version than the command line.
    A hook stays text as well.
    """
    if key.partition(".")[0] == "hooks":
        return value
    try:
        return WATCHER_OPTIONS.convert({key: value})[key]
    except OptionError:
        return value
