"""Endpoints of another machine, over ssh.

The system's own ssh connects, with its configuration, keys and agents; it may ask for a password at
the terminal. One connection carries every endpoint.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from cvec_circus import exc
from cvec_circus.base.home import Home

SSH = "ssh"


class Tunnel:
    """Forwards endpoints of another machine to this one. Owned by the thread that made it."""

    def __init__(self, server: str | None, keyfile: str | None = None) -> None:
        """Prepare; ssh connects with the first endpoint.

        Args:
            server: Where ssh connects to: a host, user@host, or a name of its configuration. None
                for this machine, where endpoints are used as they are.
            keyfile: The private key; None for those that ssh finds.

        Raises:
            SocketError: The server looks like an option of ssh.
        """
        if server is not None and server.startswith("-"):
            raise exc.SocketError(f"ssh {server}: not the name of a machine")
        self.server = server
        self._key = ["-i", keyfile] if keyfile else []
        self._folder = ""
        self._local: dict[str, str] = {}
        self._home = Home("tunnel", "open another one")

    def __enter__(self) -> Tunnel:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def local(self, endpoint: str) -> str:
        """Return the local endpoint for one of the server, as it is called there. May take long.

        Raises:
            SocketError: ssh fails, or is not there; its messages go to standard error.
        """
        if self.server is None:
            return endpoint
        if endpoint not in self._local:
            self._local[endpoint] = f"ipc://{self._forward(endpoint)}"
        return self._local[endpoint]

    def named(self, local: str) -> str:
        """Return an endpoint as it is called on the server, with the server, for people."""
        remote = next((one for one, here in self._local.items() if here == local), "")
        return f"{remote} on {self.server}" if remote else local

    def close(self) -> None:
        """Close the connection, unless this is a forked child."""
        if not (self._folder and self._home.is_here):
            return
        try:
            self._ssh("-O", "exit", quiet=True)
        except exc.SocketError:
            pass  # it is gone already
        self._remove_folder()
        self._local.clear()

    def _remove_folder(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = ""

    def _forward(self, endpoint: str) -> str:
        remote = _remote(endpoint)
        is_first = not self._folder
        words = ["-O", "forward"]
        if is_first:
            self._folder = tempfile.mkdtemp(prefix="circus-ssh-")
            # It goes to the background once it is connected and the forwarding stands.
            words = ["-f", "-N", "-T", "-M", *self._key, "-o", "ExitOnForwardFailure=yes"]
        path = os.path.join(self._folder, str(len(self._local)))
        try:
            self._ssh(*words, "-L", f"{path}:{remote}")
        except exc.SocketError:
            if is_first:
                self._remove_folder()
            raise
        return path

    def _ssh(self, *words: str, quiet: bool = False) -> None:
        assert self.server is not None
        control = os.path.join(self._folder, "control")
        argv = [SSH, "-S", control, *words, "--", self.server]
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL if quiet else None,
                check=False,
            )
        except OSError as error:
            raise exc.SocketError(f"ssh {self.server}: {error.strerror}") from None
        if done.returncode != 0:
            raise exc.SocketError(f"ssh {self.server}: exit code {done.returncode}")


@contextmanager
def tunnel_until_signal(server: str | None, keyfile: str | None = None) -> Iterator[Tunnel]:
    """Open the tunnel of a program, and close it even when SIGTERM or SIGHUP ends the program.

    Main thread. The default action of these signals would leave ssh in the background. They raise
    SystemExit with the exit code that a shell shows for them.
    """
    signums = () if server is None else (signal.SIGTERM, signal.SIGHUP)
    former = {one: signal.getsignal(one) for one in signums}
    for signum, handler in former.items():
        if handler is not signal.SIG_IGN:  # as nohup has it
            signal.signal(signum, _exit)
    try:
        with Tunnel(server, keyfile) as tunnel:
            yield tunnel
    finally:
        for signum, handler in former.items():
            signal.signal(signum, handler)


def _exit(signum: int, frame: object) -> None:
    sys.exit(128 + signum)


def _remote(endpoint: str) -> str:
    """Return ssh's notation of an endpoint on the other machine."""
    transport, _, where = endpoint.partition("://")
    host, colon, port = where.rpartition(":")
    if transport == "ipc" and where.startswith("/"):
        return where
    if transport == "tcp" and colon and port.isdecimal():
        return f"{'127.0.0.1' if host in ('*', '0.0.0.0') else host}:{port}"
    raise exc.SocketError(f"{endpoint!r} cannot be reached over ssh")
