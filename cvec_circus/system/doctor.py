"""What this machine allows a daemon: what follows from each lack, and what would grant it.

Nothing is changed by looking. Each check is a sentence or three, for people; it may read files of
/proc and the table of mounts, so it is for a thread that may wait.
"""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Callable, Mapping

from cvec_circus.base.named import NamedTuple
from cvec_circus.exc import CircusError
from cvec_circus.system import cgroup, files, mounts, pidfd, proctable, statedir
from cvec_circus.system.privileges import CAP_PTRACE, CAP_SETUID, has_capability

EXIT_INFO = (6, 15)
"""The Linux from which on a pidfd tells the exit code of a process that others have collected."""

FEW_FILES = 1024
"""Below this limit of open files, it is named as a lack."""

CONTROLLERS = ("memory", "cpu", "pids")

_SCOPE = "/proc/sys/kernel/yama/ptrace_scope"


class Check(NamedTuple):
    """One thing that was looked at. Immutable.

    Attributes:
        name: A word for it.
        found: What there is: a sentence without its full stop, as the others are.
        lack: What follows if it is not all there; "" if nothing is lacking.
        remedy: What would grant it.
    """

    name: str
    found: str
    lack: str = ""
    remedy: str = ""

    @property
    def row(self) -> dict[str, object]:
        """The check in JSON's types."""
        return {**self._asdict(), "ok": not self.lack}


def examine() -> list[Check]:
    """Look at everything. Any thread that may wait for a moment.

    Returns:
        A check for each thing, in an order for people. What cannot be looked at says so.
    """
    return [_carried_out(name, look) for name, look in LOOKS.items()]


def _carried_out(name: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except (OSError, ValueError) as error:
        where = getattr(error, "filename", None)
        reason = getattr(error, "strerror", None) or error
        found = f"it cannot be looked at: {f'{where}: ' if where else ''}{reason}"
        return Check(name, found, "it is not known what is allowed", "mount /proc")


# -- processes


def pidfds() -> Check:
    """Look whether signals reach the right process, and exits are seen."""
    return judge_pidfds(pidfd.is_usable(), pidfd.reaches_groups(), os.uname().release)


def judge_pidfds(usable: bool, groups: bool, release: str) -> Check:
    """Say what follows from the pidfds of a kernel."""
    if not usable:
        return Check(
            "pidfd",
            f"there are no pidfds (Linux {release})",
            "a thread waits for each process, and its start time protects a pid that is used again",
            "Linux 5.3 or later, without a seccomp filter that forbids pidfd_open",
        )
    if not groups:
        return Check(
            "pidfd",
            f"a pidfd reaches its process, but not its group (Linux {release})",
            "a dead process stays a zombie until what it left in its group has ended",
            "Linux 6.9 or later",
        )
    return Check("pidfd", "processes and their groups are signalled by pidfd")


def exit_codes() -> Check:
    """Look whether exit codes of strangers can be known."""
    return judge_exit_codes(os.uname().release)


def judge_exit_codes(release: str) -> Check:
    """Say what a kernel tells of the exits of processes that are not children of the daemon."""
    if version(release) >= EXIT_INFO:
        return Check("exit codes", "those of processes that were taken over are known, too")
    return Check(
        "exit codes",
        f"a pidfd does not tell the exit code (Linux {release})",
        "of processes that a new daemon has taken over, the exit code may be unknown",
        "Linux {}.{} or later".format(*EXIT_INFO),
    )


def version(release: str) -> tuple[int, int]:
    """Return the first two numbers of a kernel's release."""
    found = re.match(r"(\d+)\.(\d+)", release)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def ptrace() -> Check:
    """Look whether files can be taken from the processes of an earlier daemon."""
    scope = 0
    if os.path.exists(_SCOPE):
        with open(_SCOPE, encoding="ascii") as file:
            scope = int(file.read())
    return judge_ptrace(has_capability(CAP_PTRACE), os.geteuid(), scope)


def judge_ptrace(has_capability: bool, uid: int, scope: int) -> Check:
    """Say which processes a daemon may look into."""
    lack = "a new daemon cannot take over the sockets and pipes of {}"
    if has_capability:
        return Check("ptrace", "files can be taken over from the processes of every user")
    if scope:
        return Check(
            "ptrace",
            f"user {uid} may look into no process but its children (ptrace_scope is {scope})",
            lack.format("processes that survived another one"),
            "sysctl kernel.yama.ptrace_scope=0, or root with CAP_SYS_PTRACE",
        )
    if uid == 0:
        return Check(
            "ptrace",
            "root lacks CAP_SYS_PTRACE, as in most containers",
            f"{lack.format('processes of other users')}, nor tell whose strays they are",
            "--cap-add SYS_PTRACE",
        )
    return Check("ptrace", f"files can be taken over from the processes of user {uid}")


def users() -> Check:
    """Look whether processes can run as other users."""
    if has_capability(CAP_SETUID):
        return Check("users", "processes can run as any user")
    return judge_users(os.geteuid())


def judge_users(uid: int) -> Check:
    """Say what follows where a user may not become another one."""
    return Check(
        "users",
        "root lacks CAP_SETUID" if uid == 0 else f"user {uid} cannot become another one",
        "watchers with a uid or gid of another user do not start",
        "--cap-add SETUID --cap-add SETGID" if uid == 0 else "a daemon that runs as root",
    )


# -- file systems


def proc() -> Check:
    """Look whether /proc shows all processes."""
    try:
        proctable.require()
    except CircusError as error:
        found, _, remedy = str(error).partition("; ")
        return Check("/proc", found, "the daemon does not start", remedy)
    try:
        with open("/proc/1/stat", "rb"):
            shows_all = True
    except (FileNotFoundError, PermissionError):
        shows_all = os.getpid() == 1
    return judge_proc(shows_all, os.path.exists("/proc/thread-self/children"))


def judge_proc(shows_all: bool, has_children: bool) -> Check:
    """Say what follows from the options of /proc."""
    if not shows_all:
        return Check(
            "/proc",
            "it hides the processes of other users (hidepid)",
            "what programs with a uid of their own leave behind is not named",
            "mount -o remount,hidepid=0 /proc, or its gid= with a group of the daemon's",
        )
    if not has_children:
        return Check(
            "/proc",
            "this kernel lists no children (CONFIG_PROC_CHILDREN)",
            "all of /proc is read where orphans are looked for",
            "a kernel with CONFIG_PROC_CHILDREN",
        )
    return Check("/proc", "it shows the processes of all users")


def state_folder() -> Check:
    """Look where what a daemon writes down for its successor goes."""
    folder = there = os.path.dirname(statedir.default_path("any", "", os.environ))
    while not os.path.lexists(there):
        there = os.path.dirname(there)
    may_write = os.access(there, os.W_OK | os.X_OK, effective_ids=True)
    mount = mounts.find(folder, mounts.read())
    return judge_state_folder(folder, "" if mount is None else mount.kind, may_write)


def judge_state_folder(folder: str, kind: str, may_write: bool = True) -> Check:
    """Say what follows from the kind of file system of a folder."""
    if not may_write:
        return Check(
            "tmpfs",
            f"user {os.geteuid()} cannot write to {folder}",
            "nothing is written down: a daemon that comes after a crash starts second copies",
            "state_dir = a folder of that user's",
        )
    if kind in statedir.IN_MEMORY:
        return Check("tmpfs", f"{folder} is in memory ({kind})")
    return Check(
        "tmpfs",
        f"{folder} is on {kind or 'no file system that is known'}",
        "what is written down for the next daemon waits for a disk",
        "a tmpfs at that folder, or state_dir = a folder on one",
    )


def cgroups() -> Check:
    """Look whether the daemon may make cgroups, and limit something by them."""
    try:
        folder = cgroup.base("auto")
        reasons = [cgroup.why_no_controller(name, folder) for name in CONTROLLERS]
    except cgroup.CgroupError as error:
        return judge_cgroups("", [str(error)])
    return judge_cgroups(folder, reasons)


def judge_cgroups(folder: str, reasons: list[str]) -> Check:
    """Say what follows from the reasons why there are no cgroups, or controllers for them."""
    reason = next(filter(None, reasons), "")
    if not reason:
        return Check("cgroup", f"cgroups can be made, with limits, in {folder}")
    found, _, remedy = reason.partition("; " if "; " in reason else ": ")
    lack = "an out-of-memory kill looks like any other SIGKILL, and nothing can be limited"
    if folder:
        lack = "that cannot be limited"
    return Check("cgroup", found, f"{lack} for each watcher", remedy or "another kernel")


# -- limits


def descriptors() -> Check:
    """Look how many files the daemon may open."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return judge_descriptors(files.limit() if hard == resource.RLIM_INFINITY else hard)


def judge_descriptors(limit: int) -> Check:
    """Say what follows from the limit of open files."""
    if limit >= FEW_FILES:
        return Check("files", f"{limit} open files are allowed")
    return Check(
        "files",
        f"{limit} open files are allowed",
        f"about {limit // 6} processes can have both of their outputs captured",
        "ulimit -Hn, LimitNOFILE in the unit, or --ulimit nofile= of a container",
    )


LOOKS: Mapping[str, Callable[[], Check]] = {
    "pidfd": pidfds,
    "exit codes": exit_codes,
    "ptrace": ptrace,
    "users": users,
    "/proc": proc,
    "cgroup": cgroups,
    "tmpfs": state_folder,
    "files": descriptors,
}
"""What looks at each thing."""
