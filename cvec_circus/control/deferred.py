"""Messages that wait until the users and groups in them have been looked up."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import NamedTuple, Optional

from cvec_circus.exc import CircusError, OptionError, SupervisorStopped
from cvec_circus.options.rights import Accounts
from cvec_circus.wire.topics import fold

MOST = 1000
"""Messages that wait, at most; more are refused."""

Problem = Optional[CircusError]
LookUp = Callable[[Accounts, Callable[[Optional[OptionError]], object]], object]
"""Has accounts looked up, and a function called with what is wrong with them, None if nothing is.
Raises CircusError if that is impossible now."""


class Pending(NamedTuple):
    """Immutable. One message, and how to carry it out.

    Attributes:
        accounts: Returns what is to be looked up, None for nothing, when the message is next.
        now: Carries it out, or raises why not.
        later: Carries it out, or answers why not: with the problem that it is given, if it is one.
    """

    accounts: Callable[[], Accounts | None]
    now: Callable[[], object]
    later: Callable[[Problem], object]


class Deferred:
    """The messages that wait. Owned by the supervisor thread.

    A look-up may take long, and only what needs one waits for it, with what the same client sends
    about the same watcher afterwards: that keeps its place.

    Args:
        look_up: Has accounts looked up on another thread.
    """

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._lines: dict[Hashable, deque[Pending]] = {}
        self._count = 0

    def carry_out(self, client: Hashable, name: str | None, message: Pending) -> None:
        """Carry out a message, now or when it is its turn.

        Args:
            client: Who has sent it.
            name: The watcher that it is about; None for all, which waits for nothing.
            message: It.

        Raises:
            Exception: What keeps it from being carried out now.
        """
        key = client, fold(name or "")
        if name is not None and key in self._lines:
            self._admit()
            self._lines[key].append(message)
            return
        accounts = message.accounts()
        if accounts is None:
            message.now()
            return
        self._admit()
        self._lines[key] = deque([message])
        try:
            self._begin(key, message, accounts)
        except CircusError:
            self._pop(key)
            raise

    def _admit(self) -> None:
        if self._count >= MOST:
            raise CircusError("too many messages wait for names already; ask later")
        self._count += 1

    def refuse_all(self) -> None:
        """Answer all that wait: the loop that brings the names has ended."""
        lines, self._lines = self._lines, {}
        self._count = 0
        for line in lines.values():
            for message in line:
                message.later(SupervisorStopped("the supervisor has stopped"))

    def _begin(self, key: Hashable, message: Pending, accounts: Accounts) -> None:
        self._look_up(accounts, lambda problem: self._looked_up(key, message, problem))

    def _looked_up(self, key: Hashable, message: Pending, problem: OptionError | None) -> None:
        line = self._lines.get(key)
        if line and line[0] is message:  # else it has been refused meanwhile
            message.later(problem)
            self._pop(key)
            self._go_on(key)

    def _go_on(self, key: Hashable) -> None:
        """Carry out what follows, up to the next one that needs a look-up."""
        while key in self._lines:
            message = self._lines[key][0]
            problem = None
            try:
                accounts = message.accounts()
                if accounts is not None:
                    self._begin(key, message, accounts)
                    return
            except CircusError as error:
                problem = error
            message.later(problem)
            self._pop(key)

    def _pop(self, key: Hashable) -> None:
        self._lines[key].popleft()
        self._count -= 1
        if not self._lines[key]:
            del self._lines[key]
