"""A plugin under test, in the test's own process."""

from __future__ import annotations

import logging
from typing import Any

from cvec_circus import logger
from cvec_circus.client.feed.sequence import EventSequence
from cvec_circus.runtime.plugin import CircusPlugin, require_handle_recv
from cvec_circus.testing.leaks import eventually
from cvec_circus.wire.progress import DELIVERED


class Faults(logging.Handler):
    """Notes the exceptions that the code of a plugin raised. Safe from any thread."""

    def __init__(self, label: str, lines: list[str]) -> None:
        """Prepare.

        Args:
            label: What the plugin is called in the log.
            lines: Where to note them.
        """
        super().__init__(logging.ERROR)
        self._label = label
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Note a line of the log that has an exception."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] and text.startswith(f"{self._label}: "):
            self._lines.append(f"{text}: {record.exc_info[1]!r}")


class Trial:
    """The life of a plugin in a test. Owned by the test's thread, which is its control thread.

    `handle_init`, `handle_recv` and callbacks run on the plugin's own thread, as they do under a
    daemon; `handle_stop` runs in `end`, on the test's thread, while the plugin thread is still
    there and calls nothing any more.
    """

    def __init__(self, plugin: CircusPlugin, since: int, run: str, faults: list[str]) -> None:
        """Begin it.

        Args:
            plugin: The plugin, just made.
            since: It gets the events with higher numbers.
            run: The arbiter's life that this number belongs to.
            faults: Where to note what its code raises, a line each.

        Raises:
            PluginError: It has no handle_recv.
            ValueError: It is not active.
        """
        require_handle_recv(type(plugin))
        if not plugin.active:
            raise ValueError(f"{type(plugin).__qualname__} is not active")
        self.plugin = plugin
        self._is_over = False
        self._life: Any = plugin._life
        self._faults = Faults(self._life.label, faults)
        self._life.sequence = EventSequence(since, run)
        self._life.progress[DELIVERED] = since
        logger.addHandler(self._faults)
        try:
            self._life.begin()
        except BaseException:
            logger.removeHandler(self._faults)
            raise

    def wait_until_up(self, timeout: float) -> None:
        """Wait until `handle_init` has returned, or has raised.

        Raises:
            AssertionError: It takes longer.
        """
        if not eventually(lambda: self._life.is_up or self._life.is_over, timeout):
            raise AssertionError(f"handle_init has not returned within {timeout:g} s")

    @property
    def failed(self) -> bool:
        """Whether `initialize` or `handle_init` raised."""
        return self._life.is_over and not self._life.is_up

    def wait_until_past(self, seq: int, timeout: float) -> None:
        """Wait until `handle_recv` has returned from the event of that number.

        Raises:
            AssertionError: It takes longer.
        """
        if not eventually(lambda: self._life.progress[DELIVERED] >= seq, timeout):
            at = self._life.progress[DELIVERED]
            raise AssertionError(f"handle_recv is at event {at} and not {seq} after {timeout:g} s")

    def end(self) -> None:
        """End it, in the order that the daemon does. Nothing when it was ended before.

        Raises:
            PluginError: `initialize` or `handle_init` raised.
        """
        if self._is_over:
            return
        self._is_over = True
        try:
            self.plugin.stop()
        finally:
            CircusPlugin.stop(self.plugin)
            try:
                self._life.finish()
            finally:
                logger.removeHandler(self._faults)
