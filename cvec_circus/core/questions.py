"""What hooks have been asked, until they have answered."""

from __future__ import annotations

from typing import NamedTuple


class Question(NamedTuple):
    """What a hook has been asked, and what the answer is for. Immutable.

    Attributes:
        name: The hook's.
        life: The number of the watcher's life in which it was asked.
        asked_at: The instant at which it was asked.
        wid, pid: The process that it is about; 0 where it is about the watcher.
        signum: With before_signal: the signal.
        stops: With before_signal: whether it is the signal that asks the process to stop.
    """

    name: str
    life: int
    asked_at: float
    wid: int = 0
    pid: int = 0
    signum: int = 0
    stops: bool = False


class Gate:
    """The question whose answer the watcher's next step waits for. Owned by the supervisor thread.

    Attributes:
        name: The hook's.
        token: The question's.
        answer: "" for yes, otherwise why not; None while there is none.
    """

    __slots__ = ("answer", "name", "token")

    def __init__(self, name: str, token: int, answer: str | None = None) -> None:
        self.name = name
        self.token = token
        self.answer = answer
