"""WatchDog: stops processes that do not send heartbeats by UDP."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from typing import Any, ClassVar

from cvec_circus import logger
from cvec_circus.base.named import NamedTuple
from cvec_circus.exc import CallError, OptionError, SocketError
from cvec_circus.plugins import CircusPlugin
from cvec_circus.plugins.selection import is_own

MESSAGE = 65536
"""Bytes of the longest possible UDP message."""

MESSAGES_A_TURN = 100
"""Messages read at once, so that a flood delays nothing else."""

TURNS_AT_A_LOOK = 100
"""Turns of reading before a check, which a flood must not delay forever."""

COMPLAIN_EVERY = 60.0
"""Seconds between two warnings of invalid messages."""


class WatchDog(CircusPlugin):
    """Stops processes that do not send heartbeats by UDP.

    Its methods run on the plugin thread, except `handle_stop`. The daemon replaces the processes it
    stops.

    Options:
        loop_rate: Seconds between two checks.
        max_count: After how many checks a silent process is stopped.
        watchers_regex: A regular expression for the beginning of the watchers' names. It never
            matches plugins and the publisher of statistics.
        msg_regex: A regular expression for the beginning of a heartbeat; the group `pid` is the pid
            of its process.
        ip: The address to listen on.
        port: The UDP port to listen on; 0 takes a free one, and the log says which.
        watchers_stop_signal: The signal that stops them, instead of their own `stop_signal`.
        watchers_graceful_timeout: Seconds until SIGKILL, instead of their own `graceful_timeout`.

    Attributes:
        watched: The processes by their pids.
    """

    _circus_class = "plugins.watchdog.WatchDog"
    _in_vain = (
        "_bind_socket _decode_received_udp_message _discover_monitored_pids _match_watcher_name"
    )
    name = "watchdog"
    schema: ClassVar[Mapping[str, str]] = {
        "loop_rate": "float(min=0.01, default=60.0)",
        "watchers_regex": "string(default='.*')",
        "msg_regex": 'string(default="^(?P<pid>.*);(?P<timestamp>.*)$")',
        "max_count": "integer(min=1, default=3)",
        "ip": "string(default='127.0.0.1')",
        "port": "integer(min=0, max=65535, default=1664)",
        "watchers_stop_signal": "signal(default=None)",
        "watchers_graceful_timeout": "float(min=0, default=None)",
    }

    def __init__(self, *args: Any, **config: Any) -> None:
        """See CircusPlugin; raises OptionError for an invalid value as well."""
        super().__init__(*args, **config)
        self.timeout: float = self.config["loop_rate"] * self.config["max_count"]
        self._names = self._expression("watchers_regex")
        self._message = self._expression("msg_regex")
        if "pid" not in self._message.groupindex:
            raise OptionError("msg_regex", "it needs a group named pid: (?P<pid>...)")
        how = {
            "signum": self.config["watchers_stop_signal"],
            "graceful_timeout": self.config["watchers_graceful_timeout"],
        }
        self._how = {key: value for key, value in how.items() if value is not None}
        self.watched: dict[int, Watched] = {}
        self._ending: set[int] = set()
        self._knows_all = False
        self._complain_at = self._looked_at = 0.0
        self._socket: socket.socket | None = None

    def handle_init(self) -> None:
        """Listen, find running processes, and begin to check; SocketError for a taken port."""
        host, port = self.config["ip"], self.config["port"]
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            text = f"cannot listen on {host}:{port}: {error.strerror}"
            raise SocketError(text, error.errno) from None
        host, port = self._socket.getsockname()[:2]
        logger.info("Listening on %s:%d for heartbeats", host, port)
        self.loop.add_reader(self._socket, self.read)
        self._find_all()
        self._looked_at = self.loop.monotonic()
        self.loop.periodic(self.look_after, self.config["loop_rate"] * 1000).start()

    def handle_stop(self) -> None:
        """Stop listening."""
        if self._socket is not None:
            self._socket.close()

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Watch each new process, until it ends or is asked to."""
        _, action, msg = self.split_data(data)
        if action not in ("spawn", "kill", "reap"):
            return
        event = self.load_message(msg)
        watcher, pid = event["watcher"], event["process_pid"]
        if action == "spawn" and self._wants(watcher):
            self._watch(watcher, pid)
        elif action == "kill" and pid in self.watched:
            self._let_end(pid)
        elif action == "reap":
            self.watched.pop(pid, None)
            self._ending.discard(pid)

    def look_after(self) -> None:
        """Stop processes that have been silent for too long."""
        if not self._knows_all:
            self._find_all()
        for _ in range(TURNS_AT_A_LOOK):  # heartbeats may have waited as long as this check
            if not self.read():
                break
        now = self.loop.monotonic()
        looked_at, self._looked_at = self._looked_at, now
        if now - looked_at > self.timeout:
            # This process was stopped, and heartbeats may have been lost.
            logger.warning("nothing could be received for a while, so no process is stopped")
            for pid, one in self.watched.items():
                self.watched[pid] = one._replace(heard_at=now)
        for pid, one in list(self.watched.items()):
            if one.heard_at < now - self.timeout:
                why = f"process {pid} has been silent for {self.timeout:g} s"
                logger.warning("%s: %s, so it is stopped", one.watcher, why)
                self.cast("kill", name=one.watcher, pid=pid, **self._how, reason=why)
                self._let_end(pid)

    def _let_end(self, pid: int) -> None:
        """Leave a process that is asked to end to the daemon, which has its own deadline."""
        del self.watched[pid]
        self._ending.add(pid)

    def read(self) -> bool:
        """Read messages, and tell whether there may be more."""
        assert self._socket is not None
        for _ in range(MESSAGES_A_TURN):
            try:
                message = self._socket.recv(MESSAGE)
            except BlockingIOError:
                return False
            self._take(message)
        return True

    def _take(self, message: bytes) -> None:
        text = message.decode("utf-8", "replace")
        found = self._message.match(text)
        try:
            pid = int(found["pid"]) if found is not None else None
        except (TypeError, ValueError):
            pid = None
        if pid is None:
            self._complain("%.200r is not a sign of life", text)
        elif pid in self.watched:
            self._watch(self.watched[pid].watcher, pid)
        elif pid not in self._ending:
            self._complain("sign of life of pid %d, which is not watched", pid)

    def _complain(self, text: str, what: object) -> None:
        """Warn of a message, at a limited rate: any program may send them."""
        if self.loop.monotonic() >= self._complain_at:
            self._complain_at = self.loop.monotonic() + COMPLAIN_EVERY
            logger.warning(text, what)

    def _find_all(self) -> None:
        """Watch the processes that run already; events report later ones."""
        try:
            reply = self.call("stats")
        except CallError as error:
            reply = {"status": "error", "reason": str(error)}
        if reply["status"] == "error":
            logger.warning("the processes are not known yet: %s", reply["reason"])
            return
        self._knows_all = True
        for name, processes in reply["infos"].items():
            if self._wants(name):
                for row in processes.values():
                    if row["pid"] not in self.watched and row["pid"] not in self._ending:
                        self._watch(name, row["pid"])

    def _watch(self, watcher: str, pid: int) -> None:
        self.watched[pid] = Watched(watcher, self.loop.monotonic())

    def _wants(self, name: str) -> bool:
        """Tell whether a watcher's name matches, in its case or lower; never the daemon's own."""
        fits = self._names.match(name) or self._names.match(name.lower())
        return bool(fits) and not is_own(self, name)

    def _expression(self, key: str) -> re.Pattern[str]:
        try:
            return re.compile(self.config[key])
        except re.error as error:
            raise OptionError(key, f"{self.config[key]!r}: {error}") from None


class Watched(NamedTuple):
    """A process that must send heartbeats, and when the last one came. Immutable."""

    watcher: str
    heard_at: float
