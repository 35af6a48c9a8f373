"""Hooks: what is asked, of whom, for how long, and what becomes of the answer.

Each watcher that has hooks gets a thread for them, with the first. One hook runs at a time there,
in the order in which they were asked, so a hook that takes its time holds up its own watcher and
nobody else. A hook whose time is up has failed, though its thread may be in it still: nobody waits
for it any more, and nothing can end it. Those that follow wait for it. One whose own time is up
before it was called is not called at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.base.timers import Timer
from cvec_circus.base.wakeup import Wakeup
from cvec_circus.base.worker import Worker
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.hooks import FORGIVEN, Hook
from cvec_circus.supervisor.hook_calls import EXTENDED, Answer, Caller, Facades, Situation

COMPLAINT_DELAY = 60.0
"""Seconds between two warnings of a hook without a time-out."""

RETRY_DELAY = 0.1
"""Seconds until a thread or a pipe is asked for again that the system did not have."""

END_TIMEOUT = 2.0
"""Seconds that a hook may take when the daemon ends."""

JOIN_TIMEOUT = 1.0
"""Seconds for the threads to end that have nothing to do, or a program to end."""

Then = Callable[[str], None]
Rows = dict[int, dict[str, Any]]
MakeFacades = Callable[[Watcher], Any]


class Publish(Protocol):
    """Publishes an event."""

    def __call__(self, watcher: Watcher, action: str, cause: str, **payload: object) -> None: ...


class Question:
    """One call of a hook. Owned by the supervisor thread.

    Attributes:
        watcher: Whose hook it is.
        name: The hook's name.
        hook: What is called.
        facts: What it is called with.
        rows: For `extended_stats`, the figures it may change.
        then: Called with "" or why not.
        asked_at: The instant at which it was asked.
        timer: The end of its time, or the next warning.
        cancel: Ends its program; None if it is a function, or has not been put.
        is_settled: Whether the answer has been given.
        has_expired: Whether its time was up before there was one.
    """

    __slots__ = (
        "asked_at",
        "cancel",
        "facts",
        "has_expired",
        "hook",
        "is_settled",
        "name",
        "rows",
        "then",
        "timer",
        "watcher",
    )

    def __init__(self, watcher: Watcher, name: str, then: Then, asked_at: float) -> None:
        self.watcher = watcher
        self.name = name
        self.hook: Hook = watcher.options["hooks"][name]
        self.then = then
        self.asked_at = asked_at
        self.facts: Mapping[str, Any] = {}
        self.rows: Rows | None = None
        self.timer: Timer | None = None
        self.cancel: Wakeup | None = None
        self.is_settled = False
        self.has_expired = False

    def __str__(self) -> str:
        return f"hook {self.name} of {self.watcher.name}"

    @property
    def forgives(self) -> bool:
        """Whether a failure counts as a yes."""
        return self.hook.ignore or self.name in FORGIVEN

    def close(self) -> None:
        """Nothing is to end its program any more."""
        if self.timer is not None:
            self.timer.cancel()
        if self.cancel is not None:
            self.cancel.close()
            self.cancel = None


class Runner:
    """The thread of one watcher's hooks, and what it is to do. Owned by the supervisor thread.

    Attributes:
        waiting: The questions that have not been put.
        current: The one that the thread is at.
        is_last: Whether it ends when there is nothing left to do.
        is_retrying: Whether there is no thread or no pipe, and one is asked for in a moment.
    """

    def __init__(self, watcher: Watcher, facades: Facades) -> None:
        self.watcher = watcher
        self.worker = Worker(f"hooks:{watcher.name}", _log_crash)
        self.caller = Caller(watcher.name, facades)
        self.waiting: deque[Question] = deque()
        self.current: Question | None = None
        self.is_last = False
        self.is_retrying = False

    @property
    def questions(self) -> list[Question]:
        """All that it has to do."""
        return [*([self.current] if self.current else []), *self.waiting]


class Hooks:
    """The hooks of all watchers. Owned by the supervisor thread.

    Args:
        loop: The supervisor's loop.
        publish: Publishes what came of a hook.
        touched: Called with a watcher after an answer.
        facades: Makes what a watcher's functions get as `watcher` and `arbiter`; any thread.
        variables: What programs get beside the facts, by the name of a watcher.
    """

    def __init__(
        self,
        loop: Loop,
        publish: Publish,
        touched: Callable[[Watcher], object],
        facades: MakeFacades,
        variables: Callable[[str], Mapping[str, str]],
    ) -> None:
        self._loop = loop
        self._publish = publish
        self._touched = touched
        self._facades = facades
        self._variables = variables
        self._runners: dict[Watcher, Runner] = {}
        self._limit: float | None = None
        self._withheld: dict[Watcher, frozenset[str]] = {}

    # -- questions

    def ask(self, watcher: Watcher, name: str, then: Then, facts: Mapping[str, Any]) -> None:
        """Has a hook called; see `core.ports.Ports.ask_hook`."""
        question = Question(watcher, name, then, self._loop.clock.monotonic())
        question.facts = facts
        self._put(question)

    def extend(self, watcher: Watcher, rows: Rows, then: Callable[[Rows], None]) -> None:
        """Has `extended_stats` called for each process; `then` gets the figures, changed or not."""
        changed = dict(rows)

        def answer(reason: str) -> None:
            # When its time is up the thread may be changing them still.
            then(rows if question.has_expired else changed)

        question = Question(watcher, EXTENDED, answer, self._loop.clock.monotonic())
        question.rows = changed
        self._put(question)

    def _put(self, question: Question) -> None:
        watcher = question.watcher
        runner = self._runners.get(watcher)
        if runner is None:
            runner = Runner(watcher, partial(self._facades, watcher))
            self._runners[watcher] = runner
        runner.waiting.append(question)
        self._set_timer(runner, question, watcher.options.get("hook_timeout"))
        self._next(runner)

    def _next(self, runner: Runner) -> None:
        """Puts the next question, when the thread has nothing to do."""
        if runner.current is not None or runner.is_retrying:
            return
        if not runner.waiting:
            if runner.is_last:
                runner.worker.stop()
                self._runners.pop(runner.watcher, None)
            return
        question = runner.waiting[0]
        try:
            if question.hook.command and question.cancel is None:
                question.cancel = Wakeup()
            runner.worker.do(self._call, runner, question, self._situation(question))
        except (OSError, RuntimeError):
            runner.is_retrying = True
            self._loop.call_later(RETRY_DELAY, self._retry, runner)
            return
        runner.waiting.popleft()
        runner.current = question
        if question.timer is None:
            self._warn_later(runner, question)

    def _retry(self, runner: Runner) -> None:
        runner.is_retrying = False
        self._next(runner)

    def _situation(self, question: Question) -> Situation:
        watcher = question.watcher
        loaded = watcher.loaded().get("hooks") or {}
        return Situation(
            dict(watcher.options),
            self._variables(watcher.name) if question.cancel else {},
            loaded.get(question.name) != question.hook,
            self.withheld(watcher),
        )

    def _call(self, runner: Runner, question: Question, situation: Situation) -> None:
        """On the thread of the watcher's hooks."""
        caller, hook, cancel = runner.caller, question.hook, question.cancel
        answer = Answer(False, error="a fault of ours", message="a fault of ours")
        try:
            if question.rows is not None:
                answer = caller.extend(hook, question.rows, situation, cancel)
            else:
                answer = caller.call(question.name, hook, question.facts, situation, cancel)
        finally:
            self._loop.post(self._returned, runner, question, answer)  # somebody waits for it

    # -- answers

    def _returned(self, runner: Runner, question: Question, answer: Answer) -> None:
        runner.current = None
        late = question.is_settled
        try:
            if late:
                took = self._loop.clock.monotonic() - question.asked_at
                logger.info("%s has returned after %.0f s, too late", question, took)
            else:
                self._take(question, answer)
        finally:
            question.close()
            self._next(runner)

    def _take(self, question: Question, answer: Answer) -> None:
        """Acts on what a hook has answered."""
        watcher, name = question.watcher, question.name
        self._change_env(watcher, answer.changes)
        if answer.error is not None:
            reason = "" if question.forgives else f"hook {name} failed: {answer.error}"
            self._settle(question, reason, answer.message)
        elif answer.yes:
            self._settle(question, "")
        else:
            why = f": {answer.reason}" if answer.reason else ""
            self._settle(question, f"hook {name} said no{why}")

    def _settle(self, question: Question, reason: str, error: str | None = None) -> None:
        """Gives the answer, once."""
        question.is_settled = True
        if question.timer is not None:
            question.timer.cancel()
        watcher = question.watcher
        if question.name != EXTENDED:  # as in Circus
            if error is None:
                self._publish(watcher, "hook_success", "hook", name=question.name)
            else:
                self._publish(watcher, "hook_failure", "hook", name=question.name, error=error)
        question.then(reason)
        self._touched(watcher)

    def withheld(self, watcher: Watcher) -> frozenset[str]:
        """What the watcher's processes do not get of the daemon's environment, `copy_env` or not:
        what a hook has taken away."""
        return self._withheld.get(watcher, frozenset())

    def _change_env(self, watcher: Watcher, changes: Mapping[str, str | None]) -> None:
        """Has the watcher's next processes see what a hook has changed."""
        if not changes:
            return
        env = dict(watcher.options["env"])
        for name, value in changes.items():
            if value is not None:
                env[name] = value
                continue
            env.pop(name, None)
            if watcher.options["copy_env"]:
                self._withheld[watcher] = self.withheld(watcher) | {name}
        watcher.override("env", env)

    # -- time

    def _set_timer(self, runner: Runner, question: Question, limit: float | None) -> None:
        """Sets when the question's time is up, if it ever is."""
        if self._limit is not None:
            limit = self._limit if limit is None else min(limit, self._limit)
        if question.timer is not None:
            question.timer.cancel()
        if limit is not None:
            question.timer = self._loop.call_later(limit, self._expire, runner, question, limit)

    def _warn_later(self, runner: Runner, question: Question) -> None:
        """Has a warning come while the thread is in that hook, which may take for ever."""
        question.timer = self._loop.call_later(COMPLAINT_DELAY, self._complain, runner, question)

    def _complain(self, runner: Runner, question: Question) -> None:
        waited = self._loop.clock.monotonic() - question.asked_at
        text = "%s has not answered for %.0f s; its watcher waits"
        if runner.waiting:
            text += f"; calls of hooks behind it: {len(runner.waiting)}"
        logger.warning(text, question, waited)
        self._warn_later(runner, question)

    def _expire(self, runner: Runner, question: Question, limit: float) -> None:
        """The question's time is up."""
        text = f"has not answered within {limit:.3g} s" if limit else "has not answered in time"
        logger.error("%s: hook %s %s", question.watcher.name, question.name, text)
        if question.cancel is not None:
            question.cancel.set()
        if question in runner.waiting:
            runner.waiting.remove(question)
            question.close()
        question.has_expired = True
        reason = "" if question.forgives else f"hook {question.name} {text}"
        self._settle(question, reason, text)

    # -- the end

    def hurry(self, timeout: float = END_TIMEOUT) -> None:
        """Gives every hook so many seconds at most, from now on and from when it is asked on."""
        self._limit = timeout
        for runner in self._runners.values():
            for question in runner.questions:
                if question.is_settled:
                    continue
                left = None
                if question.timer is not None and question.watcher.options.get("hook_timeout"):
                    left = max(0.0, question.timer.when - self._loop.clock.monotonic())
                self._set_timer(runner, question, left)

    def forget(self, watcher: Watcher) -> None:
        """The watcher is gone for good: its thread ends after what it has to do."""
        self._withheld.pop(watcher, None)
        runner = self._runners.get(watcher)
        if runner is not None:
            runner.is_last = True
            self._next(runner)

    def busy(self) -> bool:
        """Whether a hook has time left to answer."""
        runners = self._runners.values()
        return any(not one.is_settled for runner in runners for one in runner.questions)

    def close(self) -> None:
        """Ends the threads, when the loop has ended. A function that has not returned is abandoned,
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
                for question in runner.questions:
                    question.close()


def _log_crash(error: BaseException, description: str) -> None:
    logger.error("hooks: %s failed", description, exc_info=error)
