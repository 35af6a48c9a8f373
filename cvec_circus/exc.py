"""The exceptions, and the exit codes of the commands."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T", bound=OSError)

ERROR = "error: "
"""The beginning of each line in which one of our programs says what it could not do."""

EXIT_OK = 0
EXIT_PROBLEM = 1
EXIT_USAGE = 2
EXIT_REFUSED = 3
EXIT_UNREACHABLE = 4
EXIT_TIMED_OUT = 124
EXIT_INTERRUPTED = 130


class CircusError(Exception):
    """The base of all exceptions here."""


class MessageError(CircusError):
    """A malformed or impossible message; `errno` is the wire's error number."""

    def __init__(self, reason: str, errno: int = 3) -> None:
        super().__init__(reason)
        self.errno = errno


class NoProcessError(MessageError, KeyError):
    """A pid that no process of the watcher has.

    Programs written for Circus catch the KeyError.
    """

    __str__ = Exception.__str__  # that of a KeyError has quotes around it


class ArgumentError(CircusError):
    """A command line that does not fit the command."""


class AlreadyExist(CircusError):  # noqa: N818 - the name that users' code catches
    """There is already a watcher of that name."""


class ConflictError(CircusError):
    """An order that contradicts one in progress."""


class CallError(CircusError):
    """A call to the daemon without a usable reply; its text is "Timed out." after a time-out."""


def kind_of(kind: type[T], number: int | None) -> type[T]:
    """Return the class of an OSError that is also what Python makes of its number.

    It bears the name of the first one.
    """
    builtin = OSError if number is None else type(OSError(number, ""))
    return kind if issubclass(kind, builtin) else _both(kind, builtin)


@lru_cache(maxsize=64)
def _both(kind: type[T], builtin: type[OSError]) -> type[T]:
    about = {"__module__": kind.__module__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind, builtin), about)


class ForkedError(CallError):
    """The use of a client or an arbiter in a process that was forked from its own."""


class OptionError(CircusError, ValueError):
    """A value that the option `option` does not take.

    Programs written for Circus catch the ValueError.
    """

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(f"{option}: {reason}")
        self.option = option
        self.reason = reason


class OptionsError(OptionError):
    """Values that several options do not take; the text has them all, `problems` one each."""

    def __init__(self, problems: Sequence[OptionError]) -> None:
        super().__init__(problems[0].option, problems[0].reason)
        self.args = ("; ".join(map(str, problems)),)
        self.problems = problems


def raise_all(problems: Sequence[OptionError]) -> None:
    """Raise the one problem, or all as one; nothing if there is none."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise OptionsError(problems)


class ConfigError(CircusError, ValueError):
    """An unusable configuration; `problems` has a line for each problem.

    Programs written for Circus catch the ValueError.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class UnreadableError(ConfigError, OSError):
    """A configuration file that cannot be read.

    Programs written for Circus catch the OSError.
    """


class SocketError(CircusError, OSError):
    """A listening socket or an endpoint that cannot be opened.

    Programs written for Circus catch the OSError, or what that is by its number, such as
    PermissionError.
    """

    def __new__(cls, reason: str, number: int | None = None) -> SocketError:
        """Make one whose text is a sentence, with the error number of the system, if any."""
        error = super().__new__(kind_of(cls, number), reason)
        if number is not None:
            error.errno, error.strerror = number, os.strerror(number)
        return error

    def __init__(self, reason: str, number: int | None = None) -> None:
        super().__init__(reason)

    def __str__(self) -> str:
        return str(self.args[0])


class OutputError(CircusError):
    """A standard output that cannot be written to, though it has a reader."""


class PidfileError(CircusError, RuntimeError):
    """A pid file that cannot be written, or is that of a running daemon.

    Programs written for Circus catch the RuntimeError.
    """


class PluginError(CircusError):
    """A plugin class that cannot be loaded or run."""


class GoneError(CircusError, AttributeError):
    """The use of a name of Circus that is left out; the text says what to write instead.

    It is an AttributeError, so `hasattr` says no.
    """


class SupervisorStopped(CircusError):  # noqa: N818 - a fact, not a fault
    """The supervisor has ended, and no longer answers."""
