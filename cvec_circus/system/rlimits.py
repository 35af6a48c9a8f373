"""Resource limits: their names, and how a process starts with some of them set."""

from __future__ import annotations

import errno
import os
import resource
import sys
from collections.abc import Mapping, Sequence

from cvec_circus.system.launch import LaunchError, LaunchSpec, sentence

NAMES = frozenset(
    name[len("RLIMIT_") :].lower() for name in dir(resource) if name.startswith("RLIMIT_")
)
"""What this system has limits of, as options name them: "nofile", "core" and so on."""

_SHIM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launch_shim.py")


def limited(
    spec: LaunchSpec,
    limits: Mapping[str, int],
    status: int,
    variables: int,
    env: Mapping[str, str],
    listen: Sequence[int] = (),
) -> LaunchSpec:
    """Return how to launch a child that has those limits.

    A program of ours is launched in its place, sets them, becomes whom the child is to be, and then
    the child. Setting them from outside would come too late: of 200 children, 22 read the old ones.
    Nor can a child that is nobody already raise them, or even run our Python.

    Args:
        spec: The child.
        limits: Limits by name; -1 for none.
        status: The end of a pipe that the child writes to: see `failure`. The caller closes it.
        variables: A file with the child's environment: see `packed`. The caller closes it.
        env: The environment of our program. It is still whoever we are, root perhaps: so it must
            not have that of the child, in which LD_PRELOAD says what runs (ld.so(8)).
        listen: Files of the child that it finds at 3, 4, ... as well, with its own pid in
            LISTEN_PID: nobody else knows that before it runs.
    """
    who = spec.identity
    identity = "::"
    if who is not None:
        identity = f"{'' if who.uid is None else who.uid}:{who.gid}:"
        identity += ",".join(map(str, who.groups or ()))
    words = [
        *(sys.executable, "-I", "-S", _SHIM, str(status)),
        ",".join(map(str, listen)),
        " ".join(f"{name}={value}" for name, value in limits.items()),
        identity,
        str(variables),
        spec.executable or spec.argv[0],
        *spec.argv,
    ]
    fds = [*spec.pass_fds, status, variables]
    return spec._replace(argv=words, env=env, pass_fds=fds, identity=None, executable=None)


def packed(env: Mapping[str, str]) -> bytes:
    """Return an environment as a child that has limits reads it: `NAME=VALUE` with NULs between.

    Raises:
        ValueError: No program can have it.
    """
    pairs = [(os.fsencode(name), os.fsencode(value)) for name, value in env.items()]
    for name, value in pairs:
        if b"\0" in name + value:
            raise ValueError("embedded null byte in the environment")
        if not name or b"=" in name:
            raise ValueError(f"illegal environment variable name {os.fsdecode(name)!r}")
    return b"\0".join(name + b"=" + value for name, value in pairs)


def failure(spec: LaunchSpec, report: bytes) -> tuple[LaunchError | None, list[str]]:
    """Return why a child could not become its program, if so, and what is to be told besides.

    Args:
        spec: The child, as `limited` was given it.
        report: All that it wrote.
    """
    failed = None
    remarks = []
    for line in report.decode("utf-8", "replace").splitlines():
        stage, _, rest = line.partition("\0")
        number, _, text = rest.partition("\0")
        if stage == "note":
            remarks.append(text)
        elif number.isdecimal():
            failed = LaunchError(int(number), _said(spec, stage, int(number), text))
    return failed, remarks


def _said(spec: LaunchSpec, stage: str, number: int, text: str) -> str:
    if stage == "exec":
        program = spec.executable or spec.argv[0]
        return sentence(spec, OSError(number, text, program), text)
    if stage == "identity":
        name = "somebody else" if spec.identity is None else spec.identity.name
        return f"cannot become {name}: {os.strerror(number or errno.EPERM)}"
    if stage == "listen":
        return f"cannot hand the sockets on: {text}"
    return f"cannot set rlimit_{stage}: {text}"
