"""Flapping: stops a watcher whose processes die too often, and starts it again after a while.

It is also an example for authors: no locks, timers of its loop, and no needless call.
"""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import Any, ClassVar

from cvec_circus import exc, logger
from cvec_circus.base.figures import counted, duration
from cvec_circus.plugins import CircusPlugin, Timer
from cvec_circus.runtime.schema import typed_value

A_DAY = 86400.0
INFINITE_RETRY = -1


class Flapping(CircusPlugin):
    """Stops watchers that flap. Its methods run on the plugin thread, except `handle_stop`.

    Options:
        attempts: How many deaths make a watcher flap.
        window: The seconds in which they happen, plus `check_delay`.
        retry_in: Seconds after which a stopped watcher is started again.
        max_retry: How often it is started again; -1 for no limit, 0 for never.
        active: Whether a watcher is checked; in the plugin's own section, whether any is.
    """

    _circus_class = "plugins.flapping.Flapping"
    _in_vain = "_get_conf"
    name = "flapping"
    schema: ClassVar = {
        "attempts": "integer(min=1, default=2)",
        "window": "float(min=0, default=1)",
        "retry_in": "float(min=0, default=7)",
        "max_retry": "integer(min=-1, default=5)",
        "active": "boolean(default=True)",
    }

    def __init__(self, *args: Any, **config: Any) -> None:
        """See CircusPlugin."""
        super().__init__(*args, **config)
        self.options = {key: self.config[key] for key in self.schema}
        self.records: dict[str, Record] = {}

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Count unexpected deaths, and forget them when the watcher is started or removed."""
        _, action, msg = self.split_data(data)
        event = self.load_message(msg)
        name = event["watcher"]
        if action == "reap" and event["cause"] == "exit" and not event.get("rollout"):
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
        """Start the stopped watchers now, since nothing would do so later."""
        for name, record in self.records.items():
            if record.timer is not None:
                record.reason += ", early: the plugin ends"
                self.retry(name, record)

    def count(self, name: str, record: Record, died_at: float) -> None:
        """Count a death, and stop the watcher if it has one too many."""
        options = record.options = record.options or self.options_of(name)
        if record.stopping or not options["active"] or not options["respawn"]:
            return
        window = options["window"] + float(self.check_delay)  # as in Circus
        if abs(died_at - (record.deaths or [record.started_at])[0]) > window:
            record.tries = 0  # it stayed up, or the clock was set back
        record.deaths = [*record.deaths, died_at][-options["attempts"] :]
        if len(record.deaths) < options["attempts"] or abs(died_at - record.deaths[0]) > window:
            return
        self.stop_flapping(
            name, record, options, f"{counted(len(record.deaths), 'death')} in {window:g} s"
        )

    def stop_flapping(
        self, name: str, record: Record, options: dict[str, Any], deaths: str
    ) -> None:
        """Stop a watcher: until a retry, or for good."""
        if not record.tries:
            record.total, record.since = 0, record.deaths[0]
        record.total += len(record.deaths)
        span = duration(record.deaths[-1] - record.since)
        record.stopping, record.deaths = True, []
        most, delay = options["max_retry"], options["retry_in"]
        gives_up = most != INFINITE_RETRY and most <= record.tries
        if gives_up:
            if record.tries:
                tries = counted(record.tries, "retry", "retries")
                deaths = f"{counted(record.total, 'death')} in {span}, after {tries}"
            why = f"{deaths}; start it with cvec_circusctl start {shlex.quote(name)}"
            logger.warning("%s: flapping: gave up: %s", name, why)
            record.tries = 0
        else:
            record.tries += 1
            nth = f"retry {record.tries}" + (f" of {most}" if most > 0 else "")
            record.reason = f"{nth} after {deaths}"
            why = f"{deaths}; {nth} {until(self.loop.time(), delay)}"
            record.timer = self.loop.call_later(delay, self.retry, name, record)
            logger.warning("%s: flapping: %s", name, why)
        told = {"failed": True} if gives_up else {}
        self.cast("stop", name=name, match="simple", reason=why, **told)

    def retry(self, name: str, record: Record) -> None:
        """Start a watcher again."""
        record.timer = None
        self.cast("start", name=name, match="simple", reason=record.reason)

    def options_of(self, name: str) -> dict[str, Any]:
        """Return the options for a watcher: its own `flapping.*` over those of the plugin."""
        given = self.call("options", name=name).get("options", {})  # none if it is gone
        options = {**self.options, "respawn": given.get("respawn", True)}
        for key, value in given.items():
            prefix, _, key = key.partition(".")
            if prefix == self.name and key:
                try:
                    options[key] = typed_value(self.schema, key, value)
                except exc.OptionError as error:
                    logger.warning("%s: %s.%s", name, self.name, error)
        return options


class Record:
    """The recent history of a watcher. Owned by the plugin thread."""

    def __init__(self) -> None:
        self.options: dict[str, Any] | None = None  # asked for when needed
        self.deaths: list[float] = []  # when, the latest ones
        self.tries, self.started_at = 0, 0.0
        self.total, self.since = 0, 0.0  # the deaths of all tries
        self.reason = ""  # the reason of the next start
        self.stopping = False  # no death counts until it is down
        self.timer: Timer | None = None

    def begin(self, started_at: float) -> None:
        """Reset, because the watcher has been started or removed."""
        self.started_at, self.deaths, self.stopping = started_at, [], False
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def until(now: float, delay: float) -> str:
    """Say when something is due, as a time of day, which stays true in the status."""
    at = f", at {datetime.fromtimestamp(now + delay):%H:%M:%S}" if delay < A_DAY else ""
    return f"in {delay:g} s{at}"
