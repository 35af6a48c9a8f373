"""What clients learn of a watcher: its row in `status`, and the answer to `why`.

The answer to `why` is one sentence, and the evidence for it in JSON's types.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from cvec_circus.base.figures import counted, duration
from cvec_circus.core.conditions import Dependency
from cvec_circus.core.life import WAITING
from cvec_circus.core.ports import Probes
from cvec_circus.core.process import Purpose
from cvec_circus.core.watcher import Watcher
from cvec_circus.core.watchers import Watchers
from cvec_circus.supervisor.answers.reason import failed_rollout, unended, unready, why
from cvec_circus.system.collecting import ended
from cvec_circus.wire.cause import OWN_ENDS
from cvec_circus.wire.outcome import WROTE, Death, standing
from cvec_circus.wire.topics import fold

Fields = dict[str, Any]

MOST_EDGES = 200
"""Dependencies that one answer shows."""


def detail(
    watcher: Watcher, phase: str, probes: Any, now: float, with_deaths: bool = False
) -> Fields:
    """Return what `status` tells of a watcher with `details`; with its last deaths, how its checks
    stand as well."""
    places = watcher.places
    more: Fields = {}
    if with_deaths:
        more = {"deaths": deaths(watcher, now), "checks": checks(watcher, probes)}
    return {
        "state": watcher.status,
        "phase": phase,
        "processes": len(places.pids()),
        "numprocesses": watcher.goal.numprocesses,
        "restarts": places.restarts,
        "last_death": places.last_death and _last_death(places.last_death, now),
        **more,
        "uptime": uptime(watcher, now),
        "next_run": next_run(watcher, now),
        "rollout": rollout(watcher, now),
        "reason": why(watcher, now),
        "strays": [{"pid": one.pid, "command": one.command} for one in watcher.strays],
    }


def uptime(watcher: Watcher, now: float) -> float | None:
    """Return for how many seconds its oldest process has run that is to be kept, None if none
    does."""
    fresh = watcher.places.fresh
    return round(now - min(process.spawned_at for process in fresh), 3) if fresh else None


def next_run(watcher: Watcher, now: float) -> Fields | None:
    """Describe the next run by its schedule, None without one."""
    run = watcher.run
    return run and {"at": run.text, "wall": run.wall, "in": round(run.at - now, 3)}


def is_active(watcher: Watcher, phase: str) -> bool:
    """Tell whether a watcher is up, or a process of it is ready while others are replaced."""
    places = watcher.places
    ready = (process.is_ready for process in (*places.stale, *places.fresh))
    return phase == "up" or (phase == "reloading" and any(ready))


def rollout(watcher: Watcher, now: float) -> Fields | None:
    """Describe the rollout that is under way, None if none is."""
    under_way = watcher.rollout
    if under_way is None:
        return None
    return {
        "replaced": watcher.replaced,
        "total": under_way.total,
        "cause": under_way.cause.text,
        "actor": under_way.cause.actor,
        "for": round(now - under_way.began_at, 3),
    }


def deaths(watcher: Watcher, now: float) -> list[Fields]:
    """Describe its last deaths, the latest first."""
    return [_death(one, now) for one in reversed(watcher.places.deaths)]


def _last_death(death: Death, now: float) -> Fields:
    row = _death(death, now)
    return {key: row[key] for key in ("wid", "pid", "exit_code", "oom", "cause", "age")}


def _death(death: Death, now: float) -> Fields:
    row = death._asdict()
    del row["life"], row["is_awaited"], row["was_rolled"]
    row["age"] = round(now - row.pop("at"), 3)
    row["lived"] = round(row["lived"], 3)
    row["ready"] = row.pop("was_proved")
    return row


# -- the sentence


def sentence(watcher: Watcher, phase: str, probes: Probes, now: float) -> str:
    """Say in one sentence where a watcher stands, and why."""
    tell = SENTENCES.get(phase)
    if tell is not None:
        return f"{watcher.name} {tell(watcher, now)}"
    reason = why(watcher, now)
    if phase == "waiting":
        return f"{watcher.name} {reason or 'is about to start'}"
    if phase in ("starting", "reloading"):
        reason = reason or unproved(probes, watcher, now)
        words = last_words(watcher) if watcher.places.pending else ""
    else:
        words = last_words(watcher) if phase == "backoff" else ""
    said = standing(phase)
    if phase == "reloading" and watcher.rollout is not None:
        all_of_them = counted(watcher.rollout.total, "process")
        said = f"is reloading, {watcher.replaced} of {all_of_them} replaced"
    told = reason if WROTE in reason else "; ".join(filter(None, (reason, words)))
    return f"{watcher.name} {said}: {told}" if told else f"{watcher.name} {said}"


def _up(watcher: Watcher, now: float) -> str:
    count = len(watcher.places.pids())
    processes = counted(count, "process")
    there = uptime(watcher, now)  # no process can have been ready before it was there
    known = [one for one in (watcher.ready_at and now - watcher.ready_at, there) if one is not None]
    age = min(known, default=0.0)
    text = f"is up: {processes}, ready for {duration(age)}"
    return "; ".join(filter(None, (text, why(watcher, now))))


def _stopping(watcher: Watcher, now: float) -> str:
    text = why(watcher, now) if watcher.places.unkillable() or watcher.gate else ""
    by = watcher.goal.cause.sentence
    order = f"{watcher.goal.word or 'stop'} was ordered{by}" if by else ""
    left = text or unended(watcher, now)
    return "is stopping: " + ("; ".join(filter(None, (order, left))) or "its processes are ending")


def _stopped(watcher: Watcher, now: float) -> str:
    word, cause = watcher.goal.word, watcher.goal.cause
    if not word:
        text = "it has not been started"
        if not watcher.options.autostart:
            text += " (autostart = False)"
    elif word == "giveup":
        text = "it gave up, and its options were changed since"
    else:
        text = f"{word} was ordered{cause.sentence or f' ({cause.text})'}"
    left = why(watcher, now) if watcher.strays and not cause.is_worth_telling else ""
    return f"is stopped: {'; '.join(filter(None, (text, left)))}"


def _completed(watcher: Watcher, now: float) -> str:
    last = watcher.places.last_death
    how = "" if last is None else f": its last process {_ended(last)} {_ago(last, now)}"
    return f"has completed{how}"


def _failed(watcher: Watcher, now: float) -> str:
    if watcher.reason:
        text = f"it gave up: {watcher.reason}"
    else:
        own = [one for one in watcher.places.deaths if one.exit_code and one.cause in OWN_ENDS]
        text = "its work ended with an error, and it is not started again (respawn = False)"
        if own:
            death = own[-1]
            text = (
                f"process {death.pid} {_ended(death)} {_ago(death, now)}, and is not replaced "
                "(respawn = False)"
            )
    return f"has failed: {'; '.join(filter(None, (text, last_words(watcher))))}"


def _invalid(watcher: Watcher, now: float) -> str:
    return f"cannot be used: it was {watcher.reason}"


SENTENCES: dict[str, Callable[[Watcher, float], str]] = {
    "up": _up,
    "stopping": _stopping,
    "stopped": _stopped,
    "completed": _completed,
    "failed": _failed,
    "invalid": _invalid,
}
"""Of phases that have more to tell than the reason."""


def unproved(probes: Probes, watcher: Watcher, now: float) -> str:
    """Say which process is not ready yet, and what is missing."""
    process = next((one for one in watcher.places.unproved if one.has_leader), None)
    if process is None:
        return ""
    if process.checked:
        unmet = probes.unmet(process)
        return f"process {process.pid} is not ready yet" + (f": {unmet}" if unmet else "")
    due_at = watcher.places.deadline(process, Purpose.READY_BY)
    left = "" if due_at is None else f" in {max(0.0, due_at - now):.1f} s"
    return f"process {process.pid} counts as ready{left}" if left else ""


def last_words(watcher: Watcher) -> str:
    """Quote the last line of the last process that has ended."""
    last = watcher.places.last_death
    if last is None or not last.output or unready(watcher):
        return ""
    return f"{WROTE}{last.output[-1].strip()}"


def _ended(death: Death) -> str:
    return ended(death.exit_code, death.oom)


def _ago(death: Death, now: float) -> str:
    return f"{duration(now - death.at)} ago"


# -- the evidence


def explanation(
    watcher: Watcher, phase: str, probes: Any, phase_of: Callable[[Watcher], str], now: float
) -> Fields:
    """Return the answer to `why`.

    Args:
        probes: The desk of that name, with `details` of each process.
        phase_of: Returns the phase of any watcher.
    """
    return {
        "name": watcher.name,
        "state": watcher.status,
        "phase": phase,
        "sentence": sentence(watcher, phase, probes, now),
        "deaths": deaths(watcher, now),
        "waits_for": chain(watcher, phase_of, now),
        "rollout": rollout(watcher, now),
        "failed_rollout": failed_rollout(watcher),
        "checks": checks(watcher, probes),
        "signals": signals(watcher, now),
        "strays": [{"pid": one.pid, "command": one.command} for one in watcher.strays],
    }


def checks(watcher: Watcher, probes: Any) -> Fields:
    """Describe the checks of its processes, by pid."""
    rows = {str(one.pid): probes.details(one) for one in watcher.places.leaders()}
    return {pid: found for pid, found in rows.items() if found}


def signals(watcher: Watcher, now: float) -> list[Fields]:
    """Describe the last signal that clients have sent to each process that runs."""
    return [
        {
            "pid": one.pid,
            "wid": one.wid,
            "signum": one.signalled.signum,
            "actor": one.signalled.actor,
            "why": one.signalled.why,
            "age": round(now - one.signalled.at, 3),
            "refusal": one.refusal,
        }
        for one in watcher.places.leaders()
        if one.signalled.signum
    ]


def chain(watcher: Watcher, phase_of: Callable[[Watcher], str], now: float) -> list[Fields]:
    """Describe everything that a watcher waits for, and what that waits for in its turn."""
    found: list[Fields] = []
    seen, left = {watcher}, [watcher]
    while left and len(found) < MOST_EDGES:
        one = left.pop(0)
        if one.life is not WAITING:
            continue
        for condition in one.conditions:
            if condition.is_met():
                continue
            row: Fields = {"watcher": one.name}
            if isinstance(condition, Dependency):
                other = condition.find(condition.name)
                phase = "missing" if other is None else phase_of(other)
                row.update({"waits_for": condition.name, "need": condition.need, "phase": phase})
                row["why"] = "" if other is None else why(other, now)
                if other is not None and other not in seen:
                    seen.add(other)
                    left.append(other)
            else:
                row["why"] = condition.why(partial(why, now=now))
            found.append(row)
    return found


def node(watcher: Watcher, phase: str, roster: Watchers) -> Fields:
    """Describe what a watcher depends on, for a graph."""
    needs = watcher.options.depends_on
    edges = {name: Dependency(name, need, roster.find) for name, need in needs.items()}
    unmet = watcher.unmet() if watcher.life is WAITING else None
    explain = partial(why, now=roster.now())
    return {
        "phase": phase,
        "depends_on": {_name(name, roster): edge.need for name, edge in edges.items()},
        "part_of": [_name(name, roster) for name in watcher.options.part_of],
        "waits_for": "" if unmet is None else unmet.why(explain),
    }


def _name(name: str, roster: Watchers) -> str:
    """Return the name of a watcher as it was written; of one that is not there, the same for all
    who depend on it."""
    found = roster.find(name)
    return fold(name) if found is None else found.name
