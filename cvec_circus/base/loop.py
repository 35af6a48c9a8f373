"""A thread's event loop: files, timers, and calls from other threads."""

from __future__ import annotations

import errno
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from cvec_circus import exc
from cvec_circus.base.clock import SYSTEM, Clock, poll_milliseconds
from cvec_circus.base.complaints import Complaints, shortage
from cvec_circus.base.question import Question
from cvec_circus.base.reserve import kept
from cvec_circus.base.timers import Timer, TimerQueue
from cvec_circus.base.wakeup import Wakeup

POSTS_A_TURN = 256
"""How many calls from other threads are made before files are polled again."""

SHORTAGE_DELAY = 0.05
"""Seconds between two turns while there is no memory."""

READABLE = select.POLLIN
"""The same number as zmq.POLLIN, which is an enum: each operation with that takes a microsecond."""

Key = Any
Result = TypeVar("Result")


class Loop:
    """One thread's event loop: waits for sources and timers, and calls their functions.

    Owned by the thread in `run`, which need not be the one that made it. Before `run`, the maker
    may add readers and timers. `post`, `ask`, `stop` and `on_thread` are safe from any thread, at
    any time.

    A turn waits in one poll, then calls the readers of readable sources, the timers that are due,
    the posts that were there when the turn began, the functions of `each_turn`, and last those of
    `at_turn_end`. So none keeps another waiting for longer than a turn. An exception in any of them
    goes to `on_error`, and the loop continues.

    Attributes:
        name: The loop's name in log lines.
        clock: The source of time.
        wakeup: Ends the wait. Its `write_fd` is for `signal.set_wakeup_fd`.
        thread_id: The owner; None until `run`.
        beats: Counts the beginnings and ends of turns: odd while the owner works, even while it
            waits.
        rung: Set by a signal handler of the owner's: the byte that the signal has written to the
            wake-up is read in this turn, and brings none of its own.
        on_error: Called with an exception and the name of what raised it; logs it by default.
    """

    _poll_errors: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, clock: Clock = SYSTEM, name: str = "loop") -> None:
        self.name = name
        self.clock = clock
        self.wakeup = Wakeup()
        self.thread_id: int | None = None
        self.beats = 0
        self.rung = False
        self.on_error: Callable[[BaseException, str], object] = self._log_error
        self._complaints = Complaints(name, self.call_later)
        self._timers = TimerQueue()
        self._poller: Any = select.poll()
        self._readers: dict[Key, Callable[[], object]] = {}
        self._turn_ends: list[Callable[[], bool]] = []
        self._posts: deque[tuple[Callable[..., object], tuple[Any, ...], Question | None]]
        self._posts = deque()
        # No lock orders posts and `close`: a signal handler that interrupts a post may wait for the
        # close, which would wait for the lock that the post holds.
        self._closed = False
        self._stopping = False
        self._more_work = False
        self._is_starved = False  # there was no memory for a part of this turn
        self._nothing = threading.Lock()  # what a starved loop waits for: never released
        self._nothing.acquire()
        self._in_turn = False
        self._lasts: dict[Callable[[], object], None] = {}
        self.add_reader(self.wakeup.fd, self.wakeup.clear)

    # -- what the owner waits for -----------------------------------------------------------------

    def add_reader(self, source: Any, fn: Callable[[], object]) -> None:
        """Call a function in every turn in which a source is readable.

        Owner thread; also from within a reader. Replaces the source's former function.

        Args:
            source: A file descriptor, or anything with a `fileno()`.
            fn: Called again in the next turn if it leaves something unread, so it may stop halfway
                to give others their turn.
        """
        self._assert_owner()
        key = self._key(source)
        if key not in self._readers:
            self._poller.register(key, READABLE)
        self._readers[key] = fn

    def remove_reader(self, source: Any) -> None:
        """Stop reading a source, before it is closed. Owner thread; also from within a reader."""
        self._assert_owner()
        key = self._key(source)
        if self._readers.pop(key, None) is not None:
            self._poller.unregister(key)

    def call_at(self, when: float, fn: Callable[..., object], *args: Any) -> Timer:
        """Call a function at a monotonic instant, in seconds. Owner thread."""
        self._assert_owner()
        return self._timers.call_at(when, self._call, fn, args)

    def call_later(self, delay: float, fn: Callable[..., object], *args: Any) -> Timer:
        """Call a function after a delay, in seconds. Owner thread."""
        return self.call_at(self.clock.monotonic() + delay, fn, *args)

    def at_turn_end(self, fn: Callable[[], object]) -> None:
        """Call a function at the end of this turn. Any thread.

        Called once per turn, however often it is added; at once outside a turn of this thread.
        """
        if self._in_turn and self.on_thread():
            self._lasts[fn] = None
        else:
            fn()

    def each_turn(self, fn: Callable[[], bool]) -> None:
        """Call a function at the end of every turn. Owner thread.

        Args:
            fn: Returns whether it has left work; then the next turn begins at once, with what has
                become readable meanwhile.
        """
        self._assert_owner()
        self._turn_ends.append(fn)

    # -- what other threads do --------------------------------------------------------------------

    def on_thread(self) -> bool:
        """Return whether the calling thread is the owner. Any thread."""
        return self.thread_id == threading.get_ident()

    def post(self, fn: Callable[..., object], *args: Any) -> bool:
        """Call a function on the owner thread, in its next turn. Any thread; never blocks.

        Returns:
            False when the loop is closed: the call will not be made.
        """
        return self._put(fn, args, None)

    def ask(self, fn: Callable[..., Result], *args: Any, timeout: float | None = None) -> Result:
        """Call a function on the owner thread and return its result. Any other thread.

        Args:
            fn: What to call.
            *args: Its arguments.
            timeout: Seconds to wait at most; None for no limit.

        Raises:
            SupervisorStopped: The loop ended before the call was made.
            TimeoutError: There was no answer in time. A call that had not begun is not made.
            AssertionError: This is the owner thread, which would wait for itself.
            Exception: Whatever the function raised.
        """
        if self.on_thread():
            raise AssertionError("the owner of a loop must not wait for itself")
        question = Question(fn, args)
        if not self._put(fn, args, question):
            raise _stopped()
        result: Result = question.result(timeout)
        return result

    def stop(self) -> None:
        """Make `run` return at the end of the turn. Any thread; before `run` as well."""
        self._stopping = True
        self.wakeup.set()

    # -- the life ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Run turns until `stop`. The calling thread is the owner from now on, until `close`.

        May be called again afterwards by the same thread.

        Raises:
            SupervisorStopped: The loop is closed.
        """
        if self._closed:
            raise _stopped()
        self.thread_id = threading.get_ident()
        cut: MemoryError | None = None
        try:
            while not self._stopping:
                try:
                    if self._is_starved:
                        self._nothing.acquire(True, SHORTAGE_DELAY)  # needs no memory
                        self._is_starved = False
                    if cut is not None:
                        self.on_error(cut, "turn")
                        cut = None
                    self._turn()
                except MemoryError as error:
                    kept.clear()  # a function may lack memory for its own frame
                    cut = error
                    self._is_starved = self._more_work = True
        finally:
            self._stopping = False

    def close(self) -> None:
        """Accept no more calls, and fail those that threads wait for. Only after `run`.

        Sources stay open: their owners close them.
        """
        self._closed = True
        self._complaints.tell_rest()
        self.thread_id = None  # thread ids are reused
        self._drop_posts()
        for key in list(self._readers):
            self._poller.unregister(key)
        self._readers.clear()
        self._timers = TimerQueue()
        self._turn_ends.clear()
        self.wakeup.close()

    def _turn(self) -> None:
        readable = self._poll()
        if self.rung:
            self.rung = False
            if (self.wakeup.fd, self.wakeup.clear) not in readable:
                self._call(self.wakeup.clear, ())
        self.beats = (self.beats + 1) | 1  # the last turn may not have counted its end
        self._in_turn = True
        try:
            self._work(readable)
        finally:
            self._in_turn = False
            lasts, self._lasts = self._lasts, {}
            for fn in lasts:
                self._call(fn, ())
            self.beats += 1

    def _work(self, readable: list[tuple[Key, Callable[[], object]]]) -> None:
        posts = min(len(self._posts), POSTS_A_TURN)
        for key, fn in readable:
            if self._readers.get(key) is fn:  # else a reader before it has removed or replaced it
                self._call(fn, ())
        self._timers.run_due(self.clock.monotonic())
        for _ in range(posts):
            post, args, question = self._posts.popleft()
            if question is None:
                self._call(post, args)
            else:
                question.answer()
        self._more_work = False
        for turn_end in self._turn_ends:
            if self._call(turn_end, ()):
                self._more_work = True

    def _poll(self) -> list[tuple[Key, Callable[[], object]]]:
        """Wait; return what is readable with its reader as it is now."""
        try:
            events = self._poller.poll(poll_milliseconds(self._delay()))
        except self._poll_errors as error:
            if not self._drop_closed(error) and getattr(error, "errno", None) != errno.ENOMEM:
                raise
            return []  # for lack of memory: the next turn tries again
        readers = self._readers
        for key, event in events:
            # A closed file polls as an error without input, a closed zmq socket as file 0.
            if not event & READABLE or key not in readers:
                self._drop_closed(None)
                break
        return [(key, readers[key]) for key, _ in events if key in readers]

    def _delay(self) -> float | None:
        """Return how many seconds the next poll may take; None for no limit."""
        if self._stopping or self._more_work or self._posts:
            return 0.0
        next_at = self._timers.next_at()
        return None if next_at is None else next_at - self.clock.monotonic()

    def _drop_closed(self, error: Exception | None) -> bool:
        """Forget sources that were closed while read, a mistake; return whether there was one."""
        closed = [key for key in self._readers if self._is_closed(key)]
        for key in closed:
            self._poller.unregister(key)
            fn = self._readers.pop(key)
            self.on_error(error or OSError(f"{key} was closed while it was read"), _name(fn))
        return bool(closed)

    def _key(self, source: Any) -> Key:
        """Return what the poller knows a source by: its file descriptor."""
        return source if isinstance(source, int) else source.fileno()

    def _is_closed(self, key: Key) -> bool:
        try:
            os.fstat(key)
        except OSError:
            return True
        return False

    def _call(self, fn: Callable[..., object], args: tuple[Any, ...]) -> object:
        try:
            return fn(*args)
        except Exception as error:
            if isinstance(error, MemoryError):
                kept.clear()
                self._is_starved = True
            self.on_error(error, _name(fn))
            return None

    def _put(
        self, fn: Callable[..., object], args: tuple[Any, ...], question: Question | None
    ) -> bool:
        if self._closed:
            return False
        self._posts.append((fn, args, question))
        if self._closed:
            # Closed meanwhile: the other posts were dropped, perhaps before this one came.
            self._drop_posts()
            return question is not None  # it has failed, which its asking thread sees
        if not (self._in_turn and self.on_thread()):  # else the next poll does not wait
            self.wakeup.set()
        return True

    def _drop_posts(self) -> None:
        """Fail the calls that the loop no longer takes. Any thread, once it is closed."""
        while self._posts:
            try:
                _, _, question = self._posts.popleft()
            except IndexError:
                return  # another thread has taken the last one
            if question is not None:
                question.fail(_stopped())

    def _assert_owner(self) -> None:
        if self.thread_id is not None and not self.on_thread():
            raise AssertionError(f"only the thread of {self.name} may do this: use post")

    def _log_error(self, error: BaseException, name: str) -> None:
        line = shortage(error)
        self._complaints.tell(error, name, "could not continue" if line else "raised", line)


def _stopped() -> exc.SupervisorStopped:
    return exc.SupervisorStopped("the supervisor has stopped")


def _name(fn: Callable[..., object]) -> str:
    return getattr(fn, "__qualname__", repr(fn))
