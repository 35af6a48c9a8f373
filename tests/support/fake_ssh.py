#!/usr/bin/env python3
"""Does what ssh does with -M, -S, -L, -O and -f, to this very machine. No part of it is secret.

Each call is appended to the file that FAKE_SSH_LOG names.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys


def connect(remote: str) -> socket.socket:
    if remote.startswith("/"):
        connected = socket.socket(socket.AF_UNIX)
        connected.connect(remote)
        return connected
    host, _, port = remote.rpartition(":")
    return socket.create_connection((host, int(port)))


def listen(forward: str) -> tuple[socket.socket, str]:
    path, _, remote = forward.partition(":")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    return listener, remote


def serve(control: socket.socket, forward: str) -> None:
    listeners = dict([listen(forward)])
    pairs: dict[socket.socket, socket.socket] = {}
    while True:
        readable, _, _ = select.select([control, *listeners, *pairs], [], [])
        for source in readable:
            if source is control:
                order, _ = control.accept()
                words = json.loads(order.recv(4096))
                if words[0] == "exit":
                    order.sendall(b"y")
                    return
                listeners.update([listen(words[1])])
                order.sendall(b"y")
                order.close()
            elif source in listeners:
                accepted, _ = source.accept()
                try:
                    other = connect(listeners[source])
                except OSError:
                    accepted.close()
                    continue
                pairs[accepted], pairs[other] = other, accepted
            elif source in pairs:
                other = pairs[source]
                try:
                    block = source.recv(65536)
                    other.sendall(block)
                except OSError:  # one of the two has reset its connection
                    block = b""
                if not block:
                    del pairs[source], pairs[other]
                    source.close()
                    other.close()


def main() -> int:
    words = sys.argv[1:]
    with open(os.environ["FAKE_SSH_LOG"], "a", encoding="utf-8") as log:
        log.write(json.dumps(words) + "\n")
    path = words[words.index("-S") + 1]
    forward = words[words.index("-L") + 1] if "-L" in words else ""
    if words[-1] == "nowhere":
        print("ssh: Could not resolve hostname nowhere", file=sys.stderr)
        return 255
    if "-O" in words:
        with socket.socket(socket.AF_UNIX) as order:
            order.connect(path)
            order.sendall(json.dumps([words[words.index("-O") + 1], forward]).encode())
            return 0 if order.recv(1) == b"y" else 255
    control = socket.socket(socket.AF_UNIX)
    control.bind(path)
    control.listen()
    ready, told = os.pipe()
    if os.fork():
        os.close(told)
        return 0 if os.read(ready, 1) else 255
    os.setsid()
    os.write(told, b"y")
    os.close(told)
    serve(control, forward)
    return 0


if __name__ == "__main__":
    sys.exit(main())
