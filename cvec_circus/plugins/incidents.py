"""The contents of mails: incidents of watchers, and watchers that are down for good."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from typing import Any

from cvec_circus.base.figures import counted
from cvec_circus.runtime.life import printable
from cvec_circus.system.signals import to_name

LONGEST_DIGEST = 200
"""Incidents that a mail lists; earlier ones are only counted."""

LONGEST_SUBJECT = 150
LONGEST_LINE = 2000

Event = Mapping[str, Any]


class Story:
    """The recent history of a watcher, as its incidents need it. Owned by the plugin thread.

    Attributes:
        last_death: The last `reap`; None if there was none.
        is_in_trouble: It gave up, or was not ready, and has not been ready since.
    """

    def __init__(self) -> None:
        self.last_death: Event | None = None
        self.is_in_trouble = False

    def told(self, event: Event) -> Event | None:
        """Take an event, and return its text if it is an incident."""
        action = event["action"]
        if action == "reap":
            self.last_death = event
            is_unexpected = event.get("cause") == "exit" and event.get("exit_code") != 0
            return event if is_unexpected else None
        if action == "stop" and event.get("cause") == "exit" and event.get("why"):
            # A one-shot has failed, which no other event reports.
            event = {**event, "action": "giveup", "reason": event["why"]}
            action = "giveup"
        was_in_trouble = self.is_in_trouble
        if action == "ready":
            self.is_in_trouble = False
            return event if was_in_trouble else None
        self.is_in_trouble = was_in_trouble or action in ("giveup", "unready")
        return {**event, "last_death": self.last_death} if action == "giveup" else event


class Mail:
    """The incidents of one mail. Owned by the plugin thread, then by the one that sends it.

    Attributes:
        watchers: The watchers concerned, with the number of incidents.
        down: Those that are down for good, with the event that says so.
        older: How many incidents are only counted.
        message: The mail; made by the first attempt to send it.
    """

    def __init__(self) -> None:
        self.watchers: Counter[str] = Counter()
        self.down: dict[str, Event] = {}
        self.older = 0
        self.message: EmailMessage | None = None
        self._incidents: deque[Event] = deque()

    def __bool__(self) -> bool:
        """Tell whether there are incidents."""
        return bool(self.watchers)

    def add(self, event: Event) -> None:
        """Add an incident."""
        name = event["watcher"]
        self.watchers[name] += 1
        if event["action"] == "giveup":
            self.down[name] = event
        elif event["action"] == "ready":
            self.down.pop(name, None)
        self._incidents.append(event)
        if len(self._incidents) > LONGEST_DIGEST:
            self._incidents.popleft()
            self.older += 1

    def subject(self, prefix: str) -> str:
        """Return the subject of the mail, one line."""
        names = list(self.watchers)
        number = sum(self.watchers.values())
        if len(self.down) == 1:
            [(name, event)] = self.down.items()
            more = counted(number - 1, "more incident")
            others = f" (and {more})" if number > 1 else ""
            text = f"{name} is {sentence(event)}"
            room = LONGEST_SUBJECT - len(f"{prefix} {others}")
            text = shortened(printable(text), max(0, room)) + others
        elif self.down:
            text = f"{len(self.down)} watchers are down for good: {', '.join(self.down)}"
        elif number == 1:
            text = f"{names[0]}: {sentence(self._incidents[0])}"
        elif len(names) == 1:
            text = f"{names[0]}: {number} incidents"
        else:
            text = f"{number} incidents of {len(names)} watchers: {', '.join(names)}"
        return shortened(printable(f"{prefix} {text}".strip()), LONGEST_SUBJECT)

    def text(self, host: str, last_lines: Mapping[str, Sequence[str]]) -> str:
        """Return the text of the mail, with the last lines of output of some watchers."""
        lines = [f"On {host}:", ""]
        for name, event in list(self.down.items())[:LONGEST_DIGEST]:
            lines.append(f"{name} is {sentence(event)}")
            death = event.get("last_death")
            told = f"{moment(death)}  {sentence(death)}" if death else "none is known"
            lines += [f"    Since:      {moment(event)}", f"    Last death: {told}", ""]
        if self.older:
            lines.append(f"({counted(self.older, 'earlier incident')} left out)")
        for event in self._incidents:
            if event is not self.down.get(event["watcher"]):
                lines.append(f"{moment(event)}  {event['watcher']}: {sentence(event)}")
        for watcher, last in last_lines.items():
            lines += ["", f"The last lines of {watcher}:", "", *(f"    {line}" for line in last)]
        return "\n".join(printable(line)[:LONGEST_LINE] for line in lines) + "\n"


def sentence(event: Event) -> str:
    """Describe an event in words."""
    action, reason = event["action"], event.get("reason")
    if action == "giveup":
        return f"down for good: {reason}"
    if action == "rollback":
        return f"rollout failed: {reason}"
    if action == "unready":
        return f"not ready: {reason}"
    if action == "ready":
        return "ready now"
    if action == "check":
        about = f"check {event.get('name')} of process {event.get('process_pid')}"
        return f"{about} {event.get('state')}: {event.get('answer')}"
    if action == "backoff":
        slot, deaths, delay = event.get("wid"), event.get("deaths"), event.get("delay")
        did = "was not alive" if event.get("cause") == "live" else "has died"
        return f"flapping: slot {slot} {did} {deaths} times in a row; next start in {delay:g} s"
    if action != "reap":
        return f"{action} ({event.get('cause')})"
    code = event.get("exit_code")
    if event.get("status_lost") or not isinstance(code, int):
        end = "has ended; its exit code is unknown"
    elif event.get("oom"):
        end = "was killed by the kernel for lack of memory"
    else:
        end = f"was killed by SIG{to_name(-code)}" if code < 0 else f"exited with {code}"
    return f"process {event.get('process_pid')} {end}"


def moment(event: Event) -> str:
    """Return when an event was published."""
    at = datetime.fromtimestamp(event.get("time") or 0).astimezone()
    return f"{at:%Y-%m-%d %H:%M:%S %z}"


def shortened(line: str, length: int) -> str:
    """Cut a line."""
    return line if len(line) <= length else line[: max(0, length - 3)] + "..."
