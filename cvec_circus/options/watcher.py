"""The table of a watcher's options, and the checks of what belongs together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from cvec_circus.exc import OptionError, raise_all
from cvec_circus.options.kinds import to_stream
from cvec_circus.options.rights import LIMIT, why_no_limit
from cvec_circus.options.stream import STREAMS, shown_stream, stream_problems, take_parts
from cvec_circus.options.table import Option, OptionTable
from cvec_circus.options.typed import TABLE, WatcherOptions, as_dict
from cvec_circus.options.words import split

NEWER = (
    *("ready", "ready_timeout", "ready_interval", "live", "live_interval", "live_timeout"),
    *("live_failures", "live_action", "depends_on", "part_of", "rollout", "max_surge"),
    *("max_unavailable", "memory_limit", "cpu_limit", "pids_limit", "essential"),
    "die_with_daemon",
)
"""Options that Circus does not have. A file that gives one a value of its own keeps working."""

_ELSEWHERE = {
    **{"command": "cmd", "user": "uid", "group": "gid", "numprocs": "numprocesses"},
    **{"processes": "numprocesses", "instances": "numprocesses", "environment": "env"},
    **{"directory": "working_dir", "cwd": "working_dir", "autorestart": "respawn"},
    **{"startsecs": "min_uptime", "startretries": "max_retry", "stopwaitsecs": "graceful_timeout"},
    **{"stdout_logfile": "stdout_stream.filename", "stderr_logfile": "stderr_stream.filename"},
}
"""What other supervisors call an option, and its name here."""

_HOOK = "hooks."
_CHECKS = ("ready.", "live.")


class WatcherTable(OptionTable):
    """The options of a watcher. Immutable.

    A stream is one option whose value is a mapping, and each of its parts can be given by itself:
    `stdout_stream.filename`. A full set of options has the mapping only.
    """

    def near(self, key: str) -> str:
        """Return the hint that follows an unknown key."""
        meant = "env" if key.lower().startswith("env.") else _ELSEWHERE.get(key.lower())
        return f"; did you mean {meant}?" if meant else super().near(key)

    def convert_one(self, key: str, value: Any) -> Any:
        """Return one value as its option's kind wants it, the parts of a stream too."""
        reason = why_no_limit(key) if key.startswith(LIMIT) else ""
        if reason:
            raise OptionError(key, reason)
        if key.startswith(_HOOK):
            _hooks().require_name(key)
        if key.startswith(_CHECKS):
            _checks().require_name(key)
        if key not in STREAMS:
            return super().convert_one(key, value)
        try:
            parts = to_stream(value)
        except ValueError as error:
            raise OptionError(key, str(error)) from None
        return {part: self.convert_one(f"{key}.{part}", text) for part, text in parts.items()}

    def complete(  # type: ignore[override]  # immutable options instead of a dict
        self, given: Mapping[str, Any], current: Mapping[str, Any] | None = None
    ) -> WatcherOptions:
        """Return a full set of options; a part of a stream changes the stream.

        Whether users and groups exist is not asked here: see `rights.judge`.

        Raises:
            OptionError: The options contradict each other.
        """
        full, found = self.judged(given, current)
        raise_all([OptionError(key, reason) for key, reason in found])
        return full

    def judged(
        self, given: Mapping[str, Any], current: Mapping[str, Any] | None = None
    ) -> tuple[WatcherOptions, list[tuple[str, str]]]:
        """Return what `complete` does, and all contradictions, as pairs of key and reason."""
        full = self._full(given, None if current is None else as_dict(current))
        return WatcherOptions(full), contradictions(full)

    def changes(self, given: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options that differ once `given` is applied to `current`; see `complete`."""
        before = as_dict(current)
        full = self._full(given, before)
        raise_all([OptionError(key, reason) for key, reason in contradictions(full)])
        return {
            name: value
            for name, value in full.items()
            if name not in before or (before[name] is not value and before[name] != value)
        }

    def _full(self, given: Mapping[str, Any], current: dict[str, Any] | None) -> dict[str, Any]:
        full = super().complete(given, current)
        take_parts(full, given)
        if given.get("hooks") or any(key.startswith(_HOOK) for key in given):
            _hooks().take_hooks(full, current)
        elif current is not None:
            full["hooks"] = current["hooks"]
        if given.get("ready") or given.get("live") or any(key.startswith(_CHECKS) for key in given):
            _checks().take_checks(full, current)
        elif current is not None:
            full.update(ready=current["ready"], live=current["live"])
        return full


_BESIDE = {
    "uid": ("gid",),
    "numprocesses": ("singleton",),
    "on_demand": ("use_sockets", "stdin_socket"),
    "overlap": ("schedule",),
    "rollout": ("singleton",),
    "copy_path": ("copy_env",),
    "virtualenv": ("copy_env",),
    "shell_args": ("shell",),
    "listen_fds": ("use_sockets",),
    "max_unavailable": ("max_surge",),
    **{f"{stream}.max_bytes": (f"{stream}.backup_count",) for stream in STREAMS},
}
_BESIDE_CHECKS = ("close_child_stdout", "close_child_stderr", "ready_interval", "ready_timeout")


def stands_beside(key: str, refused: Collection[str]) -> bool:
    """Tell whether what is said of a key follows from options whose values were refused.

    Those have their defaults for now, which the file does not mean.
    """
    family, dot, _ = key.partition(".")
    others = {key, family, "extends", *_BESIDE.get(key, ())}
    if family in STREAMS:
        others.add(f"{family}.class")
    elif dot or key == "ready_timeout":
        others.update(_BESIDE_CHECKS)
    return not others.isdisjoint(refused)


def contradictions(full: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the contradictions in a full set of options, as pairs of key and reason."""
    found = []
    if full["singleton"] and full["numprocesses"] > 1:
        found.append(("numprocesses", "a singleton has one process at most"))
    if full["on_demand"] and not (full["use_sockets"] or full["stdin_socket"]):
        found.append(("on_demand", "only with use_sockets = True or a stdin_socket"))
    if full["schedule"] and full["on_demand"]:
        found.append(("schedule", "not with on_demand: a job starts at its time"))
    for key in ("copy_path", "virtualenv"):
        if full[key] and not full["copy_env"]:
            found.append((key, "only with copy_env = True"))
    found += _of_the_command(full)
    if full["ready"]:
        found += _checks().problems(full)
    for stream in STREAMS:
        found += stream_problems(stream, full[stream])
    return found


def _of_the_command(full: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what keeps a command from being one, whatever the names in it stand for."""
    found = []
    for key in ("cmd", "args", "shell_args"):
        text = full.get(key)
        if not isinstance(text, str):
            continue
        try:
            words = split(text)
        except ValueError as error:
            reason = str(error)
            more = "; close the quotes" if "quotation" in reason else ""
            found.append(
                (key, f"cannot be split into words: {reason[:1].lower()}{reason[1:]}{more}")
            )
        else:
            if key == "cmd" and text and not (words and words[0]) and not full["executable"]:
                found.append((key, "names no program"))
    return found


def public(full: Mapping[str, Any], working_dir: str | None = None) -> dict[str, Any]:
    """Return a full set of options as the wire shows it.

    Args:
        full: The options.
        working_dir: What to show for a watcher without a folder of its own: the daemon's.
    """
    shown = {f"{key}_conf" if key in STREAMS else key: value for key, value in full.items()}
    shown.update({f"{stream}_conf": shown_stream(full[stream]) for stream in STREAMS})
    shown["working_dir"] = full["working_dir"] or working_dir
    if full["hooks"]:
        shown["hooks"] = {name: str(hook) for name, hook in full["hooks"].items()}
    for family in ("ready", "live"):
        if full[family]:
            shown[family] = {name: str(check) for name, check in full[family].items()}
    return shown


def _hooks() -> Any:
    """The module of hooks, which most daemons do not need."""
    from cvec_circus.options import hooks

    return hooks


def _checks() -> Any:
    """The module of checks, likewise."""
    from cvec_circus.options import checks

    return checks


WATCHER_OPTIONS = WatcherTable(TABLE)
"""Everything that can be configured of a watcher."""

_OF_THE_RUNNER = frozenset(
    "cmd args shell shell_args executable env numprocesses singleton use_sockets".split()
)
"""The daemon decides these itself; in a plugin's section they are the plugin's own."""

PLUGIN_OPTIONS = WatcherTable(
    [
        Option("use", "text", None),
        Option("active", "boolean", True),
        *(option for option in TABLE if option.name not in _OF_THE_RUNNER),
    ]
)
"""What the daemon reads in a plugin's section, since a plugin runs as a watcher. All other options
are the plugin's own: its class gets them as they are written."""

PLUGIN_WATCHER_DEFAULTS = {"singleton": True, "priority": 1, "copy_env": True}
"""The defaults of a plugin's watcher that differ from those of other watchers."""


def needs_fresh(name: str, before: Any = None, after: Any = None) -> bool:
    """Return whether a change of that option takes effect with fresh processes only.

    The pipe of a process stays when another stream reads it: only the first one needs a pipe.
    """
    option = WATCHER_OPTIONS.find(name)
    return option is not None and option.reloads and not (name in STREAMS and before and after)
