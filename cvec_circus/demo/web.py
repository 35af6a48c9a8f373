"""A worker of the demonstration: an HTTP server on a listening socket that it inherits.

    python web.py FD WID

FD is the number of a listening socket, WID the worker's number. Several workers share the socket;
the kernel gives each connection to one of them. SIGTERM ends the worker when the requests it has
begun are answered.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}


class Page(BaseHTTPRequestHandler):
    """Answers one connection. Owned by the thread that the server starts for it."""

    wid = "?"
    timeout = 2.0  # seconds; a silent client must not delay the end

    def do_GET(self) -> None:
        """Answer "/pid" with the bare pid, everything else with pid and wid."""
        text = f"worker {self.wid}, pid {os.getpid()}, answers\n"
        body = (f"{os.getpid()}\n" if self.path == "/pid" else text).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class SharedSocketServer(ThreadingHTTPServer):
    """Serves an inherited socket. Owned by the thread that runs serve_forever."""

    daemon_threads = False  # server_close() waits for the requests that have begun

    def __init__(self, fd: int, wid: str) -> None:
        """Take over the listening socket `fd`; `wid` is what the pages show."""
        page = type("Page", (Page,), {"wid": wid})
        super().__init__(("", 0), page, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.fromfd(fd, socket.AF_INET, socket.SOCK_STREAM)
        os.close(fd)
        # Another worker may accept first: accept() must not block then.
        self.socket.setblocking(False)


def main(arguments: list[str]) -> int:
    """Serve until a stop signal comes."""
    fd, wid = arguments
    # Blocked before the first thread starts, so that only sigwait() receives them.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    server = SharedSocketServer(int(fd), wid)
    serving = threading.Thread(target=server.serve_forever, name="serving")
    serving.start()
    signal.sigwait(STOP_SIGNALS)
    server.shutdown()
    serving.join()
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
