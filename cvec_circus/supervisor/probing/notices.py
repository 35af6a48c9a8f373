"""The sockets on which processes say how they are: `NOTIFY_SOCKET` of sd_notify(3)."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import zlib
from collections.abc import Callable
from functools import partial

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.base.patterns import regex
from cvec_circus.base.readers import Readers
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.endpoint import LONGEST_PATH
from cvec_circus.probes.notify import Message, NotifySocket
from cvec_circus.system import accounts
from cvec_circus.system.own_file import Finding, made_again, not_made

SYSTEM_FOLDER = "/run/cvec_circus"

A_TURN = 32
"""How many datagrams of one process are read in a turn."""

A_SECOND = 256
"""How many are read in a second. A process that sends more waits until they are."""

_PLAIN = regex(r"[\w.-]{1,32}", re.ASCII)

Heard = Callable[["Inbox", "dict[str, str]"], object]


class Inbox:
    """The socket of one process. Owned by the supervisor thread.

    Attributes:
        path: Its address, for the environment of the process.
    """

    def __init__(self, watcher: Watcher, process: ManagedProcess, socket: NotifySocket) -> None:
        self.watcher, self.process, self.socket = watcher, process, socket
        self.path = socket.path
        self.fd = socket.fileno()
        self.is_read = True  # unless it sends too much
        self.began = 0.0  # the second in which datagrams are counted
        self.count = 0
        self._told: set[str] = set()

    def tell_once(self, topic: str, text: str) -> None:
        """Log something about the process, once for each topic."""
        if topic not in self._told:
            self._told.add(topic)
            name, wid, pid = self.watcher.name, self.process.wid, self.process.pid
            logger.warning("%s: slot %d (pid %d) %s", name, wid, pid, text)


class Notices:
    """Reads what processes say. Owned by the supervisor thread.

    Each process has a file of its own: the address tells who speaks, for there may be nothing left
    of the program that has sent a datagram. Its path is the same for every process in a slot, in
    every life of the daemon.

    Args:
        identity: What no other daemon on this machine has: the address of its endpoint.
        leader_of: Returns the process that leads a session; None if it is not one of ours.
        heard: Gets what a process has said.
    """

    def __init__(
        self,
        loop: Loop,
        readers: Readers,
        identity: str,
        leader_of: Callable[[int], ManagedProcess | None],
        heard: Heard,
    ) -> None:
        self._loop, self._readers, self._identity = loop, readers, identity
        self._leader_of, self._heard = leader_of, heard
        self._folder = ""
        self._mode = 0o711 if os.geteuid() == 0 else 0o700  # of the folder
        self._open: dict[str, Inbox] = {}

    @property
    def file(self) -> str:
        """The folder of the sockets: see `OwnFile.file`."""
        return self._folder if self._open else ""

    def look_after(self) -> Finding | None:
        """See `OwnFile.look_after`. The sockets are made again by the supervisor thread."""
        folder = self._folder
        try:
            there = set(os.listdir(folder))
        except FileNotFoundError:
            there = set()
        except OSError as error:
            return Finding(f"{folder} cannot be looked at: {error.strerror}")
        missing = [path for path in list(self._open) if os.path.basename(path) not in there]
        if not missing:
            return None
        more = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
        return made_again("NOTIFY_SOCKET", missing[0] + more, partial(self._make_again, missing))

    def _make_again(self, paths: list[str]) -> None:
        for path in paths:
            inbox = self._open.get(path)
            if inbox is None or os.path.lexists(path):
                continue  # its process has ended, or another one has begun there
            self._readers.remove(inbox.fd)  # another file gets that number
            try:
                _make(self._folder, self._mode)
                inbox.socket.make_again()
            except OSError as error:
                logger.warning("%s", not_made("NOTIFY_SOCKET", path, str(error.strerror)).text)
            if inbox.is_read:
                self._listen(inbox)

    def open(self, watcher: Watcher, process: ManagedProcess) -> Inbox:
        """Make the socket of a process that is about to start.

        Raises:
            OSError: It cannot be made.
            ValueError: The user of the process was not found.
        """
        who = accounts.identity(watcher.options.uid, watcher.options.gid)
        folder = self._folder or self._make_folder()
        path = f"{folder}/{_file(watcher.name)}.{process.wid}"
        before = self._open.get(path)
        if before is not None:
            self.close(before)
        try:
            socket = NotifySocket(path, who and who.uid, who and who.gid)
        except FileNotFoundError:  # it was removed meanwhile
            self._folder = ""
            self._make_folder()
            socket = NotifySocket(path, who and who.uid, who and who.gid)
        self._open[path] = inbox = Inbox(watcher, process, socket)
        try:
            self._listen(inbox)
        except BaseException:
            self.close(inbox)
            raise
        return inbox

    def take_over(self, watcher: Watcher, process: ManagedProcess, path: str, fd: int) -> Inbox:
        """Go on with a socket of the program that was here before an exec."""
        self._folder = os.path.dirname(path)
        inbox = Inbox(watcher, process, NotifySocket.taken_over(path, fd))
        self._open[path] = inbox
        self._listen(inbox)
        return inbox

    def close(self, inbox: Inbox) -> None:
        """Take a socket away; it may be called twice."""
        if self._open.get(inbox.path) is inbox:
            del self._open[inbox.path]
            self._readers.remove(inbox.fd)
            inbox.socket.close()

    def close_all(self) -> None:
        """Take everything away."""
        for inbox in list(self._open.values()):
            self.close(inbox)
        if self._folder:
            with contextlib.suppress(OSError):
                for name in os.listdir(self._folder):  # what a life that was killed has left
                    os.unlink(os.path.join(self._folder, name))
                os.rmdir(self._folder)
            self._folder = ""

    def _listen(self, inbox: Inbox) -> None:
        self._readers.add(inbox.fd, lambda: self._read(inbox))
        inbox.is_read = True

    def _read(self, inbox: Inbox) -> None:
        now = self._loop.clock.monotonic()
        if now >= inbox.began + 1.0:
            inbox.began, inbox.count = now, 0
        for message in inbox.socket.receive(A_TURN):
            inbox.count += 1
            if self._may_speak(inbox, message):
                self._heard(inbox, message.fields)
            if self._open.get(inbox.path) is not inbox:
                return
        if inbox.count >= A_SECOND:
            text = f"sends more than {A_SECOND} notifications a second; the others wait"
            inbox.tell_once("flood", text)
            self._readers.remove(inbox.fd)
            inbox.is_read = False
            self._loop.call_later(inbox.began + 1.0 - now, self._go_on, inbox)

    def _go_on(self, inbox: Inbox) -> None:
        if self._open.get(inbox.path) is inbox:
            self._listen(inbox)

    def _may_speak(self, inbox: Inbox, message: Message) -> bool:
        """Tell whether the sender may speak for the process: any but those of other slots.

        Where a sender that is gone came from cannot be told any more; only its user, and root, can
        send to the address at all.
        """
        if message.sender in (0, inbox.process.pid):
            return True
        try:
            leader = self._leader_of(os.getsid(message.sender))
        except ProcessLookupError:
            return True
        if leader is None or leader is inbox.process:
            return True
        who = f"process {message.sender} of {leader.name}, slot {leader.wid}"
        inbox.tell_once("stranger", f"gets notifications from {who}, which are refused")
        return False

    def _make_folder(self) -> str:
        """Make the folder of the sockets: the same one in every life of this daemon if it can be.

        Raises:
            OSError: There is no place for it.
        """
        is_root = os.geteuid() == 0
        run = SYSTEM_FOLDER
        if not is_root:
            runtime = os.environ.get("XDG_RUNTIME_DIR", "")
            run = f"{runtime}/cvec_circus" if runtime.startswith("/") else ""
        mode = self._mode
        if run and len(run) < LONGEST_PATH - 70:
            path = f"{run}/notify-{zlib.crc32(self._identity.encode()):08x}"
            with contextlib.suppress(OSError):
                for one in (run, path):
                    _make(one, mode)
                self._folder = path
                return path
        path = f"/tmp/cvec_circus-{os.urandom(8).hex()}"
        _make(path, mode)
        self._folder = path
        return path


def _make(path: str, mode: int) -> None:
    """Make a folder that only we may change, or take one, and give it the rights of `mode`, too.

    Raises:
        OSError: Others may change what is there, or it is not a folder.
    """
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(f"{path} is not a folder of our own")
    if mode & ~found.st_mode:  # it was made with a narrow umask
        os.chmod(path, stat.S_IMODE(found.st_mode) | mode)


def _file(name: str) -> str:
    """Return a watcher's name as a part of the name of a file; different ones stay different."""
    if _PLAIN.fullmatch(name):
        return name
    plain = re.sub(r"[^\w.-]", "_", name[:20], flags=re.ASCII)
    return f"{plain}~{zlib.crc32(name.encode('utf-8', 'surrogatepass')):08x}"
