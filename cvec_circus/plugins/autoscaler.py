"""Autoscaler: has a watcher run as many processes as there is work for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Optional, Union

from cvec_circus import logger
from cvec_circus.exc import CallError, OptionError
from cvec_circus.plugins import CircusPlugin
from cvec_circus.plugins.measuring import Command, MeasurementError, Page, ProcessUse

Measure = Union[Command, Page, ProcessUse]
Result = tuple[int, Optional[float]]

QUESTIONS = 3
"""To the daemon, at most, in one measurement. The time for these and `timeout` should be enough."""

UNITS = {"cpu": " % of a processor", "memory": " % of the memory"}


class Autoscaler(CircusPlugin):
    """Adds and removes processes by load. Lives on the plugin thread; measures on another one.

    Attributes:
        wanted: How many processes it takes the watcher to have; None before the first look.
        ready_at: The instant until which it leaves the number alone.
        overtaken: Whether somebody has changed the number during a measurement.

    Options:
        watcher: Whose processes.
        by: What tells how much there is to do.
        command: A shell command that prints a number.
        url: A web page that is a number; `http://` or `https://`, with `name:password@` in front of
            the host if the server wants to know.
        up: Above this number processes are added.
        down: Below this number processes are removed.
        per_process: Whether the number of a command or page is divided by that of the processes.
        min: The smallest number of processes.
        max: The greatest number of processes.
        step: How many are added or removed at once.
        cooldown: How long the number is left alone after a change by anybody, in seconds.
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
        """Make it; raises OptionError for what makes no sense."""
        super().__init__(*args, **config)
        check(self.config)
        self.watcher: str = self.config["watcher"]
        self.measure = self.choose_measure()
        self.wanted: int | None = None
        self.ready_at = self.loop.monotonic()
        self.busy = False
        self.began_at = self.ready_at
        self.overtaken = False
        self.trouble = ""

    def choose_measure(self) -> Measure:
        """Return what tells the load."""
        by, timeout = self.config["by"], self.config["timeout"]
        if by == "command":
            return Command(self.config["command"], timeout)
        if by == "url":
            try:
                return Page(self.config["url"], timeout)
            except ValueError as error:
                raise OptionError("url", str(error)) from None
        return ProcessUse(self.call, self.watcher, "mem" if by == "memory" else "cpu")

    def handle_init(self) -> None:
        """Begin to measure."""
        self.loop.periodic(self.look, self.config["interval"] * 1000).start()
        self.look()

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """See whether somebody else changes the number of processes."""
        name, action, msg = self.split_data(data)
        event = self.load_message(msg)
        size = event.get("numprocesses")
        if action == "updated" and event.get("watcher", name).lower() == self.watcher.lower():
            if size is not None and not event.get("reason", "").startswith(self.signature):
                self.overtaken = True
                self.leave_alone(size)

    def handle_stop(self) -> None:
        """Leave no measurement behind."""
        self.measure.end()

    # -- a measurement and what follows from it

    def look(self) -> None:
        """Measure, unless that is still being done."""
        now = self.loop.monotonic()
        if not self.busy:
            self.busy, self.overtaken, self.began_at = True, False, now
            self.loop.run_in_thread(self.measure_all, then=self.decide)
        elif now - self.began_at > self.config["timeout"] + QUESTIONS * self.call_timeout:
            self.say_trouble("there is no number yet, and no error either")

    def measure_all(self) -> Result:
        """Return how many processes are wanted, and the load. Not on the plugin thread."""
        state = self.ask("status")["status"]
        if state != "active":
            raise MeasurementError(f"it is {state}")
        wanted = self.ask("numprocesses")["numprocesses"]
        load = self.measure.measure()
        if load is not None and self.config["per_process"]:
            load /= max(1, wanted)
        return wanted, load

    def ask(self, command: str) -> dict[str, Any]:
        """Ask about the watcher; raises MeasurementError for an answer that is none."""
        reply = self.call(command, name=self.watcher)
        if reply.get("status") == "error":
            raise MeasurementError(reply["reason"])
        return reply

    def decide(self, result: Result | None, error: BaseException | None) -> None:
        """Change the number of processes, or leave it."""
        self.busy = False
        if result is None:
            self.say_trouble(error)
            return
        self.say_recovery()
        number, load = result
        if load is None or self.overtaken:
            return
        if self.wanted is not None and number != self.wanted:
            self.leave_alone(number)
        self.wanted = number
        change = decision(number, load, self.config)
        if change and self.loop.monotonic() >= self.ready_at:
            self.scale(number, change, load)

    def scale(self, number: int, change: int, load: float) -> None:
        """Have more processes, or fewer."""
        command, word = ("incr", "above") if change > 0 else ("decr", "below")
        threshold = self.config["up" if change > 0 else "down"]
        unit = UNITS.get(self.config["by"], " per process" if self.config["per_process"] else "")
        reason = f"{self.signature}{self.config['by']} is {load:g}{unit}, {word} {threshold:g}"
        try:
            reply = self.call(command, name=self.watcher, nb=abs(change), reason=reason)
        except CallError as error:
            self.say_trouble(error)
            return
        if reply.get("status") == "error" or reply.get("singleton"):
            self.say_trouble(reply.get("reason", "it is a singleton"))
            return
        logger.info(
            "%s: %d instead of %d processes: %s", self.watcher, number + change, number, reason
        )
        self.wanted = number + change
        self.ready_at = self.loop.monotonic() + self.config["cooldown"]

    def leave_alone(self, number: int) -> None:
        """Respect that somebody else has changed the number of processes."""
        self.wanted = number
        cooldown = self.config["cooldown"]
        self.ready_at = self.loop.monotonic() + cooldown
        logger.info(
            "%s: somebody wants %d processes: left at that for %g s", self.watcher, number, cooldown
        )

    @property
    def signature(self) -> str:
        """What its reasons begin with."""
        return f"{self.config.get('name', self.name)}: "

    def say_trouble(self, trouble: object) -> None:
        """Say why nothing is done, unless that was said before."""
        text = (
            f"{trouble}"
            if isinstance(trouble, (str, OSError, CallError, MeasurementError))
            else repr(trouble)
        )
        if text != self.trouble:
            logger.warning("%s: not scaled: %s", self.watcher, text)
        self.trouble = text

    def say_recovery(self) -> None:
        """Say that there are numbers again."""
        if self.trouble:
            logger.info("%s: measured again", self.watcher)
        self.trouble = ""


def decision(number: int, load: float, config: Mapping[str, Any]) -> int:
    """Tell by how many processes to change the number; 0 leaves it.

    What lies outside of ``min`` and ``max`` has been put there by somebody, and is not put back.
    """
    step: int = config["step"]
    above: int = config["max"] - number
    below: int = number - config["min"]
    if load > config["up"]:
        return max(0, min(step, above))
    if load < config["down"]:
        return -max(0, min(step, below))
    return 0


def check(config: Mapping[str, Any]) -> None:
    """See whether options go together; raises OptionError."""
    for by in ("command", "url"):
        if config["by"] == by and not config[by]:
            raise OptionError(by, f"missing; it goes with by = {by}")
    if config["down"] >= config["up"]:
        raise OptionError("down", f"{config['down']:g} is not below up, which is {config['up']:g}")
    if config["min"] > config["max"]:
        raise OptionError("min", f"{config['min']} is above max, which is {config['max']}")
    if config["per_process"] and config["by"] in UNITS:
        raise OptionError("per_process", f"{config['by']} is per process already")
