"""What a reload would do, for who asks before it is ordered."""

from __future__ import annotations

from typing import Any

from cvec_circus.core.rollout import shape_of
from cvec_circus.core.roster import Roster
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.orders import Reload


def rehearse(roster: Roster, order: Reload) -> list[dict[str, Any]]:
    """Return how a reload would go on, watcher by watcher, in JSON's types; nothing of those that
    rest.

    Called on the supervisor thread; nothing is changed.
    """
    rolls_all = order.watchers is None and not order.restarts
    chosen = roster.to_reload() if rolls_all else roster.chosen_of(order.watchers)
    return [_rehearse(watcher, order) for watcher in chosen if not watcher.rests]


def _rehearse(watcher: Watcher, order: Reload) -> dict[str, Any]:
    options, places = watcher.options, watcher.places
    plan: dict[str, Any] = {"name": watcher.name, "action": "start", "processes": []}
    if not watcher.is_running:
        return plan
    plan["processes"] = [process.pid for process in (*places.stale, *places.fresh)]
    if order.restarts:
        return {**plan, "action": "restart", "gap": bool(plan["processes"])}
    if options.send_hup:
        return {**plan, "action": "hup"}
    size = watcher.goal.numprocesses
    surge, unavailable, may_retry, has_gap = shape_of(options, size, order.sequential)
    checks = {name: str(check) for name, check in options.ready.items()}
    return {
        **plan,
        "action": "replace",
        "surge": surge,
        "unavailable": unavailable,
        "may_retry": may_retry,
        "one_shot": watcher.one_shot,
        "gap": has_gap and bool(plan["processes"]),
        "ready": checks,
        "seconds": options.ready_timeout if checks else options.min_uptime,
        "goes_back": any(process.proved for process in (*places.stale, *places.fresh)),
    }
