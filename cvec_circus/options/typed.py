"""The options of a watcher as a typed object, made from the rows of `options.watcher`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Optional, Union

Account = Optional[Union[int, str]]
Words = Union[str, list[str]]
Share = Union[int, str, None]

NOTHING: Mapping[str, Any] = MappingProxyType({})


class WatcherOptions(Mapping[str, Any]):
    """Every option of a watcher. Immutable, so safe from any thread.

    An attribute for each row of the table, with a value of the row's kind; times are seconds. It is
    a mapping too: of the rows by name, and of the freeform options and `rlimit_*` in `extra`.

    The attributes are declared once, as annotations, for people, for mypy and for the slots. It is
    no dataclass, because that module adds 8 ms to every start of the daemon.
    """

    cmd: Words | None
    args: Words
    shell: bool
    shell_args: Words | None
    executable: str | None
    working_dir: str | None
    env: dict[str, str]
    copy_env: bool
    copy_path: bool
    virtualenv: str | None
    virtualenv_py_ver: str | None
    uid: Account
    gid: Account
    umask: int | None
    numprocesses: int
    singleton: bool
    autostart: bool
    priority: int
    warmup_delay: float
    respawn: bool
    max_retry: int
    max_age: float
    max_age_variance: float
    min_uptime: float
    respawn_delay: float
    backoff: bool
    backoff_max: float
    backoff_reset: float
    on_demand: bool
    ready: Mapping[str, Any]
    ready_timeout: float
    ready_interval: float
    live: Mapping[str, Any]
    live_interval: float
    live_timeout: float
    live_failures: int
    live_action: str
    depends_on: Mapping[str, str]
    part_of: list[str]
    rollout: str
    max_surge: Share
    max_unavailable: Share
    stop_signal: int
    stop_children: bool
    graceful_timeout: float
    leftover_timeout: float
    strays: str
    send_hup: bool
    stdout_stream: Mapping[str, Any]
    stderr_stream: Mapping[str, Any]
    log_history: int | None
    close_child_stdin: bool
    close_child_stdout: bool
    close_child_stderr: bool
    use_sockets: bool
    listen_fds: bool
    stdin_socket: str | None
    use_papa: bool
    hooks: Mapping[str, Any]
    hook_timeout: float | None
    extra: Mapping[str, Any]

    __slots__ = tuple(__annotations__)

    def __init__(self, full: Mapping[str, Any]) -> None:
        """Make it from a full set of options by name."""
        put = object.__setattr__
        for name in ROWS:
            put(self, name, full[name])
        extra = NOTHING
        if len(full) > len(ROWS):
            extra = {name: full[name] for name in full if name not in ROWS}
        put(self, "extra", extra)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"options do not change: {name}")

    def replace(self, changes: Mapping[str, Any], dropped: Collection[str] = ()) -> WatcherOptions:
        """Return options with other values, and without the freeform ones in `dropped`."""
        full = self._full()
        full.update(changes)
        for name in dropped:
            if name not in changes:
                full.pop(name, None)
        return WatcherOptions(full)

    def _full(self) -> dict[str, Any]:
        full = dict(zip(ROWS, _rows(self)))
        full.update(self.extra)
        return full

    def __eq__(self, other: object) -> bool:
        # A configuration that is read again compares thousands of sets, and almost all are equal.
        if isinstance(other, WatcherOptions):
            return bool(_rows(self) == _rows(other)) and self.extra == other.extra
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


ROWS: dict[str, None] = dict.fromkeys(name for name in WatcherOptions.__slots__ if name != "extra")
"""The names of the rows, in the order of the table."""

_rows = attrgetter(*ROWS)


def as_dict(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options in a new dict; typed ones much faster than `dict` itself would."""
    return options._full() if isinstance(options, WatcherOptions) else dict(options)
