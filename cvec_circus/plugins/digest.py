"""What a mail says: what has happened, in words, and the last lines of whom it happened to."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cvec_circus.runtime.line import printable
from cvec_circus.system.signals import to_name

LONGEST_DIGEST = 200
"""Incidents that are told one by one in a mail; of those before them only the number."""

LONGEST_SUBJECT = 150
LONGEST_LINE = 2000

Event = Mapping[str, Any]


class Digest:
    """Incidents that have not been told yet. Owned by the plugin thread, then by who sends it.

    Attributes:
        watchers: Whom something has happened to, and how often.
        older: How many incidents are only counted.
    """

    def __init__(self) -> None:
        self.watchers: Counter[str] = Counter()
        self.older = 0
        self._incidents: deque[Event] = deque()

    def __bool__(self) -> bool:
        """Tell whether there is anything to say."""
        return bool(self.watchers)

    def add(self, event: Event) -> None:
        """Take in an incident."""
        self.watchers[event["watcher"]] += 1
        self._incidents.append(event)
        if len(self._incidents) > LONGEST_DIGEST:
            self._incidents.popleft()
            self.older += 1

    def subject(self, prefix: str) -> str:
        """Return the subject of the mail, one line."""
        names = list(self.watchers)
        number = sum(self.watchers.values())
        if number == 1:
            text = f"{names[0]}: {sentence(self._incidents[0])}"
        elif len(names) == 1:
            text = f"{names[0]}: {number} incidents"
        else:
            text = f"{number} incidents of {len(names)} watchers: {', '.join(names)}"
        line = printable(f"{prefix} {text}".strip())
        return line if len(line) <= LONGEST_SUBJECT else line[: LONGEST_SUBJECT - 3] + "..."

    def text(self, host: str, last_lines: Mapping[str, Sequence[str]]) -> str:
        """Return the text of the mail.

        Args:
            host: The machine.
            last_lines: What the watchers have written last.
        """
        lines = [f"On {host}:", ""]
        if self.older:
            lines.append(f"({self.older} earlier incidents are left out)")
        for event in self._incidents:
            at = datetime.fromtimestamp(event.get("time") or 0).astimezone()
            lines.append(f"{at:%Y-%m-%d %H:%M:%S %z}  {event['watcher']}: {sentence(event)}")
        for watcher, last in last_lines.items():
            lines += ["", f"The last lines of {watcher}:", "", *(f"    {line}" for line in last)]
        return "\n".join(printable(line)[:LONGEST_LINE] for line in lines) + "\n"


def is_incident(event: Event) -> bool:
    """Tell whether nobody wanted that to happen."""
    if event["action"] != "reap":
        return True
    return event.get("cause") == "exit" and event.get("exit_code") != 0


def sentence(event: Event) -> str:
    """Say in words what has happened."""
    action = event["action"]
    if action == "giveup":
        return f"given up: {event.get('reason')}"
    if action == "backoff":
        deaths, delay = event.get("deaths"), event.get("delay")
        return (
            f"flapping: process {event.get('wid')} died quickly {deaths} times, waits {delay:g} s"
        )
    if action == "reap":
        return f"process {event.get('process_pid')} {end_of(event)}"
    return f"{action} ({event.get('cause')})"


def end_of(event: Event) -> str:
    """Say how a process has ended."""
    code = event.get("exit_code")
    if event.get("status_lost") or not isinstance(code, int):
        return "has ended, nobody knows how"
    return f"was ended by {to_name(-code)}" if code < 0 else f"exited with {code}"
