"""The options of a watcher: their rows, and a typed object with their values."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Optional, Union

from cvec_circus.options.rights import LIMIT
from cvec_circus.options.stream import MOST_HISTORY, PART_ROWS
from cvec_circus.options.table import Option

Account = Optional[Union[int, str]]
Words = Union[str, list[str]]
Share = Union[int, str, None]

NOTHING: Mapping[str, Any] = MappingProxyType({})

PATIENCE = 8.0 if os.getpid() == 1 else 30.0
"""Seconds from the stop signal to SIGKILL: a container is killed 10 s after it was asked to stop,
with process 1 and all others."""


def _row(kind: str, default: Any, *parts: Option, **rest: Any) -> Any:
    """Declare an attribute by its row, and the rows of the keys that begin with its name."""
    return (Option("", kind, default, **rest), *parts)


class _Rows:
    """Every option of a watcher, in the order of the reference: a row each. Immutable.

    A row is the one place of an option. The name and the annotation are for mypy and for people;
    times are seconds. The rest is as in `Option`.
    """

    __slots__ = ()

    _of_files = (
        Option("extends", "text", None, is_directive=True),
        Option("env_file", "text", None, is_directive=True),
    )
    cmd: Words | None = _row("command", None, reloads=True)
    args: Words = _row("args", "", reloads=True)
    shell: bool = _row("boolean", False, reloads=True)
    shell_args: Words | None = _row("args", None, reloads=True)
    executable: str | None = _row("text", None, reloads=True)
    working_dir: str | None = _row("text", None, reloads=True)
    env: dict[str, str] = _row("environment", {}, reloads=True)
    copy_env: bool = _row("boolean", False, reloads=True)
    copy_path: bool = _row("boolean", False, reloads=True)
    virtualenv: str | None = _row("text", None, reloads=True)
    virtualenv_py_ver: str | None = _row("text", None, reloads=True)
    uid: Account = _row("account", None, reloads=True)
    gid: Account = _row("account", None, reloads=True)
    umask: int | None = _row("umask", None, reloads=True)
    _limits = (Option(f"{LIMIT}*", "limit", "", reloads=True),)
    oom_score_adj: int | None = _row("integer", None, low=-1000, high=1000, reloads=True)
    numprocesses: int = _row("integer", 1, low=0, harmless=True)
    singleton: bool = _row("boolean", False, harmless=True)
    autostart: bool = _row("boolean", True, harmless=True)
    priority: int = _row("integer", 0, harmless=True)
    warmup_delay: float = _row("number", 0, low=0, harmless=True)
    respawn: bool = _row("boolean", True, harmless=True)
    max_retry: int = _row("integer", 5, low=-1, harmless=True)
    max_age: float = _row("number", 0, low=0, harmless=True)
    max_age_variance: float = _row("number", 30, low=0, harmless=True)
    min_uptime: float = _row("seconds", 1.0, low=0, harmless=True)
    respawn_delay: float = _row("seconds", 0.0, low=0, harmless=True)
    backoff: bool = _row("boolean", True, harmless=True)
    backoff_max: float = _row("seconds", 1.0, low=0, harmless=True)
    backoff_reset: float = _row("seconds", 10.0, low=0, harmless=True)
    on_demand: bool = _row("boolean", False, harmless=True)
    schedule: str | None = _row("schedule", None, harmless=True)
    overlap: str = _row("choice", "skip", choices=("skip", "queue", "replace"), harmless=True)
    essential: bool = _row("boolean", False, harmless=True)
    ready: Mapping[str, Any] = _row("checks", {}, Option(".*", "check", None))
    ready_timeout: float = _row("seconds", 30.0, low=0.001, harmless=True)
    ready_interval: float = _row("seconds", 1.0, low=0.01, harmless=True)
    live: Mapping[str, Any] = _row("live_checks", {}, Option(".*", "live_check", None))
    live_interval: float = _row("seconds", 10.0, low=0.01, harmless=True)
    live_timeout: float = _row("seconds", 1.0, low=0.01, harmless=True)
    live_failures: int = _row("integer", 3, low=1, harmless=True)
    live_action: str = _row("choice", "restart", choices=("restart", "report"), harmless=True)
    depends_on: Mapping[str, str] = _row("dependencies", {}, harmless=True)
    part_of: list[str] = _row("watcher_names", [], harmless=True)
    rollout: str = _row("choice", "auto", choices=("auto", "surge", "recreate"), harmless=True)
    max_surge: Share = _row("share", None, harmless=True)
    max_unavailable: Share = _row("share", None, harmless=True)
    stop_signal: int = _row("signal", 15, harmless=True)
    stop_children: bool = _row("boolean", False, harmless=True)
    graceful_timeout: float = _row("seconds", PATIENCE, low=0, harmless=True)
    leftover_timeout: float = _row("seconds", 5.0, low=0, harmless=True)
    strays: str = _row("choice", "report", choices=("report", "kill", "ignore"), harmless=True)
    memory_limit: int | None = _row("size", None, low=1)
    cpu_limit: float | None = _row("processors", None)
    pids_limit: int | None = _row("integer", None, low=1)
    die_with_daemon: bool = _row("boolean", False, reloads=True, harmless=True)
    send_hup: bool = _row("boolean", False, harmless=True)
    stdout_stream: Mapping[str, Any] = _row("stream", {}, *PART_ROWS, reloads=True)
    stderr_stream: Mapping[str, Any] = _row("stream", {}, *PART_ROWS, reloads=True)
    log_history: int | None = _row("size", None, low=0, high=MOST_HISTORY, harmless=True)
    close_child_stdin: bool = _row("boolean", True, reloads=True, harmless=True)
    close_child_stdout: bool = _row("boolean", False, reloads=True, harmless=True)
    close_child_stderr: bool = _row("boolean", False, reloads=True, harmless=True)
    use_sockets: bool = _row("boolean", False, reloads=True, harmless=True)
    listen_fds: bool = _row("boolean", False, reloads=True, harmless=True)
    stdin_socket: str | None = _row("text", None, reloads=True)
    hooks: Mapping[str, Any] = _row("hooks", {}, Option(".*", "hook", None))
    hook_timeout: float | None = _row("seconds", None, low=0.001, harmless=True)


class WatcherOptions(_Rows, Mapping[str, Any]):
    """The value of every option of a watcher. Immutable, so safe from any thread.

    An attribute for each row, which those of its class stand for where the value is the default. It
    is a mapping too: of the rows by name, and of the freeform options and `rlimit_*` in `extra`. It
    is not a dataclass: that module adds 8 ms to every start of the daemon.
    """

    extra: Mapping[str, Any] = NOTHING

    def __init__(self, given: Mapping[str, Any]) -> None:
        """Make it from options by name; those that are not given have their defaults."""
        put, extra = object.__setattr__, {}
        for name, value in given.items():
            if name not in ROWS:
                extra[name] = value
            elif value is not ROWS[name] and value != ROWS[name]:
                put(self, name, value)
        if extra:
            put(self, "extra", extra)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"options do not change: {name}")

    def replace(self, changes: Mapping[str, Any], dropped: Collection[str] = ()) -> WatcherOptions:
        """Return options with other values, and without the freeform ones in `dropped`."""
        given = {**self.given(), **changes}
        for name in dropped:
            if name not in changes:
                given.pop(name, None)
        return WatcherOptions(given)

    def given(self) -> dict[str, Any]:
        """Return the options that do not have their defaults, in a new dict."""
        given = dict(vars(self))
        given.update(given.pop("extra", NOTHING))
        return given

    def _full(self) -> dict[str, Any]:
        return {**ROWS, **self.given()}

    def __eq__(self, other: object) -> bool:
        # A configuration that is read again compares thousands of sets, and almost all are equal.
        if isinstance(other, WatcherOptions):
            return vars(self) == vars(other)
        if isinstance(other, Mapping):
            return self._full() == dict(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name) if name in ROWS else self.extra[name]

    def __iter__(self) -> Iterator[str]:
        yield from ROWS
        yield from self.extra

    def __len__(self) -> int:
        return len(ROWS) + len(self.extra)

    def __repr__(self) -> str:
        return f"<options of {self.cmd!r}>"


ROWS: dict[str, Any] = {
    name: rows[0].default for name, rows in vars(_Rows).items() if not name.startswith("_")
}
"""The attributes but `extra`, in the order of the table, with their defaults."""

for _name, _default in ROWS.items():
    setattr(WatcherOptions, _name, _default)

TABLE = [
    option._replace(name=f"{name}{option.name}") if option.name[:1] in ("", ".") else option
    for name, rows in vars(_Rows).items()
    if not name.startswith("__")
    for option in rows
]
"""All rows, those of parts and families after what they are parts of."""


def as_dict(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options in a new dict; typed ones much faster than `dict` itself would."""
    return options._full() if isinstance(options, WatcherOptions) else dict(options)
