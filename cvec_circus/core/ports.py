"""The whole outside world of the core, as one protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cvec_circus.core.process import ManagedProcess
    from cvec_circus.core.watcher import Watcher


class Ports(Protocol):
    """What the core asks of the world. Called on the supervisor thread only; nothing here waits.

    There is one real implementation, `supervisor/ports.py`, and one fake, `tests/support/world.py`.
    """

    def now(self) -> float:
        """The monotonic clock, in seconds."""

    def random(self) -> float:
        """A number in [0, 1) for jitter."""

    def turn_is_over(self) -> bool:
        """Whether this turn of the loop has worked long enough; what is left waits for the next.

        A mass death may not keep a client waiting: with 256 exits a turn a ping took up to 554 ms,
        with a turn of about 5 ms it took 37.
        """

    def spawn(self, watcher: Watcher, process: ManagedProcess) -> int:
        """Starts a process in that slot of the watcher and returns its pid.

        Raises:
            OSError: The system refused; `errno` tells whether trying again may help.
            ValueError: The options cannot be made into a command.
        """

    def signal(self, process: ManagedProcess, signum: int) -> None:
        """Sends a signal to the leader; it does nothing if that has ended already."""

    def signal_children(self, process: ManagedProcess, signum: int) -> None:
        """Sends a signal to every descendant of the leader, soon."""

    def stop_tree(self, process: ManagedProcess, signum: int) -> None:
        """Sends a signal to every descendant of the leader, then to the leader."""

    def kill_group(self, process: ManagedProcess) -> None:
        """Sends SIGKILL to the leader, if it is there, and to all of its process group."""

    def publish(self, watcher: Watcher, action: str, cause: str, **payload: object) -> None:
        """Tells every subscriber that something happened."""

    def note(self, watcher: Watcher, text: str) -> None:
        """Tells the person who reads the log what no event says."""

    def ask_hook(
        self, watcher: Watcher, name: str, then: Callable[[str], None], **facts: object
    ) -> None:
        """Has a hook of the watcher run, after those asked before it.

        Args:
            watcher: It has the hook.
            name: The hook's.
            then: Called once, on this thread, in a later turn, with "" for yes, otherwise with why
                not, in words. Afterwards the watcher is looked at.
            facts: What the hook is told by keyword, beside what every hook is told.
        """

    def forget(self, watcher: Watcher) -> None:
        """Lets go of what belongs to a watcher that has been removed and is gone, when its hooks
        that have been asked are through. It may be told twice."""

    def await_connection(self, watcher: Watcher) -> None:
        """Has `Roster.demanded` called when somebody connects to one of the watcher's sockets.

        Raises:
            ValueError: It has none.
        """

    def ignore_connections(self, watcher: Watcher) -> None:
        """Stops waiting for that: its processes accept connections from now on, or nobody does."""

    def open_streams(self, watcher: Watcher) -> None:
        """Makes the watcher's output streams ready, and takes over changed options of theirs."""

    def close_streams(self, watcher: Watcher) -> None:
        """Drains and closes the watcher's output streams; nobody asks for a removed one's again."""
