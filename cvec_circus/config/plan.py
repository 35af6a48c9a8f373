"""What a reload of the configuration does: every step of it, and why.

A plan is made by `diff`, shown to the client that asked, and carried out or not. It has a JSON
form, which clients read, and which stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus.base.named import NamedTuple
from cvec_circus.options.secrets import CONCEALED, is_secret

LIVE, FRESH, KEPT, RESTART = "live", "fresh", "kept", "restart"
"""The effect of a change. It takes place at once; with fresh processes; not at all, because the
option was set at run time, and its value in the file is what it was before; or when the daemon is
restarted."""

ADD, REMOVE, CHANGE = "add", "remove", "change"
START, STOP, REPLACE = "start", "stop", "replace"
OPEN, CLOSE = "open", "close"

Options = Mapping[str, Any]


class Change(NamedTuple):
    """One option that changes. Immutable."""

    option: str  # `env.NAME` for a variable
    before: Any  # its value now, None if it has none
    after: Any  # its new value; with KEPT, that of the file, which it does not get
    effect: str = LIVE

    def as_json(self) -> dict[str, Any]:
        """Return its JSON form, without values that may be secrets under the name of the option."""
        shown = self._asdict()
        for key in ("before", "after"):
            shown[key] = as_json(shown[key])
            if shown[key] is not None and is_secret(self.option, shown[key]):
                shown[key] = CONCEALED
        return shown


class Target(NamedTuple):
    """The options that a watcher gets. Immutable by convention; no part of the JSON form."""

    options: Options  # all of them
    loaded: Options  # all of them as the file has them


class Step(NamedTuple):
    """What happens to one watcher, or to that of a plugin. Immutable."""

    name: str  # as written
    action: str  # ADD, REMOVE or CHANGE
    processes: str = ""  # START, STOP, REPLACE; "" if they are left alone
    why: str = ""  # why processes are started, stopped or replaced; "" if it is obvious
    changes: tuple[Change, ...] = ()  # of its options, with CHANGE
    target: Target | None = None  # None with REMOVE

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
    """What happens to one socket. Immutable."""

    name: str  # as written
    action: str  # OPEN; CLOSE; CHANGE, on its descriptor; REPLACE, by another one of its name
    changes: tuple[Change, ...] = ()  # of its options, with CHANGE and REPLACE
    source: str = ""  # the name that its descriptor had before, if it had another one

    def as_json(self) -> dict[str, Any]:
        """Return its JSON form."""
        return {
            "name": self.name,
            "action": self.action,
            "source": self.source,
            "changes": [change.as_json() for change in self.changes],
        }


class Plan(NamedTuple):
    """All that a reload does. Immutable. What it does not name is left alone."""

    watchers: tuple[Step, ...] = ()  # by name
    plugins: tuple[Step, ...] = ()
    sockets: tuple[SocketStep, ...] = ()
    circus: tuple[Change, ...] = ()  # of the options of the daemon

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes. What is kept, and what needs a restart, changes nothing."""
        steps = [*self.watchers, *self.plugins]
        is_live = any(change.effect == LIVE for change in self.circus)
        return not is_live and not self.sockets and all(step.is_idle for step in steps)

    def count(self, action: str) -> int:
        """Return the number of watchers and plugins that an action changes."""
        steps = [*self.watchers, *self.plugins]
        return sum(step.action == action and not step.is_idle for step in steps)

    def as_json(self) -> dict[str, Any]:
        """Return its JSON form."""
        parts = {key: [one.as_json() for one in steps] for key, steps in self._asdict().items()}
        return {"changes": not self.is_empty, **parts}


def as_json(value: Any) -> Any:
    """Return a value as JSON can carry it; what it has no form for, as text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): as_json(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(one) for one in value]
    return str(value)
