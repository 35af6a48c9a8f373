"""The conversion and the check of a watcher's option, at their path in Circus."""

from __future__ import annotations

from typing import Any

from cvec_circus.exc import ArgumentError, MessageError, OptionError
from cvec_circus.options.watcher import WATCHER_OPTIONS


def convert_option(key: str, val: Any) -> Any:
    """Return the value of a watcher's option, given as text, with the type that it has.

    Raises:
        ArgumentError: There is no such option, or it does not take the value.
    """
    try:
        if WATCHER_OPTIONS.find(key) is None:
            raise ArgumentError(f"unknown key {key!r}{WATCHER_OPTIONS.near(key)}")
        converted = WATCHER_OPTIONS.convert_one(key, val)
    except OptionError as error:
        raise ArgumentError(str(error)) from None
    return val if key.startswith("hooks.") else converted  # a message has a hook as it is written


def validate_option(key: str, val: Any) -> None:
    """Check the value of a watcher's option, as it comes in a message.

    Raises:
        MessageError: There is no such option, or it does not take the value.
    """
    try:
        convert_option(key, val)
    except ArgumentError as error:
        raise MessageError(str(error)) from None
