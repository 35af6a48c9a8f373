"""The desk of hooks: what is called, for how long, and what becomes of the answer.

Each watcher that has hooks gets a thread for them, with the first. One hook runs at a time there,
in the order in which they were asked, so a hook that takes its time holds up its own watcher and
no other. A hook whose time is up has failed, though its thread may be in it still: nothing waits
for it any more, and nothing can end it. Those that follow wait for it. One whose own time is up
before it was called is not called at all.

How many may wait behind a hook that does not return: see `hook_queue`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.base.wakeup import Wakeup
from cvec_circus.core.facts import Answered, Facts
from cvec_circus.core.ports import Events
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.hook_queue import Call, Rows, Runner
from cvec_circus.wire.cause import HOOK

if TYPE_CHECKING:
    from cvec_circus.supervisor.hook_calls import Answer, Caller, Situation

COMPLAINT_DELAY = 60.0
"""Seconds between two warnings of a hook without a time-out."""

RETRY_DELAY = 0.1
"""Seconds until a thread or a pipe is asked for again that the system did not have."""

END_TIMEOUT = 2.0
"""Seconds that a hook may take when the daemon ends."""

JOIN_TIMEOUT = 1.0
"""Seconds for the threads to end that have nothing to do, or a program to end."""

COLLECTED = 2
"""The status that a hook gets of a process that has been collected: `UNEXISTING`, in Circus."""

FAULT = "internal error; the daemon's log has more"

NOTHING: frozenset[str] = frozenset()
"""One for all: Python makes a new empty one of 216 bytes at each call."""

MakeFacades = Callable[[Watcher, "Caller"], Any]


class HookDesk:
    """The hooks of all watchers. Owned by the supervisor thread.

    Args:
        loop: The supervisor's loop.
        facts: Where answers are reported.
        events: Where it is published that a hook has succeeded or failed.
        facades: Makes what a watcher's functions get as `watcher` and `arbiter`, from the watcher
            and its `Caller`, which knows the hook that runs; any thread.
        variables: What programs get beside the facts, by the name of a watcher.
        nofile: The soft limit of open files that programs get; None for ours.
    """

    def __init__(
        self,
        loop: Loop,
        facts: Facts,
        events: Events,
        facades: MakeFacades,
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
        """Call a hook of the watcher, after those asked before it; in a later turn.

        The time, and how Circus calls the status of a process that has been collected, are added to
        the facts: the core knows neither.

        Args:
            watcher: It has the hook.
            name: The hook's name.
            token: The answer is reported under it as `Answered`; with 0 it is not.
            facts: What the hook gets by keyword beside what every hook gets.
        """
        call = self._new(watcher, name)
        call.token = token
        added: dict[str, Any] = {}
        if name in ("before_reap", "after_reap"):
            added["time"] = self._loop.clock.time()
        if name == "after_reap":
            added["process_status"] = COLLECTED
        call.facts = {**added, **facts}
        self._put(call)

    def extend(self, watcher: Watcher, rows: Rows, then: Callable[[Rows], None]) -> None:
        """Call `extended_stats` for each process; `then` gets the figures, changed or not, in a
        later turn."""
        call = self._new(watcher, "extended_stats")
        call.rows = rows
        call.then = then
        self._put(call)

    def _new(self, watcher: Watcher, name: str) -> Call:
        from cvec_circus.supervisor.hook_calls import forgives  # most daemons have no hooks

        hook = watcher.options.hooks[name]
        return Call(watcher, name, hook, self._loop.clock.monotonic(), forgives(name, hook))

    def _put(self, call: Call) -> None:
        watcher = call.watcher
        runner = self._runners.get(watcher)
        if runner is None:
            from cvec_circus.supervisor.hook_calls import Caller

            runner = Runner(watcher, Caller(watcher, self._facades), self._loop.clock)
            self._runners[watcher] = runner
        if not runner.takes(call):
            if call.then is not None:
                self._loop.post(call.then, call.rows)
            return
        runner.waiting.append(call)
        self._set_timer(runner, call, watcher.options.hook_timeout)
        self._next(runner)

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
            runner.worker.do(self._call, runner, call, self._situation(call))
        except (OSError, RuntimeError):
            runner.is_retrying = True
            self._loop.call_later(RETRY_DELAY, self._retry, runner)
            return
        runner.waiting.popleft()
        runner.current = call
        if call.timer is None:
            self._warn_later(runner, call)

    def _retry(self, runner: Runner) -> None:
        runner.is_retrying = False
        self._next(runner)

    def _situation(self, call: Call) -> Situation:
        from cvec_circus.supervisor.hook_calls import Situation

        watcher = call.watcher
        loaded = watcher.settings.configured().hooks
        return Situation(
            watcher.options,
            self._variables(watcher.name) if call.cancel else {},
            loaded.get(call.name) != call.hook,
            self.withheld(watcher),
            self._nofile,
        )

    def _call(self, runner: Runner, call: Call, situation: Situation) -> None:
        """Make a call, on the thread of the watcher's hooks."""
        answer, rows = None, call.rows
        try:
            if rows is None:
                facts = call.facts
                answer = runner.caller.call(call.name, call.hook, facts, situation, call.cancel)
            else:
                answer, rows = runner.caller.extend(call.hook, rows, situation, call.cancel)
        finally:
            self._loop.post(self._returned, runner, call, answer, rows)

    # -- answers

    def _returned(
        self, runner: Runner, call: Call, answer: Answer | None, rows: Rows | None
    ) -> None:
        runner.current = None
        try:
            if call.is_settled:
                took = self._loop.clock.monotonic() - call.asked_at
                logger.info("%s has returned after %.0f s, too late", call, took)
            else:
                call.rows = rows
                self._take(call, answer)
        finally:
            call.close()
            self._next(runner)

    def _take(self, call: Call, answer: Answer | None) -> None:
        """Act on the answer of a hook; None stands for a fault in the daemon."""
        if answer is None:
            self._fail(call, f"failed: {FAULT}", FAULT)
            return
        self._change_env(call.watcher, answer.changes)
        if answer.error is not None:
            self._fail(call, f"failed: {answer.error}", answer.message)
        elif answer.yes:
            self._settle(call, "")
        else:
            why = f": {answer.reason}" if answer.reason else ""
            self._settle(call, f"hook {call.name} said no{why}")

    def _fail(self, call: Call, reason: str, error: str) -> None:
        self._settle(call, "" if call.forgives else f"hook {call.name} {reason}", error)

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
            told = {"name": call.name, "error": error}
            self._events.publish(call.watcher, "hook_failure", HOOK, **told)
        if call.token:
            self._facts.append(Answered(call.watcher, call.token, refusal))

    def withheld(self, watcher: Watcher) -> frozenset[str]:
        """Return what the watcher's processes do not get of the daemon's environment, `copy_env` or
        not: what a hook has taken away."""
        return self._withheld.get(watcher, NOTHING)

    def _change_env(self, watcher: Watcher, changes: Mapping[str, str | None]) -> None:
        """Let the watcher's next processes see what a hook has changed."""
        if not changes:
            return
        env = dict(watcher.options.env)
        for name, value in changes.items():
            if value is not None:
                env[name] = value
                continue
            env.pop(name, None)
            if watcher.options.copy_env:
                self._withheld[watcher] = self.withheld(watcher) | {name}
        watcher.change({"env": env})

    # -- time

    def _set_timer(self, runner: Runner, call: Call, limit: float | None) -> None:
        """Set when the call's time is up, if it ever is."""
        if self._limit is not None:
            limit = self._limit if limit is None else min(limit, self._limit)
        if call.timer is not None:
            call.timer.cancel()
        if limit is not None:
            call.timer = self._loop.call_later(limit, self._expire, runner, call, limit)

    def _warn_later(self, runner: Runner, call: Call) -> None:
        """Warn while the thread is in that hook, which may take for ever."""
        call.timer = self._loop.call_later(COMPLAINT_DELAY, self._complain, runner, call)

    def _complain(self, runner: Runner, call: Call) -> None:
        waited = self._loop.clock.monotonic() - call.asked_at
        text = "%s has not answered for %.0f s; its watcher waits"
        if runner.waiting:
            text += f"; calls of hooks behind it: {len(runner.waiting)}"
        if runner.dropped:
            text += f", and {runner.dropped} were dropped"
        logger.warning(text, call, waited)
        self._warn_later(runner, call)

    def _expire(self, runner: Runner, call: Call, limit: float) -> None:
        """The call's time is up."""
        text = f"has not answered within {limit:.3g} s" if limit else "has not answered in time"
        logger.error("%s: hook %s %s", call.watcher.name, call.name, text)
        if call.cancel is not None:
            call.cancel.set()
        if call in runner.waiting:
            runner.waiting.remove(call)
            call.close()
        self._fail(call, text, text)

    # -- the end

    def hurry(self, timeout: float = END_TIMEOUT) -> None:
        """Give every hook so many seconds at most, from now on and from when it is asked on."""
        self._limit = timeout
        for runner in self._runners.values():
            for call in runner.calls:
                if call.is_settled:
                    continue
                left = None
                if call.timer is not None and call.watcher.options.hook_timeout:
                    left = max(0.0, call.timer.when - self._loop.clock.monotonic())
                self._set_timer(runner, call, left)

    def forget(self, watcher: Watcher) -> None:
        """End the thread of a watcher that is gone for good, after what it has to do."""
        self._withheld.pop(watcher, None)
        runner = self._runners.get(watcher)
        if runner is not None:
            runner.is_last = True
            self._next(runner)

    def busy(self) -> bool:
        """Tell whether a hook has time left to answer."""
        runners = self._runners.values()
        return any(not one.is_settled for runner in runners for one in runner.calls)

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
