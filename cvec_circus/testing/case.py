"""The test case: a running arbiter for each test, or for all tests of a class, and its events."""

from __future__ import annotations

import json
import os
import signal
import unittest
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import zmq

from cvec_circus import exc
from cvec_circus.base.named import NamedTuple
from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.client import CircusClient
from cvec_circus.client.feed.sequence import EventSequence
from cvec_circus.client.feed.subscription import Subscription
from cvec_circus.embedding.registry import Described, Sockets
from cvec_circus.embedding.threaded import ThreadedArbiter
from cvec_circus.runtime.plugin import CircusPlugin
from cvec_circus.runtime.schema import typed
from cvec_circus.testing.stage import Stage, Trial, eventually
from cvec_circus.wire import progress

Plugin = TypeVar("Plugin", bound=CircusPlugin)

SHOWN = 12
"""Events that a failure shows."""


class Event(NamedTuple):
    """An event as it was published, with a topic such as ``watcher.web.spawn``. Immutable."""

    topic: str
    payload: dict[str, Any]

    def says(self, topic: str, payload: dict[str, Any]) -> bool:
        """Tell whether its topic begins with that one, and its payload has all those items."""
        return self.topic.startswith(topic) and payload.items() <= self.payload.items()

    def __str__(self) -> str:
        return f"{self.topic} {self.payload}"


class EventLog:
    """The events of an arbiter, with none missing. Owned by the test's thread.

    They are received while the test waits for one; `seen` has all so far, in order.
    """

    def __init__(self, endpoint: str, pubsub_endpoint: str, since: int, run: str) -> None:
        """Subscribe to the events after number `since` of the arbiter's life `run`."""
        self.seen: list[Event] = []
        self._context: zmq.Context[Any] = zmq.Context()
        self._loop = ZmqLoop(name="events")
        self._reached: Callable[[], bool] = bool
        self._subscription = Subscription(
            self._loop,
            self._context,
            endpoint,
            pubsub_endpoint,
            EventSequence(since, run),
            progress.of_its_own(),
            self._take,
        )
        self._subscription.open()

    def _take(self, data: tuple[bytes, bytes]) -> bool:
        topic, payload = data
        self.seen.append(Event(topic.decode(), json.loads(payload)))
        if self._reached():
            self._loop.stop()
        return True

    def find(
        self, topic: str, payload: dict[str, Any], timeout: float, first: int = 0
    ) -> tuple[int, Event]:
        """Wait for an event, `timeout` seconds at most, from the index `first` in `seen` on.

        Returns:
            Its index, and the event.

        Raises:
            AssertionError: There is none in time; the text shows the last events.
        """
        index = first

        def reached() -> bool:
            nonlocal index
            while index < len(self.seen):
                if self.seen[index].says(topic, payload):
                    return True
                index += 1
            return False

        if not reached():
            self._reached = reached
            timer = self._loop.call_later(timeout, self._loop.stop)
            self._loop.run()
            timer.cancel()
            self._reached = bool
        if not reached():
            shown = "\n".join(map(str, self.seen[-SHOWN:])) or "none at all"
            wanted = f"{topic} {payload or ''}".strip()
            raise AssertionError(f"no {wanted} within {timeout:g} s; the last events:\n{shown}")
        return index, self.seen[index]

    def close(self) -> None:
        """Close everything."""
        self._subscription.close()
        self._loop.close()
        self._context.term()


class ArbiterTestCase(unittest.TestCase):
    """A test with an arbiter that runs on its own thread. Owned by the test's thread.

    Set class attributes to describe what runs, or override `make_arbiter`. When a test begins,
    everything with autostart has been started, or has failed to start. When it ends, the arbiter is
    stopped, and the test fails if it leaves a thread, an open file, a child process or a temporary
    file behind; the failure names each of them. With `per_class`, this happens after the last test
    of the class. Your own `setUp` or `setUpClass` must call that of this class first, and clean up
    by `addCleanup`; `tearDown` runs while the arbiter still runs.

    Attributes:
        watchers, plugins, sockets: What runs: see `Arbiter`.
        arbiter_options: Further arguments for `ThreadedArbiter`.
        per_class: Whether all tests of the class share one arbiter.
        timeout: Seconds after which a wait of the test fails.
        leak_timeout: Seconds for leftovers to go away when the arbiter has ended.
        arbiter: The arbiter.
        client: A client of it.
        folder: A directory for the test's own files, removed at the end.
        plugin_faults: A line for each exception that the code of a plugin under test has raised.
            They fail the test at the end; a test that expects them clears the list.
    """

    watchers: ClassVar[Sequence[Described]] = ()
    plugins: ClassVar[Sequence[Mapping[str, Any]]] = ()
    sockets: ClassVar[Sockets] = ()
    arbiter_options: ClassVar[Mapping[str, Any]] = {}
    per_class: ClassVar[bool] = False
    timeout: ClassVar[float] = 20.0
    leak_timeout: ClassVar[float] = 2.0

    arbiter: ThreadedArbiter
    client: CircusClient
    folder: Path
    plugin_faults: list[str]

    @classmethod
    def setUpClass(cls) -> None:
        """Start the arbiter of the class, if it has one."""
        super().setUpClass()
        if cls.per_class:
            cls._set(cls, cls.addClassCleanup)

    def setUp(self) -> None:
        """Start the arbiter of the test, if it has its own; begin to record its events."""
        super().setUp()
        if not self.per_class:
            self._set(self, self.addCleanup)
        self.plugin_faults = []
        self._trials: dict[CircusPlugin, Trial] = {}
        since, run = self._now() if self.per_class else (0, self._now()[1])
        self._events = EventLog(self.arbiter.endpoint, self.arbiter.pubsub_endpoint, since, run)
        self.addCleanup(self._events.close)
        self._next = 0

    @classmethod
    def _set(cls, owner: Any, later: Callable[..., Any]) -> None:
        stage = Stage(cls.timeout, cls.leak_timeout, later, owner.make_arbiter)
        owner.arbiter, owner.client, owner.folder = stage.arbiter, stage.client, stage.folder

    @classmethod
    def make_arbiter(cls, endpoint: str, pubsub_endpoint: str) -> ThreadedArbiter:
        """Make the arbiter with these endpoints, without starting it."""
        return ThreadedArbiter(
            cls.watchers,
            endpoint,
            pubsub_endpoint,
            plugins=cls.plugins,
            sockets=cls.sockets,
            **cls.arbiter_options,
        )

    # -- commands

    def call(self, command: str, **properties: Any) -> dict[str, Any]:
        """Send a command over the wire; return the reply, or fail if it is an error."""
        reply = self.client.send_message(command, **properties)
        if reply["status"] == "error":
            self.fail(f"{command} {properties or ''} was refused: {reply['reason']}")
        return reply

    def refused(self, command: str, **properties: Any) -> str:
        """Send a command; return the reason of its refusal, or fail if it succeeds."""
        reply = self.client.send_message(command, **properties)
        if reply["status"] != "error":
            self.fail(f"{command} {properties or ''} was not refused: {reply}")
        return str(reply["reason"])

    def _now(self) -> tuple[int, str]:
        """Return the number of the last event, and the arbiter's life that it belongs to."""
        reply = self.call("events", limit=0)
        return reply["seq"], reply["run"]

    # -- events

    def wait_event(self, topic: str, timeout: float | None = None, **payload: Any) -> Event:
        """Wait for an event, and return it.

        None is missed: the first call searches the events since the arbiter's start (with
        `per_class`, since the test's), each later one those after the last one found.

        Args:
            topic: The prefix of its topic: ``watcher.web.spawn``.
            timeout: Seconds to wait at most; `timeout` of the class by default.
            **payload: Items of its payload.
        """
        found, event = self._events.find(topic, payload, self._patience(timeout), self._next)
        self._next = found + 1
        return event

    def kill_and_wait(
        self,
        target: str | int,
        signum: int = signal.SIGKILL,
        timeout: float | None = None,
    ) -> int | None:
        """Kill a process, and wait until its watcher has replaced it.

        The kill bypasses the arbiter, which sees a death like any other. `wait_event` still finds
        the events.

        Args:
            target: The pid of a process, or the name of a watcher: its first process.
            signum: The signal.
            timeout: Seconds for the death, and for the successor; `timeout` of the class by
                default.

        Returns:
            The pid of its successor; None if the watcher does not respawn.
        """
        name, pid = self._find_process(target)
        patience = self._patience(timeout)
        os.kill(pid, signum)
        topic = f"watcher.{self.arbiter.get_watcher(name).res_name}."
        index, reaped = self._events.find(f"{topic}reap", {"process_pid": pid}, patience)
        wid = reaped.payload["wid"]
        if not self.arbiter.get_watcher(name).respawn:
            return None
        _, spawned = self._events.find(f"{topic}spawn", {"wid": wid}, patience, index)
        replacement: int = spawned.payload["process_pid"]
        return replacement

    def _find_process(self, target: str | int) -> tuple[str, int]:
        if isinstance(target, str):
            pids = self.arbiter.get_watcher(target).pids
            if not pids:
                self.fail(f"{target} has no process")
            return target, pids[0]
        for watcher in self.arbiter.iter_watchers():
            if target in watcher.pids:
                return watcher.name, target
        self.fail(f"no watcher has a process {target}")

    def wait_until(
        self, predicate: Callable[[], object], message: str = "", timeout: float | None = None
    ) -> None:
        """Wait for a condition that no event announces.

        Args:
            predicate: Called repeatedly, on the test's thread.
            message: The text of the failure.
            timeout: Seconds to wait at most; `timeout` of the class by default.
        """
        patience = self._patience(timeout)
        if not eventually(predicate, patience):
            name = getattr(predicate, "__qualname__", repr(predicate))
            self.fail(f"{message or name}: not true within {patience:g} s")

    def _patience(self, timeout: float | None) -> float:
        return self.timeout if timeout is None else timeout

    # -- plugins

    def run_plugin(self, plugin_class: type[Plugin], **config: Any) -> Plugin:
        """Run a plugin in this process, with the same threads as under a daemon.

        `handle_init` has returned when this does; the plugin gets every event published after the
        call. `handle_init`, `handle_recv` and callbacks run on the plugin's own thread,
        `handle_stop` on the test's, at the end or in `stop_plugin`.

        Args:
            plugin_class: Its class.
            **config: Its configuration; `name` is that of its class by default.

        Raises:
            OptionError: The configuration does not fit the schema.
            PluginError: It has no handle_recv, or `handle_init` raised.
        """
        config.setdefault("name", f"plugin:{plugin_class.name or plugin_class.__name__}")
        config = typed(plugin_class.schema, config)
        arbiter = self.arbiter
        plugin = plugin_class(
            arbiter.endpoint, arbiter.pubsub_endpoint, arbiter.check_delay, None, **config
        )
        trial = Trial(plugin, *self._now(), self.plugin_faults)
        self._trials[plugin] = trial
        self.addCleanup(self._judge, trial)
        trial.wait_until_up(self.timeout)
        return plugin

    def stop_plugin(self, plugin: CircusPlugin) -> None:
        """Stop a plugin before the test's end: `handle_stop` has returned when this does."""
        self._trials[plugin].end()

    def catch_up(self, plugin: CircusPlugin, timeout: float | None = None) -> None:
        """Wait until a plugin has handled every event published up to now."""
        self._trials[plugin].wait_until_past(self._now()[0], self._patience(timeout))

    def _judge(self, trial: Trial) -> None:
        """Stop a plugin, and fail if its code has raised anything."""
        try:
            trial.end()
        except exc.PluginError as error:
            self.plugin_faults.append(str(error))
        if self.plugin_faults:
            faults, self.plugin_faults = self.plugin_faults, []
            self.fail("the plugin raised: " + "; ".join(faults))
