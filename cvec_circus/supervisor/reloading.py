"""The configuration is read again, and what differs becomes so: all of it or nothing.

One at a time, in the order in which they came: the file is read on the configuration thread,
compared with what is, and new sockets are bound, there too because that may ask a name server.
Only then anything changes, in one turn of the loop. A restart of all waits for that, and whoever
comes after it until all have stopped.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Union

from cvec_circus import exc, logger
from cvec_circus.base.timers import Timer
from cvec_circus.commands.base import Answer
from cvec_circus.config.configuration import Configuration
from cvec_circus.config.plan import RESTART, Plan
from cvec_circus.config.readers.ini import load
from cvec_circus.sockets.registry import Newcomers
from cvec_circus.supervisor.applying import CAUSE, Application, Departures
from cvec_circus.supervisor.planning import World, plan
from cvec_circus.wire.messages import COMMAND_FAILED
from cvec_circus.wire.outcome import Outcome, Wait

STOPPING = "arbiter is stopping"
FAULT = "internal error; the daemon's log has more"


class Order:
    """One `reloadconfig`. Owned by the supervisor thread.

    Attributes:
        path: The file.
        newcomers: The sockets that it has opened, None as long as there are none.
        is_over: Whether it has been answered, so that nothing of it is to be done any more.
    """

    def __init__(self, path: str, dry_run: bool, waiting: bool, answer: Answer) -> None:
        self.path = path
        self.dry_run = dry_run
        self.waiting = waiting
        self.answer = answer
        self.timer: Timer | None = None
        self.newcomers: Newcomers | None = None
        self.is_over = False

    def fail(self, reason: str) -> None:
        """Answers that it cannot be done, if that is still asked for."""
        if not self.is_over:
            self.is_over = True
            self.answer.fail(reason, COMMAND_FAILED)
        self.forget_timer()

    def forget_timer(self) -> float | None:
        """Stops its time; returns when that would have been up, None if it has as long as it
        takes."""
        if self.timer is None:
            return None
        self.timer.cancel()
        return self.timer.when


Turn = Union[Order, Callable[[], None]]


class Reloading:
    """The line of those who change the configuration as a whole. Owned by the supervisor thread."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._departures = Departures(world.sockets)
        self._line: deque[Turn] = deque()
        self._order: Order | None = None

    # -- the line

    def ask(self, props: Mapping[str, Any], answer: Answer) -> None:
        """Has a file read, and what differs become so; see the command `reloadconfig`.

        Raises:
            MessageError: There is no file.
        """
        path = props["path"] or self._world.origin.path
        if path is None:
            text = "this arbiter was started without a file; name one: reloadconfig FILE"
            raise exc.MessageError(text, COMMAND_FAILED)
        order = Order(path, props["dry_run"], props["waiting"], answer)
        timeout = props["timeout"]
        if timeout is not None:
            order.timer = self._world.loop.call_later(timeout, _give_up, order, timeout)
        self._line.append(order)
        self.look()

    def restart(self, go: Callable[[], None]) -> None:
        """Has all be restarted when it is its turn."""
        self._line.append(go)
        self.look()

    def look(self) -> None:
        """Goes on with whoever is next. Called at the end of every turn."""
        if self._world.roster.closing:
            self._refuse_line(STOPPING)
            if self._order is not None:
                self._order.fail(STOPPING)
            return
        if self._order is None:
            self._departures.look()
        while self._line and self._order is None:
            campaign = self._world.roster.campaign
            if campaign.asks(False) and campaign.asks(True):
                return
            turn = self._line.popleft()
            if isinstance(turn, Order):
                self._begin(turn)
            else:
                turn()
                # The roster has had its share of this turn, and nothing else may bring another.
                self._world.loop.post(self.look)

    def close(self) -> None:
        """Lets go of everything, after the loop and the configuration thread have ended."""
        self._refuse_line("the supervisor has stopped")
        if self._order is not None:
            if self._order.newcomers is not None:
                self._order.newcomers.abandon()
            self._order.fail("the supervisor has stopped")

    def _refuse_line(self, reason: str) -> None:
        line, self._line = self._line, deque()
        for turn in line:
            if isinstance(turn, Order):
                turn.fail(reason)
            else:
                turn()  # the roster refuses it in its own way

    # -- one order, step by step

    def _begin(self, order: Order) -> None:
        if order.is_over:
            return
        self._order = order
        self._attempt(order, self._read, order)

    def _attempt(self, order: Order, fn: Callable[..., object], *args: Any) -> None:
        """Has a step done on the configuration thread; without one, the order has failed."""
        try:
            self._world.chores.attempt(fn, *args)
        except exc.CircusError as error:
            self._failed(order, error)

    def _read(self, order: Order) -> None:
        """On the configuration thread."""
        origin = self._world.origin
        environ = os.environ if origin.environ is None else origin.environ
        try:
            configuration = load(order.path, environ, origin.cwd)
            problems = [line for _, lines in configuration.left_out for line in lines]
            if problems:
                raise exc.ConfigError(problems)
        except Exception as error:
            self._world.loop.post(self._failed, order, error)
        else:
            self._world.loop.post(self._was_read, order, configuration)

    def _failed(self, order: Order, error: Exception) -> None:
        if isinstance(error, (exc.CircusError, OSError)):
            logger.error("the configuration stays as it is: %s", str(error).replace("\n", "; "))
            order.fail(str(error))
        else:
            logger.error("reloadconfig failed", exc_info=error)
            order.fail(FAULT)
        self._end(order)

    def _end(self, order: Order) -> None:
        order.newcomers = None
        self._order = None
        self._world.loop.post(self.look)

    def _is_off(self, order: Order) -> bool:
        """Whether there is no point in going on with it."""
        if self._world.roster.closing:
            order.fail(STOPPING)
        if order.is_over:
            if order.newcomers is not None:
                order.newcomers.abandon()
            self._end(order)
        return order.is_over

    def _was_read(self, order: Order, wanted: Configuration) -> None:
        if self._is_off(order):
            return
        try:
            planned = plan(self._world, wanted)
        except Exception as error:
            self._failed(order, error)
            return
        if order.dry_run:
            order.is_over = True
            order.forget_timer()
            order.answer.ok(**_told(order, planned.plan, wanted))
            self._end(order)
            return
        order.newcomers = Newcomers(planned.new, planned.held)
        if planned.new:
            self._attempt(order, self._bind, order, wanted)
        else:
            self._apply(order, wanted)

    def _bind(self, order: Order, wanted: Configuration) -> None:
        """On the configuration thread."""
        assert order.newcomers is not None
        try:
            order.newcomers.bind()
        except Exception as error:
            self._world.loop.post(self._failed, order, error)
        else:
            self._world.loop.post(self._apply, order, wanted)

    def _apply(self, order: Order, wanted: Configuration) -> None:
        """Has it all become so. What was set meanwhile counts: the plan is made once more."""
        if self._is_off(order):
            return
        world = self._world
        assert order.newcomers is not None
        try:
            planned = plan(self._world, wanted)
            application = Application(planned.plan, wanted, world.roster, world.helpers)
            application.exchange_sockets(
                planned.exchange, planned.held, order.newcomers, self._departures, world.sockets
            )
        except Exception as error:
            order.newcomers.abandon()
            self._failed(order, error)
            return
        due = order.forget_timer()
        timeout = None if due is None else max(0.0, due - world.loop.clock.monotonic())
        fields = _told(order, planned.plan, wanted)
        _log(order, planned.plan, wanted)
        try:
            world.adopt(wanted, planned.plan)
            wait = Wait(partial(_done, order, fields), timeout)
            world.roster.give(application.order(), wait)
        finally:
            self._end(order)
        if not order.waiting and not order.is_over:
            order.is_over = True
            order.answer.ok(**fields)


def _give_up(order: Order, timeout: float) -> None:
    order.fail(f"reloadconfig timed out after {timeout:g} s: nothing has changed")


def _told(order: Order, plan: Plan, wanted: Configuration) -> dict[str, Any]:
    return {
        "file": order.path,
        "dry_run": order.dry_run,
        "plan": plan.as_json(),
        "warnings": list(wanted.warnings),
    }


def _done(order: Order, fields: dict[str, Any], outcome: Outcome) -> None:
    """All consequences have come to their end."""
    if not order.waiting or order.is_over:
        if outcome.error is not None:
            logger.warning("reloadconfig: %s", outcome.error)
        return
    order.is_over = True
    if outcome.error is not None:
        order.answer.fail(outcome.error, COMMAND_FAILED)
        return
    pids = {name: sorted(getattr(outcome, name)) for name in ("started", "stopped", "kept")}
    order.answer.ok(**fields, info=pids)


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
