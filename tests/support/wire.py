"""Talking to a daemon that runs, and hearing what it publishes."""

from __future__ import annotations

import json
import os
import unittest
from typing import Any, Callable

import zmq

from cvec_circus.base.clock import SYSTEM
from cvec_circus.client import Client
from cvec_circus.wire import topics

TIMEOUT = 20.0

Event = dict[str, Any]


class Events:
    """Everything that a daemon has published and publishes. Owned by the test.

    It subscribes, and asks for the history until a marker that it has the daemon publish comes in:
    from there the stream is gapless, and what came before is in the answer.

    Attributes:
        seen: Every event so far, in order; each with its `topic` and the `action` at its end.
    """

    def __init__(self, client: Client, endpoint: str, context: zmq.Context[Any]) -> None:
        self._client = client
        self._socket = context.socket(zmq.SUB)
        self._socket.linger = 0
        self._socket.rcvhwm = 0
        self._socket.subscribe(b"")
        self._socket.connect(endpoint)
        self._marks: list[str] = []
        self._next = 0
        self._before = 0  # the number before the first one: not 0 for a daemon that has adopted
        self.seen: list[Event] = []
        try:
            self._join()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()

    def _join(self) -> None:
        deadline = SYSTEM.monotonic() + TIMEOUT
        while not self._marks:
            if SYSTEM.monotonic() > deadline:
                raise AssertionError("the marker has not come in")
            self._replay(os.urandom(8).hex())
            if self._socket.poll(20):
                self._take()

    def _replay(self, marker: str) -> None:
        while True:
            since = self.seen[-1]["seq"] if self.seen else 0
            reply = self._client.call("events", since=since, marker=marker)
            if reply["events"] and not self.seen:
                self._before = json.loads(reply["events"][0][1])["seq"] - 1
            for topic, text in reply["events"]:
                self._keep(topic, text)
            if not reply["more"]:
                return

    def _take(self) -> None:
        while True:
            try:
                topic, text = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            self._keep(topic.decode(), text.decode())

    def _keep(self, topic: str, text: str) -> None:
        kind, name, action = topics.split(topic)
        if kind == topics.SYNC:
            self._marks.append(name)
            return
        event = {**json.loads(text), "topic": topic, "action": action}
        if self.seen and event["seq"] <= self.seen[-1]["seq"]:
            return
        if event["seq"] == self._before + len(self.seen) + 1:
            self.seen.append(event)
        elif self._marks:
            raise AssertionError(f"events are missing before {event}")
        # Else the subscription began between two answers, and the next one has what is missing.

    def sync(self) -> list[Event]:
        """Take in what has been published up to now, and return all of it."""
        marker = os.urandom(8).hex()
        self._client.call("events", limit=0, marker=marker)
        self._until(lambda: marker in self._marks, f"the marker {marker}", TIMEOUT)
        return self.seen

    def _until(self, reached: Callable[[], bool], what: str, timeout: float) -> None:
        deadline = SYSTEM.monotonic() + timeout
        while not reached():
            left = deadline - SYSTEM.monotonic()
            if left <= 0 or not self._socket.poll(max(1, int(left * 1000))):
                shown = "\n".join(map(str, self.seen[-12:]))
                raise AssertionError(f"{what} has not come within {timeout:g} s; so far:\n{shown}")
            self._take()

    def next(self, topic: str, timeout: float = TIMEOUT, **payload: Any) -> Event:
        """Wait for the next event of that topic, or of that action, that says what is given.

        Each event is looked at once: what is skipped is not found by a later call.
        """
        found: list[Event] = []

        def look() -> bool:
            while self._next < len(self.seen):
                event = self.seen[self._next]
                self._next += 1
                if topic in (event["topic"], event["action"]) and says(event, payload):
                    found.append(event)
                    return True
            return False

        self._take()
        self._until(look, f"{topic} {payload or ''}", timeout)
        return found[0]

    def wait(self, topic: str, count: int, timeout: float = TIMEOUT, **payload: Any) -> list[Event]:
        """Wait until there have been that many of them since the beginning, and return them."""
        self._take()
        self._until(
            lambda: len(self._of(topic, payload)) >= count,
            f"{topic} {payload or ''} for the {count}th time",
            timeout,
        )
        return self._of(topic, payload)

    def of(self, topic: str, **payload: Any) -> list[Event]:
        """Return all up to now that are of that topic or action, and say what is given."""
        self.sync()
        return self._of(topic, payload)

    def _of(self, topic: str, payload: Event) -> list[Event]:
        return [
            event
            for event in self.seen
            if topic in (event["topic"], event["action"]) and says(event, payload)
        ]


def says(event: Event, payload: Event) -> bool:
    """Whether an event has all of a payload."""
    return all(event.get(key) == value for key, value in payload.items())


class Wire:
    """A client of a daemon, and its events. Owned by the test; `call` is safe from any thread."""

    def __init__(self, test: unittest.TestCase, endpoint: str, pubsub_endpoint: str) -> None:
        self._context: zmq.Context[Any] = zmq.Context()
        test.addCleanup(self._context.term)
        self.endpoint = endpoint
        self.client = Client(endpoint, self._context, timeout=TIMEOUT)
        test.addCleanup(self.client.close)
        self.events = Events(self.client, pubsub_endpoint, self._context)
        test.addCleanup(self.events.close)

    def close(self) -> None:
        """Hang up before the test ends."""
        self.events.close()
        self.client.close()
        self._context.term()

    def call(self, command: str, **properties: Any) -> dict[str, Any]:
        """Ask for a command that has to succeed."""
        reply = self.client.call(command, **properties)
        if reply["status"] == "error":
            raise AssertionError(f"{command} {properties}: {reply['reason']}")
        return reply

    def refused(self, command: str, **properties: Any) -> str:
        """Ask for a command that has to fail, and return the reason."""
        reply = self.client.call(command, **properties)
        if reply["status"] != "error":
            raise AssertionError(f"{command} {properties} was not refused: {reply}")
        reason: str = reply["reason"]
        return reason

    def order(self, command: str, **properties: Any) -> dict[str, Any]:
        """Ask for a command and for the answer when it is done."""
        return self.call(command, waiting=True, timeout=TIMEOUT, **properties)

    def pids(self, name: str) -> list[int]:
        """The pids of a watcher's processes, in order of wid."""
        pids: list[int] = self.call("list", name=name)["pids"]
        return pids

    def status(self, name: str) -> tuple[str, str]:
        """The state of a watcher, and the reason of it."""
        reply = self.client.call("status", name=name)
        return reply["status"], reply.get("reason", "")
