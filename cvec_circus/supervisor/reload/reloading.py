"""Read the configuration again, and apply what differs: all of it or nothing.

One `reloadconfig` at a time, in the order in which they came: the file is read on the configuration
thread, compared with what is, and new sockets are bound, there too because that may ask a name
server. Only then anything changes, in one turn of the loop. A restart of all waits for that, and
the orders behind it wait until all have stopped.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Union

from cvec_circus import exc, logger
from cvec_circus.base.timers import Timer
from cvec_circus.commands.kinds import PROVED
from cvec_circus.commands.target import Answer, replaced
from cvec_circus.config.build import Build
from cvec_circus.config.configuration import Configuration, PluginConfig
from cvec_circus.config.examination import There
from cvec_circus.config.plan import RESTART, Plan
from cvec_circus.config.rereading import reread
from cvec_circus.config.section import SOCKET, WATCHER
from cvec_circus.config.sockets import located
from cvec_circus.control import endpoints
from cvec_circus.control.dispatch import explain
from cvec_circus.options.variables import Variables
from cvec_circus.sockets.registry import Newcomers
from cvec_circus.supervisor.compose import Desks, Loaded
from cvec_circus.supervisor.reload.applying import CAUSE, Application, Planned, is_applied, plan
from cvec_circus.supervisor.reload.inspecting import inspect
from cvec_circus.supervisor.reload.locating import locate
from cvec_circus.supervisor.reload.loss import Loss, TooMuchLost, loss_of
from cvec_circus.wire.messages import COMMAND_FAILED
from cvec_circus.wire.outcome import Outcome, Wait
from cvec_circus.wire.topics import fold

STOPPING = "arbiter is stopping"
STOPPED = "the supervisor has stopped"


class Order:
    """One `reloadconfig`. Owned by the supervisor thread.

    Attributes:
        newcomers: The sockets that it has opened.
        variables: Those of the file that was read.
        is_over: Whether it has been answered, so that nothing more of it is done.
    """

    def __init__(
        self, path: str, dry_run: bool, force: bool, waiting: bool | str, answer: Answer
    ) -> None:
        self.path = path
        self.dry_run = dry_run
        self.force = force
        self.waiting = waiting
        self.answer = answer
        self.timer: Timer | None = None
        self.newcomers = Newcomers((), ())
        self.variables = Variables()
        self.is_over = False

    def fail(self, reason: str, **fields: Any) -> None:
        """Answer that it cannot be done or has not succeeded, unless it has been answered."""
        if not self.is_over:
            self.is_over = True
            self.answer.fail(reason, COMMAND_FAILED, **fields)
        self.forget_timer()

    def forget_timer(self) -> float | None:
        """Stop its time; return when that would have been up, None for never."""
        if self.timer is None:
            return None
        self.timer.cancel()
        return self.timer.when

    def ok(self, fields: Mapping[str, Any]) -> None:
        """Answer that it is done."""
        self.is_over = True
        self.forget_timer()
        self.answer.ok(**fields)


Turn = Union[Order, Callable[[], None]]


class Reloading:
    """The queue of orders that change everything. Owned by the supervisor thread."""

    def __init__(self, desks: Desks, loaded: Loaded) -> None:
        self._desks = desks
        self._loaded = loaded
        self._loop = desks.loop
        self._roster = desks.roster
        self._departures = desks.departures
        self._queue: deque[Turn] = deque()
        self._order: Order | None = None

    # -- the queue

    def ask(self, props: Mapping[str, Any], answer: Answer) -> None:
        """Read a file, and apply what differs; see the command `reloadconfig`.

        Raises:
            MessageError: There is no file.
        """
        path = props["path"] or self._loaded.origin.path
        if path is None:
            text = "this arbiter was started without a file; name one: reloadconfig FILE"
            raise exc.MessageError(text, COMMAND_FAILED)
        order = Order(path, props["dry_run"], props["force"], props["waiting"], answer)
        timeout = props["timeout"]
        if timeout is not None:
            text = f"reloadconfig timed out after {timeout:g} s: nothing has changed"
            late = partial(order.fail, text, timed_out=True)
            order.timer = self._loop.call_later(timeout, late)
        self._queue.append(order)
        self.look()

    def restart(self, go: Callable[[], None]) -> None:
        """Call what restarts all, in its turn."""
        self._queue.append(go)
        self.look()

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do."""
        return self._order is None and not self._queue

    def look(self) -> None:
        """Go on with the next one. Called at the end of every turn."""
        if self._roster.closing:
            self._refuse_queue(STOPPING)
            if self._order is not None:
                self._order.fail(STOPPING)
            return
        if self._order is None:
            self._departures.look()
        while self._queue and self._order is None:
            campaign = self._roster.campaign
            if campaign.asks(False) and campaign.asks(True):
                return
            turn = self._queue.popleft()
            if not isinstance(turn, Order):
                turn()
                # The roster has had its share of this turn, and nothing else may bring another.
                self._loop.post(self.look)
            elif not turn.is_over:
                self._order = turn
                now = self._loaded.configuration
                self._attempt(turn, self._read, turn, self._there(), now, self._running_plugins())

    def close(self) -> None:
        """Let go of everything, after the loop and the configuration thread have ended."""
        self._refuse_queue(STOPPED)
        if self._order is not None:
            self._order.newcomers.abandon()
            self._order.fail(STOPPED)

    def _refuse_queue(self, reason: str) -> None:
        queue, self._queue = self._queue, deque()
        for turn in queue:
            if isinstance(turn, Order):
                turn.fail(reason)
            else:
                turn()  # the roster refuses it in its own way

    # -- one order, step by step

    def _attempt(self, order: Order, fn: Callable[..., object], *args: Any) -> None:
        """Do a step on the configuration thread; without one, the order has failed."""
        try:
            self._desks.chores.configuration.attempt(fn, *args)
        except exc.CircusError as error:
            self._failed(order, error)

    def _there(self) -> There:
        """Return what was loaded from a configuration, and the names of what was not."""
        now = self._loaded.configuration
        sockets = {one.name.lower() for one in now.sockets}
        watchers = {fold(one.name) for one in now.watchers}
        before = [f"{SOCKET}:{one.name}" for one in now.sockets]
        before += [one.name for one in now.plugins]
        before += [f"{WATCHER}:{one.name}" for one in now.watchers]
        before += now.strangers
        return There(
            [one.name for one in self._desks.sockets if one.name.lower() not in sockets],
            [one.name for one in self._roster.watchers() if fold(one.name) not in watchers],
            before,
        )

    def _running_plugins(self) -> list[PluginConfig]:
        running = {one.name for one in self._roster.watchers() if one.places.pids()}
        return [one for one in self._loaded.configuration.plugins if one.name in running]

    def _read(
        self, order: Order, there: There, former: Configuration, plugins: list[PluginConfig]
    ) -> None:
        """On the configuration thread."""
        origin = self._loaded.origin
        environ = os.environ if origin.environ is None else origin.environ
        cwd = os.getcwd() if origin.cwd is None else origin.cwd
        try:

            def look(build: Build) -> None:
                inspect(build, environ, cwd, plugins)
                locate(build, cwd, former)

            configuration = reread(order.path, environ, cwd, there, former, look)
            order.variables.adopt(configuration.variables)
            endpoints.examine(configuration.circus, former.circus["allow_remote"])
        except Exception as error:
            self._loop.post(self._failed, order, error)
        else:
            self._loop.post(self._was_read, order, configuration)

    def _failed(self, order: Order, error: Exception) -> None:
        reason = order.variables.conceal(explain(error)[0])
        more = error.loss.as_json() if isinstance(error, TooMuchLost) else {}
        if isinstance(error, (exc.CircusError, OSError, MemoryError)):
            logger.error("the configuration stays as it is: %s", reason.replace("\n", "; "))
        else:
            logger.error("reloadconfig failed", exc_info=error)
        order.fail(reason, **more)
        self._end()

    def _end(self) -> None:
        self._order = None
        self._loop.post(self.look)

    def _is_off(self, order: Order) -> bool:
        """Tell whether there is no point in going on with it."""
        if self._roster.closing:
            order.fail(STOPPING)
        if order.is_over:
            order.newcomers.abandon()
            self._end()
        return order.is_over

    def _was_read(self, order: Order, wanted: Configuration) -> None:
        if self._is_off(order):
            return
        try:
            planned = plan(self._desks, self._loaded, wanted, self._departures)
            if not order.dry_run:
                self._check_loss(order, planned.plan)
        except Exception as error:
            self._failed(order, error)
            return
        if order.dry_run:
            loss = loss_of(planned.plan, self._roster, self._loaded.configuration)
            order.ok(_told(order, planned.plan, wanted, loss if loss.is_large else None))
            self._end()
            return
        order.newcomers = Newcomers(planned.new, planned.held)
        if planned.new:
            self._attempt(order, self._bind, order, wanted)
        else:
            self._apply(order, wanted, planned)

    def _check_loss(self, order: Order, plan: Plan) -> None:
        """Refuse what removes most of what runs, unless the order says that it is meant.

        Raises:
            TooMuchLost: It does.
        """
        loss = loss_of(plan, self._roster, self._loaded.configuration)
        if loss.is_large and not order.force:
            raise TooMuchLost(loss)

    def _bind(self, order: Order, wanted: Configuration) -> None:
        """On the configuration thread."""
        try:
            order.newcomers.bind()
        except exc.SocketError as error:
            said = located(str(error), wanted.sockets)
            self._loop.post(self._failed, order, exc.SocketError(said, error.errno))
        except Exception as error:
            self._loop.post(self._failed, order, error)
        else:
            self._loop.post(self._bound, order, wanted)

    def _bound(self, order: Order, wanted: Configuration) -> None:
        """Plan it once more: what was set meanwhile counts."""
        if self._is_off(order):
            return
        try:
            planned = plan(self._desks, self._loaded, wanted, self._departures)
            self._check_loss(order, planned.plan)
        except Exception as error:
            order.newcomers.abandon()
            self._failed(order, error)
            return
        self._apply(order, wanted, planned)

    def _apply(self, order: Order, wanted: Configuration, planned: Planned) -> None:
        """Apply it all."""
        desks = self._desks
        try:
            application = Application(planned.plan, wanted, desks.roster, desks.helpers)
            application.exchange_sockets(planned, order.newcomers, self._departures)
        except Exception as error:
            order.newcomers.abandon()
            self._failed(order, error)
            return
        due = order.forget_timer()
        timeout = None if due is None else max(0.0, due - self._loop.clock.monotonic())
        fields = _told(order, planned.plan, wanted)
        _log(order, planned.plan, wanted)
        try:
            self._loaded.adopt(wanted, planned.plan)
            done = partial(self._done, order, planned.plan, fields)
            wait = Wait(done, timeout, order.waiting == PROVED)
            self._roster.give(application.order(), wait)
        finally:
            self._end()
        if not order.waiting and not order.is_over:
            order.ok(fields)

    def _done(self, order: Order, plan: Plan, fields: dict[str, Any], outcome: Outcome) -> None:
        """Answer, as all consequences have come to their end."""
        steps = [one for one in (*plan.watchers, *plan.plugins) if not one.is_idle]
        applied = dict.fromkeys(
            step.name
            for step in steps
            if step.name not in outcome.failed or is_applied(step, self._roster.get(step.name))
        )
        told = f"{outcome.error}; applied: {', '.join(applied)}" if applied else outcome.error
        if not order.waiting or order.is_over:
            if outcome.error is not None:
                logger.warning("reloadconfig: %s", told)
        elif outcome.error is not None:
            late = {"timed_out": True} if outcome.timed_out else {}
            told_more = {"applied": list(applied), "failed": outcome.failed, **late}
            order.fail(str(told), accepted=True, **told_more)
        else:
            order.ok({**fields, **replaced(outcome)})


def _told(
    order: Order, plan: Plan, wanted: Configuration, loss: Loss | None = None
) -> dict[str, Any]:
    return {
        "file": order.path,
        "dry_run": order.dry_run,
        "plan": plan.as_json(),
        "warnings": list(wanted.warnings),
        **({} if loss is None else loss.as_json()),
    }


def _log(order: Order, plan: Plan, wanted: Configuration) -> None:
    for warning in wanted.warnings:
        logger.warning("%s", warning)
    for change in plan.circus:
        if change.effect == RESTART:
            logger.warning("[circus] %s: needs a restart of the daemon", change.option)
    counts = [
        f"{count} {word}"
        for action, word in (("add", "added"), ("change", "changed"), ("remove", "removed"))
        if (count := plan.count(action))
    ]
    told = "nothing changes" if plan.is_empty else ", ".join(counts) or "options changed"
    logger.info("configuration read again from %s: %s (%s)", order.path, told, CAUSE.text)
