"""status: the states of the watchers, and the reasons for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from cvec_circus.base.figures import duration
from cvec_circus.commands.base import ANY_NAMES, MATCH, Call, Command, Fields, Property, Switch
from cvec_circus.commands.render import Table, by_name, check_lines, ending
from cvec_circus.options.kinds import to_boolean

_DETAILS = "Show processes, restarts, last death and uptime of each."
_DEATHS = "With `details`: also the last 20 deaths and the checks of each."
_PHASE = "Show phases in a pipe too, instead of Circus' states."
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
            reason, phase = target.reason(watcher), target.phase(watcher)
            rollout = target.detail(watcher)["rollout"] if phase == "reloading" else None
            return {
                "status": watcher.status,
                "phase": phase,
                **({"rollout": rollout} if rollout else {}),
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

    def properties_of(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        """Ask for details unless there is a name: then the state alone, for scripts."""
        more = {"deaths": True} if switches.get("details") else {}
        if not args:
            more["details"] = True
        return super().properties_of(args, {**more, **switches})

    def chosen(self, reply: Fields, local: Mapping[str, Any], is_terminal: bool) -> Fields:
        """Show phases on a terminal, or if that is wanted; an old daemon does not know them."""
        if not (is_terminal or "phase" in local):
            return reply
        if "phases" in reply:
            details = reply.get("watchers") or {}
            shown = {
                name: phase_cell(phase, details.get(name) or {})
                for name, phase in reply["phases"].items()
            }
            return {**reply, "statuses": shown}
        known = reply.get("watcher") or reply
        return {**reply, "status": phase_cell(reply.get("phase") or reply["status"], known)}

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
        numbers = (2, 3, 5) if details else ()
        return Table(titles, rows, marked=1, note=True, numbers=numbers) if rows else "no watchers"

    def script(self, reply: Fields) -> str | Table:
        """Print states alone, unless the details were asked for by their switch."""
        if "statuses" not in reply:
            return self.words(reply) if "watcher" in reply else str(reply["status"])
        if any("deaths" in known for known in (reply.get("watchers") or {}).values()):
            return self.words(reply)
        return "\n".join(f"{name}: {state}" for name, state in sorted(reply["statuses"].items()))


def _one(reply: Fields) -> str | Table:
    """Render one watcher: a word that a script can compare, or a table of its details."""
    state, reason, known = reply["status"], reply.get("reason", ""), reply.get("watcher")
    if known is None:
        return f"{state} ({reason})" if reason else str(state)
    row = (state, *_numbers(known), reason)
    below = list(check_lines(known.get("checks") or {}))
    return Table(_TITLES[1:], [row], marked=0, note=True, numbers=(1, 2, 4), below=below)


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
