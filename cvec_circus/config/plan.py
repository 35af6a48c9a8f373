"""What a reload of the configuration comes to: every step of it, and why.

A plan is made by `diff`, shown to whoever asked, and carried out or not. It has a JSON form, which
clients read, and which stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

LIVE = "live"
"""The effect of a change that takes place at once."""

FRESH = "fresh"
"""The effect of one that takes place with fresh processes."""

KEPT = "kept"
"""That of one which does not take place: the option was set at run time, and the file's value of it
is what it was before."""

RESTART = "restart"
"""That of one which takes place when the daemon is started anew."""

ADD, REMOVE, CHANGE = "add", "remove", "change"
START, STOP, REPLACE = "start", "stop", "replace"
OPEN, CLOSE = "open", "close"

CONCEALED = "***"
"""In place of a value that may be a secret: a plan ends up in the logs of who installs things."""

_SECRET = re.compile(r"passw|secret|token|credential|dsn|ur[il]\b|(\b|_)key\b", re.IGNORECASE)


class Change(NamedTuple):
    """One option that is to be another. Immutable.

    Attributes:
        option: Its name; `env.NAME` for a variable.
        before: Its value now, None if it is not there.
        after: The value that it gets; with KEPT, the one that the file has and it does not get.
        effect: LIVE, FRESH, KEPT or RESTART.
    """

    option: str
    before: Any
    after: Any
    effect: str = LIVE

    def as_json(self) -> dict[str, Any]:
        """Return its JSON form, without values that may be secrets by the name of the option."""
        is_secret = _SECRET.search(self.option) is not None
        before, after = (
            CONCEALED if is_secret and value is not None else as_json(value)
            for value in (self.before, self.after)
        )
        return {
            "option": self.option,
            "before": before,
            "after": after,
            "effect": self.effect,
        }


class Target(NamedTuple):
    """What a watcher comes to. Immutable by convention; no part of the JSON form.

    Attributes:
        options: All its options, as they are to be.
        loaded: All its options, as the file has them.
    """

    options: Mapping[str, Any]
    loaded: Mapping[str, Any]


class Step(NamedTuple):
    """What happens to one watcher, or to that of a plugin. Immutable.

    Attributes:
        name: Its name, as written.
        action: ADD, REMOVE or CHANGE.
        processes: START, STOP, REPLACE; "" if they are left alone.
        why: What makes that necessary, for a person; "" if it goes without saying.
        changes: What becomes of its options, with CHANGE.
        target: What it comes to, None with REMOVE.
    """

    name: str
    action: str
    processes: str = ""
    why: str = ""
    changes: tuple[Change, ...] = ()
    target: Target | None = None

    @property
    def is_idle(self) -> bool:
        """Whether it does nothing: whatever differs is kept."""
        kept = all(change.effect == KEPT for change in self.changes)
        return self.action == CHANGE and not self.processes and kept

    def as_json(self) -> dict[str, Any]:
        """Return its JSON form."""
        return {
            "name": self.name,
            "action": self.action,
            "processes": self.processes,
            "why": self.why,
            "changes": [change.as_json() for change in self.changes],
        }


class SocketStep(NamedTuple):
    """What happens to one socket. Immutable.

    Attributes:
        name: Its name, as written.
        action: OPEN; CLOSE; CHANGE, on its descriptor; REPLACE, by another one of its name.
        changes: What becomes of its options, with CHANGE and REPLACE.
        source: The name that its descriptor had before, if it had another one; "" otherwise.
        options: What it comes to; empty with CLOSE. No part of the JSON form.
        number: Which of the sockets of now it is, None for one that is opened. Likewise.
    """

    name: str
    action: str
    changes: tuple[Change, ...] = ()
    source: str = ""
    options: Mapping[str, Any] = {}
    number: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return its JSON form."""
        return {
            "name": self.name,
            "action": self.action,
            "source": self.source,
            "changes": [change.as_json() for change in self.changes],
        }


class Plan(NamedTuple):
    """All that a reload does. Immutable.

    Attributes:
        watchers: By name; who is not in it is left alone.
        plugins: Likewise.
        sockets: Likewise.
        circus: What changes in the `[circus]` section.
    """

    watchers: tuple[Step, ...] = ()
    plugins: tuple[Step, ...] = ()
    sockets: tuple[SocketStep, ...] = ()
    circus: tuple[Change, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes. What is kept, and what needs a restart, changes nothing."""
        steps = [*self.watchers, *self.plugins]
        is_live = any(change.effect == LIVE for change in self.circus)
        return not is_live and not self.sockets and all(step.is_idle for step in steps)

    def count(self, action: str) -> int:
        """Return how many watchers and plugins that is done to."""
        steps = [*self.watchers, *self.plugins]
        return sum(step.action == action and not step.is_idle for step in steps)

    def as_json(self) -> dict[str, Any]:
        """Return its JSON form."""
        return {
            "changes": not self.is_empty,
            "watchers": [step.as_json() for step in self.watchers],
            "plugins": [step.as_json() for step in self.plugins],
            "sockets": [step.as_json() for step in self.sockets],
            "circus": [change.as_json() for change in self.circus],
        }


def as_json(value: Any) -> Any:
    """Return a value as JSON can carry it; what it has no form for, as text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): as_json(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(one) for one in value]
    return str(value)
