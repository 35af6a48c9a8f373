"""status: the states of the watchers, and the reasons for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cvec_circus.commands.base import ANY_NAMES, MATCH, Call, Command, Fields, Property
from cvec_circus.commands.render import Table, by_name, duration, ending
from cvec_circus.options.kinds import to_boolean

_DETAILS = "With the processes, restarts, last death and uptime of each."
_TITLES = ("NAME", "STATE", "PROCESSES", "RESTARTS", "LAST DEATH", "UPTIME", "REASON")


class Status(Command):
    name = "status"
    doc = "Show the states of all watchers, or of some."
    properties = (
        ANY_NAMES,
        MATCH,
        Property("details", to_boolean, default=False, switch=True, doc=_DETAILS),
    )
    usage = "[NAME ...]"

    def execute(self, call: Call) -> Fields | None:
        """Look them up; for one watcher, the state stands in the place of "ok"."""
        target, details = call.target, call.props["details"]
        is_all = call.props["name"] is None
        watchers = target.known() if is_all else call.each(known=True)
        if not is_all and call.names(watchers):
            [watcher] = watchers
            reason = target.reason(watcher)
            return {
                "status": watcher.status,
                **({"reason": reason} if reason else {}),
                **({"watcher": target.detail(watcher)} if details else {}),
            }
        reasons = {watcher.name: target.reason(watcher) for watcher in watchers}
        reply: Fields = {
            "statuses": {watcher.name: watcher.status for watcher in watchers},
            "reasons": {name: reason for name, reason in reasons.items() if reason},
        }
        if details or not is_all:
            reply["watchers"] = {watcher.name: target.detail(watcher) for watcher in watchers}
        return reply

    def message(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        """Ask for details unless there is a name: then the state alone, for scripts."""
        return super().message(args, switches if args else {"details": True, **switches})

    def words(self, reply: Fields) -> str | Table:
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
    """Render one watcher: a word that a script can compare, or a table of its details."""
    state, reason, known = reply["status"], reply.get("reason", ""), reply.get("watcher")
    if known is None:
        return f"{state} ({reason})" if reason else str(state)
    return Table(_TITLES[1:], [(state, *_numbers(known), reason)], marked=0, note=True)


def _numbers(known: Fields) -> tuple[str, str, str, str]:
    death, uptime = known["last_death"], known["uptime"]
    return (
        f"{known['processes']}/{known['numprocesses']}",
        str(known["restarts"]),
        f"{ending(death['exit_code'])}, {duration(death['age'])} ago" if death else "-",
        "-" if uptime is None else duration(uptime),
    )
