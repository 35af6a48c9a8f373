"""status: the states of the watchers, and the reasons for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from cvec_circus.commands.base import ANY_NAMES, MATCH, Call, Command, Fields, Property, Switch
from cvec_circus.commands.render import Table, by_name, duration, ending
from cvec_circus.options.kinds import to_boolean

_DETAILS = "With the processes, restarts, last death and uptime of each."
_DEATHS = "With `details`: the last 20 deaths of each as well."
_PHASE = "Show phases in a pipe too, where the words of Circus stand otherwise."
_PLAIN = "plain"
"""The field of a reply that is to be shown as Circus does."""

_TITLES = ("NAME", "STATE", "PROCESSES", "RESTARTS", "LAST DEATH", "UPTIME", "REASON")


class Status(Command):
    name = "status"
    doc = "Show the states of all watchers, or of some."
    properties = (
        ANY_NAMES,
        MATCH,
        Property("details", to_boolean, default=False, switch=True, doc=_DETAILS),
        Property("deaths", to_boolean, default=False, doc=_DEATHS),
    )
    local = (Switch("phase", "phase", True, _PHASE),)
    usage = "[NAME ...]"

    def execute(self, call: Call) -> Fields | None:
        """Look them up; for one watcher, the state stands in the place of "ok"."""
        target, details = call.target, call.props["details"]
        tell = partial(target.detail, deaths=call.props["deaths"])
        is_all = call.props["name"] is None
        watchers = target.known() if is_all else call.each(known=True)
        if not is_all and call.names(watchers):
            [watcher] = watchers
            reason = target.reason(watcher)
            return {
                "status": watcher.status,
                "phase": target.phase(watcher),
                **({"reason": reason} if reason else {}),
                **({"watcher": tell(watcher)} if details else {}),
            }
        reasons = {watcher.name: target.reason(watcher) for watcher in watchers}
        reply: Fields = {
            "statuses": {watcher.name: watcher.status for watcher in watchers},
            "phases": {watcher.name: target.phase(watcher) for watcher in watchers},
            "reasons": {name: reason for name, reason in reasons.items() if reason},
        }
        if details or not is_all:
            reply["watchers"] = {watcher.name: tell(watcher) for watcher in watchers}
        return reply

    def message(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        """Ask for details unless there is a name: then the state alone, for scripts."""
        more = {"deaths": True} if switches.get("details") else {}
        if not args:
            more["details"] = True
        return super().message(args, {**more, **switches})

    def chosen(self, reply: Fields, local: Mapping[str, Any], is_terminal: bool) -> Fields:
        """Show phases on a terminal, or if that is wanted; an old daemon does not know them.

        A pipe gets what Circus prints, which scripts read, unless details are wanted.
        """
        if not (is_terminal or "phase" in local):
            each = [reply.get("watcher") or {}, *(reply.get("watchers") or {}).values()]
            return reply if any("deaths" in one for one in each) else {**reply, _PLAIN: True}
        if "phases" in reply:
            details = reply.get("watchers") or {}
            shown = {
                name: phase_cell(phase, details.get(name) or {})
                for name, phase in reply["phases"].items()
            }
            return {**reply, "statuses": shown}
        known = reply.get("watcher") or {}
        return {**reply, "status": phase_cell(reply.get("phase") or reply["status"], known)}

    def words(self, reply: Fields) -> str | Table:
        if _PLAIN in reply:
            lines = (
                f"{name}: {state}" for name, state in sorted(reply.get("statuses", {}).items())
            )
            return "\n".join(lines) if "statuses" in reply else str(reply["status"])
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


def phase_cell(phase: str, known: Mapping[str, Any]) -> str:
    """Render a phase: how far a rollout is, if one is under way."""
    rollout = known.get("rollout")
    if phase == "reloading" and rollout:
        return f"{phase} {rollout['replaced']}/{rollout['total']}"
    return phase


def _ending(death: Fields) -> str:
    return ending(death["exit_code"], death.get("oom", False))


def _numbers(known: Fields) -> tuple[str, str, str, str]:
    death, uptime = known["last_death"], known["uptime"]
    return (
        f"{known['processes']}/{known['numprocesses']}",
        str(known["restarts"]),
        f"{_ending(death)}, {duration(death['age'])} ago" if death else "-",
        "-" if uptime is None else duration(uptime),
    )
