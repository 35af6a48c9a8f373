"""`listen` and `events --follow`: what happens, a line each, until Ctrl-C or a reader that leaves.

Nothing is missed: a subscription of the kind that plugins have stands behind both. What it cannot
bring, because the daemon holds it no more, is said on the standard error.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import stat
import sys
import threading
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from cvec_circus import exc, logger
from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.client import CALL_TIMEOUT, Client
from cvec_circus.client.connect import reachable
from cvec_circus.client.feed.sequence import EventSequence
from cvec_circus.client.feed.subscription import Subscription
from cvec_circus.commands.events import event_line
from cvec_circus.ctl.arguments import PROG
from cvec_circus.ctl.layout import plain
from cvec_circus.ctl.output import complain, say
from cvec_circus.wire import messages, progress, topics


def follow(endpoint: str, options: Namespace, properties: dict[str, Any]) -> int:
    """Print events until somebody has seen enough.

    Args:
        endpoint: Where the daemon answers.
        options: The options of the command line.
        properties: `since` for events from then on, `topics` for some of those from now on.

    Returns:
        The exit code.

    Raises:
        CallError: The daemon does not answer.
        KeyboardInterrupt: Ctrl-C was typed.
    """
    as_json = options.json or options.prettify
    from_history = "follow" in options.local
    questions = [messages.call("globaloptions", {})]
    if from_history:  # a daemon that keeps none is to say so itself
        questions.append(messages.call("events", {"limit": 0}))
    with Client(endpoint, name=PROG) as client:
        for question in reversed(questions):
            reply = client.exchange(question, options.timeout or CALL_TIMEOUT)
            if reply.get("status") != "ok":
                _refused(reply, as_json)
                return exc.EXIT_REFUSED
        pubsub = reply["options"]["pubsub_endpoint"]
        tunnel = options.tunnel
        pubsub = tunnel.local(pubsub) if tunnel else reachable(pubsub, endpoint)
        since = properties.get("since", 0) if from_history else None
        printer = Printer(properties.get("topics", ()), as_json)
        return printer.run(client, pubsub, EventSequence(since))


def _refused(reply: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say(json.dumps(reply))
    else:
        complain(f"error: {reply.get('reason')}")


class Printer:
    """Prints events. Owned by the thread that calls `run`."""

    def __init__(self, wanted: Sequence[str], as_json: bool) -> None:
        """Prepare to print.

        Args:
            wanted: Beginnings of topics, with or without the word "watcher." that all begin with.
            as_json: Whether to print JSON, an object a line.
        """
        self._beginnings = tuple(map(_beginning, wanted)) or ("",)
        self._as_json = as_json
        self._loop = ZmqLoop(name="ctl")

    def run(self, client: Client, pubsub_endpoint: str, sequence: EventSequence) -> int:
        """Print until the reader of the output is gone.

        Returns:
            The exit code.

        Raises:
            KeyboardInterrupt: Ctrl-C was typed.
        """
        subscription = Subscription(
            self._loop,
            client.context,
            client.endpoint,
            pubsub_endpoint,
            sequence,
            progress.of_its_own(),
            self._print,
        )
        told = _Told()
        level, former = logger.level, _wake_by_signals(self._loop)
        logger.addHandler(told)
        logger.setLevel(logging.INFO)
        try:
            subscription.open()
            self._watch_reader()
            self._loop.run()
        except exc.SocketError as problem:
            raise exc.CallError(str(problem)) from None
        finally:
            logger.setLevel(level)
            logger.removeHandler(told)
            if former is not None:
                signal.set_wakeup_fd(former)
            subscription.close()
            self._loop.close()
        return exc.EXIT_OK

    def _print(self, frames: tuple[bytes, bytes]) -> bool:
        """Print an event, if it is wanted; tell whether to go on."""
        topic, payload = (frame.decode("utf-8", "replace") for frame in frames)
        if not topic.startswith(self._beginnings):
            return True
        if self._as_json:
            line = json.dumps({"topic": topic, "payload": _read(payload)})
        else:
            line = plain(event_line(topic, payload))
        if say(line):
            return True
        self._loop.stop()
        return False

    def _watch_reader(self) -> None:
        """Notice a reader that leaves, as `head` does, before there is another event to print."""
        try:
            fd = sys.stdout.fileno()
        except (OSError, ValueError):
            return
        if stat.S_ISFIFO(os.fstat(fd).st_mode):
            self._loop.add_reader(fd, self._loop.stop)  # its other end is shut: it never gives data


class _Told(logging.Handler):
    """Safe from any thread. Puts what the subscription has to say on the standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the line."""
        complain(record.getMessage())


def _beginning(topic: str) -> str:
    folded = topics.fold(topic)
    root = f"{topics.WATCHER}."
    return folded if folded.startswith(root) or root.startswith(folded) else root + folded


def _read(payload: str) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return payload


def _wake_by_signals(loop: ZmqLoop) -> int | None:
    """Have Ctrl-C end the loop's sleep even if it comes just before that begins.

    Returns:
        What to give back to `signal.set_wakeup_fd`; None when it is not to be called.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    return signal.set_wakeup_fd(loop.wakeup.write_fd, warn_on_full_buffer=False)
