"""Starting a child process."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from cvec_circus.system.accounts import Identity


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
        executable: The file to run in place of `argv[0]`, which stays what the program is told to
            be called; found in the same way. None for `argv[0]`.
        umask: Its file mode mask; -1 for ours.
        identity: Whom it runs as; None for whoever we are.
    """

    argv: Sequence[str]
    cwd: str | None = None
    env: Mapping[str, str] = MappingProxyType({})
    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None
    pass_fds: Sequence[int] = ()
    executable: str | None = None
    umask: int = -1
    identity: Identity | None = None


class LaunchError(OSError):
    """A child that could not be started. Immutable.

    Its text is a sentence for people, without the number, which is in `errno`: EAGAIN, ENOMEM,
    EMFILE and ENFILE say that it may go better later.
    """

    def __str__(self) -> str:
        return str(self.strerror)


def launch(spec: LaunchSpec) -> int:
    """Start a child in a session, and so a process group, of its own.

    Returns when the program has been executed, or could not be. Whoever calls it owns the child:
    nothing here will ever wait for it. The thread that calls it must not block signals, because
    the child inherits its mask.

    Popen does it with vfork, so it costs a quarter of a millisecond however large we are. With an
    identity it has to take fork: 1.5 ms when we have 12 MiB, and 25 ms when we have 513 MiB.

    Returns:
        The child's pid.

    Raises:
        LaunchError: It could not be started; an OSError.
        ValueError: Something in it cannot be given to a program at all, such as a null byte.
    """
    try:
        process = subprocess.Popen(
            list(spec.argv),
            executable=spec.executable,
            cwd=spec.cwd,
            env=dict(spec.env),
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
        _explain(spec, error)
    except (ValueError, IndexError) as error:
        program = spec.executable or (spec.argv[0] if spec.argv else "nothing")
        raise ValueError(f"cannot run {program!r}: {error}") from error
    # As if it had been collected. Otherwise Popen warns when the object goes, and remembers the
    # pid to wait for it at the next Popen of anybody: it would steal the exit status, perhaps
    # even that of another process which has got the number meanwhile.
    process.returncode = 0
    return process.pid


def _rights(identity: Identity | None) -> dict[str, Any]:
    if identity is None:
        return {}
    return {"user": identity.uid, "group": identity.gid, "extra_groups": identity.groups}


def _explain(spec: LaunchSpec, error: OSError) -> NoReturn:
    number = error.errno or 0
    raise LaunchError(number, sentence(spec, error, os.strerror(number))) from error


def sentence(spec: LaunchSpec, error: OSError, reason: str) -> str:
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
    program = spec.executable or spec.argv[0]
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
