"""Autoscaler: keeps as many processes of a watcher as the load demands."""

from __future__ import annotations

import math
import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Optional
from urllib.request import Request

from cvec_circus import logger
from cvec_circus.base.clock import SYSTEM
from cvec_circus.base.figures import counted
from cvec_circus.exc import CallError, OptionError
from cvec_circus.options.kinds import shown
from cvec_circus.plugins import CircusPlugin
from cvec_circus.plugins.web import PIECE, fetch, request
from cvec_circus.runtime.life import printable

Result = tuple[int, Optional[float], str]

CHANGING = ("starting", "reloading")
"""Phases in which the load means nothing yet: the newest processes are not ready."""

TROUBLED = ("unready", "backoff")
"""Phases in which more processes would not help."""

QUESTIONS = 3
"""Calls of the daemon in one measurement, at most. Their time-outs and `timeout` bound it."""

UNITS = {"cpu": " % of a processor", "memory": " % of the memory"}


class MeasurementError(Exception):
    """A measurement without a number; its text says why."""


class Autoscaler(CircusPlugin):
    """Adds and removes processes by load. Runs on the plugin thread; measures on another one.

    Attributes:
        wanted: The number of processes at the last check; None before the first.
        ready_at: The instant of `loop.monotonic` until which the number stays.
        overtaken: Whether the number was changed by others during a measurement.

    Options:
        watcher: The watcher to scale.
        by: The measure of the load.
        command: A shell command that prints a number.
        url: A web page that consists of a number; `http://` or `https://`, with `name:password@`
            before the host for HTTP authentication.
        up: The number above which processes are added.
        down: The number below which processes are removed.
        per_process: Whether the number of a command or page is divided by the number of processes.
        min: The smallest number of processes.
        max: The largest number of processes.
        step: How many processes are added or removed at once.
        cooldown: How long the number is left alone after any change, in seconds.
        interval: The time from one measurement to the next, in seconds.
        timeout: How long a command or page may take, in seconds.
    """

    name = "autoscaler"
    schema: ClassVar = {
        "watcher": "string(min=1)",
        "by": "option('cpu', 'memory', 'command', 'url')",
        "command": "string(default=None)",
        "url": "string(default=None)",
        "up": "float",
        "down": "float",
        "per_process": "boolean(default=False)",
        "min": "integer(min=0, default=1)",
        "max": "integer(min=1)",
        "step": "integer(min=1, default=1)",
        "cooldown": "float(min=0, default=60.0)",
        "interval": "float(min=0.01, default=10.0)",
        "timeout": "float(min=0.01, default=10.0)",
    }

    def __init__(self, *args: Any, **config: Any) -> None:
        """Make it; raises OptionError for options that contradict each other."""
        super().__init__(*args, **config)
        check(self.config)
        self.watcher: str = self.config["watcher"]
        self.command = Command(self.config["command"], self.config["timeout"])
        self.measure = self.choose_measure()
        self.wanted: int | None = None
        self.began_at = self.ready_at = self.loop.monotonic()
        self.busy = self.overtaken = False
        self.trouble = ""
        self.signature = f"{self.config.get('name', self.name)}: "  # its reasons begin with it

    def choose_measure(self) -> Callable[[], float | None]:
        """Return the function that measures the load; it may block."""
        by = self.config["by"]
        if by == "command":
            return self.command.measure
        if by == "url":
            try:
                return partial(measure_page, request(self.config["url"]), self.config["timeout"])
            except ValueError as error:
                raise OptionError("url", str(error)) from None
        return ProcessUse(self.ask, "mem" if by == "memory" else "cpu").measure

    def handle_init(self) -> None:
        """Begin to measure."""
        self.loop.periodic(self.look, self.config["interval"] * 1000).start()
        self.look()

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Notice changes of the number of processes by others."""
        name, action, msg = self.split_data(data)
        event = self.load_message(msg)
        size = event.get("numprocesses")
        if action == "updated" and event.get("watcher", name).lower() == self.watcher.lower():
            if size is not None and not event.get("reason", "").startswith(self.signature):
                self.overtaken = True
                self.leave_alone(size)

    def handle_stop(self) -> None:
        """Kill a command that still runs."""
        self.command.end()

    def look(self) -> None:
        """Measure, unless a measurement is under way."""
        now = self.loop.monotonic()
        if not self.busy:
            self.busy, self.overtaken, self.began_at = True, False, now
            self.loop.run_in_thread(self.measure_all, then=self.decide)
        elif now - self.began_at > self.config["timeout"] + QUESTIONS * self.call_timeout:
            self.log_trouble("there is no number yet, and no error either")

    def measure_all(self) -> Result:
        """Return the number of processes wanted now, the load if it is meaningful, and the phase of
        the watcher. Not on the plugin thread."""
        reply = self.ask("status")
        state, phase = reply["status"], reply.get("phase", "")  # Circus has no phases
        if state != "active":
            raise MeasurementError(f"it is {state}")
        # The command `numprocesses` counts running processes: fewer after a crash, more in a
        # rollout.
        wanted = self.ask("get", keys=["numprocesses"])["options"]["numprocesses"]
        load = None if phase in CHANGING else self.measure()
        if load is not None and self.config["per_process"]:
            load /= max(1, wanted)
        return wanted, load, phase

    def ask(self, command: str, **properties: Any) -> dict[str, Any]:
        """Ask about the watcher; raises MeasurementError for an error."""
        reply = self.call(command, name=self.watcher, **properties)
        if reply.get("status") == "error":
            raise MeasurementError(reply["reason"])
        return reply

    def decide(self, result: Result | None, error: BaseException | None) -> None:
        """Change the number of processes, or leave it."""
        self.busy = False
        if result is None:
            self.log_trouble(error)
            return
        number, load, phase = result
        change = 0 if load is None else decision(number, load, self.config)
        if change > 0 and phase in TROUBLED:
            self.log_trouble(f"the load wants more processes, but its phase is {phase}")
            return
        if self.trouble:
            logger.info("%s: scaled again", self.watcher)
        self.trouble = ""
        if load is None or self.overtaken:
            return
        if self.wanted is not None and number != self.wanted:
            self.leave_alone(number)
        self.wanted = number
        if change and self.loop.monotonic() >= self.ready_at:
            self.scale(number, change, load)

    def scale(self, number: int, change: int, load: float) -> None:
        """Add processes, or remove some."""
        command, word = ("incr", "above") if change > 0 else ("decr", "below")
        threshold = self.config["up" if change > 0 else "down"]
        unit = UNITS.get(self.config["by"], " per process" if self.config["per_process"] else "")
        reason = f"{self.signature}{self.config['by']} is {load:g}{unit}, {word} {threshold:g}"
        try:
            reply = self.call(command, name=self.watcher, nb=abs(change), reason=reason)
        except CallError as error:
            self.log_trouble(error)
            return
        if reply.get("status") == "error" or reply.get("singleton"):
            self.log_trouble(reply.get("reason", "it is a singleton"))
            return
        self.wanted = number + change
        self.ready_at = self.loop.monotonic() + self.config["cooldown"]
        how_many = f"{self.wanted} instead of {counted(number, 'process')}"
        logger.info("%s: %s: %s", self.watcher, how_many, reason)

    def leave_alone(self, number: int) -> None:
        """Respect a number of processes that others have set."""
        self.wanted = number
        cooldown = self.config["cooldown"]
        self.ready_at = self.loop.monotonic() + cooldown
        text = "%s: set to %s by others: not scaled for %g s"
        logger.info(text, self.watcher, counted(number, "process"), cooldown)

    def log_trouble(self, trouble: object) -> None:
        """Log why nothing is done, unless the last line said the same."""
        expected = isinstance(trouble, (str, OSError, CallError, MeasurementError))
        text = str(trouble) if expected else repr(trouble)
        if text != self.trouble:
            logger.warning("%s: not scaled: %s", self.watcher, text)
        self.trouble = text


def decision(number: int, load: float, config: Mapping[str, Any]) -> int:
    """Return by how many processes to change the number; 0 leaves it.

    A number outside ``min`` and ``max`` was set on purpose, and is not moved inside.
    """
    step: int = config["step"]
    above: int = config["max"] - number
    below: int = number - config["min"]
    if load > config["up"]:
        return max(0, min(step, above))
    return -max(0, min(step, below)) if load < config["down"] else 0


def check(config: Mapping[str, Any]) -> None:
    """Raise OptionError for options that contradict each other."""
    for by in ("command", "url"):
        if config["by"] == by and not config[by]:
            raise OptionError(by, f"missing; it goes with by = {by}")
    if config["down"] >= config["up"]:
        raise OptionError("down", f"{config['down']:g} is not below up, which is {config['up']:g}")
    if config["min"] > config["max"]:
        raise OptionError("min", f"{config['min']} is above max, which is {config['max']}")
    if config["per_process"] and config["by"] in UNITS:
        raise OptionError("per_process", f"{config['by']} is per process already")


class ProcessUse:
    """Measures the average use of a watcher's processes. Owned by the thread that measures.

    A new process is left out: its processor use is known from the second measurement on.
    """

    def __init__(self, ask: Callable[[str], Mapping[str, Any]], key: str) -> None:
        """Make it; `key` is ``cpu`` or ``mem``, as in `stats`: each in percent."""
        self._ask = ask
        self._key = key
        self._known: set[str] = set()

    def measure(self) -> float | None:
        """Return percent, None if all processes are new; raises MeasurementError."""
        rows = self._ask("stats")["info"]
        numbers = [total(row, self._key) for pid, row in rows.items() if pid in self._known]
        self._known = set(rows)
        return sum(numbers) / len(numbers) if numbers else None


class Command:
    """Measures the number that a command prints. Safe from any thread: `end` during `measure`."""

    def __init__(self, command: str, timeout: float) -> None:
        self._command = command
        self._timeout = timeout
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False

    def measure(self) -> float:
        """Run the command and return its number; raises MeasurementError."""
        with self._lock:
            if self._ended:
                raise MeasurementError("the plugin has ended")
            process = self._process = subprocess.Popen(
                ["/bin/sh", "-c", self._command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # a group to kill, with what it has started
            )
        with process:
            try:
                printed, complaint = last_output(process, self._timeout)
            except subprocess.TimeoutExpired:
                raise MeasurementError(f"it takes longer than {self._timeout:g} s") from None
            finally:
                with self._lock:
                    self._process = None
                    kill_group(process)
        if process.returncode:
            said = (complaint.strip() or printed.strip()).splitlines()
            how = f"exits with {process.returncode}"
            raise MeasurementError(f"{how}: {printable(said[-1])}" if said else how)
        return number_in(printed)

    def end(self) -> None:
        """Kill a running command, and run no more."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                kill_group(self._process)


def measure_page(wanted: Request, timeout: float) -> float:
    """Get a web page and return its number; raises MeasurementError."""
    answer = fetch(wanted, timeout)
    if answer.problem:
        raise MeasurementError(answer.problem)
    return number_in(answer.beginning.decode("utf-8", "replace"))


def number_in(text: str) -> float:
    """Return a text as a number; raises MeasurementError."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise MeasurementError(f"{shown(text.strip())} is not a number")
    return number


def total(row: Mapping[str, Any], key: str) -> float:
    """Add up the use of a process and all below it; "N/A" counts as 0."""
    own = row.get(key)
    children = row.get("children") or ()
    return (own if isinstance(own, (int, float)) else 0.0) + sum(total(c, key) for c in children)


def last_output(process: subprocess.Popen[bytes], timeout: float) -> tuple[str, str]:
    """Wait for the end of a process, and return the end of its output on both its pipes.

    `communicate` would keep all of it in memory. Raises TimeoutExpired.
    """
    ends_at = SYSTEM.monotonic() + timeout
    kept = {process.stdout: b"", process.stderr: b""}
    with selectors.DefaultSelector() as pipes:
        for pipe in filter(None, kept):
            pipes.register(pipe, selectors.EVENT_READ, pipe)
        while pipes.get_map():
            left = ends_at - SYSTEM.monotonic()
            ready = pipes.select(left) if left > 0 else []
            if not ready:
                raise subprocess.TimeoutExpired(process.args, timeout)
            for key, _ in ready:
                piece = os.read(key.fd, PIECE)
                kept[key.data] = (kept[key.data] + piece)[-PIECE:]
                if not piece:
                    pipes.unregister(key.fileobj)
    process.wait(max(0.0, ends_at - SYSTEM.monotonic()))
    printed, complaint = (text.decode("utf-8", "replace") for text in kept.values())
    return printed, complaint


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process group, unless its leader is collected: its number may be reused then."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
