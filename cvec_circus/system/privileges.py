"""What only a privileged user may, for what is looked at before it is done. All may block."""

from __future__ import annotations

import os
import re

from cvec_circus.system.accounts import Account, identity

CAP_CHOWN, CAP_SETGID, CAP_SETUID, CAP_NET_BIND_SERVICE = 0, 6, 7, 10
CAP_PTRACE, CAP_SYS_RESOURCE = 19, 24

PORTS = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
SCORE = "/proc/self/oom_score_adj"


def has_capability(number: int) -> bool:
    """Tell whether this process has a capability (capabilities(7))."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        found = re.search(r"^CapEff:\s*([0-9a-f]+)$", file.read(), re.MULTILINE)
    return bool(found and int(found[1], 16) >> number & 1)


def why_not_run_as(user: Account, group: Account) -> str:
    """Return why this user cannot run a process as that one, "" if it can, or there is none."""
    try:
        wanted = identity(user, group)
    except ValueError:  # a problem that is reported
        return ""
    if wanted is None or (has_capability(CAP_SETUID) and has_capability(CAP_SETGID)):
        return ""
    return _refused(f"become {wanted.name}", "CAP_SETUID and CAP_SETGID")


def why_no_owner(uid: int, name: str) -> str:
    """Return why this user cannot give a file to that one, "" if it can."""
    if uid == os.geteuid() or has_capability(CAP_CHOWN):
        return ""
    return _refused(f"make {name} the owner of a file", "CAP_CHOWN")


def why_no_port(port: int) -> str:
    """Return why this user cannot listen on a port, "" if it can."""
    lowest = _number(PORTS)
    if not 0 < port < lowest or has_capability(CAP_NET_BIND_SERVICE):
        return ""
    return _refused(f"listen on a port below {lowest}", "CAP_NET_BIND_SERVICE")


def why_no_score(value: int) -> str:
    """Return why this user cannot have an `oom_score_adj`, "" if it can."""
    ours = _number(SCORE)
    if value >= ours or has_capability(CAP_SYS_RESOURCE):
        return ""
    return _refused(f"lower it from {ours}", "CAP_SYS_RESOURCE")


def _refused(what: str, capability: str) -> str:
    uid = os.geteuid()
    if uid == 0:
        return f"root cannot {what} without {capability}"
    return f"user {uid} cannot {what}; start the daemon as root"


def _number(path: str) -> int:
    """Return the number in a file of /proc, 0 if it cannot be read."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0
