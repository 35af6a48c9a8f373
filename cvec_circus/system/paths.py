"""What a file can be made or written at: for what is looked at before it is done. All may block."""

from __future__ import annotations

import errno
import os
import stat

NO_HOME = "~ is not replaced; write $(circus.env.HOME)"


def make_it(path: str) -> str:
    """Return what to do about a path where nothing is."""
    return NO_HOME if "/~" in path or path.startswith("~") else "make it first"


def why_no_folder(folder: str) -> str:
    """Return why there is no folder at a path, "" if there is one."""
    try:
        mode = os.stat(folder).st_mode
    except FileNotFoundError:
        return f"there is no folder {folder}; {make_it(folder)}"
    except OSError as error:
        return f"{folder} cannot be reached: {error.strerror}"
    return "" if stat.S_ISDIR(mode) else f"{folder} is not a folder"


def why_no_file(path: str) -> str:
    """Return why no user can have a file at a path, "" if one may."""
    if os.path.isdir(path):
        return f"{path} is a folder; name a file in it"
    target = os.path.realpath(path)
    if os.path.islink(target):
        return f"{path}: {os.strerror(errno.ELOOP)}"
    return "" if os.path.lexists(target) else why_no_folder(os.path.dirname(target))


def why_no_socket(path: str) -> str:
    """Return why no user can have a unix socket at a path, "" if one may: another is there, say."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return why_no_folder(os.path.dirname(path))
    except OSError as error:
        return f"{path} cannot be reached: {error.strerror}"
    if stat.S_ISDIR(mode):
        return f"{path} is a folder; name a file in it"
    return (
        ""
        if stat.S_ISSOCK(mode)
        else "the file there is not a socket; remove it, or use another path"
    )


def why_not_ours(path: str) -> str:
    """Return why this user cannot write to a path, or make a file there; "" if it can."""
    target = os.path.realpath(path)
    if not os.path.lexists(target):
        return why_not_within(os.path.dirname(target))
    if os.access(target, os.W_OK):
        return ""
    return f"user {os.geteuid()} cannot write to {path}; change its owner or mode"


def why_not_entered(folder: str) -> str:
    """Return why this user can have no process in a folder, "" if it can."""
    if os.access(folder, os.X_OK):
        return ""
    return f"user {os.geteuid()} cannot enter {folder}; change its owner or mode"


def why_not_within(folder: str) -> str:
    """Return why this user can make no file in a folder, "" if it can."""
    if os.access(folder, os.W_OK | os.X_OK):
        return ""
    return f"user {os.geteuid()} cannot make files in {folder}; change its owner or mode"
