"""What the tests of plugins share: a daemon, and a plugin that checks on which thread it is."""

from __future__ import annotations

import threading
from typing import Any, Callable

from cvec_circus.client.feed.sequence import EventSequence
from cvec_circus.commands.kinds import to_reason
from cvec_circus.plugins import CircusPlugin
from tests.support.fake_daemon import FakeDaemon
from tests.support.leaks import LeakCheckedTestCase

TIMEOUT = 20.0
"""Seconds after which a test takes something for not happening."""


class Probe(CircusPlugin):
    """Notes what is called, and everything that breaks the contract.

    Attributes:
        calls: What was called, in order.
        seqs: The numbers of the events that were delivered.
        broken: What should not have happened.
    """

    name = "probe"

    def __init__(self, *args: Any, **config: Any) -> None:
        super().__init__(*args, **config)
        self.calls: list[str] = ["__init__"]
        self.seqs: list[int] = []
        self.broken: list[str] = []
        self.control_thread: threading.Thread | None = None
        self.plugin_thread: threading.Thread | None = None
        self.on_init: Callable[[], object] = lambda: None
        self.on_recv: Callable[[tuple[bytes, bytes]], object] = lambda data: None
        self.on_stop: Callable[[], object] = lambda: None
        self._news = threading.Condition()
        self._is_over = False

    def start(self) -> None:
        self.control_thread = threading.current_thread()
        super().start()
        self._note("returned")

    def initialize(self) -> None:
        super().initialize()
        self.plugin_thread = threading.current_thread()
        if self.plugin_thread is self.control_thread:
            self.broken.append("initialize on the control thread")
        self._note("initialize")

    def handle_init(self) -> None:
        self.on_plugin_thread("handle_init")
        self._note("handle_init")
        self.on_init()

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        self.on_plugin_thread("handle_recv")
        if type(data) is not tuple or [type(part) for part in data] != [bytes, bytes]:
            self.broken.append(f"data is {data!r}")
        with self._news:
            self.seqs.append(self.load_message(data[1])["seq"])
            self._news.notify_all()
        self.on_recv(data)

    def handle_stop(self) -> None:
        self._is_over = True
        if threading.current_thread() is not self.control_thread:
            self.broken.append("handle_stop off the control thread")
        if self.plugin_thread is None or not self.plugin_thread.is_alive():
            self.broken.append("handle_stop after the plugin thread")
        self._note("handle_stop")
        self.on_stop()

    def on_plugin_thread(self, what: str) -> None:
        """Check that this is the plugin thread, and that handle_stop has not been called."""
        if threading.current_thread() is not self.plugin_thread:
            self.broken.append(f"{what} off the plugin thread")
        if self._is_over:
            self.broken.append(f"{what} after handle_stop")

    def _note(self, what: str) -> None:
        with self._news:
            self.calls.append(what)
            self._news.notify_all()

    def wait_for(self, what: Callable[[Probe], object]) -> bool:
        """Wait until something is true of what was noted."""
        with self._news:
            return self._news.wait_for(lambda: bool(what(self)), TIMEOUT)


class PluginCase(LeakCheckedTestCase):
    """A daemon, and plugins whose control thread is one of the test's."""

    def setUp(self) -> None:
        super().setUp()
        self.daemon = FakeDaemon()
        self.addCleanup(lambda: self.daemon.stop())
        self.errors: list[BaseException] = []

    def make(
        self,
        plugin_class: type = Probe,
        since: int | None = 0,
        run: str | None = None,
        **config: Any,
    ) -> Any:
        """Make a plugin that wants the events after `since`, as the daemon starts it."""
        plugin = plugin_class(self.daemon.endpoint, self.daemon.pubsub_endpoint, 1.0, **config)
        plugin._life.sequence = EventSequence(since, run)
        self.addCleanup(plugin._life.client.close)
        return plugin

    def ordered(self, command: str) -> list[dict]:
        """The properties of every order so far, but for the reason that each has."""
        found = [dict(message["properties"]) for message in self.daemon.commands(command)]
        for properties in found:
            self.assertTrue(to_reason(properties.pop("reason")))
        return found

    def run_plugin(self, plugin: CircusPlugin) -> threading.Thread:
        """Start a plugin in a thread, which is its control thread, and stop it at the end."""

        def control() -> None:
            try:
                plugin.start()
            except Exception as error:
                self.errors.append(error)

        thread = threading.Thread(target=control, name="control thread")
        thread.start()
        self.addCleanup(self.end, plugin, thread)
        return thread

    def end(self, plugin: CircusPlugin, thread: threading.Thread) -> None:
        """Stop a plugin and wait until it has returned to whoever started it."""
        plugin.stop()
        thread.join(TIMEOUT)
        self.assertFalse(thread.is_alive(), "the plugin does not stop")
        if isinstance(plugin, Probe):
            self.assertEqual(plugin.broken, [])

    def running(self, plugin_class: type = Probe, **config: Any) -> tuple[Any, threading.Thread]:
        """Make and start a plugin, and wait until it has received an event."""
        plugin = self.make(plugin_class, **config)
        thread = self.run_plugin(plugin)
        first = self.daemon.publish("web", "first")
        self.assertTrue(plugin.wait_for(lambda probe: first in probe.seqs))
        return plugin, thread
