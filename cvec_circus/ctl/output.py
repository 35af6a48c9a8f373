"""Replies on the standard output: in words for people, or as JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from cvec_circus.ctl.layout import lay_out, page_of, plain

if TYPE_CHECKING:
    from cvec_circus.commands.base import Command, Fields


def show(command: Command, reply: Fields, as_json: bool, prettify: bool, hint: str = "") -> None:
    """Print a reply: what people want on the standard output, an error on the standard error.

    Args:
        command: What the reply is to.
        reply: The reply.
        as_json: Whether it is for a program.
        prettify: The same, a value a line.
        hint: Follows an error, for people.
    """
    if as_json or prettify:
        say(json.dumps(reply, indent=2 if prettify else None, sort_keys=prettify))
    elif reply.get("status") == "error":
        complain(f"error: {reply.get('reason')}{hint}")
    else:
        say(_words(command, reply))


def say(text: str) -> bool:
    """Print to the standard output, with what its encoding cannot show written out.

    Returns:
        False when the reader has seen enough and is gone, as `head` is, or when there is none.

    Raises:
        OSError: It cannot be written.
    """
    if sys.stdout is None:
        return False
    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except OSError as problem:
        # What is left must not be flushed at the end, which would fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(problem, BrokenPipeError):
            return False
        raise
    return True


def complain(text: str) -> None:
    """Print a line to the standard error, if there is one."""
    if sys.stderr is not None:
        print(plain(text), file=sys.stderr)


def _words(command: Command, reply: Fields) -> str:
    """Say a reply in words; as JSON when another version of the daemon gave it another shape."""
    try:
        words = command.words(reply)
        return plain(words) if isinstance(words, str) else lay_out(words, page_of(sys.stdout))
    except (KeyError, TypeError, AttributeError, ValueError):
        return json.dumps(reply)
