"""Cgroups of version 2: where they are, what may be done there, and the tree of one daemon.

Nothing is assumed: the mount point comes from the table of mounts, our own place from /proc, the
controllers from the files of the cgroup. What is missing is said with what would grant it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Mapping, Sequence
from typing import Any

from cvec_circus.system import mounts

KIND = "cgroup2"
"""What the table of mounts calls version 2."""

PREFIX = "cvec_circus-"
"""What the name of a daemon's tree begins with; its random id follows."""

LEAF = "daemon"
"""The cgroup that a daemon is in, within its tree: one with controllers holds no processes."""

BUSY = (errno.EBUSY, errno.ENOTEMPTY)
"""What a cgroup is not removed for: processes, or other cgroups."""

ATTEMPTS = 10

_CONTROLLERS = "/proc/cgroups"


class CgroupError(OSError):
    """A reason why cgroups cannot be used. Immutable; its text says what would change that."""

    def __str__(self) -> str:
        return str(self.strerror)


def _refusal(text: str, number: int = errno.ENOENT) -> CgroupError:
    return CgroupError(number, text)


# -- where


def own_path(text: str) -> str | None:
    """Return the cgroup that the text of a /proc/PID/cgroup names, None if it names none."""
    found = (line[3:] for line in text.splitlines() if line.startswith("0::"))
    return next(found, None)


def folder_of(path: str, table: Mapping[str, mounts.Mount]) -> str:
    """Return the folder of a cgroup, from its path in /proc.

    Raises:
        CgroupError: No mount has it.
    """
    seen = [mount for mount in table.values() if mount.kind == KIND]
    for mount in seen:
        root = mount.root.rstrip("/")
        if path == mount.root or path.startswith(f"{root}/"):
            return os.path.join(mount.point, path[len(root) :].lstrip("/")).rstrip("/")
    if seen:
        raise _refusal(
            f"our own cgroup {path} is not below {seen[0].point}; mount the hierarchy where it is, "
            "or start the daemon in a cgroup namespace of its own"
        )
    raise _refusal(
        "there is no cgroup v2 hierarchy: mount one (mount -t cgroup2 none FOLDER), or boot with "
        "systemd.unified_cgroup_hierarchy=1"
    )


def own_folder(pid: int | str = "self") -> str:
    """Return the folder of the cgroup that a process is in, by default this one.

    Raises:
        CgroupError: There is none.
    """
    named = f"/proc/{pid}/cgroup"
    try:
        with open(named, encoding="utf-8", errors="surrogateescape") as file:
            path = own_path(file.read())
        table = mounts.read()
    except OSError as error:
        raise _refusal(f"{named} cannot be read: {error.strerror}; mount /proc") from error
    if path is None:
        raise _refusal("this kernel has no cgroup v2; it needs CONFIG_CGROUPS and Linux 4.5")
    return folder_of(path, table)


def base(wanted: str) -> str:
    """Return the folder below which a daemon may make cgroups.

    Args:
        wanted: The folder, which may not be there yet; "auto" for the one of this process.

    Raises:
        CgroupError: There is none.
    """
    if wanted == "auto":
        folder = own_folder()
        if os.path.basename(folder) == LEAF:  # as systemd's DelegateSubgroup has it
            folder = os.path.dirname(folder)
            # The program before us in this process, or our parent, was a daemon: beside its tree.
            if os.path.basename(folder).startswith(PREFIX):
                folder = os.path.dirname(folder)
    else:
        folder = os.path.abspath(wanted)
        mount = mounts.find(folder, mounts.read())
        if mount is None or mount.kind != KIND:
            kind = mount.kind if mount is not None else "no"
            raise _refusal(
                f"{folder} is in a {kind} file system, not {KIND}; name a folder below "
                f"a cgroup v2 mount (findmnt -t {KIND})"
            )
    there = folder if os.path.isdir(folder) else os.path.dirname(folder)
    if not os.path.isdir(there):
        raise _refusal(f"there is no {there}; make it first")
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        raise _refusal(
            f"{there} is mounted read-only; in a container, mount the hierarchy writable",
            errno.EROFS,
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise _refusal(
            f"user {os.geteuid()} cannot make cgroups in {there}; write Delegate=yes into the "
            "unit, or run as root",
            errno.EACCES,
        )
    _check_way(there)
    return folder


def _check_way(folder: str) -> None:
    """Refuse a folder that our processes may not be moved to.

    The kernel asks for the right to write in the lowest cgroup above both; root has it.
    """
    if not os.geteuid():
        return
    above = os.path.commonpath([own_folder(), folder])
    if not os.access(os.path.join(above, "cgroup.procs"), os.W_OK):
        raise _refusal(
            f"user {os.geteuid()} cannot move processes to {folder}, for lack of the right to "
            f"write {above}/cgroup.procs; write cgroup = auto, and Delegate=yes into the unit",
            errno.EACCES,
        )


def why_none(wanted: str) -> str:
    """Return why `base` finds no folder, "" if it does."""
    try:
        base(wanted)
    except OSError as error:
        return str(error.strerror)
    return ""


def why_not(controller: str, wanted: str) -> str:
    """Return why a daemon that makes its cgroups there has no controller, "" if it has.

    Raises:
        CgroupError: See `base`.
    """
    folder = base(wanted)
    there = folder if os.path.isdir(folder) else os.path.dirname(folder)
    return why_no_controller(controller, there)


def why_no_controller(name: str, folder: str) -> str:
    """Return why the cgroups in a folder do not have a controller, "" if they can.

    Raises:
        OSError: The folder cannot be read.
    """
    if name in read(folder, "cgroup.controllers").split():
        return ""
    rows: dict[str, list[str]] = {}
    with contextlib.suppress(OSError), open(_CONTROLLERS, encoding="ascii") as file:
        rows = {line.split()[0]: line.split()[1:] for line in file if not line.startswith("#")}
    return _why_no_controller(name, folder, rows)


def _why_no_controller(name: str, folder: str, rows: Mapping[str, list[str]]) -> str:
    """Say where a controller is that a folder does not have, by the rows of /proc/cgroups."""
    if rows and name not in rows:
        return f"this kernel has no controller {name}"
    if rows and rows[name][2] == "0":
        return f"the controller {name} is off; boot without cgroup_disable={name}"
    if rows and rows[name][0] != "0":
        return (
            f"the controller {name} is in a cgroup v1 hierarchy; boot with cgroup_no_v1={name} or "
            "systemd.unified_cgroup_hierarchy=1"
        )
    return (
        f"the controller {name} is not given to {folder}; write Delegate=yes into the unit, or "
        f"+{name} into cgroup.subtree_control of the cgroup above"
    )


# -- one cgroup


def read(folder: str, name: str) -> str:
    """Return the text of one of its files."""
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read()


def write(folder: str, name: str, text: str) -> None:
    """Write one of its files, at once: the kernel takes each write as a whole. Lowering a limit
    below what is used may take a while."""
    fd = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def counts(text: str) -> dict[str, int]:
    """Return the numbers of a file of names and numbers, such as cgroup.events."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


def pids(folder: str) -> list[int]:
    """Return the processes in it, not those below; those that we cannot see are left out."""
    return [int(word) for word in read(folder, "cgroup.procs").split() if word != "0"]


def kill(folder: str) -> bool:
    """Send SIGKILL to all of it at once; return False where the kernel cannot (before 5.14)."""
    with contextlib.suppress(FileNotFoundError):
        write(folder, "cgroup.kill", "1")
        return True
    return False


def remove(folder: str) -> bool:
    """Remove a cgroup; return False if something is in it."""
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno in BUSY:
            return False
        raise
    return True


# -- the tree of a daemon


class Tree:
    """The cgroups of one daemon, in a folder of their own. Owned by the supervisor thread.

    An open file of that folder is locked, which ends with the daemon, however that ends. So the
    next one can tell which trees are left of daemons that are gone.

    Args:
        above: The folder that it is made in, which is made too if need be; see `base`.
        run: The id of the daemon's life.
        moves: Whether this process moves into the tree.

    Raises:
        OSError: It cannot be made. Nothing is left of it.
    """

    def __init__(self, above: str, run: str, moves: bool) -> None:
        self.above, self.folder = above, os.path.join(above, f"{PREFIX}{run}")
        self.left: list[str] = []  # what daemons that are gone have left, and still holds processes
        self._origin = own_folder() if moves else ""
        leaf = os.path.join(self.folder, LEAF)
        goes_on = self._origin == leaf  # as the program before us in this process has left it
        self._enabled: dict[str, list[str]] = {}
        self._made_above = not os.path.isdir(above)
        self._lock = -1
        try:
            if self._made_above:
                os.mkdir(above)
            self.left = clean(above, self.folder)
            self._make()
            if moves and not goes_on:
                os.mkdir(leaf)
                write(leaf, "cgroup.procs", "0")
        except BaseException:
            self.close()
            raise

    def hand_over(self) -> list[Any]:
        """Return what the next program of this process needs to remove all of it in the end."""
        return [self._origin, self._made_above, self._enabled]

    def take_over(self, state: Sequence[Any]) -> None:
        """Go on with what `hand_over` has returned."""
        self._origin, self._made_above, self._enabled = state

    def _make(self) -> None:
        """Make the folder, and lock it: before that, another daemon that starts may take it for a
        dead one's and remove it."""
        for _ in range(ATTEMPTS):
            os.makedirs(self.folder, exist_ok=True)
            with contextlib.suppress(FileNotFoundError, BlockingIOError):
                self._lock = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.isdir(self.folder):
                    return
            self._unlock()
        raise _refusal(f"{self.folder} keeps being removed by another program")

    def _unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def enable(self, controller: str) -> str:
        """Give the cgroups of the tree a controller; return why that cannot be, "" if it can."""
        folders = [self.above, self.folder]
        if self._made_above:
            folders.insert(0, os.path.dirname(self.above))
        try:
            reason = why_no_controller(controller, folders[0])
            if reason:
                return reason
            for folder in folders:
                if controller not in read(folder, "cgroup.subtree_control").split():
                    write(folder, "cgroup.subtree_control", f"+{controller}")
                    self._enabled.setdefault(folder, []).append(controller)
        except OSError as error:
            if error.errno == errno.EBUSY:
                return (
                    f"the controller {controller} cannot be turned on while {folders[0]} itself "
                    "holds processes; give the daemon a cgroup of its own"
                )
            return f"the controller {controller} cannot be turned on: {error.strerror}"
        return ""

    def close(self) -> list[str]:
        """Move back, and remove all that is empty; return what still holds processes."""
        for folder in sorted(self._enabled, reverse=True):  # the lowest one first
            for controller in self._enabled.pop(folder):
                with contextlib.suppress(OSError):  # another daemon uses it as well
                    write(folder, "cgroup.subtree_control", f"-{controller}")
        if self._origin:
            with contextlib.suppress(OSError):  # it is gone, or has controllers by now
                write(self._origin, "cgroup.procs", "0")
        left = _remove_tree(self.folder)
        self._unlock()
        if self._made_above:
            with contextlib.suppress(OSError):
                remove(self.above)
        return left


def clean(above: str, own: str = "") -> list[str]:
    """Remove the trees of daemons that are gone, all but our `own`; return their cgroups that hold
    processes."""
    left = []
    for name in sorted(os.listdir(above)):
        folder = os.path.join(above, name)
        if not name.startswith(PREFIX) or folder == own or not os.path.isdir(folder):
            continue
        try:
            fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue  # removed meanwhile, or another user's
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # its daemon is alive
        else:
            left += _remove_tree(folder)
        finally:
            os.close(fd)
    return left


def _remove_tree(folder: str) -> list[str]:
    """Remove a cgroup and those below it as far as they are empty; return the others."""
    try:
        names = [entry.path for entry in os.scandir(folder) if entry.is_dir()]
        left = [path for name in sorted(names) for path in _remove_tree(name)]
        if not left and not remove(folder):
            return [folder]
    except FileNotFoundError:
        return []
    except OSError:
        return [folder]
    return left
