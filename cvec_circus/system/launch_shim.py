"""A program that changes the limits and the identity of its process, and then becomes another one.

Nothing of ours is imported here: it runs in the place of a child, which waits for it. It is told

    STATUS LISTEN LIMITS IDENTITY VARIABLES PROGRAM WORD...

STATUS is the file to say there what went wrong, as lines of a stage, an error number and a text
with NULs between them. It is closed when the program begins, so an end without a line means that
all is well. LISTEN is `17,18`: the program finds these files at 3 and 4, too. LIMITS is
`nofile=100 core=-1`, IDENTITY `uid:gid:group,group` with empty parts for what stays. VARIABLES is a
file with the environment of the program, `NAME=VALUE` with NULs between. It is not ours, because
what stands in it must not decide what we do before the identity has changed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import sys
import warnings  # noqa: F401 - execvpe imports it, when we may not read our own files any more

FAILED = 127
"""The exit code of a program that could not be run, as shells have it."""


FIRST = 3
"""Where programs look for the sockets they are given: see sd_listen_fds(3)."""


def listen(files: list[int], status: int) -> int:
    """Put files where programs look for them; return where the status file is now."""
    end = FIRST + len(files)
    if status < end:
        status = fcntl.fcntl(status, fcntl.F_DUPFD_CLOEXEC, end)
    for target, source in enumerate(files, FIRST):
        if source != target:
            os.dup2(source, target)
    return status


def read(variables: int) -> dict[bytes, bytes]:
    """Read the environment of the program, and close the file that it stands in."""
    with open(variables, "rb") as file:
        file.seek(0)
        pairs = (entry.partition(b"=") for entry in file.read().split(b"\0") if entry)
        return {name: value for name, _, value in pairs}


def set_limit(name: str, value: int) -> str:
    """Set the soft and the hard limit of a resource; return what there is to say about it."""
    number = getattr(resource, f"RLIMIT_{name.upper()}")
    try:
        resource.setrlimit(number, (value, value))
    except ValueError:
        if name != "nofile" or value != resource.RLIM_INFINITY:
            raise
        # The system sets a limit of its own to this one. As in Circus, "none" means that.
        value = resource.getrlimit(number)[1]
        resource.setrlimit(number, (value, value))
        return f"infinity is more than the system allows, so it is {value}"
    return ""


def become(identity: str) -> None:
    """Change the groups, the group and the user."""
    uid, gid, groups = identity.split(":")
    if groups:
        os.setgroups([int(group) for group in groups.split(",")])
    if gid:
        os.setgid(int(gid))
    if uid:
        os.setuid(int(uid))


def run(env: dict[bytes, bytes], program: str, words: list[str]) -> None:
    """Become the program."""
    for signum in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
        signal.signal(signum, signal.SIG_DFL)
    os.execvpe(program, words, env)


def main(
    status: int, files: str, limits: str, identity: str, variables: str, program: str, *words: str
) -> None:
    """Do everything, or say what failed."""
    os.set_inheritable(status, False)
    stage = "listen"
    try:
        env = read(int(variables))
        if files:
            env[b"LISTEN_PID"] = b"%d" % os.getpid()
            status = listen([int(number) for number in files.split(",")], status)
        # Before the identity: what is nobody's cannot be raised by nobody.
        for stage, _, value in (limit.partition("=") for limit in limits.split()):
            remark = set_limit(stage, int(value))
            if remark:
                os.write(status, f"note\0{0}\0rlimit_{stage}: {remark}\n".encode())
        stage = "identity"
        become(identity)
        stage = "exec"
        run(env, program, list(words))
    except Exception as error:
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        number = getattr(error, "errno", None) or errno.EPERM
        text = getattr(error, "strerror", None) or str(error)
        os.write(status, f"{stage}\0{number}\0{text}\n".encode())


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), *sys.argv[2:])
    finally:
        os._exit(FAILED)
