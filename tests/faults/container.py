"""A daemon as process 1 of a pid namespace of its own."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import unittest
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.daemon import Daemon, DaemonCase
from tests.support.eventually import eventually

SLEEP = "[watcher:a]\ncmd = sleep 1000\n"

UNSHARE = ("unshare", "--pid", "--fork", "--mount", "--mount-proc", "--kill-child")


@functools.cache
def refusal() -> str:
    """Return why there can be no pid namespace here, "" if there can."""
    try:
        done = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unshare is not installed"
    return done.stderr.strip()


def children_of(pid: int) -> list[int]:
    """List the children of a process, by the numbers that they have for us."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def state_of(pid: int) -> str:
    """Return the letter of a process' state, "" when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return text.rpartition(")")[2].split()[0]


def zombies_of(pid: int) -> int:
    """Count the children of a process that it has not collected."""
    return sum(state_of(child) == "Z" for child in children_of(pid))


class Container(Daemon):
    """A daemon as process 1; its pids are for itself, except `first`. Owned by the test.

    Attributes:
        first: The daemon's pid for us.
    """

    def __init__(
        self,
        test: DaemonCase,
        text: str = "",
        setup: str = "",
        become: str = "",
        arguments: Sequence[str] = (),
        **options: Any,
    ) -> None:
        """Start it.

        Args:
            test: The test.
            text: See `Daemon`.
            setup: What a shell does in the new namespaces before it becomes the daemon.
            become: The words of a program by which it does.
            arguments, options: See `Daemon`.
        """
        shell = ["sh", "-e", "-c", f'{setup}\nexec {become} "$@"', "sh"]
        super().__init__(test, text, *arguments, wrapper=[*UNSHARE, *shell], **options)
        found = children_of(self.process.pid)
        self.first = found[0] if found else 0

    def signal(self, signum: int) -> None:
        """Send the daemon a signal, from outside the namespace."""
        os.kill(self.first, signum)

    def wait_for_zombies(self, most: int, timeout: float) -> bool:
        """Wait until it has `most` zombies, or fewer."""
        return eventually(lambda: zombies_of(self.first) <= most, timeout)


@unittest.skipIf(refusal(), refusal())
class ContainerCase(DaemonCase):
    """Starts daemons as process 1."""

    def container(self, text: str = SLEEP, **options: Any) -> Container:
        return Container(self, text, **options)
