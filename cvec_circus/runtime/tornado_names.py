"""Methods of tornado's loop that plugins written for Circus call."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Union

from cvec_circus.exc import GoneError

Deadline = Union[float, timedelta]

READ, ERROR = 1, 24
"""Events of tornado's loop. A source that has failed can be read, which says so."""

NO_TORNADO = (
    "tornado's PeriodicCallback does not run on a plugin's loop: "
    "use self.loop.periodic(callback, milliseconds).start()"
)
NO_SUCH_THING = (
    "a plugin's loop is none of tornado's; write add_callback, call_later, periodic, add_reader or "
    "run_in_thread (docs/plugins.rst)"
)


class Pending(Protocol):
    """A pending call, such as a `Timer`."""

    def cancel(self) -> None: ...


class TornadoNames:
    """A part of `PluginLoop`, as safe from any thread as the rest of it."""

    if TYPE_CHECKING:

        def add_callback(self, callback: Callable[..., object], *args: Any, **kw: Any) -> None: ...
        def call_later(
            self, delay: float, callback: Callable[..., object], *args: Any, **kw: Any
        ) -> Pending: ...
        def add_reader(self, source: Any, callback: Callable[[], object]) -> None: ...
        def remove_reader(self, source: Any) -> None: ...
        def time(self) -> float: ...
        def stop(self) -> None: ...

    def spawn_callback(self, callback: Callable[..., object], *args: Any, **kw: Any) -> None:
        """The same as `add_callback`."""
        self.add_callback(callback, *args, **kw)

    add_callback_from_signal = spawn_callback

    def add_timeout(
        self, deadline: Deadline, callback: Callable[..., object], *args: Any, **kwargs: Any
    ) -> Pending:
        """Call a function at an instant, as tornado's loop does; see `call_later`.

        The deadline is in seconds since 1970, as `time()` returns them, or a timedelta from now.
        """
        if isinstance(deadline, timedelta):
            return self.call_later(deadline.total_seconds(), callback, *args, **kwargs)
        return self.call_later(deadline - self.time(), callback, *args, **kwargs)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, **kwargs: Any
    ) -> Pending:
        """Call a function at an instant as `time()` returns them; see `add_timeout`."""
        return self.add_timeout(when, callback, *args, **kwargs)

    def remove_timeout(self, timer: Pending) -> None:
        """Revoke a call of `add_timeout` or `call_later`: the same as `timer.cancel()`."""
        timer.cancel()

    def add_handler(self, fd: Any, handler: Callable[[Any, int], object], events: int) -> None:
        """Call a function with a source and READ whenever there is something to read.

        Args:
            fd: See `add_reader`.
            handler: Called as long as something is left to read.
            events: READ; no other event is waited for.

        Raises:
            ValueError: Another event is asked for.
        """
        if events & ~ERROR != READ:
            raise ValueError(f"events {events}: a plugin's loop waits for READ only; use a thread")
        self.add_reader(fd, partial(handler, fd, READ))

    def remove_handler(self, fd: Any) -> None:
        """The same as `remove_reader`."""
        self.remove_reader(fd)

    def add_future(self, future: Any, callback: Callable[[Any], object]) -> None:
        """Call a function with a future of `concurrent.futures` when that is done."""
        future.add_done_callback(partial(self.add_callback, callback))

    def close(self) -> None:
        """The same as `stop`."""
        self.stop()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Say what to write instead of another method of tornado's loop."""
            if name.startswith("_"):
                raise AttributeError(name)
            raise GoneError(f"loop.{name}: {NO_SUCH_THING}")

    def __mul__(self, other: object) -> object:
        """Refuse tornado's PeriodicCallback, whose third argument is a factor."""
        raise TypeError(NO_TORNADO)

    __rmul__ = __mul__
