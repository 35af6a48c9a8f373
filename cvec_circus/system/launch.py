"""Starting a child process: one specification, and the choice of how to carry it out."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from _signal import getsignal  # type: ignore[import-not-found]
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cvec_circus.base.named import NamedTuple
from cvec_circus.exc import kind_of
from cvec_circus.system.signals import ENDING

if TYPE_CHECKING:
    from cvec_circus.system.accounts import Identity

MARK = "CVEC_CIRCUS_MARK"
"""The variable that identifies strays of a dead daemon or a double fork: run:watcher:wid."""

LIMITS = frozenset(
    name[len("RLIMIT_") :].lower() for name in dir(resource) if name.startswith("RLIMIT_")
)
"""The resource limits of this system, as options name them: "nofile", "core" and so on."""

REPORT_SIZE = 4096
"""Bytes of a report at most: the shim writes it at once, and it fits in a page."""

MARGIN = 64
"""File descriptors that must be free below a lowered limit, for threads that run meanwhile."""

ONLY_HERE = "; copy_env = True gives it the daemon's PATH, which has it"
"""The end of a reason: the program is in this process' PATH, which its own would not have."""

_SHIM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launch_shim.py")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class LaunchSpec(NamedTuple):
    """Everything about a child before it starts. Immutable. None means: as in this process.

    A program without a slash is looked up in the PATH of `env`; a relative path starts at `cwd`.
    """

    argv: Sequence[str]
    cwd: str | None = None
    env: Mapping[str, str] = _NOTHING  # the whole environment: the daemon adds nothing
    stdin: int | None = None  # a file descriptor or subprocess.DEVNULL
    stdout: int | None = None  # the same
    stderr: int | None = None  # the same, or subprocess.STDOUT
    pass_fds: Sequence[int] = ()  # inherited under their own numbers; no others are
    executable: str | None = None  # to run in place of argv[0], which the program still sees
    umask: int = -1  # -1 for ours
    identity: Identity | None = None
    limits: Mapping[str, int] = _NOTHING  # soft and hard, by the names in LIMITS; -1 for none
    # Files among `pass_fds` that it finds at 3, 4, ... as well, with its own pid in LISTEN_PID: see
    # sd_listen_fds(3). The caller sets the protocol's other variables.
    listen: Sequence[int] = ()
    # Files among `pass_fds` that it finds under other numbers as well: number to file.
    places: Mapping[int, int] = _NOTHING  # type: ignore[assignment]
    nofile: int | None = None  # the soft limit of open files
    cgroup: str | None = None  # the folder of the cgroup that it joins
    scores: Mapping[str, int] = _NOTHING  # by the names in `launch_shim.SCORES`
    pdeathsig: int = 0  # the signal for when the thread that started it ends; 0 for none
    shown: str = ""  # what messages call the program; "" for its name

    @property
    def program(self) -> str:
        """The file to run, as given; "" if there is none."""
        return self.executable or (self.argv[0] if self.argv else "")

    @property
    def needs_shim(self) -> bool:
        """Whether it needs what only code in the child itself can do."""
        return bool(
            self.limits
            or self.listen
            or self.places
            or self.scores
            or self.pdeathsig
            or self.cgroup is not None
        )


class Launched(NamedTuple):
    """A child that has been started. Immutable; the caller owns both."""

    pid: int  # it leads a session, and so a process group, of its own
    # The read end of a non-blocking pipe, for `explain`, that ends when the program is executed.
    report_fd: int | None = None  # None if that has happened already


class LaunchError(OSError):
    """A child that could not be started. Immutable.

    Its text is a sentence without the number, which is in `errno`: after EAGAIN, ENOMEM, EMFILE and
    ENFILE another attempt may succeed. By its number it may be a FileNotFoundError, for one.
    """

    def __new__(cls, number: int | None, text: str) -> LaunchError:
        return super().__new__(kind_of(cls, number), number, text)

    def __str__(self) -> str:
        return str(self.strerror)


def launch(spec: LaunchSpec) -> Launched:
    """Start a child in a session, and so a process group, of its own. Safe from any thread.

    It ignores none of the signals that ask for its end, even where this program does.

    The caller owns the child and collects it. The calling thread must not block signals, because
    the child inherits its mask.

    Popen uses vfork: 0.12 ms whatever our size. With an identity it uses fork: 1.5 ms at 12 MiB,
    25 ms at 513 MiB. Both return when the program has been executed, or could not be. For all else
    a *shim*, the Python program `launch_shim`, runs in the child and then becomes the program: 8 ms
    in the child; a failure is in its report. Setting limits from outside would come too late: of
    200 children, 22 read the old ones.

    `nofile` alone needs no shim: our own soft limit is lowered during the vfork, which costs 2 us,
    while a wrapper such as prlimit(1) or sh costs the child 0.5 ms and more, and cannot say why the
    program could not be executed. Meanwhile, opening a file fails in any thread if all numbers
    below that limit are taken, and some libraries then abort. So this happens only where `MARGIN`
    numbers are free below, and only on the main thread, so that no two threads lower and raise the
    limit at once. Otherwise the shim sets it.

    Raises:
        LaunchError: It could not be started; an OSError.
        ValueError: Something in the spec, such as a null byte, cannot be passed to a program.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    nofile = soft if spec.nofile is None else spec.nofile
    if spec.needs_shim or _ignores() or not (nofile == soft or _may_lower(nofile)):
        return _through_shim(spec)
    if nofile == soft:
        return Launched(_popen(spec))
    resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, hard))
    try:
        return Launched(_popen(spec))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _ignores() -> bool:
    """Return whether a child would ignore a signal that may ask for its end.

    The daemon handles them all. A program may ignore some: a shell lets what it runs with `&`
    ignore SIGINT and SIGQUIT, and nohup SIGHUP.
    """
    # The `getsignal` of `signal` looks each handler up in an enum: a tenth of a respawn.
    return any(getsignal(signum) == signal.SIG_IGN for signum in ENDING)


def _may_lower(nofile: int) -> bool:
    """Return whether our limit of open files may be lowered to this for a moment."""
    if threading.get_ident() != threading.main_thread().ident:
        return False
    try:
        lowest_free = os.open("/", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    os.close(lowest_free)
    return lowest_free + MARGIN <= nofile


class _Child(subprocess.Popen[bytes]):
    """A child that does not outlive a failure of its own start."""

    def __init__(self, *args: Any, **options: Any) -> None:
        try:
            super().__init__(*args, **options)
        except BaseException:
            # Want of memory, after the fork: Popen raises, and leaves a child with an unknown pid.
            if getattr(self, "pid", None) and self.returncode is None:
                self.kill()
                self.wait()
            raise


def _popen(spec: LaunchSpec) -> int:
    who = spec.identity
    try:
        process = _Child(
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
            user=None if who is None else who.uid,
            group=None if who is None else who.gid,
            extra_groups=None if who is None else who.groups,
        )
    except OSError as error:
        number = error.errno or 0
        raise LaunchError(number, _sentence(spec, error, os.strerror(number))) from error
    except (ValueError, IndexError) as error:
        raise _impossible(spec, str(error)) from error
    # As if collected. Otherwise Popen warns when the object is deleted, and waits for the pid at
    # the next Popen of any thread: it would steal the exit status, perhaps even that of another
    # process with the same pid.
    process.returncode = 0
    return process.pid


# -- the shim


def _through_shim(spec: LaunchSpec) -> Launched:
    """Start the shim in the place of a child.

    It still runs as our user, perhaps root. So it gets our environment and not the child's, whose
    LD_PRELOAD would decide what runs (ld.so(8)), except for the mark that identifies it.
    """
    own = {**os.environ, **{name: spec.env[name] for name in (MARK,) if name in spec.env}}
    ours, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        memory = os.memfd_create("cvec_circus-launch", os.MFD_CLOEXEC)
        with open(memory, "wb") as file:
            file.write(_task(spec, theirs))
            file.flush()
            shim = spec._replace(
                argv=[sys.executable, "-I", "-S", _SHIM, str(memory)],
                executable=None,
                env=own,
                pass_fds=[*spec.pass_fds, theirs, memory],
                identity=None,
            )
            return Launched(_popen(shim), ours)
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)


def _task(spec: LaunchSpec, report: int) -> bytes:
    """Return the shim's task as JSON, in which each character of a text is a byte."""
    who = spec.identity
    task = {
        "report": report,
        "listen": list(spec.listen),
        "places": list(spec.places.items()),
        "limits": dict(spec.limits),
        "nofile": spec.nofile,
        "cgroup": None if spec.cgroup is None else _bytewise(spec, spec.cgroup, "cgroup"),
        "scores": dict(spec.scores),
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
    """Return why a child could not execute its program, None if it could, and remarks.

    The report is all that was read from `Launched.report_fd`.
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
    if stage == "cgroup":
        return f"cannot join the cgroup {spec.cgroup}: {text}"
    if stage == "listen":
        return f"cannot pass on the sockets: {text}"
    if stage == "places":
        return f"cannot pass on its files: {text}"
    return f"cannot set {stage}: {text}"


# -- what went wrong


def _impossible(spec: LaunchSpec, reason: str) -> ValueError:
    return ValueError(f"cannot run {spec.shown or spec.program or 'nothing'!r}: {reason}")


def _sentence(spec: LaunchSpec, error: OSError, reason: str) -> str:
    """Say what went wrong, and with which file.

    Popen's error names the working directory or the program, or no file if there was no child yet.
    """
    if spec.identity is not None and error.filename in (None, spec.cwd):
        # Some versions of Python name the directory whenever it was not the program that failed.
        if error.errno in (errno.EPERM, errno.EINVAL):
            return f"cannot become {spec.identity.name}: {reason}"
    if error.filename is None:
        return f"cannot start a process: {reason}"
    if spec.cwd is not None and error.filename == spec.cwd:
        return f"cannot enter the working directory {spec.cwd}: {reason}"
    program, shown = spec.program, spec.shown or spec.program
    if error.errno == errno.ENOENT:
        if not os.path.dirname(program):
            path = os.pathsep.join(os.get_exec_path(dict(spec.env)))
            ours = (os.path.join(folder, program) for folder in os.get_exec_path())
            inherits = "PATH" not in spec.env and any(os.access(one, os.X_OK) for one in ours)
            hint = ONLY_HERE if inherits else ""
            return f"cannot run {shown}: there is no such program in {path}{hint}"
        if os.path.exists(os.path.join(spec.cwd or "", program)):
            return f"cannot run {shown}: the interpreter it names does not exist"
    elif error.errno == errno.ENOEXEC:
        return f"cannot run {shown}: it is not a program (a script begins with #! and a path)"
    whom = "" if spec.identity is None else f" as {spec.identity.name}"
    return f"cannot run {shown}{whom}: {reason}"
