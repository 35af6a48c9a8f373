"""Whether a file can be executed: where it is, its mode, and the interpreter that it names."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence

HEAD = 256
"""Bytes of a file that the kernel looks at: BINPRM_BUF_SIZE."""

_ELF = b"\x7fELF"


def why_not(program: str, path: Sequence[str], cwd: str, as_us: bool = True) -> str:
    """Return why a program could not be executed, "" if it could. Executes nothing.

    Args:
        program: As in a command: a path, or a name without a slash.
        path: The folders that a name is looked up in.
        cwd: The folder that relative paths start in.
        as_us: Whether it is to run as our own user, whose permissions count.
    """
    if "/" in program:
        plain = program[2:] if program.startswith("./") else program
        return _why_not_file(os.path.join(cwd, plain), path, cwd, as_us)
    reason = ""
    for folder in path:
        file = os.path.join(cwd, folder, program)
        if os.path.exists(file):
            trouble = _why_not_file(file, path, cwd, as_us)
            if not trouble:
                return ""
            reason = reason or trouble
    return reason or f"there is no program {program} in {os.pathsep.join(path)}"


def _why_not_file(file: str, path: Sequence[str], cwd: str, as_us: bool) -> str:
    try:
        mode = os.stat(file).st_mode
    except OSError as error:
        if error.errno == errno.ENOENT:
            return f"there is no {file}"
        return f"{file} cannot be reached: {error.strerror}"
    if not stat.S_ISREG(mode):
        return f"{file} is a {'folder' if stat.S_ISDIR(mode) else 'special file'}, not a program"
    if not mode & 0o111:
        return f"{file} is not executable; chmod +x {file}"
    if as_us and not os.access(file, os.X_OK):
        return f"user {os.geteuid()} cannot execute {file}: its mode, or it is mounted noexec"
    try:
        with open(file, "rb") as opened:
            head = opened.read(HEAD)
    except OSError:
        return ""  # it may be executed, and not read
    if head.startswith(b"#!"):
        return _why_not_interpreter(file, head, path, cwd)
    if head.startswith(_ELF) or b"\0" in head:
        return ""
    return f"{file} is not a program: a script begins with #! and the path of its interpreter"


def _why_not_interpreter(file: str, head: bytes, path: Sequence[str], cwd: str) -> str:
    line = os.fsdecode(head[2:].partition(b"\n")[0])
    words = line.strip(" \t").split(None, 1) or [""]
    if line.endswith("\r"):
        return f"the first line of {file} ends in CR LF; end its lines in LF"
    interpreter = words[0]
    if not (interpreter and os.path.exists(os.path.join(cwd, interpreter))):
        return f"{interpreter or 'nothing'}, the interpreter of {file}, does not exist"
    if os.path.basename(interpreter) == "env" and len(words) == 2:
        name = words[1].split()[0]
        in_path = (os.path.exists(os.path.join(cwd, folder, name)) for folder in path)
        if not name.startswith("-") and "=" not in name and "/" not in name and not any(in_path):
            where = os.pathsep.join(path)
            return f"{name}, the interpreter of {file}, is not in {where}"
    return ""
