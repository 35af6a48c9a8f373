"""`load.py PORT RATE`: asks an HTTP server RATE times a second, until its standard input ends.

It prints `ready` when the first one was answered; in the end `asked N failed M`, and what became of
the first one that failed.
"""

import select
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
    assert answer.startswith(b"HTTP/1.1 200"), answer[:40]
    assert answer.endswith(b"done\n"), answer[-40:]


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
            failures.append(repr(error))


threads = [threading.Thread(target=go_on, args=(number,)) for number in range(THREADS)]
for thread in threads:
    thread.start()
answered.wait(60)
print("ready", flush=True)
select.select([sys.stdin], [], [])
over.set()
for thread in threads:
    thread.join()
print(f"asked {len(asked)} failed {len(failures)} {failures[:1]}", flush=True)
