"""A client with a watch: prints how long each request took, as JSON.

Usage: client.py PROTOCOL ENDPOINT COMMAND COUNT [PROPERTIES]

PROTOCOL is circus, echo or supervisor. It says `ready`, begins at a line on stdin, and ends after
COUNT requests or when stdin ends. Output: [[instant, seconds], ...].
"""

from __future__ import annotations

import http.client
import json
import select
import socket
import sys
from typing import Any, Callable
from xmlrpc.client import dumps, loads

import zmq

from cvec_circus.base.clock import SYSTEM
from cvec_circus.wire import messages

TIMEOUT = 60_000


def over_zmq(endpoint: str, command: str, properties: dict[str, Any]) -> Callable[[], object]:
    """Make what asks a daemon once, as cvec_circus.client does it."""
    socket_ = zmq.Context().socket(zmq.DEALER)
    socket_.linger = 0
    socket_.connect(endpoint)

    def ask() -> object:
        socket_.send(messages.encode(messages.call(command, properties)))
        if not socket_.poll(TIMEOUT):
            raise TimeoutError
        return messages.decode(socket_.recv_multipart()[-1])

    return ask


def echoed(endpoint: str) -> Callable[[], object]:
    """Make what has bytes sent back once."""
    socket_ = zmq.Context().socket(zmq.DEALER)
    socket_.linger = 0
    socket_.connect(endpoint)

    def ask() -> object:
        socket_.send(b"x" * 80)
        if not socket_.poll(TIMEOUT):
            raise TimeoutError
        return socket_.recv()

    return ask


class UnixConnection(http.client.HTTPConnection):
    """HTTP to a unix socket. Owned by the client."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


def over_http(path: str, command: str, parameters: list[Any]) -> Callable[[], object]:
    """Make what asks supervisord once, over one connection that is kept."""
    connection = UnixConnection(path)
    body = dumps(tuple(parameters), command)

    def ask() -> object:
        connection.request("POST", "/RPC2", body, {"Content-Type": "text/xml"})
        return loads(connection.getresponse().read())

    return ask


def main() -> None:
    """Ask, and print how long it took."""
    protocol, endpoint, command, count, *rest = sys.argv[1:]
    given = json.loads(rest[0]) if rest else {}
    if protocol == "circus":
        ask = over_zmq(endpoint, command, given)
    elif protocol == "echo":
        ask = echoed(endpoint)
    else:
        ask = over_http(endpoint, command, given or [])
    ask()
    print("ready", flush=True)
    sys.stdin.readline()
    poll = select.poll()
    poll.register(0, select.POLLIN | select.POLLHUP)
    took = []
    for _ in range(int(count)):
        began = SYSTEM.monotonic()
        ask()
        took.append((began, SYSTEM.monotonic() - began))
        if poll.poll(0):
            break
    print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main()
