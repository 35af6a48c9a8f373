"""`logs`: the output of processes, past and present, a line each.

The daemon keeps the last of it. To follow, this asks for what comes after the last line it has, and
the daemon answers once there is a line: a slow reader costs the daemon nothing, and learns how much
was dropped.
"""

from __future__ import annotations

import json
import re
import select
from argparse import Namespace
from collections import deque
from typing import Any

from cvec_circus.client import CALL_TIMEOUT, Client
from cvec_circus.commands.logs import LINES, log_line
from cvec_circus.ctl.arguments import PROG
from cvec_circus.ctl.output import complain, pipe, plain, say
from cvec_circus.wire import messages

PATIENCE = 10.0
"""Seconds that the daemon waits for a line before it answers without one."""

A_PAGE = 1000
"""Lines; more than this are asked for page by page."""

Fields = dict[str, Any]


def show_logs(endpoint: str, options: Namespace, properties: Fields) -> Fields:
    """Print the output of processes.

    Returns:
        The daemon's last reply; one that is an error is yet to be shown.

    Raises:
        CallError: The daemon does not answer, or no longer.
        KeyboardInterrupt: Ctrl-C was typed.
    """
    with Client(endpoint, timeout=options.timeout or CALL_TIMEOUT, name=PROG) as client:
        return Reading(client, options, dict(properties)).run()


class Reading:
    """One use of the command. Owned by the thread that made it."""

    def __init__(self, client: Client, options: Namespace, wanted: Fields) -> None:
        self._client = client
        self._follows = "follow" in options.local
        self._as_json = options.json or options.prettify
        self._indent = 2 if options.prettify else None
        self._limit = {"lines": wanted.pop("lines")} if "lines" in wanted else {}
        self._lines = self._limit.get("lines", LINES)
        self._wanted = wanted
        self._expression = re.compile(options.local.get("grep", ""))

    def run(self) -> Fields:
        """Print the lines there are, then follow if that is wanted; return the last reply."""
        reply = self._last()
        if reply["status"] == "ok":
            if self._follows:
                return self._follow(reply)
            self._print_all(reply)
        return reply

    def _follow(self, reply: Fields) -> Fields:
        goes_on = self._print(reply["lines"])
        while goes_on:
            reply = self._ask({"since": reply["next"], "timeout": PATIENCE}, None)
            if reply["status"] != "ok":
                break
            is_last = "ended" in reply
            goes_on = self._miss(reply["missed"]) and self._print(reply["lines"], is_last)
            goes_on = goes_on and not _reader_is_gone()
            if is_last:
                complain(f"({reply['ended']})")
                break
        return reply

    def _ask(self, more: Fields, timeout: float | None) -> Fields:
        return self._client.exchange(messages.call("logs", {**self._wanted, **more}), timeout)

    def _last(self) -> Fields:
        """Ask for the last of the wanted lines."""
        timeout = self._client.timeout
        if self._lines <= A_PAGE and not self._expression.pattern:
            return self._ask(self._limit, timeout)
        kept: deque[Fields] = deque(maxlen=self._lines)
        reply = self._ask({"since": 0}, timeout)
        while reply["status"] == "ok":
            kept += self._found(reply["lines"])
            if not reply["more"]:
                return {**reply, "lines": list(kept), "missed": 0}
            reply = self._ask({"since": reply["next"]}, timeout)
        return reply

    def _found(self, rows: list[Fields]) -> list[Fields]:
        return [row for row in rows if self._expression.search(row["text"])]

    def _print_all(self, reply: Fields) -> None:
        if self._as_json:
            say(json.dumps(reply, indent=self._indent, sort_keys=bool(self._indent)))
        elif reply["lines"]:
            say("\n".join(plain(log_line(row)) for row in reply["lines"]))

    def _print(self, rows: list[Fields], is_last: bool = False) -> bool:
        """Print complete lines, or all if they are the last; return whether there is a reader."""
        shown = [row for row in self._found(rows) if is_last or not row.get("partial")]
        text = json.dumps if self._as_json else lambda row: plain(log_line(row))
        return not shown or say("\n".join(map(text, shown)))

    def _miss(self, size: int) -> bool:
        """Report bytes that were dropped; return whether there is a reader."""
        if not size:
            return True
        if self._as_json:
            return say(json.dumps({"missed": size}))
        complain(f"... {size} bytes missed")
        return True


def _reader_is_gone() -> bool:
    """Tell whether the reader has left, as `head` does."""
    fd, poll = pipe(), select.poll()
    if fd is not None:
        poll.register(fd, 0)
    return bool(poll.poll(0))
