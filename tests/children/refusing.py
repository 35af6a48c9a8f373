"""Runs a script of ours in which a call of the system can be made to fail, once.

`refusing.py ROOT FOLDER PYTHON SCRIPT ARGUMENT ...`. The calls are those of the standard library
that cvec_circus itself makes, each known by its *site*: the module, the line, and the call. In
FOLDER is `plan`, a JSON object: a `phase`, and what fails: `site` and `error`, after how many calls
there, `skip`. `bell` is a byte that changes with each plan. `seen` takes a line for each site that
is reached in a phase, `hits` one for each failure. What the script starts is left alone.
"""

import builtins
import errno
import fcntl
import functools
import io
import json
import mmap
import os
import runpy
import select
import signal
import socket
import sys
import threading

PASSED = {"pathlib", "socket", "subprocess", "shutil", "tempfile", "contextlib", "threading"}
PASSED |= {"io", "glob", "posixpath", "genericpath", "logging", "logging.handlers", "os", "select"}
PASSED |= {"cvec_circus.base.thread", "codecs", "psutil", "ssl", "pathlib._local", "__main__"}

OS = [
    *("open", "read", "write", "writev", "pread", "pwrite", "pipe", "pipe2", "dup"),
    *("stat", "lstat", "fstat", "listdir", "scandir", "readlink", "unlink", "rename", "replace"),
    *("link", "mkdir", "makedirs", "rmdir", "chmod", "fchmod", "chown", "fchown", "ftruncate"),
    *("set_blocking", "kill", "killpg", "pidfd_open", "waitid", "waitpid", "getsid", "getpgid"),
    *("memfd_create", "fsync", "statvfs", "access", "utime"),
]
SOCKET = [
    *("__init__", "bind", "listen", "accept", "connect", "connect_ex", "send", "sendall", "sendto"),
    *("sendmsg", "recv", "recv_into", "recvmsg", "setsockopt", "getsockname"),
]
EPOLL = ["register", "modify", "unregister", "poll"]

_own_open, _own_write, _own_close = os.open, os.write, os.close


class Plan:
    """What fails; read anew whenever the bell has changed."""

    def __init__(self, folder):
        self.folder = folder
        fd = _own_open(f"{folder}/bell", os.O_RDWR | os.O_CLOEXEC)
        self.bell = mmap.mmap(fd, 1)
        self.number = -1
        self.plan, self.seen = {}, set()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self.seen_fd = _own_open(f"{folder}/seen", flags, 0o600)
        self.hits_fd = _own_open(f"{folder}/hits", flags, 0o600)

    def ask(self, call):
        """Raise what is planned for this call."""
        site = _site(call)
        if site is None:
            return
        if self.bell[0] != self.number:
            self.number = self.bell[0]
            fd = _own_open(f"{self.folder}/plan", os.O_RDONLY | os.O_CLOEXEC)
            self.plan = json.loads(_own_read(fd, 65536))
            _own_close(fd)
            self.seen = set()
        if site not in self.seen:
            self.seen.add(site)
            _own_write(self.seen_fd, f"{self.plan['phase']} {site}\n".encode())
        plan = self.plan
        if site == plan.get("site"):
            plan["skip"] -= 1
            if plan["skip"] == -1:
                _own_write(self.hits_fd, f"{site} {plan['error']}\n".encode())
                raise _error(plan["error"])


_own_read = os.read


def _site(call):
    frame = sys._getframe(3)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.startswith("cvec_circus.") and name not in PASSED:
            return f"{name[len('cvec_circus.') :]}:{frame.f_lineno}:{call}"
        if name not in PASSED:
            return None
        frame = frame.f_back
    return None


def _error(name):
    if name == "RuntimeError":
        return RuntimeError("can't start new thread")
    if name in ("MemoryError", "KeyError"):
        return getattr(builtins, name)()
    number = getattr(errno, name)
    return OSError(number, os.strerror(number))


def _refusing(call, own):
    @functools.wraps(own)
    def asked(*args, **options):
        if not (call == "socket.init" and options.get("fileno") is not None):  # it is open already
            PLAN.ask(call)
        return own(*args, **options)

    return asked


def _by_name(own):
    """Refuse to open what has a name; what is open has a descriptor already."""
    asked = _refusing("open", own)

    @functools.wraps(own)
    def opened(file, *args, **options):
        return (own if isinstance(file, int) else asked)(file, *args, **options)

    return opened


class Epoll:
    """An epoll whose calls can fail; its type cannot be changed."""

    def __init__(self, *args):
        PLAN.ask("select.epoll")
        self._own = _own_epoll(*args)
        for name in EPOLL:
            setattr(self, name, _refusing(f"epoll.{name}", getattr(self._own, name)))

    def __getattr__(self, name):
        return getattr(self._own, name)

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        self._own.close()


def _patch(holder, name, call):
    if hasattr(holder, name):
        setattr(holder, name, _refusing(call, getattr(holder, name)))


sys.path[0] = sys.argv[1]
PLAN = Plan(sys.argv[2])
for one in OS:
    _patch(os, one, f"os.{one}")
for one in SOCKET:
    _patch(socket.socket, one, f"socket.{one.strip('_')}")
for one in ("fcntl", "ioctl", "flock", "lockf"):
    _patch(fcntl, one, f"fcntl.{one}")
builtins.open = io.open = _by_name(open)
_patch(signal, "pidfd_send_signal", "signal.pidfd_send_signal")
_patch(threading.Thread, "start", "Thread.start")
_own_epoll = select.epoll
select.epoll = Epoll
import subprocess  # noqa: E402 -- it takes some calls of os when it is imported

_patch(subprocess.Popen, "__init__", "Popen.init")
del sys.argv[:4]
runpy.run_path(sys.argv[0], run_name="__main__")
