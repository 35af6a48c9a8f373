"""The daemon's log: each event in words, for the person who reads it."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from cvec_circus import logger
from cvec_circus.core.watcher import Watcher
from cvec_circus.system.signals import to_name
from cvec_circus.wire.cause import Cause

Payload = Mapping[str, object]


def tell(watcher: Watcher, action: str, cause: Cause, payload: Payload) -> None:
    """Write the sentence for an event, if it has one. Called on the supervisor thread."""
    level, sentence = narrate(action, cause, payload)
    if sentence and logger.isEnabledFor(level):
        logger.log(level, "%s: %s", watcher.name, sentence)


def narrate(action: str, cause: Cause, payload: Payload) -> tuple[int, str]:
    """Returns the level and the sentence for an event; an empty sentence is not worth a line."""
    pid = payload.get("process_pid")
    if action == "spawn":
        return logging.INFO, f"process {pid} started{brief(cause, 'exit')}"
    if action == "reap":
        return reaped(cause, payload)
    if action == "kill":
        signum = payload.get("signum")
        name = to_name(signum) if isinstance(signum, int) else signum
        return logging.DEBUG, f"process {pid} is asked to stop by {name}{brief(cause)}"
    if action == "backoff":
        return logging.WARNING, (
            f"process {payload.get('wid')} died quickly {payload.get('deaths')} times,"
            f" next start in {payload.get('delay'):g} s"
            if cause.text != "exec"
            else ""
        )
    if action == "giveup":
        return logging.WARNING, f"given up: {payload.get('reason')}"
    if action == "updated":
        return logging.INFO, updated(cause, payload)
    if action == "hook_success":
        return logging.DEBUG, f"hook {payload.get('name')} has answered"
    if action == "hook_failure":
        return logging.DEBUG, ""  # which was told with its traceback
    level = logging.DEBUG if action == "add" and cause.text == "config" else logging.INFO
    return level, SENTENCES.get(action, action) + because(cause)


def reaped(cause: Cause, payload: Payload) -> tuple[int, str]:
    """The sentence for a process that has ended: a warning when nobody asked for it."""
    code = payload.get("exit_code")
    if payload.get("status_lost"):
        how = "ended, and somebody else has collected its exit status"
    elif isinstance(code, int) and code < 0:
        how = f"was ended by {to_name(-code)}"
    else:
        how = f"exited with {code}"
    unasked = cause.text == "exit" and code != 0
    level = logging.WARNING if unasked else logging.INFO
    return level, f"process {payload.get('process_pid')} {how}{brief(cause, 'exit')}"


def updated(cause: Cause, payload: Payload) -> str:
    """Return the sentence for a change of options: how many processes are wanted now, and why."""
    size = payload.get("numprocesses")
    change = "options changed" if size is None else f"{size} processes wanted"
    return f"{change}{because(cause)}"


def brief(cause: Cause, silent: str = "") -> str:
    """Return the cause in brackets, but for one that goes without saying."""
    return "" if cause.text == silent else f" ({cause.text})"


def because(cause: Cause) -> str:
    """Return the cause in brackets, and the actor and its reason if a person would wonder."""
    if not cause.is_worth_telling:
        return brief(cause)
    actor = f" by {cause.actor}" if cause.actor.startswith(("plugin:", "hook:")) else ""
    return f"{actor} ({cause.text})" + (f": {cause.reason}" if cause.why else "")


SENTENCES = {
    "start": "started",
    "stop": "stopped",
    "reload": "reloaded",
    "add": "added",
    "remove": "removed",
}
