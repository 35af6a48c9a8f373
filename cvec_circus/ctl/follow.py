"""`listen` and `events --follow`: an event a line, until Ctrl-C or until the reader leaves.

No event is missed: both use the subscription that plugins use. Events that the daemon no longer
keeps are reported on the standard error.
"""

from __future__ import annotations

import json
import logging
import signal
import threading
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from cvec_circus import exc, logger
from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.client import CALL_TIMEOUT, Client
from cvec_circus.client.endpoints import reachable
from cvec_circus.client.feed.sequence import EventSequence
from cvec_circus.client.feed.subscription import Subscription
from cvec_circus.commands.events import event_line
from cvec_circus.ctl.arguments import PROG
from cvec_circus.ctl.output import complain, conceals, pipe, plain, say
from cvec_circus.options.secrets import conceal_text
from cvec_circus.wire import messages, progress, topics

Fields = dict[str, Any]


def follow(endpoint: str, options: Namespace, properties: Fields) -> Fields:
    """Print events until Ctrl-C, or until the reader of the output leaves.

    The properties are `since` for events after that number, `topics` for some of those from now on.

    Returns:
        The daemon's last reply; one that is an error is yet to be shown.

    Raises:
        CallError: The daemon does not answer.
        KeyboardInterrupt: Ctrl-C was typed.
    """
    from_history = "follow" in options.local
    questions = [messages.call("globaloptions", {})]
    if from_history:  # a daemon that keeps no history refuses this itself
        questions.insert(0, messages.call("events", {"limit": 0}))
    with Client(endpoint, name=PROG) as client:
        for question in questions:
            reply = client.exchange(question, options.timeout or CALL_TIMEOUT)
            if reply.get("status") != "ok":
                return reply
        pubsub = reply["options"]["pubsub_endpoint"]
        tunnel = options.tunnel
        pubsub = tunnel.local(pubsub) if tunnel else reachable(pubsub, endpoint)
        since = properties.get("since", 0) if from_history else None
        as_json = options.json or options.prettify
        printer = Printer(properties.get("topics", ()), as_json, conceals(options))
        printer.run(client, pubsub, EventSequence(since))
        return reply


class Printer:
    """Prints events. Owned by the thread that calls `run`."""

    def __init__(self, wanted: Sequence[str], as_json: bool, hides: bool = False) -> None:
        """Prepare; `wanted` are beginnings of topics, with or without "watcher." in front."""
        self._hides = hides
        self._beginnings = tuple(map(_beginning, wanted)) or ("",)
        self._as_json = as_json
        self._loop = ZmqLoop(name="ctl")

    def run(self, client: Client, pubsub_endpoint: str, sequence: EventSequence) -> None:
        """Print until the reader of the output leaves."""
        subscription = Subscription(
            self._loop,
            client.context,
            client.endpoint,
            pubsub_endpoint,
            sequence,
            progress.of_its_own(),
            self._print,
        )
        complaints = _Complaints()
        level, former = logger.level, _wake_by_signals(self._loop)
        logger.addHandler(complaints)
        logger.setLevel(logging.INFO)
        try:
            subscription.open()
            fd = pipe()
            if fd is not None:  # ready only once the reader has left, even between two events
                self._loop.add_reader(fd, self._loop.stop)
            self._loop.run()
        except exc.SocketError as problem:
            raise exc.CallError(str(problem)) from None
        finally:
            logger.setLevel(level)
            logger.removeHandler(complaints)
            if former is not None:
                signal.set_wakeup_fd(former)
            subscription.close()
            self._loop.close()

    def _print(self, frames: tuple[bytes, bytes]) -> bool:
        """Print an event, if it is wanted, and return whether to go on."""
        topic, payload = (frame.decode("utf-8", "replace") for frame in frames)
        if not topic.startswith(self._beginnings):
            return True
        if self._as_json:
            try:
                content = json.loads(payload)
            except (ValueError, RecursionError):
                content = payload
            line = json.dumps({"topic": topic, "payload": content})
        else:
            line = plain(event_line(topic, payload))
            line = conceal_text(line) if self._hides else line
        if say(line):
            return True
        self._loop.stop()
        return False


class _Complaints(logging.Handler):
    """Prints what the subscription logs on the standard error. Safe from any thread."""

    def emit(self, record: logging.LogRecord) -> None:
        complain(record.getMessage())


def _beginning(topic: str) -> str:
    folded = topics.fold(topic)
    root = f"{topics.WATCHER}."
    return folded if folded.startswith(root) or root.startswith(folded) else root + folded


def _wake_by_signals(loop: ZmqLoop) -> int | None:
    """Let Ctrl-C wake the loop even if it comes just before the loop sleeps.

    Returns:
        The former file descriptor, for `signal.set_wakeup_fd`; None on other threads than the main.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    return signal.set_wakeup_fd(loop.wakeup.write_fd, warn_on_full_buffer=False)
