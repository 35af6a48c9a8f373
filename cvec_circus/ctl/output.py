"""Replies on the standard output: in words for people, or as JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cvec_circus.commands.base import Command, Fields

#: What could move a terminal's cursor or change its colours, as text that only shows it. Names and
#: reasons come from whoever may talk to the daemon.
_CONTROLS = (*range(9), *range(11, 32), *range(127, 160))
_ESCAPES = {code: f"\\x{code:02x}" for code in _CONTROLS}


def show(command: Command, reply: Fields, as_json: bool, prettify: bool) -> None:
    """Print a reply: what people want on the standard output, an error on the standard error."""
    if as_json or prettify:
        _print(json.dumps(reply, indent=2 if prettify else None, sort_keys=prettify))
    elif reply.get("status") == "error":
        print(_plain(f"error: {reply.get('reason')}"), file=sys.stderr)
    else:
        _print(_plain(_words(command, reply)))


def _words(command: Command, reply: Fields) -> str:
    """Say a reply in words; as JSON when another version of the daemon gave it another shape."""
    try:
        return command.words(reply)
    except (KeyError, TypeError, AttributeError, ValueError):
        return json.dumps(reply)


def _plain(text: str) -> str:
    return text.translate(_ESCAPES)


def _print(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except BrokenPipeError:
        # The reader has seen enough, as `head` has; what is left must not be flushed at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
