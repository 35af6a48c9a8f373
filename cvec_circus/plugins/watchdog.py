"""WatchDog: ends processes that do not say by UDP, every so often, that they are well."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from cvec_circus import exc, logger
from cvec_circus.exc import OptionError
from cvec_circus.options.kinds import to_signal
from cvec_circus.plugins import CircusPlugin
from cvec_circus.plugins.own import is_own

MESSAGE = 65536
"""The longest message in bytes; none can be longer."""

MESSAGES_A_TURN = 100
"""Read at once, so that a flood of messages keeps nothing else waiting."""

TURNS_AT_A_LOOK = 100
"""As many times that at a look, which a flood must not keep from its end."""

COMPLAIN_EVERY = 60.0
"""Seconds from one warning of a message that makes no sense to the next."""


class WatchDog(CircusPlugin):
    """Ends processes that do not say by UDP, every so often, that they are well.

    Its methods run on the plugin thread, but `handle_stop`. The daemon replaces what it ends.

    Options:
        loop_rate: Seconds from one look to the next.
        max_count: After how many of them a process that was not heard of is ended.
        watchers_regex: The beginning of the names of the watchers it cares for. Plugins and what
            publishes statistics are never among them.
        msg_regex: The beginning of a sign of life; the group `pid` is the pid of its process.
        ip: The address to listen at.
        port: The UDP port to listen at; 0 takes one that is free, and the log says which.
        watchers_stop_signal: The signal to end them by, in place of their own `stop_signal`.
        watchers_graceful_timeout: Seconds until SIGKILL, in place of their own `graceful_timeout`.

    Attributes:
        watched: The processes by their pids.
    """

    name = "watchdog"
    schema: ClassVar[Mapping[str, str]] = {
        "loop_rate": "float(min=0.01, default=60.0)",
        "watchers_regex": "string(default='.*')",
        "msg_regex": 'string(default="^(?P<pid>.*);(?P<timestamp>.*)$")',
        "max_count": "integer(min=1, default=3)",
        "ip": "string(default='127.0.0.1')",
        "port": "integer(min=0, max=65535, default=1664)",
        "watchers_stop_signal": "pass(default=None)",
        "watchers_graceful_timeout": "float(min=0, default=None)",
    }

    def __init__(self, *args: Any, **config: Any) -> None:
        """See CircusPlugin; raises OptionError for a value that makes no sense as well."""
        super().__init__(*args, **config)
        self.timeout: float = self.config["loop_rate"] * self.config["max_count"]
        self._names = self._expression("watchers_regex")
        self._message = self._expression("msg_regex")
        if "pid" not in self._message.groupindex:
            raise OptionError("msg_regex", "it needs a group that is called pid: (?P<pid>...)")
        self._how: dict[str, Any] = {}
        if self.config["watchers_stop_signal"] not in (None, ""):
            try:
                self._how["signum"] = to_signal(self.config["watchers_stop_signal"])
            except ValueError as error:
                raise OptionError("watchers_stop_signal", str(error)) from None
        if self.config["watchers_graceful_timeout"] is not None:
            self._how["graceful_timeout"] = self.config["watchers_graceful_timeout"]
        self.watched: dict[int, Watched] = {}
        self._ending: set[int] = set()
        self._knows_all = False
        self._complain_at = 0.0
        self._looked_at = 0.0
        self._socket: socket.socket | None = None

    def handle_init(self) -> None:
        """Listen, find out what runs already, and begin to look.

        Raises:
            SocketError: The port cannot be had.
        """
        place = self.config["ip"], self.config["port"]
        self._socket = socket.socket(
            socket.AF_INET6 if ":" in place[0] else socket.AF_INET, socket.SOCK_DGRAM
        )
        try:
            self._socket.setblocking(False)
            self._socket.bind(place)
        except OSError as error:
            self._socket.close()
            raise exc.SocketError(f"cannot listen on {place[0]}:{place[1]}: {error}") from None
        host, port = self._socket.getsockname()[:2]
        logger.info("Listening on %s:%d for signs of life", host, port)
        self.loop.add_reader(self._socket, self.read)
        self._find_all()
        self._looked_at = self.loop.monotonic()
        self.loop.periodic(self.look_after, self.config["loop_rate"] * 1000).start()

    def handle_stop(self) -> None:
        """Listen no more."""
        if self._socket is not None:
            self._socket.close()

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Watch what begins, until it ends or is asked to."""
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
        """End what has been silent for too long."""
        if not self._knows_all:
            self._find_all()
        for _ in range(TURNS_AT_A_LOOK):  # signs of life may have waited until now, as this has
            if not self.read():
                break
        now = self.loop.monotonic()
        looked_at, self._looked_at = self._looked_at, now
        if now - looked_at > self.timeout:
            self._begin_anew(now)
        silent_since = now - self.timeout
        for pid, one in list(self.watched.items()):
            if one.heard_at < silent_since:
                logger.warning(
                    "%s: process %d has been silent for %g s, so it is ended",
                    one.watcher,
                    pid,
                    self.timeout,
                )
                why = f"process {pid} has been silent for {self.timeout:g} s"
                self.cast("kill", name=one.watcher, pid=pid, **self._how, reason=why)
                self._let_end(pid)

    def _let_end(self, pid: int) -> None:
        """Leave to the daemon what has been asked to end, by whomever: it has its own time."""
        del self.watched[pid]
        self._ending.add(pid)

    def _begin_anew(self, now: float) -> None:
        """Give everybody time again: this process was stopped, and signs may have been lost."""
        logger.warning("nothing could be heard for a while, so nobody is ended")
        for pid, one in self.watched.items():
            self.watched[pid] = one._replace(heard_at=now)

    def read(self) -> bool:
        """Take in what has come, and tell whether there may be more."""
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
            self._complain("%.200r is no sign of life", text)
        elif pid in self.watched:
            self._watch(self.watched[pid].watcher, pid)
        elif pid not in self._ending:
            self._complain("a sign of life of %d, which is not watched", pid)

    def _complain(self, text: str, what: object) -> None:
        """Warn of a message, unless there was a warning of one lately: anybody may send them."""
        if self.loop.monotonic() >= self._complain_at:
            self._complain_at = self.loop.monotonic() + COMPLAIN_EVERY
            logger.warning(text, what)

    def _find_all(self) -> None:
        """Watch what runs already; later events tell of the rest."""
        try:
            reply = self.call("stats")
        except exc.CallError as error:
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
        """Whether a watcher is wanted, as it is written or in lower case; none of the daemon's."""
        fits = self._names.match(name) or self._names.match(name.lower())
        return bool(fits) and not is_own(name)

    def _expression(self, key: str) -> re.Pattern[str]:
        try:
            return re.compile(self.config[key])
        except re.error as error:
            raise OptionError(key, f"{self.config[key]!r}: {error}") from None


class Watched(NamedTuple):
    """A process from which signs of life are wanted. Immutable.

    Attributes:
        watcher: Whose it is.
        heard_at: When it was heard of last.
    """

    watcher: str
    heard_at: float
