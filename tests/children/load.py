"""`load.py PORT RATE`: asks an HTTP server RATE times a second, until its standard input ends.

It prints `ready` when the first one was answered; at each line that it is given, and in the end,
`asked N failed M`, and as JSON how often each failure has come.
"""

import collections
import json
import socket
import sys
import threading
import time

THREADS = 8
PORT, RATE = int(sys.argv[1]), float(sys.argv[2])
over = threading.Event()
answered = threading.Event()
asked = []
failures = []


def ask() -> None:
    """One request on a connection of its own. Anything but a whole 200 is a failure."""
    with socket.create_connection(("127.0.0.1", PORT), timeout=20) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.partition(b"\r\n")[0][9:12].decode()
    assert (status, body) == ("200", b"done\n"), f"{status} {body.decode()!r}"


def go_on(number: int) -> None:
    """One of the threads: every THREADS-th request is its own."""
    began = time.monotonic()
    while True:
        due = began + number / RATE
        number += THREADS
        if over.wait(max(0.0, due - time.monotonic())):
            return
        asked.append(1)
        try:
            ask()
            answered.set()
        except (OSError, AssertionError) as error:
            failures.append(f"{type(error).__name__}: {error}")


def tell() -> None:
    """Print what has come of the requests so far."""
    counted = json.dumps(collections.Counter(failures))
    print(f"asked {len(asked)} failed {len(failures)} {counted}", flush=True)


threads = [threading.Thread(target=go_on, args=(number,)) for number in range(THREADS)]
for thread in threads:
    thread.start()
answered.wait(60)
print("ready", flush=True)
for _ in sys.stdin:
    tell()
over.set()
for thread in threads:
    thread.join()
tell()
