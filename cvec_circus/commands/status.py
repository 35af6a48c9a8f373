"""status: what state the watchers are in, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cvec_circus.commands.base import (
    ANY_NAME,
    Answer,
    Command,
    CommandTarget,
    Fields,
    Property,
    Switch,
)
from cvec_circus.commands.render import Table, by_name, duration, ending
from cvec_circus.options.kinds import to_boolean

_DETAILS = "With the processes, restarts, last death and uptime of each."
_TITLES = ("NAME", "STATE", "PROCESSES", "RESTARTS", "LAST DEATH", "UPTIME", "REASON")


class Status(Command):
    """Immutable. The command `status`."""

    name = "status"
    doc = "Show the states of all watchers, or of one."
    properties = (ANY_NAME, Property("details", to_boolean, default=False, doc=_DETAILS))
    arguments = ("name",)
    usage = "[NAME]"
    switches = (Switch("details", "details", True),)

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Look them up; for one watcher, the state stands where "ok" would."""
        details = props["details"]
        if props["name"] is not None:
            [watcher] = target.known(props["name"])
            reason = target.reason(watcher)
            return {
                "status": watcher.status,
                **({"reason": reason} if reason else {}),
                **({"watcher": target.detail(watcher)} if details else {}),
            }
        watchers = target.known()
        reasons = {watcher.name: target.reason(watcher) for watcher in watchers}
        reply: Fields = {
            "statuses": {watcher.name: watcher.status for watcher in watchers},
            "reasons": {name: reason for name, reason in reasons.items() if reason},
        }
        if details:
            reply["watchers"] = {watcher.name: target.detail(watcher) for watcher in watchers}
        return reply

    def message(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        """Ask for the details when all watchers are shown; of one, its state is what is wanted."""
        if not args:
            switches = {"details": True, **switches}
        return super().message(args, switches)

    def words(self, reply: Fields) -> str | Table:
        """Show a watcher a line, with all that the daemon tells of it."""
        if "statuses" not in reply:
            return _one(reply)
        reasons, details = reply.get("reasons", {}), reply.get("watchers")
        rows = []
        for name, state in by_name(reply["statuses"]):
            known = details[name] if details else {}
            reason = known.get("reason") or reasons.get(name, "")
            rows.append((name, state, *(_numbers(known) if details else ()), reason))
        titles = _TITLES if details else (*_TITLES[:2], _TITLES[-1])
        return Table(titles, rows, marked=1, note=True) if rows else "no watchers"


def _one(reply: Fields) -> str | Table:
    """Show one watcher: a word that a script can compare, or all that there is."""
    state, reason, known = reply["status"], reply.get("reason", ""), reply.get("watcher")
    if known is None:
        return f"{state} ({reason})" if reason else str(state)
    return Table(_TITLES[1:], [(state, *_numbers(known), reason)], marked=0, note=True)


def _numbers(known: Fields) -> tuple[str, str, str, str]:
    """Show what is counted of a watcher."""
    death, uptime = known["last_death"], known["uptime"]
    return (
        f"{known['processes']}/{known['numprocesses']}",
        str(known["restarts"]),
        f"{ending(death['exit_code'])}, {duration(death['age'])} ago" if death else "-",
        "-" if uptime is None else duration(uptime),
    )
