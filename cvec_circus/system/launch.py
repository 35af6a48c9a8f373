"""Starting a child process: one way to say it, and the choice of how it is done."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from cvec_circus.system.accounts import Identity

MARK = "CVEC_CIRCUS_MARK"
"""The variable that names what a dead daemon, or a double fork, has left: run:watcher:wid."""

LIMITS = frozenset(
    name[len("RLIMIT_") :].lower() for name in dir(resource) if name.startswith("RLIMIT_")
)
"""What this system has limits of, as options name them: "nofile", "core" and so on."""

REPORT_SIZE = 4096
"""Bytes of a report at most: the shim writes it at once, and it is shorter than a page."""

MARGIN = 64
"""File descriptors that must be free below a lowered limit, for the threads that run meanwhile."""

_SHIM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launch_shim.py")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class LaunchSpec(NamedTuple):
    """All there is to say about a child before it starts. Immutable.

    Attributes:
        argv: The program and its arguments. A program without a slash is looked for in the PATH
            of `env`; one with a slash and no leading one, from `cwd` on.
        cwd: The working directory; None for ours.
        env: The whole environment. Nothing of ours is added.
        stdin: A file descriptor, subprocess.DEVNULL, or None for the one we have ourselves.
        stdout: The same.
        stderr: The same, or subprocess.STDOUT.
        pass_fds: File descriptors that the child gets under their own numbers, beside these three.
            It gets no others.
        executable: The file to run in place of `argv[0]`, which stays the name that the program
            sees. It is found in the same way. None for `argv[0]`.
        umask: Its file mode mask; -1 for ours.
        identity: The user and groups it runs as; None for ours.
        limits: Resource limits, soft and hard, by the names in `LIMITS`; -1 for none.
        listen: Files among `pass_fds` that it finds at 3, 4, ... as well, with its own pid in
            LISTEN_PID: see sd_listen_fds(3). The other variables of that protocol are the caller's.
        nofile: Its soft limit of open files where ours is another one; None for ours.
        oom_score_adj: From -1000 to 1000: how soon the kernel ends it when memory runs out; None
            for ours.
        nice: Its nice value, from -20 to 19; None for ours.
        pdeathsig: The signal it gets when the thread that started it ends; 0 for none.
    """

    argv: Sequence[str]
    cwd: str | None = None
    env: Mapping[str, str] = _NOTHING
    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None
    pass_fds: Sequence[int] = ()
    executable: str | None = None
    umask: int = -1
    identity: Identity | None = None
    limits: Mapping[str, int] = _NOTHING
    listen: Sequence[int] = ()
    nofile: int | None = None
    oom_score_adj: int | None = None
    nice: int | None = None
    pdeathsig: int = 0

    @property
    def program(self) -> str:
        """The file to run, as it is given; "" if there is none."""
        return self.executable or (self.argv[0] if self.argv else "")

    @property
    def needs_shim(self) -> bool:
        """Whether it wants what only code in the child itself can do."""
        return bool(
            self.limits
            or self.listen
            or self.pdeathsig
            or self.nice is not None
            or self.oom_score_adj is not None
        )


class Launched(NamedTuple):
    """A child that has been started. Immutable; the caller owns both.

    Attributes:
        pid: Its pid. It leads a session, and so a process group, of its own.
        report_fd: The read end of a pipe, not blocking, that ends when the program has been
            executed. What is in it before that is for `explain`. None if the program has been
            executed already.
    """

    pid: int
    report_fd: int | None = None


class LaunchError(OSError):
    """A child that could not be started. Immutable.

    Its text is a sentence for people, without the number, which is in `errno`: EAGAIN, ENOMEM,
    EMFILE and ENFILE say that it may go better later.
    """

    def __str__(self) -> str:
        return str(self.strerror)


def launch(spec: LaunchSpec) -> Launched:
    """Start a child in a session, and so a process group, of its own. Safe from any thread.

    The caller owns the child: nothing here will ever wait for it. The calling thread must not block
    signals, because the child inherits its mask.

    Popen does it with vfork, so it takes 0.12 ms however large we are. With an
    identity it takes fork: 1.5 ms when we have 12 MiB, and 25 ms when we have 513 MiB. Both return
    when the program has been executed, or could not be. What else a child may want, the *shim*
    does: a Python program (`launch_shim`) that runs in its place, and then becomes it. That
    takes 8 ms, in the child, and a failure is in its report. Setting limits from outside instead
    would come too late: of 200 children, 22 read the old ones.

    `nofile` alone needs no shim. Our own soft limit is lowered for the time of the vfork, which
    costs 2 us; a wrapper such as prlimit(1) or sh costs the child 0.5 ms and more, and cannot tell
    why the program could not be executed. Meanwhile a thread that opens a file fails if all numbers
    below that limit are taken, and some libraries end the process then. So it is done only where
    `MARGIN` numbers are free below, and on the main thread only, so that no two threads lower and
    raise it at once: one that hangs in the execution of a program would leave it lowered. Otherwise
    the shim sets it.

    Raises:
        LaunchError: It could not be started; an OSError.
        ValueError: Something in it cannot be given to a program at all, such as a null byte.
    """
    if spec.needs_shim:
        return _through_shim(spec)
    if spec.nofile is None:
        return Launched(_popen(spec))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if spec.nofile == soft:
        return Launched(_popen(spec))
    if not _may_lower(spec.nofile):
        return _through_shim(spec)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spec.nofile, hard))
    try:
        return Launched(_popen(spec))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _may_lower(nofile: int) -> bool:
    """Tell whether our limit of open files may be this one for a moment."""
    if threading.get_ident() != threading.main_thread().ident:
        return False
    try:
        lowest_free = os.open("/", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    os.close(lowest_free)
    return lowest_free + MARGIN <= nofile


def _popen(spec: LaunchSpec) -> int:
    try:
        process = subprocess.Popen(
            list(spec.argv),
            executable=spec.executable,
            cwd=spec.cwd,
            env=spec.env,
            stdin=spec.stdin,
            stdout=spec.stdout,
            stderr=spec.stderr,
            pass_fds=tuple(spec.pass_fds),
            close_fds=True,
            restore_signals=True,  # Python ignores SIGPIPE and SIGXFSZ, and programs inherit that
            start_new_session=True,
            umask=spec.umask,
            **_rights(spec.identity),
        )
    except OSError as error:
        _raise(spec, error)
    except (ValueError, IndexError) as error:
        raise _impossible(spec, str(error)) from error
    # As if it had been collected. Otherwise Popen warns when the object goes, and remembers the
    # pid to wait for it at the next Popen of any thread: it would steal the exit status, perhaps
    # even that of another process which has got the number meanwhile.
    process.returncode = 0
    return process.pid


def _rights(identity: Identity | None) -> dict[str, Any]:
    if identity is None:
        return {}
    return {"user": identity.uid, "group": identity.gid, "extra_groups": identity.groups}


# -- the shim


def _through_shim(spec: LaunchSpec) -> Launched:
    """Start the shim in the place of a child.

    It is still the user that we are, root perhaps. So it has our environment and not that of the
    child, in which LD_PRELOAD says what runs (ld.so(8)), but for the mark by which it is known.
    """
    own = {**os.environ, **{name: spec.env[name] for name in (MARK,) if name in spec.env}}
    ours, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        task = _memory(_task(spec, theirs))
        try:
            shim = spec._replace(
                argv=[sys.executable, "-I", "-S", _SHIM, str(task)],
                executable=None,
                env=own,
                pass_fds=[*spec.pass_fds, theirs, task],
                identity=None,
            )
            return Launched(_popen(shim), ours)
        finally:
            os.close(task)
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)


def _memory(content: bytes) -> int:
    """Return a new file without a name that has this content."""
    number = os.memfd_create("cvec_circus-launch", os.MFD_CLOEXEC)
    try:
        with open(number, "wb", closefd=False) as file:
            file.write(content)
    except BaseException:
        os.close(number)
        raise
    return number


def _task(spec: LaunchSpec, report: int) -> bytes:
    """Return what the shim has to do, as JSON; each byte of a text is a character there.

    Raises:
        ValueError: No program can be given that.
    """
    who = spec.identity
    task = {
        "report": report,
        "listen": list(spec.listen),
        "limits": dict(spec.limits),
        "nofile": spec.nofile,
        "oom_score_adj": spec.oom_score_adj,
        "nice": spec.nice,
        "identity": None if who is None else [who.uid, who.gid, who.groups],
        "pdeathsig": spec.pdeathsig,
        "parent": os.getpid(),
        "env": _bytewise_env(spec),
        "program": _bytewise(spec, spec.program, "path"),
        "argv": [_bytewise(spec, word, "argument") for word in spec.argv],
    }
    if not spec.program:
        raise _impossible(spec, "there is no program")
    return json.dumps(task).encode()


def _bytewise_env(spec: LaunchSpec) -> dict[str, str]:
    env = {}
    for name, value in spec.env.items():
        if not name or "=" in name:
            raise _impossible(spec, f"illegal environment variable name {name!r}")
        env[_bytewise(spec, name, "environment")] = _bytewise(spec, value, "environment")
    return env


def _bytewise(spec: LaunchSpec, text: str, where: str) -> str:
    try:
        encoded = os.fsencode(text)
    except UnicodeEncodeError as error:
        raise _impossible(spec, str(error)) from error
    if b"\0" in encoded:
        raise _impossible(spec, f"embedded null byte in the {where}")
    return encoded.decode("latin-1")


def explain(spec: LaunchSpec, report: bytes) -> tuple[LaunchError | None, list[str]]:
    """Return why a child has not become its program, None if it has, and remarks about its start.

    Args:
        spec: The child.
        report: All that `Launched.report_fd` has given.
    """
    failed = None
    remarks = []
    for line in report.decode("utf-8", "replace").splitlines():
        stage, _, rest = line.partition("\0")
        number, _, text = rest.partition("\0")
        if stage == "note":
            remarks.append(text)
        elif number.isdecimal():
            failed = LaunchError(int(number), _failed_stage(spec, stage, int(number), text))
    return failed, remarks


def _failed_stage(spec: LaunchSpec, stage: str, number: int, text: str) -> str:
    if stage == "exec":
        return _sentence(spec, OSError(number, text, spec.program), text)
    if stage == "identity":
        name = "another user" if spec.identity is None else spec.identity.name
        return f"cannot become {name}: {os.strerror(number or errno.EPERM)}"
    if stage == "listen":
        return f"cannot hand the sockets on: {text}"
    return f"cannot set {stage}: {text}"


# -- what went wrong


def _impossible(spec: LaunchSpec, reason: str) -> ValueError:
    return ValueError(f"cannot run {spec.program or 'nothing'!r}: {reason}")


def _raise(spec: LaunchSpec, error: OSError) -> NoReturn:
    number = error.errno or 0
    raise LaunchError(number, _sentence(spec, error, os.strerror(number))) from error


def _sentence(spec: LaunchSpec, error: OSError, reason: str) -> str:
    """Say what went wrong, and with which file.

    Popen names the file that it failed with: the working directory, or else the program. It names
    none when it did not even come to have a child.
    """
    if spec.identity is not None and error.filename in (None, spec.cwd):
        # Some versions name the directory whenever it was not the program that failed.
        if error.errno in (errno.EPERM, errno.EINVAL):
            return f"cannot become {spec.identity.name}: {reason}"
    if error.filename is None:
        return f"cannot start a process: {reason}"
    if spec.cwd is not None and error.filename == spec.cwd:
        return f"cannot enter the working directory {spec.cwd}: {reason}"
    program = spec.program
    if error.errno == errno.ENOENT:
        if not os.path.dirname(program):
            path = os.pathsep.join(os.get_exec_path(dict(spec.env)))
            return f"cannot run {program}: there is no such program in {path}"
        if os.path.exists(os.path.join(spec.cwd or "", program)):
            return f"cannot run {program}: the interpreter it names does not exist"
    elif error.errno == errno.ENOEXEC:
        return f"cannot run {program}: it is no program (a script begins with #! and a path)"
    whom = "" if spec.identity is None else f" as {spec.identity.name}"
    return f"cannot run {program}{whom}: {reason}"
