"""A program that prepares its process and then executes another one.

It delays the start of a child, so it imports nothing of this package and little else: `json` and
`signal` would take half as long again as all the rest. Its one argument is the number of a file
with its task in JSON, as `launch` writes it; each character of a text there is a byte.

The steps, in this order: join the cgroup; move the listening sockets, then other files, to their
places; set the scores and the limits, which only root may raise; become the user; ask for the
signal at the death of the parent, which a change of the user would undo; execute the program.

Errors are written to the file `report` of the task, one line each: step, error number and text,
separated by NULs. That file is closed when the program is executed, so its end without a line means
success.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import errno
import fcntl
import os
import resource
import sys
import warnings  # noqa: F401 - execvpe imports it, when we may no longer read our own files

try:
    from _json import make_scanner
except ImportError:  # a Python without that extension
    from json.scanner import py_make_scanner as make_scanner  # type: ignore

TYPE_CHECKING = False  # without the module `typing`, which is as slow
if TYPE_CHECKING:
    from typing import Any

FAILED = 127
"""The exit code for a program that could not be run, as in shells."""

FIRST = 3
"""The first file descriptor that is passed to programs: see sd_listen_fds(3)."""

DEFAULTS = tuple(
    getattr(_signal, f"SIG{name}") for name in ("PIPE", "XFSZ", "TERM", "INT", "QUIT", "HUP")
)
"""The signals that the program does not ignore: Python ignores two, its parent perhaps others."""

PR_SET_PDEATHSIG = 1


class Plain:
    """How JSON is read: the defaults of the `json` module."""

    strict = True
    object_hook = object_pairs_hook = parse_constant = None
    parse_float, parse_int = float, int


def read(number: int) -> dict[str, Any]:
    """Read the task from a file, and close it."""
    with open(number, "rb") as file:
        file.seek(0)
        scan: Any = make_scanner
        task: dict[str, Any] = scan(Plain)(file.read().decode(), 0)[0]
        return task


class Start:
    """The start of one program. Owned by the only thread."""

    def __init__(self, task: dict[str, Any]) -> None:
        self._task = task
        self.step = "listen"  # the current one
        self.report: int = task["report"]  # the file for errors

    def take(self) -> None:
        """Take every step; never return, except by an exception."""
        task = self._task
        os.set_inheritable(self.report, False)
        texts = task["env"].items()
        env = {name.encode("latin-1"): value.encode("latin-1") for name, value in texts}
        if task["cgroup"] is not None:
            self.step = "cgroup"
            join(task["cgroup"].encode("latin-1"))
            self.step = "listen"
        if task["listen"]:
            env[b"LISTEN_PID"] = b"%d" % os.getpid()
            self._listen(task["listen"])
        if task["places"]:
            self.step = "places"
            self._place(task["places"])
        libc = None
        if task["pdeathsig"]:
            self.step = "pdeathsig"
            import ctypes  # before we become a user that may not read our own files

            libc = ctypes.CDLL(None)
        self._set_scores(task["scores"])
        self._set_limits(task["nofile"], task["limits"])
        if task["identity"] is not None:
            self.step = "identity"
            become(*task["identity"])
        if libc is not None:
            self.step = "pdeathsig"
            if libc.prctl(PR_SET_PDEATHSIG, task["pdeathsig"]):
                raise OSError(errno.EINVAL, "there is no such signal")
            if os.getppid() != task["parent"]:
                raise ProcessLookupError(errno.ESRCH, "the parent has ended")
        self.step = "exec"
        for signum in DEFAULTS:
            _signal.signal(signum, _signal.SIG_DFL)
        words = [word.encode("latin-1") for word in task["argv"]]
        os.execvpe(task["program"].encode("latin-1"), words, env)

    def _listen(self, files: list[int]) -> None:
        """Move files to where programs look for them; the report makes room."""
        end = FIRST + len(files)
        if self.report < end:
            self.report = fcntl.fcntl(self.report, fcntl.F_DUPFD_CLOEXEC, end)
        for target, source in enumerate(files, FIRST):
            if source != target:
                os.dup2(source, target)

    def _place(self, files: list[list[int]]) -> None:
        """Move files to the numbers where the program expects them, which may be those of others
        that are to be moved, or the report's."""
        end = max(target for target, _ in files) + 1
        if self.report < end:
            self.report = fcntl.fcntl(self.report, fcntl.F_DUPFD_CLOEXEC, end)
        moved = {}
        for target, source in files:
            moved[target] = fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, end)
            os.close(source)
        for target, source in moved.items():
            os.dup2(source, target)

    def _set_scores(self, scores: dict[str, int]) -> None:
        for name, value in scores.items():
            self.step = name
            SCORES[name](value)

    def _set_limits(self, nofile: int | None, limits: dict[str, int]) -> None:
        """Set the soft limit of open files, then the given limits."""
        if nofile is not None:
            self.step = "rlimit_nofile"
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, hard))
        for name, value in limits.items():
            self.step = f"rlimit_{name}"
            remark = set_limit(name, value)
            if remark:
                os.write(self.report, f"note\0{0}\0{self.step}: {remark}\n".encode())

    def failed(self, error: Exception) -> None:
        """Report an error."""
        _signal.signal(_signal.SIGPIPE, _signal.SIG_IGN)
        number = getattr(error, "errno", None) or errno.EPERM
        text = getattr(error, "strerror", None) or str(error)
        os.write(self.report, f"{self.step}\0{number}\0{text}\n".encode())


def set_limit(name: str, value: int) -> str:
    """Set the soft and the hard limit of a resource; return a remark, or ""."""
    number = getattr(resource, f"RLIMIT_{name.upper()}")
    try:
        resource.setrlimit(number, (value, value))
    except ValueError:
        if name != "nofile" or value != resource.RLIM_INFINITY:
            raise ValueError(too_high(number, value)) from None
        # The system has a limit of its own for this one. As in Circus, "none" means that.
        value = resource.getrlimit(number)[1]
        resource.setrlimit(number, (value, value))
        return f"infinity is more than the system allows, so it is {value}"
    return ""


def too_high(number: int, value: int) -> str:
    """Say that a limit cannot be raised to a value, and how far it can."""
    wanted = "infinity" if value == resource.RLIM_INFINITY else value
    return f"{wanted} is more than the {resource.getrlimit(number)[1]} that is allowed here"


def set_oom_score_adj(value: int) -> None:
    """Set how soon the kernel kills the process for memory, from -1000 to 1000."""
    write("/proc/self/oom_score_adj", value)


def set_nice(value: int) -> None:
    """Set the nice value, from -20 to 19."""
    os.setpriority(os.PRIO_PROCESS, 0, value)


SCORES = {"oom_score_adj": set_oom_score_adj, "nice": set_nice}
"""What a process sets of itself, each by its name in messages; they are set in the order given."""


def join(folder: bytes) -> None:
    """Move into a cgroup, with which all that is started from here on begins."""
    write(folder + b"/cgroup.procs", 0)


def write(path: str | bytes, number: int) -> None:
    """Write a number to a file of the kernel's."""
    file = os.open(path, os.O_WRONLY)
    os.write(file, b"%d" % number)
    os.close(file)


def become(uid: int | None, gid: int, groups: list[int] | None) -> None:
    """Change the groups, the group and the user."""
    if groups:
        os.setgroups(groups)
    os.setgid(gid)
    if uid is not None:
        os.setuid(uid)


def main(number: int) -> None:
    """Become the program, or report why not."""
    start = Start(read(number))
    try:
        start.take()
    except Exception as error:
        start.failed(error)


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]))
    finally:
        os._exit(FAILED)
