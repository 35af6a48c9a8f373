"""The runs of one check of one process, one after the other, each at its time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

from cvec_circus.base.loop import Loop
from cvec_circus.base.named import NamedTuple
from cvec_circus.base.timers import Timer
from cvec_circus.options.checks import NETWORK_KINDS
from cvec_circus.options.expand import expand, expand_words
from cvec_circus.options.words import split
from cvec_circus.probes.address import parse
from cvec_circus.probes.connection import Result
from cvec_circus.probes.prober import Probe, Prober
from cvec_circus.probes.record import Record
from cvec_circus.supervisor.launching import Templates, written
from cvec_circus.supervisor.probing.probe_programs import Order, ProgramRun, Programs
from cvec_circus.supervisor.probing.watched import Watched
from cvec_circus.system.launch import LaunchSpec

HEARD = Result("", "WATCHDOG=1", 0.0)
"""What WATCHDOG=1 comes to."""

SHORTEST_TIMEOUT = 1.0
"""Seconds that a run of a check of `ready` has at least."""

Take = Callable[[Watched, Record, Result], object]


class Surroundings(NamedTuple):
    """What runs work with. Immutable."""

    loop: Loop
    prober: Prober
    programs: Programs
    templates: Templates
    variables: Callable[[str], Mapping[str, str]]
    """Returns what a program gets beside the environment of the watcher of that name."""


class Runs:
    """The runs of one check of one process. Owned by the supervisor thread.

    A run begins an interval after the last one has begun, but never before that is over.
    """

    def __init__(self, around: Surroundings, watched: Watched, record: Record, take: Take) -> None:
        self._around, self._watched, self._record = around, watched, record
        self._take = partial(take, watched, record)
        self._timer: Timer | None = None
        self._began = 0.0

    @property
    def interval(self) -> float:
        """Seconds from one beginning to the next."""
        is_live = self._record.family == "live"
        options = self._watched.watcher.options
        return options.live_interval if is_live else self._watched.ready_interval

    @property
    def timeout(self) -> float:
        """Seconds that a run may take."""
        if self._record.family == "live":
            return self._watched.watcher.options.live_timeout
        return max(SHORTEST_TIMEOUT, self._watched.ready_interval)

    def begin(self) -> None:
        """Begin the first run."""
        self._tick()

    def retime(self) -> None:
        """Take over a changed interval."""
        self._wait()

    def refresh(self) -> None:
        """Let the record say how long the last run took."""

    def end(self) -> None:
        """Begin no further run, and want nothing of the last one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = self._around.loop
        at = max(self._began + self.interval, loop.clock.monotonic())
        self._timer = loop.call_at(at, self._tick)

    def _tick(self) -> None:
        raise NotImplementedError


class AddressRuns(Runs):
    """The runs of a check of an address: the prober repeats them. Owned by the supervisor thread.

    What cannot be begun is tried again each interval.
    """

    _probe: Probe | None = None

    def retime(self) -> None:
        """See `Runs`."""
        self._tick()

    def refresh(self) -> None:
        """See `Runs`. The prober says nothing of a success like the one before it."""
        last = None if self._probe is None else self._probe.result
        if last is not None and not last.is_void:
            self._record.took = last.took

    def end(self) -> None:
        """See `Runs`."""
        super().end()
        if self._probe is not None:
            self._probe.cancel()

    def _tick(self) -> None:
        self._began = self._around.loop.clock.monotonic()
        try:
            probe = self._probe = self._probe or self._make()
            probe.timeout, probe.interval = self.timeout, self.interval
            self._around.prober.begin(probe)
        except (OSError, RuntimeError) as error:
            self._wait()
            self._take(Result("", f"cannot check: {error}", 0.0, True))
        except ValueError as error:
            self._wait()
            self._take(Result(str(error), str(error), 0.0))

    def _make(self) -> Probe:
        check = self._record.check
        template = self._around.templates.of(self._watched.watcher)
        target = expand(check.target, template.names(self._watched.process))
        return Probe(parse(check.kind, target), self.timeout, self._take)


class ProgramRuns(Runs):
    """The runs of a check by a program. Owned by the supervisor thread."""

    _run: ProgramRun | None = None

    def end(self) -> None:
        """See `Runs`."""
        super().end()
        if self._run is not None:
            self._run.cancel()

    def _tick(self) -> None:
        self._began = self._around.loop.clock.monotonic()
        self._wait()
        run = self._run
        if run is None:
            try:
                name = self._watched.watcher.name
                order = Order(name, self._spec, self.timeout, self._done, self._over)
                self._run = self._around.programs.begin(order)
            except (OSError, RuntimeError) as error:
                self._take(Result("", f"cannot check: {error}", 0.0, True))
            except ValueError as error:
                self._take(Result(str(error), str(error), 0.0))
        elif run.has_answered:
            text = f"process {run.pid} of the last run has not ended, although it was killed"
            self._take(Result(text, text, 0.0))

    def _done(self, result: Result) -> None:
        if self._run is None or self._run.is_over:
            self._run = None
        self._take(result)

    def _over(self) -> None:
        """Nothing is left of a program that had its answer before."""
        self._run = None

    def _spec(self) -> LaunchSpec:
        watcher, process = self._watched.watcher, self._watched.process
        template = self._around.templates.of(watcher)
        names = template.names(process)
        env = {
            **self._around.variables(watcher.name),
            "CVEC_CIRCUS_WATCHER": watcher.name,
            "CVEC_CIRCUS_WID": str(process.wid),
            "CVEC_CIRCUS_PID": str(process.pid),
        }
        target = self._record.check.target
        words = split(expand_words(target, names, whole=True))
        return template.check_spec(process.wid, words, env, written(target))


class Watchdog(Runs):
    """Waits for WATCHDOG=1, once an interval at least. Owned by the supervisor thread.

    `trigger` counts for an interval: a process that sends both in turn is not news each time.
    """

    _triggered_at = -math.inf

    def begin(self) -> None:
        """Wait; what has come in the last interval counts."""
        self._record.answer = "" if self._watched.has_watchdog else "from the next process on"
        super().begin()
        at = self._watched.pinged_at
        if at is not None and self._began - at <= self.interval:
            self._take(HEARD)

    def _tick(self) -> None:
        watched = self._watched
        is_first, self._began = not self._began, self._around.loop.clock.monotonic()
        self._wait()
        if not is_first and watched.has_watchdog:
            silence = self.interval * (self._record.failures + 1)
            text = f"no WATCHDOG=1 for {silence:g} s"
            self._take(Result(text, text, self.interval))

    def heard(self, value: str) -> None:
        """Take what came after `WATCHDOG=`."""
        self._began = self._around.loop.clock.monotonic()
        self._wait()
        if value == "1" and self._began - self._triggered_at >= self.interval:
            self._take(HEARD)
        elif value == "trigger":
            text, self._triggered_at = "WATCHDOG=trigger came", self._began
            for _ in range(self._watched.watcher.options.live_failures):
                self._take(Result(text, text, 0.0))


def kind_of(record: Record) -> type[Runs] | None:
    """Return what runs a check; None for one of which nothing but a line comes."""
    kind = record.check.kind
    if kind in NETWORK_KINDS:
        return AddressRuns
    if kind == "exec":
        return ProgramRuns
    return Watchdog if record.family == "live" else None
