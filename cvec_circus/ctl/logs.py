"""`logs`: the output of processes, past and present, a line each.

The daemon keeps the last of it. To follow, this asks for what comes after the last line it has, and
the daemon answers once there is a line: a slow reader costs the daemon nothing, and learns how much
was dropped.
"""

from __future__ import annotations

import json
import select
import sys
from argparse import Namespace
from collections import deque
from typing import Any

from cvec_circus import exc
from cvec_circus.base.figures import counted
from cvec_circus.client import CALL_TIMEOUT, Client
from cvec_circus.commands.logs import CURE, LINES, log_line, shorten, writer_of
from cvec_circus.ctl.arguments import PROG
from cvec_circus.ctl.output import complain, conceals, page_of, pipe, plain, say, width_of
from cvec_circus.options.secrets import conceal_output
from cvec_circus.system.terminal import Colours
from cvec_circus.wire import messages

PATIENCE = 10.0
"""Seconds that the daemon waits for a line before it answers without one."""

RETRY_DELAY = 0.25
"""Seconds to the next question to a daemon that is not there."""

A_PAGE = 1000
"""Lines; more than this are asked for page by page."""

FEW = 3
"""So many notes about watchers are printed; of more, one about all."""

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
        reading = Reading(client, options, dict(properties))
        reply = reading.last()
        if "several" in reply:
            reading = ReadingSeveral(client, options, dict(properties))
        return reading.show(reply)


class Reading:
    """One use of the command, for one output of a watcher. Owned by the thread that made it."""

    def __init__(self, client: Client, options: Namespace, wanted: Fields) -> None:
        self._client = client
        self._follows = "follow" in options.local
        self._as_json = options.json or options.prettify
        self._conceals = conceals(options)
        self._indent = 2 if options.prettify else None
        self._limit = {"lines": wanted.pop("lines")} if "lines" in wanted else {}
        self._age = {"age": wanted.pop("age")} if "age" in wanted else {}
        self._lines = self._limit.get("lines", None if self._age else LINES)
        self._wanted = wanted
        self._grep: str = options.local.get("grep", "")

    def show(self, reply: Fields) -> Fields:
        """Print what `last` returned, then follow if that is wanted; return the last reply."""
        if reply["status"] == "ok":
            if not self._as_json:
                self._note(reply.get("unkept", {}))
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

    def _note(self, unkept: Fields) -> None:
        """Say of which watchers nothing is kept, or not yet."""
        if len(unkept) <= FEW:
            for text in unkept.values():
                complain(f"({text})")
        else:
            names = shorten(", ".join(unkept))
            complain(f"(no output is kept of {len(unkept)} watchers: {names}; {CURE})")

    def _ask(self, more: Fields, timeout: float | None) -> Fields:
        return self._client.exchange(messages.call("logs", {**self._wanted, **more}), timeout)

    def last(self) -> Fields:
        """Ask for the last of the wanted lines."""
        timeout = self._client.timeout
        if self._lines is not None and self._lines <= A_PAGE and not self._grep:
            return self._ask({**self._limit, **self._age}, timeout)
        kept: deque[Fields] = deque(maxlen=self._lines)
        several: set[str] = set()
        first = reply = self._ask({"since": 0, **self._age}, timeout)
        while reply["status"] == "ok":
            kept += self._found(reply["lines"])
            several.update(reply.get("several", ()))
            if not reply["more"]:
                more = {"several": sorted(several)} if "several" in reply else {}
                missed = type(first["missed"])()
                return {**first, **reply, "lines": list(kept), "missed": missed, **more}
            reply = self._ask({"since": reply["next"], **self._age}, timeout)
        return reply

    def _found(self, rows: list[Fields]) -> list[Fields]:
        return [row for row in rows if self._grep in row["text"]]

    def _line(self, row: Fields) -> str:
        line = plain(log_line(row))
        return conceal_output(line) if self._conceals else line

    def _print_all(self, reply: Fields) -> None:
        if self._as_json:
            say(json.dumps(reply, indent=self._indent, sort_keys=bool(self._indent)))
        elif reply["lines"]:
            say("\n".join(map(self._line, reply["lines"])))

    def _print(self, rows: list[Fields], is_last: bool = False) -> bool:
        """Print complete lines, or all if they are the last; return whether there is a reader."""
        shown = [row for row in self._found(rows) if is_last or not row.get("partial")]
        return not shown or say("\n".join(map(json.dumps if self._as_json else self._line, shown)))

    def _miss(self, missed: Any) -> bool:
        """Report bytes that were dropped; return whether there is a reader."""
        if not missed:
            return True
        if self._as_json:
            return say(json.dumps({"missed": missed}))
        complain(f"... {counted(missed, 'byte')} missed")
        return True


class ReadingSeveral(Reading):
    """One use of the command, for the outputs of several watchers. Owned likewise.

    It outlives watchers and the daemon: what comes and goes is followed as long as it is there.
    """

    def __init__(self, client: Client, options: Namespace, wanted: Fields) -> None:
        super().__init__(client, options, wanted)
        page = page_of(sys.stdout)
        self._is_terminal = page.width is not None
        self._colours = Colours(page.colour)
        self._width = 0
        self._several: set[str] = set()
        self._is_lost = False

    def show(self, reply: Fields) -> Fields:
        self._several.update(reply["several"])
        return super().show(reply)

    def _ask(self, more: Fields, timeout: float | None) -> Fields:
        reply = super()._ask(more, timeout)
        self._several.update(reply.get("several", ()))
        return reply

    def _follow(self, reply: Fields) -> Fields:
        place, goes_on = reply["next"], self._print(reply["lines"])
        while goes_on and not _reader_is_gone():
            patience = 0.0 if self._is_lost else PATIENCE  # an answer tells that it is there
            try:
                reply = self._ask({"since": place, "timeout": patience}, None)
            except exc.CallError:
                self._lose("the daemon does not answer")
                goes_on = not _reader_is_gone(RETRY_DELAY)
                continue
            if reply["status"] != "ok":
                break
            is_last = "ended" in reply
            if not is_last:
                self._find(place, reply["next"])
            place = reply["next"]
            goes_on = self._miss(reply["missed"]) and self._print(reply["lines"], is_last)
            if is_last:
                self._lose(reply["ended"])
                goes_on = goes_on and not _reader_is_gone(RETRY_DELAY)
        return reply

    def _lose(self, why: str) -> None:
        """Say, once, that the daemon is gone."""
        if not self._is_lost:
            self._is_lost = True
            complain(f"({why}; waiting for it to come back)")

    def _find(self, former: str, place: str) -> None:
        """Say that there is another daemon, which a place tells, or the former one again."""
        is_another = former.partition(":")[0] != place.partition(":")[0]
        if is_another:
            complain("(the daemon was restarted)")
        elif self._is_lost:
            complain("(the daemon answers again)")
        self._is_lost = False

    def _line(self, row: Fields) -> str:
        name = plain(writer_of(row, self._several))
        if self._is_terminal:
            self._width = max(self._width, width_of(name))
            name += " " * (self._width - width_of(name))
        return f"{self._colours.paint(row['watcher'], f'{name} |')} {super()._line(row)}"

    def _miss(self, missed: Any) -> bool:
        if missed and not self._as_json:
            complain(f"... some lines of {shorten(', '.join(missed))} missed")
            return True
        return super()._miss(missed)


def _reader_is_gone(timeout: float = 0.0) -> bool:
    """Tell whether the reader has left, as `head` does; wait so many seconds for that."""
    fd, poll = pipe(), select.poll()
    if fd is not None:
        poll.register(fd, 0)
    return bool(poll.poll(timeout * 1000))
