"""Flapping: stops a watcher whose processes die too often, and starts it again after a while.

It is also an example for authors of plugins: what it knows belongs to the plugin thread, so it has
no locks; it waits by timers of its loop; and it asks the daemon only when it has to.
"""

from __future__ import annotations

from typing import Any

from cvec_circus import logger
from cvec_circus.exc import OptionError
from cvec_circus.options.option import Option
from cvec_circus.options.table import OptionTable
from cvec_circus.plugins import CircusPlugin, Timer

FLAPPING_OPTIONS = OptionTable(
    [
        Option("attempts", "integer", 2, "How many deaths make a watcher flap.", low=1),
        Option("window", "seconds", 1.0, "Within how many seconds, plus `check_delay`.", low=0),
        Option("retry_in", "seconds", 7.0, "When a stopped watcher is started again.", low=0),
        Option("max_retry", "integer", 5, "How often; -1 is for ever, 0 is never.", low=-1),
        Option("active", "boolean", True, "Whether to look at a watcher; or, at any of them."),
    ]
)


class Flapping(CircusPlugin):
    """Stops watchers that flap. Its methods run on the plugin thread, `handle_stop` excepted."""

    name = "flapping"

    def __init__(self, *args: Any, **config: Any) -> None:
        """Read the options for all watchers; raises OptionError for a value they do not take."""
        super().__init__(*args, **config)
        own = {key: value for key, value in config.items() if key in FLAPPING_OPTIONS.by_name}
        self.options = FLAPPING_OPTIONS.complete(FLAPPING_OPTIONS.convert(own))
        self.records: dict[str, Record] = {}

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Count deaths that nobody asked for, and forget what is over."""
        _, action, msg = self.split_data(data)
        event = self.load_message(msg)
        name = event["watcher"]
        if action == "reap" and event["cause"] == "exit":
            self.count(name, self.records.setdefault(name, Record()), event["time"])
        elif action == "updated" and name in self.records:
            self.records[name].options = None
        elif action == "start" and name in self.records:
            self.records[name].begin(event["time"])
        elif action == "stop" and name in self.records:
            self.records[name].stopping = False
        elif action == "remove" and name in self.records:
            self.records.pop(name).begin(event["time"])

    def handle_stop(self) -> None:
        """Start what waits for it, because nobody would be left to do so later."""
        for name, record in self.records.items():
            if record.timer is not None:
                self.retry(name, record)

    def count(self, name: str, record: Record, died_at: float) -> None:
        """Take a death into account, and stop the watcher if it was one too many."""
        options = record.options = record.options or self.options_of(name)
        if record.stopping or not options["active"] or not options["respawn"]:
            return
        window = options["window"] + float(self.check_delay)  # as long as it is in Circus
        if died_at - (record.deaths or [record.started_at])[0] > window:
            record.tries = 0  # it has lived
        record.deaths = [*record.deaths, died_at][-options["attempts"] :]
        if len(record.deaths) < options["attempts"] or died_at - record.deaths[0] > window:
            return
        record.stopping, record.deaths = True, []
        self.cast("stop", name=name, match="simple")
        if 0 <= options["max_retry"] <= record.tries:
            logger.warning("%s: flapping, stopped after %d retries", name, record.tries)
            record.tries = 0
            return
        record.tries += 1
        delay = options["retry_in"]
        logger.warning("%s: flapping, retry %d in %g s", name, record.tries, delay)
        record.timer = self.loop.call_later(delay, self.retry, name, record)

    def retry(self, name: str, record: Record) -> None:
        """Start a watcher again."""
        record.timer = None
        self.cast("start", name=name, match="simple")

    def options_of(self, name: str) -> dict[str, Any]:
        """Ask for the options of a watcher: its own `flapping.*` over those of the plugin."""
        given = self.call("options", name=name).get("options", {})  # none if it is gone
        options = {**self.options, "respawn": given.get("respawn", True)}
        for key, value in given.items():
            prefix, _, key = key.partition(".")
            if prefix == self.name and key:
                try:
                    options.update(FLAPPING_OPTIONS.convert({key: value}))
                except OptionError as error:
                    logger.warning("%s: %s.%s", name, self.name, error)
        return options


class Record:
    """What is known of a watcher. Owned by the plugin thread."""

    def __init__(self) -> None:
        self.options: dict[str, Any] | None = None  # asked for when needed
        self.deaths: list[float] = []  # when, the latest ones
        self.tries = 0
        self.started_at = 0.0
        self.stopping = False  # no death counts until it is down
        self.timer: Timer | None = None

    def begin(self, started_at: float) -> None:
        """Begin anew, because somebody has started the watcher, or it is gone."""
        self.started_at, self.deaths, self.stopping = started_at, [], False
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
