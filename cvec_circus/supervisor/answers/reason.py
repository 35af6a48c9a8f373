"""Why a watcher stands where it stands, as a sentence for a person."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cvec_circus.base.figures import first_of
from cvec_circus.core.life import DOWN, STOPPING, UP, WAITING
from cvec_circus.core.process import ManagedProcess, ProcessState, Purpose
from cvec_circus.core.watcher import Watcher
from cvec_circus.system.collecting import ended
from cvec_circus.wire.cause import LIVE


def why(watcher: Watcher, now: float) -> str:
    """Return the reason of its state, "" if there is nothing to explain."""
    places = watcher.places
    waits = places.pending or places.ending or places.trials or watcher.gate or watcher.strays
    is_odd = watcher.reason or watcher.failed or (watcher.life is UP and not watcher.is_told_ready)
    if watcher.life in (UP, DOWN) and not (waits or is_odd or places.backoffs):
        return stopped(watcher)  # as it is with most of a thousand
    return explained(watcher, now)


def explained(watcher: Watcher, now: float) -> str:
    """Return the first reason that there is, the most urgent ones first."""
    places = watcher.places
    if unkillable := places.unkillable():
        return f"{unending(unkillable)}, not even by SIGKILL"
    if hook := awaited_hook(watcher):
        return f"waits for the answer of its hook {hook}"
    if watcher.life is WAITING and (condition := watcher.unmet()) is not None:
        return condition.why(partial(why, now=now))
    if watcher.reason:
        return watcher.reason
    if told := stopped(watcher):
        return told
    if watcher.life is STOPPING:
        return unended(watcher, now)
    if not watcher.goal.up:
        return left_behind(watcher)
    return trouble(watcher, now)


def trouble(watcher: Watcher, now: float) -> str:
    """Return the first reason why one that is to be up is not as it should be."""
    places = watcher.places
    if told := unready(watcher):
        return told
    if places.pending and (places.trouble or places.backoffs):
        return next_start(watcher, now)
    if told := failed_rollout(watcher):
        return f"the last rollout failed: {told}"
    if places.pending:
        return next_start(watcher, now)
    if told := replaced_first(watcher, now):
        return told
    if told := unproved_again(watcher):
        return told
    left = next((one for one in places.ending if one.state is ProcessState.LEFTOVER), None)
    if left is not None and watcher.is_running:
        return leftover(watcher, left, now)
    return left_behind(watcher)


def replaced_first(watcher: Watcher, now: float) -> str:
    """Say why a process is being stopped that leaves its place empty; "" if there is none."""
    places = watcher.places
    process = next((one for one in places.ending if one.has_leader and one.holds_place), None)
    if process is None or watcher.rollout is not None or not watcher.is_running:
        return ""
    kill_at = places.deadline(process, Purpose.KILL) or now
    left = f"SIGKILL in {kill_at - now:.1f} s" if kill_at > now else "SIGKILL was sent"
    cause = process.cause
    by = f" by {cause.actor}" if cause.actor else ""
    why = f": {cause.reason}" if cause.reason else ""
    kept = f"{process.refusal}; " if process.refusal else ""
    return f"process {process.pid} is being stopped ({cause.text}{by}){why}; {kept}{left}"


def failed_rollout(watcher: Watcher) -> str:
    """Say how its last rollout failed; "" if none did, or after a new order, or when no kept
    process is left."""
    failed, places = watcher.failed, watcher.places
    if failed is None or failed.is_over:
        return ""
    if failed.kept:
        counts = any(one.pid in failed.kept for one in (*places.stale, *places.fresh))
    else:
        counts = failed.is_undone or not watcher.is_ready
    return failed.text if counts else ""


def unready(watcher: Watcher) -> str:
    """Say which process is not ready, or not alive, of those that had their time; "" for none."""
    found = [process for process in watcher.places.fresh if process.unready]
    if not found:
        return ""
    more = f" ({len(found)} of its processes are not ready)" if len(found) > 1 else ""
    return found[0].unready + more


def stopped(watcher: Watcher) -> str:
    """Say who stopped it, where a person would wonder; "" for nothing."""
    cause = watcher.goal.cause
    if watcher.goal.up or not cause.is_worth_telling:
        return ""
    return f"stopped{cause.sentence}" if cause.actor else cause.reason


def left_behind(watcher: Watcher) -> str:
    """Name the strays, the first three of them."""
    if not watcher.strays:
        return ""
    named = [f"{stray.pid} ({stray.command})" for stray in watcher.strays]
    word = "processes" if len(named) > 1 else "process"
    return f"{word} {first_of(named, 3)} left behind"


def awaited_hook(watcher: Watcher) -> str:
    """Return the hook whose answer the next step waits for, "" for none."""
    if watcher.gate is not None:
        return watcher.gate.name
    if watcher.places.asked_for:
        return "before_spawn"
    return "after_spawn" if watcher.places.trials and watcher.is_running else ""


def unended(watcher: Watcher, now: float) -> str:
    """Say what is being ended and has not ended, and when it is killed; "" for nothing."""
    places = watcher.places
    leaders = [process for process in places.ending if process.has_leader]
    chosen = leaders or list(places.ending)
    if not chosen:
        return ""
    pids = listed(chosen[:5])
    kill_at = max(places.deadline(process, Purpose.KILL) or now for process in chosen)
    told = f"SIGKILL in {kill_at - now:.1f} s" if kill_at > now else "SIGKILL was sent"
    has = "have" if leaders and len(chosen) > 1 else "has"
    kept = next((f"{process.refusal}; " for process in leaders if process.refusal), "")
    return f"{'' if leaders else 'what is left of '}{pids} {has} not ended; {kept}{told}"


def unending(processes: Sequence[ManagedProcess]) -> str:
    """Say of processes, of which there is at least one, that they do not end."""
    return f"{listed(processes)} {'do' if len(processes) > 1 else 'does'} not end"


def listed(processes: Sequence[ManagedProcess]) -> str:
    """Name processes, of which there is at least one, by their pids."""
    pids = ", ".join(str(process.pid) for process in processes)
    return f"process{'es' if len(processes) > 1 else ''} {pids}"


def next_start(watcher: Watcher, now: float) -> str:
    """Say what the slot waits for that spawns next."""
    places = watcher.places

    def due_at(process: ManagedProcess) -> float:
        return places.deadline(process, Purpose.SPAWN) or now

    process = min(places.pending, key=due_at)
    spawn_at = max(due_at(process), places.next_spawn_at, now)
    left = f"next start in {spawn_at - now:.1f} s"
    memory = places.backoffs.get(process.wid)
    if places.trouble:
        most = watcher.options.max_retry
        if memory is not None and 0 < memory.failed_starts < most:
            left = f"attempt {memory.failed_starts + 1} of {most} in {spawn_at - now:.1f} s"
        return f"{places.trouble}; {left}"
    return f"{row}; {left}" if (row := _quick_deaths(watcher, process.wid)) else left


def _quick_deaths(watcher: Watcher, wid: int) -> str:
    """Say how often the processes of a slot have failed, and how the last one ended; "" if none
    has."""
    memory = watcher.places.backoffs.get(wid)
    if memory is None or not memory.deaths:
        return ""
    return f"{deaths_in_a_row(watcher, wid, memory.deaths)}{_last_end(watcher, wid)}"


def unproved_again(watcher: Watcher) -> str:
    """Say which slot has a process that may die early, like those before it; "" for none."""
    for wid, memory in watcher.places.backoffs.items():
        process = watcher.places.slots.get(wid)
        if memory.deaths and process is not None and process.has_leader and not process.proved:
            row = "a failure" if memory.deaths == 1 else f"{memory.deaths} failures in a row"
            row += "" if memory.failed_starts else _last_end(watcher, wid)
            return f"slot {wid}: process {process.pid} runs, and is not ready yet, after {row}"
    return ""


def _last_end(watcher: Watcher, wid: int) -> str:
    """Say how the last process of a slot ended, after a colon; "" if none has."""
    last = next((one for one in reversed(watcher.places.deaths) if one.wid == wid), None)
    if last is None:
        return ""
    told = f": {last.why}" if last.cause == LIVE.text else f" {ended(last.exit_code, last.oom)}"
    return f": process {last.pid}{told}"


def deaths_in_a_row(watcher: Watcher, wid: int, deaths: int) -> str:
    """Say how often the processes of a slot have died, or were stopped by `live`, too early."""
    rows = [one for one in watcher.places.deaths if one.wid == wid][-deaths:]
    least = watcher.options.min_uptime
    did, lived = "has died", f"within {least:g} s"
    if rows and rows[-1].cause == LIVE.text:
        did, lived = "was not alive", f"{lived} of being ready" if least else "once it was ready"
    elif any(one.lived >= least and not one.was_proved for one in rows):
        lived = f"{lived} or before it was ready"
        if not any(one.was_proved for one in rows):
            row = f"{deaths} times in a row" if deaths > 1 else "once"
            return f"slot {wid} has died {row}, never ready"
    row = f"{deaths} times in a row, each {lived}" if deaths > 1 else f"once {lived}"
    return f"slot {wid} {did} {row}"


def leftover(watcher: Watcher, process: ManagedProcess, now: float) -> str:
    """Say what keeps a place from being filled again."""
    row = _quick_deaths(watcher, process.wid)
    who = f"{row}; it" if row else f"slot {process.wid}"
    kill_at = watcher.places.deadline(process, Purpose.KILL) or now
    left = "was sent" if process.killed else f"in {max(0.0, kill_at - now):.1f} s"
    return f"{who} waits until nothing of process {process.pid} is left; SIGKILL {left}"
