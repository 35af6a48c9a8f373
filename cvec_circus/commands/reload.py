"""reload: replace the processes of watchers."""

from __future__ import annotations

from cvec_circus.base.figures import counted
from cvec_circus.commands.base import (
    ANY_NAMES,
    MATCH,
    YES,
    Call,
    Command,
    Fields,
    Property,
    Switch,
)
from cvec_circus.commands.render import Table
from cvec_circus.commands.target import replaced
from cvec_circus.options.kinds import to_boolean
from cvec_circus.wire import orders

_DRY_RUN = "Say what would happen, and change nothing."


class Reload(Command):
    name = "reload"
    doc = "Replace processes without interrupting service; start named watchers that are stopped."
    properties = (
        ANY_NAMES,
        MATCH,
        Property(
            "graceful", to_boolean, default=True, doc=("New ones first; otherwise like a restart.")
        ),
        Property(
            "sequential", to_boolean, default=False, switch=True, doc="One process after the other."
        ),
        Property("dry_run", to_boolean, default=False, switch=True, doc=_DRY_RUN),
    )
    usage = "[NAME ...]"
    switches = (Switch("terminate", "graceful", False, "Stop the old ones first."),)
    local = (YES,)
    mutating = True
    proves = True

    def execute(self, call: Call) -> Fields | None:
        watchers, props = call.several(starts=True), call.props
        order = orders.Reload(watchers, call.cause, props["sequential"], props["graceful"])
        if props["dry_run"]:
            return {"plan": call.target.rehearse(order)}
        there = call.target.watchers() if watchers is None else watchers
        hup = [one.name for one in there if one.options["send_hup"] and one.status == "active"]
        told = {"hup": hup} if hup and not order.restarts else {}
        fields = call.give(order, lambda outcome: {**replaced(outcome), **told})
        return None if fields is None else {**fields, **told}

    def words(self, reply: Fields) -> str | Table:
        plan = reply.get("plan")
        if plan is None:
            return super().words(reply)
        lines = [f"{step['name']}: {_step(step)}" for step in plan] or [
            "there is nothing to reload"
        ]
        return "\n".join([*lines, "nothing was changed: this was a dry run"])


def _step(step: Fields) -> str:
    """Say how the reload of one watcher goes on."""
    if step["action"] == "start":
        return "is started"
    pids = step["processes"]
    if not pids and step["action"] == "replace":
        return "no process runs: the next ones are new, and there is nothing to go back to"
    many = counted(len(pids), "process")
    named = f"{many} ({', '.join(map(str, pids[:5]))}{', ...' if len(pids) > 5 else ''})"
    if step["action"] == "hup":
        return f"{named}: SIGHUP"
    if step["action"] == "restart":
        return f"{named}: all are stopped first, then new ones start; nothing can be rolled back"
    return f"{named}: {_replacement(step)}"


def _replacement(step: Fields) -> str:
    """Say how new processes replace old ones, and what happens if one fails."""
    checks = ", ".join(f"{name}: {check}" for name, check in step["ready"].items())
    ready = "runs"
    if checks:
        ready = f"is ready ({checks}; {step['seconds']:g} s at most)"
    elif step["seconds"]:
        ready = f"has lived {step['seconds']:g} s"
    if step["surge"] == 0:
        back = "a process of the old options is started again in its place"
        if step.get("one_shot"):
            back = "nothing is started in its place, as its processes are not replaced"
        most = f"{step['unavailable']} at a time, the old one first"
        gap = ", so that none runs for a moment" if step.get("gap") else ""
        text = f"{most}{gap}; the next when a new one {ready}"
    else:
        back = "the old ones stay"
        text = "all new ones start beside the old ones"
        if step["surge"] is not None:
            text = f"new ones start beside the old ones, at most {step['surge']} at a time"
        text += f"; an old one is stopped when a new one {ready}"
        if step["unavailable"]:
            text += f", at most {step['unavailable']} before that"
    if not step["goes_back"]:
        return f"{text}; none is ready now, so there is nothing to go back to"
    if step["may_retry"]:
        again = "a process of the old options is started in its place, and the other old ones stay"
        back = f"it is tried once more with an old one stopped first; if that fails, {again}"
        return f"{text}; if a new one exits before that, {back}"
    return f"{text}; if a new one fails, {back}"
