"""What a reload would do, for who asks before it is ordered."""

from __future__ import annotations

from typing import Any

from cvec_circus.core.rollout import shape_of
from cvec_circus.core.watcher import Watcher


def rehearse(watcher: Watcher, sequential: bool) -> dict[str, Any]:
    """Return how a reload of that watcher would go on, in JSON's types.

    Called on the supervisor thread; nothing is changed.
    """
    options, places = watcher.options, watcher.places
    plan: dict[str, Any] = {"name": watcher.name, "action": "start", "processes": []}
    if not watcher.is_running:
        return plan
    plan["processes"] = [process.pid for process in (*places.stale, *places.fresh)]
    if options.send_hup:
        return {**plan, "action": "hup"}
    surge, unavailable, may_retry, _ = shape_of(options, watcher.goal.numprocesses, sequential)
    checks = {name: str(check) for name, check in options.ready.items()}
    return {
        **plan,
        "action": "replace",
        "surge": surge,
        "unavailable": unavailable,
        "may_retry": may_retry,
        "ready": checks,
        "seconds": options.ready_timeout if checks else options.min_uptime,
        "goes_back": any(process.proved for process in (*places.stale, *places.fresh)),
    }
