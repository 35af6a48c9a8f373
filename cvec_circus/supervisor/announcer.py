"""What the core says: to subscribers as events, to people as lines of the daemon's log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from cvec_circus import logger
from cvec_circus.base.figures import counted
from cvec_circus.control.events import EventStream
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.answers.reason import deaths_in_a_row
from cvec_circus.system.collecting import ended
from cvec_circus.system.signals import to_name
from cvec_circus.wire.cause import GIVE_UP, Cause

MOST_REFUSALS = 4096
"""Refusals remembered; beyond that the oldest ones may be logged again."""

ALONE = frozenset({"command:kill", "command:signal", "live"})
"""Causes of the end of one process; of others the line for the watcher says why."""

TEXTS = ("reason", "why", "error", "answer")
"""What of an event is a sentence for people."""

MOVES = frozenset({"start", "stop", "reload", "reap"})

VERBS = {
    "start": "started",
    "stop": "stopped",
    "reload": "reloaded",
    "add": "added",
    "remove": "removed",
}


class Announcer:
    """The events desk of the core. Owned by the supervisor thread.

    Args:
        stream: Where events are published.
        when_moved: Called when processes have come or gone.
        conceal: Returns a text without the values of variables, as the log does by itself.
    """

    def __init__(
        self,
        stream: EventStream,
        when_moved: Callable[[], object] = lambda: None,
        conceal: Callable[[str], str] = str,
    ) -> None:
        self._stream = stream
        self._when_moved, self._conceal = when_moved, conceal

    def publish(self, watcher: Watcher, action: str, cause: Cause, **payload: object) -> None:
        """See `core.ports.Events`; with the actor and its reason, if there is one."""
        if cause.actor:
            payload["actor"] = cause.actor
        if cause.why:
            payload["why"] = cause.why
        level, sentence = narrate(watcher, action, cause, payload)
        for key in TEXTS:
            if key in payload:
                payload[key] = self._conceal(str(payload[key]))
        self._stream.publish(watcher.name, action, cause.text, **payload)
        if action in MOVES:
            self._when_moved()
        if sentence and logger.isEnabledFor(level):
            logger.log(level, "%s: %s", watcher.name, sentence)

    def note(self, watcher: Watcher, text: str) -> None:
        """See `core.ports.Events`."""
        logger.warning("%s: %s", watcher.name, text)


class Refusals:
    """Logs once for each process that we may not signal it. Owned by the supervisor thread."""

    def __init__(self) -> None:
        self._told: dict[tuple[int, int], None] = {}

    def tell(self, watcher: str, pid: int, command: str = "", start_time: int = 0) -> None:
        """Log that a process may not be signalled, unless that was logged before.

        Its `start_time` tells it from a later process of the same pid; 0 for a child.
        """
        key = (pid, start_time)
        if key in self._told:
            return
        self._told[key] = None
        if len(self._told) > MOST_REFUSALS:
            del self._told[next(iter(self._told))]
        logger.warning("%s: not allowed to signal %s", watcher, named(pid, command))


def named(pid: int, command: str) -> str:
    """Name a process for a log line."""
    return f"process {pid} ({command})" if command else f"process {pid}"


def narrate(
    watcher: Watcher, action: str, cause: Cause, payload: dict[str, Any]
) -> tuple[int, str]:
    """Return the level and the sentence for an event; one that is not worth a line has none."""
    if action in ("ready", "unready", "rollback"):
        return of_readiness(watcher, action, cause, payload)
    if action == "check":
        whose = f"of process {payload['process_pid']}"
        text = f"check {payload['name']} {whose} {payload['state']}: {payload['answer']}"
        return logging.DEBUG, text
    if "wid" in payload:
        return of_process(watcher, action, cause, payload)
    if action == "giveup":  # the line for the stop says it too if that was an order
        sentence = f"given up: {payload['reason']}" if cause.text == GIVE_UP.text else ""
        return logging.WARNING, sentence
    if action == "updated":
        size = payload.get("numprocesses")
        change = "options changed" if size is None else f"{counted(size, 'process')} wanted"
        return logging.INFO, change + because(cause)
    if action.startswith("hook_"):  # a failure was logged with its traceback
        told = action == "hook_success"
        return logging.DEBUG, f"hook {payload.get('name')} answered" if told else ""
    level = logging.DEBUG if action == "add" and cause.text == "config" else logging.INFO
    gap = ", with a gap: the old process was stopped first" if payload.get("gap") else ""
    return level, VERBS[action] + gap + because(cause)


def of_process(
    watcher: Watcher, action: str, cause: Cause, payload: dict[str, Any]
) -> tuple[int, str]:
    """Return the level and the sentence for an event of one process, or of its slot."""
    pid = payload.get("process_pid")
    if action == "adopted":
        return logging.INFO, f"process {pid} adopted"
    if action == "spawn":
        return logging.INFO, f"process {pid} started{brief(cause, 'exit')}"
    if action == "reap":
        return reaped(cause, payload)
    if action == "signal":
        name = to_name(payload["signum"])
        whom = f"process {pid}"
        if payload.get("children"):
            whom = f"the children of {whom}"
        elif "childpid" in payload:
            whom = f"process {payload['childpid']}, a child of {whom}"
        return logging.INFO, f"SIG{name} sent to {whom}{because(cause)}"
    if action == "kill":
        name = to_name(payload["signum"])
        return logging.DEBUG, f"sending SIG{name} to process {pid}{brief(cause)}"
    if cause.text == "exec":
        return logging.DEBUG, ""  # the error was logged
    row = deaths_in_a_row(watcher, payload["wid"], payload["deaths"])
    return logging.WARNING, f"{row}; next start in {payload['delay']:g} s"


def of_readiness(
    watcher: Watcher, action: str, cause: Cause, payload: dict[str, Any]
) -> tuple[int, str]:
    """Return the level and the sentence for news of readiness."""
    if action == "ready":
        is_checked = watcher.options.ready or watcher.options.live
        return logging.INFO if is_checked else logging.DEBUG, "ready"
    told = "not ready" if action == "unready" else f"rollout failed{because(cause)}"
    return logging.WARNING, f"{told}: {payload['reason']}"


def reaped(cause: Cause, payload: dict[str, Any]) -> tuple[int, str]:
    """Return the level and the sentence for a process that has ended."""
    code = payload.get("exit_code")
    how = ended(None if payload.get("status_lost") else code, bool(payload.get("oom")))
    level = logging.WARNING if cause.text == "exit" and code != 0 else logging.INFO
    if cause.text == "exit":
        why = f", {cause.why}" if cause.why else ""
    else:
        why = because(cause) if cause.text in ALONE else brief(cause)
    return level, f"process {payload.get('process_pid')} {how}{why}"


def brief(cause: Cause, silent: str = "") -> str:
    """Return the cause in brackets, but for one that goes without saying."""
    return "" if cause.text == silent else f" ({cause.text})"


def because(cause: Cause) -> str:
    """Return the cause in brackets, and the actor and its reason if a person would wonder."""
    if not cause.is_worth_telling:
        return brief(cause)
    actor = f" by {cause.actor}" if cause.actor.startswith(("plugin:", "hook:")) else ""
    return f"{actor} ({cause.text})" + (f": {cause.reason}" if cause.why else "")
