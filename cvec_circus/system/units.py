"""Units of systemd that start a program with a file: how they end what it leaves."""

from __future__ import annotations

import contextlib
import glob
import os
import shlex
from collections.abc import Iterator, Mapping

from cvec_circus.base.named import NamedTuple

SYSTEM_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
"""Where units are looked for: what is in an earlier one hides what is in a later one."""

DEFAULT_KILL_MODE = "control-group"


class Unit(NamedTuple):
    """A unit of systemd. Immutable."""

    path: str
    kill_mode: str  # see systemd.kill(5)


def starting(program: str, argument: str, environ: Mapping[str, str]) -> Iterator[Unit]:
    """Yield the units that start a program with the path of a file as an argument.

    Args:
        program: The name of the program, without its folder.
        argument: The path of the file.
        environ: The environment, which says where the units of a user are.
    """
    seen: set[str] = set()
    folders = _folders(environ)
    for folder in folders:
        for path in sorted(glob.glob(f"{glob.escape(folder)}/*.service")):
            name = os.path.basename(path)
            if name not in seen:
                seen.add(name)
                settings = _settings([path, *_drop_ins(folders, name)])
                if _starts(settings.get("ExecStart", ""), program, argument):
                    yield Unit(path, settings.get("KillMode") or DEFAULT_KILL_MODE)


def _folders(environ: Mapping[str, str]) -> list[str]:
    home = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME", ""), ".config")
    own = os.path.join(home, "systemd/user")
    return [*SYSTEM_FOLDERS, *([own] if own.startswith("/") else []), "/etc/systemd/user"]


def _drop_ins(folders: list[str], name: str) -> list[str]:
    """Return the files that change a unit, in their order; one hides those of its name."""
    found: dict[str, str] = {}
    for folder in folders:
        for path in glob.glob(f"{glob.escape(os.path.join(folder, name))}.d/*.conf"):
            found.setdefault(os.path.basename(path), path)
    return [path for _, path in sorted(found.items())]


def _settings(paths: list[str]) -> dict[str, str]:
    """Read the last value of each setting of a service; a file that cannot be read says nothing."""
    found: dict[str, str] = {}
    for path in paths:
        with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
            section = ""
            for line in file.read().replace("\\\n", " ").splitlines():
                key, equals, value = line.strip().partition("=")
                if key.startswith("["):
                    section = key
                elif equals and section == "[Service]":
                    found[key.strip()] = value.strip()
    return found


def _starts(line: str, program: str, argument: str) -> bool:
    try:
        words = shlex.split(line)
    except ValueError:
        return False
    names = {os.path.basename(word.lstrip("-@:+!")) for word in words}
    wanted = os.path.realpath(argument)
    return program in names and any(
        os.path.isabs(word) and os.path.realpath(word) == wanted for word in words
    )
