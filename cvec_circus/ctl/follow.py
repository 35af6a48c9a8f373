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
from cvec_circus.commands.base import CONCEAL
from cvec_circus.commands.events import event_line
from cvec_circus.ctl.arguments import PROG
from cvec_circus.ctl.output import complain, conceals, pipe, plain, say
from cvec_circus.options.secrets import conceal_text
from cvec_circus.wire import messages, progress, topics

Fields = dict[str, Any]


def follow(endpoint: str, options: Namespace, properties: Fields) -> Fields:
    """Print events until Ctrl-C, or until the reader of the output leaves.

    The properties are `since` for events after that number, `limit` for so many past ones, and
    `topics` for some of those from now on.

    Returns:
        The daemon's last reply; one that is an error is yet to be shown.

    Raises:
        CallError: The daemon does not answer.
        KeyboardInterrupt: Ctrl-C was typed.
    """
    from_history = "follow" in options.local
    since = properties.get("since", 0) if from_history else None
    questions = [messages.call("globaloptions", {})]
    if from_history:  # a daemon that keeps no history refuses this itself
        questions.insert(0, messages.call("events", {"limit": 0}))
    with Client(endpoint, name=PROG) as client:
        for question in questions:
            reply = client.exchange(question, options.timeout or CALL_TIMEOUT)
            if reply.get("status") != "ok":
                return reply
            if "seq" in reply and "limit" in properties:
                since = max(since or 0, reply["seq"] - properties["limit"])
        pubsub = reply["options"]["pubsub_endpoint"]
        tunnel = options.tunnel
        pubsub = tunnel.local(pubsub) if tunnel else reachable(pubsub, endpoint)
        as_json = options.json or options.prettify
        concealed = Concealed(client, options.timeout) if conceals(options) else None
        printer = Printer(properties.get("topics", ()), as_json, concealed)
        printer.run(client, pubsub, EventSequence(since))
        return reply


class Concealed:
    """Events as a terminal shows them. Owned by the thread that prints.

    Only the daemon knows the values that are secrets, and it publishes events with them. So it is
    asked for each again, along with those that follow. If it does not answer, as at its end, values
    are hidden by their names alone.

    Args:
        client: A connection to the daemon.
        timeout: Seconds to wait for an answer; None for the usual ones.
    """

    def __init__(self, client: Client, timeout: float | None) -> None:
        self._client = client
        self._timeout = timeout or CALL_TIMEOUT
        self._payloads: dict[int, str] = {}

    def payload(self, payload: str) -> str:
        """Return the payload of an event without the secrets that the daemon knows."""
        try:
            seq = int(json.loads(payload)["seq"])
        except (ValueError, TypeError, KeyError, RecursionError):
            return payload  # of an older daemon, which knows of no secrets
        if seq not in self._payloads:
            self._payloads = self._ask(seq)
        return self._payloads.pop(seq, payload)

    def _ask(self, seq: int) -> dict[int, str]:
        question = messages.call("events", {"since": seq - 1, CONCEAL.name: True})
        try:
            reply = self._client.exchange(question, self._timeout)
        except exc.CallError:
            return {}
        payloads = [payload for _, payload in reply.get("events", ())]
        return {int(json.loads(payload)["seq"]): payload for payload in payloads}


class Printer:
    """Prints events. Owned by the thread that calls `run`."""

    def __init__(
        self, wanted: Sequence[str], as_json: bool, concealed: Concealed | None = None
    ) -> None:
        """Prepare.

        Args:
            wanted: Beginnings of topics, with or without "watcher." in front.
            as_json: Whether to print events as JSON.
            concealed: What hides secrets, at a terminal.
        """
        self._concealed = concealed
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
        complaints = Complaints()
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
        if self._concealed is not None:
            payload = self._concealed.payload(payload)
        if self._as_json:
            try:
                content = json.loads(payload)
            except (ValueError, RecursionError):
                content = payload
            line = json.dumps({"topic": topic, "payload": content})
        else:
            line = plain(event_line(topic, payload))
            line = line if self._concealed is None else conceal_text(line)
        if say(line):
            return True
        self._loop.stop()
        return False


class Complaints(logging.Handler):
    """Prints what the subscription logs on the standard error. Safe from any thread."""

    def emit(self, record: logging.LogRecord) -> None:
        text, error = record.getMessage(), record.exc_info and record.exc_info[1]
        complain(f"{text}: {error!r}" if error else text)


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
