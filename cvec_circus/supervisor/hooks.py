"""The desk of hooks: what is called, for how long, and what becomes of the answer.

Each watcher that has hooks gets a thread for them, with the first. One hook runs at a time there,
in the order in which they were asked, so a slow hook holds up its own watcher and no other. A hook
whose time is up has failed, though its thread may still be in it, and the hooks behind it wait; one
whose own time is up before it was called is not called at all.

At most `MOST_WAITING` calls wait behind a hook. Further ones are dropped and counted if nothing
depends on their answers; of the others there are never more than steps of the watcher that wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from cvec_circus import logger
from cvec_circus.base.complaints import tell_crash
from cvec_circus.base.loop import Loop
from cvec_circus.base.thread import Worker
from cvec_circus.base.timers import Timer
from cvec_circus.base.wakeup import Wakeup
from cvec_circus.core.facts import Answered, Facts
from cvec_circus.core.ports import Events
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.cause import HOOK

if TYPE_CHECKING:
    from cvec_circus.options.hooks import Hook
    from cvec_circus.supervisor.hook_calls import Answer, Caller, Rows, Situation

MOST_WAITING = 1000
"""Calls of one watcher that wait, apart from those that decide something."""

COMPLAINT_DELAY = 60.0
"""Seconds between two warnings of a hook without a time-out."""

RETRY_DELAY = 0.1
"""Seconds until a thread or a pipe is asked for again that the system did not have."""

JOIN_TIMEOUT = 1.0
"""Seconds for idle threads, or for a program that was killed, to end."""

NOTHING: frozenset[str] = frozenset()  # one for all: Python makes a new one at each call


class Call:
    """One call of a hook. Owned by the supervisor thread.

    Attributes:
        token: What the answer is reported under; 0 if nothing depends on it.
        rows, then: For `extended_stats`, the figures, and what is called with them.
        timer: The end of its time, or the next warning.
        cancel: Ends its program; None if it is a function, or has not been called.
        is_settled: Whether the answer has been given.
    """

    def __init__(self, runner: Runner, name: str, hook: Hook, asked_at: float) -> None:
        self.runner = runner
        self.watcher = runner.watcher
        self.name = name
        self.hook = hook
        self.asked_at = asked_at
        self.token = 0
        self.facts: dict[str, Any] = {}
        self.rows: Rows | None = None
        self.then: Callable[[Rows], None] | None = None
        self.timer: Timer | None = None
        self.cancel: Wakeup | None = None
        self.is_settled = False

    def __str__(self) -> str:
        return f"hook {self.name} of {self.watcher.name}"

    def close(self) -> None:
        """Cancel its timer, and let go of what would end its program."""
        if self.timer is not None:
            self.timer.cancel()
        if self.cancel is not None:
            self.cancel.close()
            self.cancel = None


class Runner:
    """The thread of one watcher's hooks, and its queue. Owned by the supervisor thread.

    Attributes:
        current: The call that the thread is at.
        dropped: How many were dropped since `waiting` was last empty.
        is_last: Whether the thread ends when there is nothing left to do.
        is_retrying: Whether there is no thread or no pipe, and one is asked for in a moment.
    """

    def __init__(self, watcher: Watcher, caller: Caller) -> None:
        self.watcher = watcher
        self.worker = Worker(f"hooks:{watcher.name}", partial(tell_crash, "hooks"))
        self.caller = caller
        self.waiting: deque[Call] = deque()
        self.current: Call | None = None
        self.dropped = 0
        self.is_last = False
        self.is_retrying = False

    @property
    def calls(self) -> list[Call]:
        """All that it has to do."""
        return [*([self.current] if self.current else []), *self.waiting]

    def takes(self, call: Call) -> bool:
        """Tell whether a call may wait; one that may not is counted, and the first is logged."""
        if call.token or len(self.waiting) < MOST_WAITING:
            return True
        if not self.dropped:
            behind = self.current or self.waiting[0]
            logger.warning(
                "%s is not called: %d calls wait behind hook %s, which has not answered for %.0f s;"
                " set hook_timeout",
                *(call, len(self.waiting), behind.name, call.asked_at - behind.asked_at),
            )
        self.dropped += 1
        return False

    def tell_dropped(self) -> None:
        """Log how many calls were dropped, now that none waits any more."""
        if self.dropped:
            text = "%s: calls of hooks dropped, because too many waited: %d"
            logger.warning(text, self.watcher.name, self.dropped)
            self.dropped = 0


class HookDesk:
    """The hooks of all watchers. Owned by the supervisor thread.

    Args:
        loop: The supervisor's loop.
        events: Where it is published that a hook has succeeded or failed.
        facades: Makes what a watcher's functions get as `watcher` and `arbiter`; any thread.
        variables: What programs get beside the facts, by the name of a watcher.
        nofile: The soft limit of open files that programs get; None for ours.
    """

    def __init__(
        self,
        loop: Loop,
        facts: Facts,
        events: Events,
        facades: Callable[[Watcher, Caller], Any],
        variables: Callable[[str], Mapping[str, str]],
        nofile: int | None = None,
    ) -> None:
        self._loop = loop
        self._facts = facts
        self._events = events
        self._facades = facades
        self._variables = variables
        self._nofile = nofile
        self._runners: dict[Watcher, Runner] = {}
        self._limit: float | None = None
        self._withheld: dict[Watcher, frozenset[str]] = {}

    # -- calls

    def ask(self, watcher: Watcher, name: str, token: int, facts: Mapping[str, Any]) -> None:
        """See `core.ports.Hooks`; adds the facts that the core does not know."""
        call = self._new(watcher, name)
        call.token, call.facts = token, {**facts}
        if name in ("before_reap", "after_reap"):
            call.facts["time"] = self._loop.clock.time()
        if name == "after_reap":
            call.facts["process_status"] = 2  # UNEXISTING, in Circus
        self._put(call)

    def extend(self, watcher: Watcher, rows: Rows, then: Callable[[Rows], None]) -> None:
        """Call `extended_stats` for each process; `then` gets the figures in a later turn."""
        call = self._new(watcher, "extended_stats")
        call.rows, call.then = rows, then
        if not self._put(call):
            self._loop.post(then, rows)

    def _new(self, watcher: Watcher, name: str) -> Call:
        if (runner := self._runners.get(watcher)) is None:
            from cvec_circus.supervisor.hook_calls import Caller  # most daemons have no hooks

            caller = Caller(watcher, self._facades, self._loop)
            runner = self._runners[watcher] = Runner(watcher, caller)
        return Call(runner, name, watcher.options.hooks[name], self._loop.clock.monotonic())

    def _put(self, call: Call) -> bool:
        """Queue a call, unless too many wait; return whether it is queued."""
        is_taken = call.runner.takes(call)
        if is_taken:
            call.runner.waiting.append(call)
            self._set_timer(call, call.watcher.options.hook_timeout)
            self._next(call.runner)
        return is_taken

    def _next(self, runner: Runner) -> None:
        """Begin the next call, when the thread has nothing to do."""
        if runner.current is not None or runner.is_retrying:
            return
        if not runner.waiting:
            runner.tell_dropped()
            if runner.is_last:
                runner.worker.stop()
                self._runners.pop(runner.watcher, None)
            return
        call = runner.waiting[0]
        try:
            if call.hook.command and call.cancel is None:
                call.cancel = Wakeup()
            runner.worker.do(self._call, call, self._situation(call))
        except (OSError, RuntimeError):
            runner.is_retrying = True
            self._loop.call_later(RETRY_DELAY, self._retry, runner)
            return
        runner.current = runner.waiting.popleft()
        if call.timer is None:
            self._warn_later(call)

    def _retry(self, runner: Runner) -> None:
        runner.is_retrying = False
        self._next(runner)

    def _situation(self, call: Call) -> Situation:
        from cvec_circus.supervisor.hook_calls import Situation

        watcher = call.watcher
        return Situation(
            call.name,
            call.hook,
            watcher.options,
            self._variables(watcher.name) if call.cancel else {},
            watcher.settings.configured().hooks.get(call.name) != call.hook,
            self.withheld(watcher),
            self._nofile,
            call.cancel,
        )

    def _call(self, call: Call, situation: Situation) -> None:
        """Make a call, on the thread of the watcher's hooks."""
        caller, rows = call.runner.caller, call.rows
        answer = caller.fault
        try:
            if rows is None:
                answer = caller.call(situation, call.facts)
            else:
                rows = caller.extend(situation, rows)
        finally:
            self._loop.post(self._returned, call, answer, rows)

    # -- answers

    def _returned(self, call: Call, answer: Answer, rows: Rows | None) -> None:
        call.runner.current = None
        try:
            if call.is_settled:
                took = self._loop.clock.monotonic() - call.asked_at
                logger.info("%s has returned after %.0f s, too late", call, took)
            elif rows is not None:
                call.rows = rows
                self._settle(call, "")
            else:
                self._take(call, answer)
        finally:
            call.close()
            self._next(call.runner)

    def _take(self, call: Call, answer: Answer) -> None:
        self._change_env(call.watcher, answer.changes)
        if answer.error is not None:
            self._fail(call, f"failed: {answer.error}", answer.message)
        elif answer.yes:
            self._settle(call, "")
        else:
            why = f": {answer.reason}" if answer.reason else ""
            self._settle(call, f"hook {call.name} said no{why}")

    def _fail(self, call: Call, reason: str, error: str) -> None:
        is_forgiven = call.runner.caller.forgives(call.name, call.hook)
        self._settle(call, "" if is_forgiven else f"hook {call.name} {reason}", error)

    def _settle(self, call: Call, refusal: str, error: str | None = None) -> None:
        """Give the answer, once."""
        call.is_settled = True
        if call.timer is not None:
            call.timer.cancel()
        if call.then is not None:
            assert call.rows is not None
            call.then(call.rows)  # without an event, as in Circus
            return
        if error is None:
            self._events.publish(call.watcher, "hook_success", HOOK, name=call.name)
        else:
            self._events.publish(call.watcher, "hook_failure", HOOK, name=call.name, error=error)
        if call.token:
            self._facts.append(Answered(call.watcher, call.token, refusal))

    def withheld(self, watcher: Watcher) -> frozenset[str]:
        """Return the variables of the daemon's environment that the watcher's processes do not get,
        `copy_env` or not, because a hook has taken them away."""
        return self._withheld.get(watcher, NOTHING)

    def _change_env(self, watcher: Watcher, changes: Mapping[str, str | None]) -> None:
        """Let the watcher's next processes see what a hook has changed."""
        if not changes:
            return
        env = {**watcher.options.env, **changes}
        gone = [name for name, value in env.items() if value is None]
        if gone and watcher.options.copy_env:
            self._withheld[watcher] = self.withheld(watcher).union(gone)
        watcher.change({"env": {name: env[name] for name in env if name not in gone}})

    # -- time

    def _set_timer(self, call: Call, limit: float | None) -> None:
        """Set when the call's time is up, if it ever is."""
        if self._limit is not None:
            limit = self._limit if limit is None else min(limit, self._limit)
        if call.timer is not None:
            call.timer.cancel()
        if limit is not None:
            call.timer = self._loop.call_later(limit, self._expire, call, limit)

    def _warn_later(self, call: Call) -> None:
        call.timer = self._loop.call_later(COMPLAINT_DELAY, self._complain, call)

    def _complain(self, call: Call) -> None:
        """Warn while the thread is in that hook, which may take for ever."""
        waited = self._loop.clock.monotonic() - call.asked_at
        text = "%s has not answered for %.0f s; its watcher waits"
        if call.runner.waiting:
            text += f"; calls of hooks behind it: {len(call.runner.waiting)}"
        if call.runner.dropped:
            text += f", and {call.runner.dropped} were dropped"
        logger.warning(text, call, waited)
        self._warn_later(call)

    def _expire(self, call: Call, limit: float) -> None:
        """Fail the call, because its time is up."""
        text = f"has not answered within {limit:g} s" if limit else "has not answered in time"
        logger.error("%s: hook %s %s", call.watcher.name, call.name, text)
        if call.cancel is not None:
            call.cancel.set()
        if call in call.runner.waiting:
            call.runner.waiting.remove(call)
            call.close()
        self._fail(call, text, text)

    # -- the end

    def hurry(self, timeout: float) -> None:
        """Give every hook so many seconds at most, from now on and from when it is asked on."""
        self._limit = timeout
        for call in self._pending():
            left = None
            if call.timer is not None and call.watcher.options.hook_timeout:
                left = max(0.0, call.timer.when - self._loop.clock.monotonic())
            self._set_timer(call, left)

    def forget(self, watcher: Watcher) -> None:
        """End the thread of a watcher that is gone for good, after what it has to do."""
        self._withheld.pop(watcher, None)
        runner = self._runners.get(watcher)
        if runner is not None:
            runner.is_last = True
            self._next(runner)

    def busy(self) -> str:
        """Name a hook that has time left to answer; "" if there is none."""
        return next(map(str, self._pending()), "")

    def _pending(self) -> list[Call]:
        calls = [call for runner in self._runners.values() for call in runner.calls]
        return [call for call in calls if not call.is_settled]

    def runs_code(self) -> bool:
        """Tell whether a hook's function or program is running, be its time over or not."""
        return any(runner.current is not None for runner in self._runners.values())

    def close(self) -> None:
        """End the threads, when the loop has ended. A function that has not returned is abandoned,
        a program that has not ended is killed."""
        runners = list(self._runners.values())
        for runner in runners:
            runner.worker.stop()
            if runner.current is not None and runner.current.cancel is not None:
                runner.current.cancel.set()
        clock = self._loop.clock
        ends_at = clock.monotonic() + JOIN_TIMEOUT
        for runner in runners:
            current = runner.current
            if current is not None and current.cancel is None:
                logger.warning("%s has not returned, and is abandoned", current)
            elif runner.worker.join(max(0.0, ends_at - clock.monotonic())):
                for call in runner.calls:
                    call.close()
