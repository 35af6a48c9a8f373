"""What can be meant of checks and rollouts, and seldom is: for warnings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from cvec_circus.options.checks import Check, prove_nothing

_EVERYWHERE = frozenset({"0.0.0.0", "::", "", "*"})
_NONE = (0, "0%")
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


SHARING = ("use_sockets", "stdin_socket", "listen_fds", "numprocesses", "rollout")
"""The options that decide whether others answer for a new process."""

SKIP = "skip"
"""What becomes of a run by default when the one before has not ended."""

_BETTER = "notify, fd:N, log:TEXT or exec:COMMAND"


def doubts(
    options: Mapping[str, Any], used: Collection[str], sockets: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Yield what is doubtful about the checks and rollouts of a watcher, as pairs of key and text.

    Args:
        options: All its options.
        used: The names of the sockets that its processes get, in lower case.
        sockets: The sockets, each with its `name`, and its `path` or its `host` and `port`.
    """
    interval, timeout = options["ready_interval"], options["ready_timeout"]
    checks: Mapping[str, Check] = options["ready"]
    if checks and timeout < interval:
        text = f"shorter than ready_interval, so a check runs once; write {interval:g}s or more"
        yield "ready_timeout", text
    yield from _of_rollouts(options)
    if options["overlap"] != SKIP and not options["schedule"]:
        yield "overlap", "of no use without a schedule"
    sockets = list(sockets)
    given = [one for one in sockets if str(one["name"]).lower() in used]
    shared = sockets if options["use_sockets"] else given
    if _proves_nothing(options):
        said = "is one address for all processes, where others answer for the new one, so it proves"
        for name, check in checks.items():
            if not any(_is_at(check, one) for one in shared):
                text = f"{check} {said} nothing; write $(circus.wid) into it, or {_BETTER}"
                yield f"ready.{name}", text
    free = 3 + len(given) if options["listen_fds"] else 3
    for name, check in checks.items():
        if check.kind == "fd" and int(check.target) < free:
            text = f"{check} is where listen_fds puts a socket; write a number from {free} to 9"
            yield f"ready.{name}", text
        for one in shared:
            if _is_at(check, one):
                text = (
                    f"{check} is the socket {one['name']}, which is open whether the process is "
                    f"ready or not, so it proves nothing; write {_BETTER}"
                )
                yield f"ready.{name}", text


def _of_rollouts(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if options["singleton"] and options["rollout"] == "surge":
        yield "rollout", "a singleton never runs twice: its process is stopped first (recreate)"
    if options["max_surge"] in _NONE and options["max_unavailable"] in _NONE:
        yield "max_unavailable", "with max_surge 0, too, nothing could be replaced: 1 is taken"


def _proves_nothing(options: Mapping[str, Any]) -> bool:
    """Tell whether processes that run beside a new one pass all its checks of `ready` for it."""
    runs_beside = options["use_sockets"] or options["stdin_socket"] or options["numprocesses"] > 1
    return (runs_beside or options["rollout"] == "surge") and prove_nothing(options["ready"])


def _is_at(check: Check, socket: Mapping[str, Any]) -> bool:
    """Tell whether a check asks at a socket."""
    if check.kind == "unix":
        return bool(check.target == socket.get("path"))
    if check.kind not in ("tcp", "http", "https") or socket.get("path"):
        return False
    authority = check.target.partition("/")[0].partition("?")[0]
    host, _, port = authority.rpartition(":")
    if not host:
        host, port = authority, {"http": "80", "https": "443"}.get(check.kind, "")
    hosts = {host.strip("[]").lower(), str(socket.get("host")).lower()}
    is_one = len(hosts) == 1 or bool(hosts & _EVERYWHERE) or hosts <= _HERE
    return is_one and port == str(socket.get("port"))
