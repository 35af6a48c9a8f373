"""The test case: a running arbiter for each test, or for all tests of a class."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import unittest
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from cvec_circus import exc
from cvec_circus.client import CircusClient
from cvec_circus.embedding.arbiter import ThreadedArbiter
from cvec_circus.embedding.registry import Described, Sockets
from cvec_circus.plugins.plugin import CircusPlugin
from cvec_circus.runtime.schema import typed
from cvec_circus.testing.events import Event, EventLog
from cvec_circus.testing.leaks import Leaks, eventually
from cvec_circus.testing.trial import Trial

Plugin = TypeVar("Plugin", bound=CircusPlugin)
Later = Callable[..., Any]


class _Stage:
    """An arbiter with all that a test has around it. Owned by the test's thread."""

    def __init__(self, case: type[ArbiterTestCase], later: Later, make: Later) -> None:
        """Set it up.

        Args:
            case: What it is for.
            later: Registers a function that is called in the end: the last one first.
            make: Makes the arbiter, from its two endpoints.
        """
        # A short name, because addresses of unix sockets have room for 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="circus-"))
        later(shutil.rmtree, self.folder, ignore_errors=True)
        self._temporary = self.folder / "tmp"
        self._temporary.mkdir()
        self._leaks = Leaks(self._temporary)
        self._leak_timeout = case.leak_timeout
        later(self._assert_nothing_left)
        self._divert(later)
        endpoints = [f"ipc://{self._temporary}/{name}" for name in ("control", "events")]
        self.arbiter: ThreadedArbiter = make(*endpoints)
        started = threading.Event()
        self.arbiter.start(cb=lambda outcome: started.set())
        later(self.arbiter.stop)
        if not started.wait(case.timeout):
            raise AssertionError(f"not everything was started within {case.timeout:g} s")
        self.client = CircusClient(endpoint=self.arbiter.endpoint, timeout=case.timeout)
        later(self.client.stop)

    def _divert(self, later: Later) -> None:
        """Have temporary files made where they are found if somebody leaves them."""
        later(setattr, tempfile, "tempdir", tempfile.tempdir)
        before = os.environ.get("TMPDIR")
        if before is None:
            later(os.environ.pop, "TMPDIR", None)
        else:
            later(os.environ.__setitem__, "TMPDIR", before)
        tempfile.tempdir = os.environ["TMPDIR"] = str(self._temporary)

    def _assert_nothing_left(self) -> None:
        new = self._leaks.new(self._leak_timeout)
        if new:
            raise AssertionError("left behind: " + ", ".join(new))


class ArbiterTestCase(unittest.TestCase):
    """A test with an arbiter that runs in a thread of its own. Owned by the test's thread.

    Say what is to run in class attributes, or override `make_arbiter`. When a test begins, all
    that starts by itself has been started or given up. When it ends, the arbiter is stopped, and
    the test fails if a thread, an open file, a child process or a temporary file is left that was
    not there before: the failure names each of them. With `per_class`, that is looked for after
    the last test of the class.

    A `setUp` or `setUpClass` of your own calls that of this class first, and cleans up by
    `addCleanup`; what `tearDown` does is done while the arbiter still runs.

    Attributes:
        watchers, plugins, sockets: What runs: see `Arbiter`.
        arbiter_options: Further arguments for `ThreadedArbiter`.
        per_class: Whether all tests of the class share one arbiter.
        timeout: Seconds after which whatever a test waits for counts as not happening.
        leak_timeout: Seconds that something may still take to go away when the arbiter has ended.
        arbiter: The arbiter.
        client: A client of it.
        folder: A directory for the test's own files, which goes in the end without a complaint.
        plugin_faults: A line for each exception that the code of a plugin under test has raised.
            They fail the test in the end; who expects them clears the list.
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
        """Start the arbiter, if there is to be one for the class."""
        super().setUpClass()
        if cls.per_class:
            cls._take(cls, _Stage(cls, cls.addClassCleanup, cls.make_arbiter))

    def setUp(self) -> None:
        """Start the arbiter, if there is to be one for each test; begin to note its events."""
        super().setUp()
        if not self.per_class:
            self._take(self, _Stage(type(self), self.addCleanup, self.make_arbiter))
        self.plugin_faults = []
        self._trials: dict[CircusPlugin, Trial] = {}
        since, run = self._now() if self.per_class else (0, self._now()[1])
        self._events = EventLog(self.arbiter.endpoint, self.arbiter.pubsub_endpoint, since, run)
        self.addCleanup(self._events.close)
        self._next = 0

    @staticmethod
    def _take(subject: Any, stage: _Stage) -> None:
        subject.arbiter, subject.client, subject.folder = stage.arbiter, stage.client, stage.folder

    @classmethod
    def make_arbiter(cls, endpoint: str, pubsub_endpoint: str) -> ThreadedArbiter:
        """Make the arbiter, without starting it.

        Args:
            endpoint: Where it is to take commands.
            pubsub_endpoint: Where it is to publish events.
        """
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
        """Send a command that has to succeed, over the wire, and return the reply."""
        reply = self.client.send_message(command, **properties)
        if reply["status"] == "error":
            self.fail(f"{command} {properties or ''} was refused: {reply['reason']}")
        return reply

    def refused(self, command: str, **properties: Any) -> str:
        """Send a command that has to be refused, and return the reason."""
        reply = self.client.send_message(command, **properties)
        if reply["status"] != "error":
            self.fail(f"{command} {properties or ''} was not refused: {reply}")
        return str(reply["reason"])

    def _now(self) -> tuple[int, str]:
        """The number of the last event, and the arbiter's life that it belongs to."""
        reply = self.call("events", limit=0)
        return reply["seq"], reply["run"]

    # -- events

    def wait_event(self, topic: str, timeout: float | None = None, **payload: Any) -> Event:
        """Wait for an event, and return it.

        None is missed: the first call looks at the events since the arbiter's start (with
        `per_class`, since the test's), each later one at those behind the one that was found last.

        Args:
            topic: What its topic begins with: ``watcher.web.spawn``.
            timeout: Seconds to wait at most; `timeout` of the class by default.
            **payload: What its payload has.
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

        The arbiter has no part in the killing, so this is a death like any other to it. The events
        can be waited for all the same.

        Args:
            target: The pid of a process, or the name of a watcher: its first process.
            signum: The signal.
            timeout: Seconds to wait at most, twice; `timeout` of the class by default.

        Returns:
            The pid of the process that was started in its place; None if the watcher starts none
            (`respawn = False`, or numprocesses was lowered meanwhile).
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
        self.fail(f"{target} is no process of any watcher")

    def wait_until(
        self, predicate: Callable[[], object], message: str = "", timeout: float | None = None
    ) -> None:
        """Wait until something is true that no event tells of.

        Args:
            predicate: Called again and again, on the test's thread.
            message: What the failure says.
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
        """Run a plugin in this process, with the threads that it has under a daemon.

        `handle_init` has returned when this does; the plugin gets every event that is published
        after the call. `handle_init`, `handle_recv` and callbacks run on a thread of the plugin's
        own, `handle_stop` runs on the test's, in the end or in `stop_plugin`.

        Args:
            plugin_class: Its class.
            **config: Its configuration. Without `name`, it has that of its class.

        Returns:
            The plugin.

        Raises:
            OptionError: The configuration does not suit the schema.
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
        if trial.failed:
            self.plugin_faults.clear()
            trial.end()  # raises what `handle_init` raised
        return plugin

    def stop_plugin(self, plugin: CircusPlugin) -> None:
        """Stop a plugin before the test's end: `handle_stop` has returned when this does."""
        self._trials[plugin].end()

    def catch_up(self, plugin: CircusPlugin, timeout: float | None = None) -> None:
        """Wait until a plugin has handled every event that has been published up to now."""
        self._trials[plugin].wait_until_past(self._now()[0], self._patience(timeout))

    def _judge(self, trial: Trial) -> None:
        """Stop a plugin, and fail for what its code has raised."""
        try:
            trial.end()
        except exc.PluginError as error:
            self.plugin_faults.append(str(error))
        if self.plugin_faults:
            faults, self.plugin_faults = self.plugin_faults, []
            self.fail("the plugin raised: " + "; ".join(faults))
