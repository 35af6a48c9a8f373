"""A daemon with nothing to supervise: it answers, publishes, replays, and does as it is told."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections import deque
from typing import Any, Callable, Optional

import zmq

from cvec_circus.base.clock import SYSTEM
from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.exc import MessageError
from cvec_circus.wire import messages, topics

Answer = Callable[[dict], Optional[dict]]


class FakeDaemon:
    """A ROUTER and a PUB in a thread of their own. Safe from any thread.

    The endpoints are ipc sockets in a directory of its own, so a daemon that is started anew is
    found at the same place.

    Attributes:
        endpoint: Where it answers.
        pubsub_endpoint: Where it publishes.
        run: The id of its life.
        requests: Every message that came in, in order.
        answers: What to answer to a command: a function of the properties that returns the fields
            of the reply, or None for no reply at all. Called on the daemon's thread.
        muted: Commands that are left without a reply.
    """

    def __init__(self, directory: str | None = None, history: int = 10_000) -> None:
        self._own_directory = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="fake-daemon-")
        self.endpoint = f"ipc://{self.directory}/endpoint"
        self.pubsub_endpoint = f"ipc://{self.directory}/pubsub"
        self.run = os.urandom(8).hex()
        self.requests: list[dict] = []
        self.answers: dict[str, Answer] = {"list": lambda properties: {"watchers": ["web"]}}
        self.muted: set[str] = set()
        self._seq = 0
        self._ring: deque[tuple[int, str, str]] = deque(maxlen=history)
        self._started_at = SYSTEM.monotonic()
        self._loop = ZmqLoop(name="fake daemon")
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._live, name="fake daemon", daemon=True)
        self._thread.start()
        if not self._ready.wait(10):
            raise AssertionError("the fake daemon did not start")

    # -- what a test does -------------------------------------------------------------------------

    @property
    def seq(self) -> int:
        """The number of the last event."""
        return self._seq

    def publish(self, name: str, action: str, sent: bool = True, **payload: Any) -> int:
        """Publish an event.

        Args:
            name: The watcher.
            action: What happened to it.
            sent: False keeps it for replay but does not send it, as at the high-water mark.
            **payload: What the event tells.

        Returns:
            Its number.
        """
        return self._loop.ask(self._publish, name, action, sent, payload)

    def flood(self, count: int, name: str = "web", action: str = "spawn") -> int:
        """Publish many events in one go, and return the number of the last one."""

        def flood() -> int:
            for pid in range(count):
                self._publish(name, action, True, {"process_pid": pid})
            return self._seq

        return self._loop.ask(flood)

    def commands(self, name: str) -> list[dict]:
        """The messages of one command that have come in so far."""
        return [message for message in list(self.requests) if message.get("command") == name]

    def do(self, fn: Callable[..., Any], *args: Any) -> Any:
        """Have something done on the daemon's thread."""
        return self._loop.ask(fn, *args)

    def stop(self) -> None:
        """End it. Its sockets are gone afterwards; what was not received yet is lost."""
        self._loop.stop()
        self._thread.join(10)
        if self._thread.is_alive():
            raise AssertionError("the fake daemon did not stop")
        if self._own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    # -- its thread -------------------------------------------------------------------------------

    def _live(self) -> None:
        context: zmq.Context = zmq.Context()
        self._router = context.socket(zmq.ROUTER)
        self._publisher = context.socket(zmq.PUB)
        for socket, endpoint in (
            (self._router, self.endpoint),
            (self._publisher, self.pubsub_endpoint),
        ):
            socket.linger = 0
            socket.bind(endpoint)
        self._loop.add_reader(self._router, self._read)
        self._ready.set()
        try:
            self._loop.run()
        finally:
            self._loop.close()
            context.destroy(linger=0)

    def _read(self) -> None:
        peer, *_, frame = self._router.recv_multipart()
        try:
            message = messages.decode(frame)
        except MessageError as error:
            self._send(peer, None, messages.error(str(error), error.errno, SYSTEM.time()))
            return
        self.requests.append(message)
        command = str(message.get("command"))
        properties = message.get("properties", {})
        if command in self.muted or message.get("msg_type") == "cast":
            return
        reply = self._answer(command, properties)
        if reply is not None:
            self._send(peer, message.get("id"), reply)
        marker = properties.get("marker")
        if command == "events" and marker:
            self._publisher.send_multipart([topics.sync(marker).encode(), b"{}"])

    def _answer(self, command: str, properties: dict) -> dict | None:
        now = SYSTEM.time()
        if command in self.answers:
            fields = self.answers[command](properties)
            return None if fields is None else messages.ok(fields, now)
        if command == "events":
            return messages.ok(self.since(**properties), now)
        if command == "ping":
            uptime = SYSTEM.monotonic() - self._started_at
            return messages.ok({"pid": os.getpid(), "run": self.run, "uptime": uptime}, now)
        return messages.error(f"unknown command: {command!r}", messages.UNKNOWN_COMMAND, now)

    def since(self, since: int = 0, limit: int = 500, marker: str | None = None) -> dict:
        """Answer `events`, as the daemon does. The daemon's thread."""
        if not 1 <= limit <= 500:
            raise AssertionError(f"limit {limit} is out of range")
        wanted = [entry for entry in self._ring if entry[0] > since]
        oldest = self._ring[0][0] if self._ring else self._seq + 1
        return {
            "events": [[topic, payload] for _, topic, payload in wanted[:limit]],
            "more": len(wanted) > limit,
            "lost": max(0, oldest - since - 1),
            "seq": self._seq,
            "run": self.run,
        }

    def _send(self, peer: bytes, call_id: object, reply: dict) -> None:
        self._router.send_multipart([peer, messages.encode({**reply, "id": call_id})])

    def _publish(self, name: str, action: str, sent: bool, payload: dict) -> int:
        self._seq += 1
        mine = {"seq": self._seq, "run": self.run, "watcher": name, "cause": "test"}
        text = messages.encode({**mine, "time": SYSTEM.time(), **payload}).decode()
        topic = topics.topic(name, action)
        self._ring.append((self._seq, topic, text))
        if sent:
            self._publisher.send_multipart([topic.encode(), text.encode()])
        return self._seq
