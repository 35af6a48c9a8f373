"""Browsers at a TCP endpoint: what any web page may have a browser send does nothing here.

The daemon has no web page of its own, and speaks no HTTP. But a browser connects to any port of the
machine that a page names, and sends what the page has chosen: behind a request line of its own.
"""

from __future__ import annotations

import contextlib
import json
import unittest
from pathlib import Path

from cvec_circus.wire import zmtp
from tests.control.raw import connected
from tests.support.daemon import Daemon, DaemonCase
from tests.support.eventually import eventually
from tests.support.nightly import repetitions
from tests.support.ports import free_port

WATCHER = "[watcher:web]\ncmd = sleep 1000\ngraceful_timeout = 0.5\n"

STOP = zmtp.opening(b"DEALER") + zmtp.message(
    json.dumps({"id": "1", "command": "stop", "properties": {"name": "web"}}).encode()
)
"""What stops the watcher when nothing is before it."""

SIZE = str(len(STOP)).encode()


def request(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    """Write a request of HTTP."""
    return b"\r\n".join([line, *headers, b"", body])


ATTACKS = {
    "a form of another site": request(
        b"POST / HTTP/1.1",
        b"Host: 127.0.0.1",
        b"Origin: https://evil.example",
        b"Content-Type: text/plain",
        b"Content-Length: " + SIZE,
        body=STOP,
    ),
    "DNS rebinding": request(b"GET /stop HTTP/1.1", b"Host: evil.example", body=STOP),
    "no host": request(b"GET / HTTP/1.0", body=STOP),
    "path traversal": request(
        b"GET /..%2f../../../../etc/passwd HTTP/1.1", b"Host: 127.0.0.1", body=STOP
    ),
    "header injection": request(b"GET / HTTP/1.1", b"X: \r\n\r\n" + STOP, b"Host: 127.0.0.1"),
    "a web socket": request(
        b"GET / HTTP/1.1",
        b"Host: 127.0.0.1",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Version: 13",
        body=b"\x82\xfe" + len(STOP).to_bytes(2, "big") + bytes(4) + STOP,
    ),
    "a preflight": request(b"OPTIONS / HTTP/1.1", b"Access-Control-Request-Method: PUT", body=STOP),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32) + STOP,
    "a request line that has no end": b"GET /" + b"a" * 100_000 + STOP,
}


class TestBrowsers(DaemonCase):
    def begin(self) -> tuple[Daemon, list[str]]:
        """Start a daemon that can be reached by TCP; return where."""
        endpoints = [f"tcp://127.0.0.1:{free_port()}" for _ in range(2)]

        def prepare(folder: Path) -> None:
            path = folder / "circus.ini"
            text = path.read_text()
            for old, new in zip(("control", "events"), endpoints):
                text = text.replace(f"ipc://{folder}/{old}", new)
            path.write_text(text)

        daemon = self.daemon(WATCHER, prepare=prepare, up=False)
        daemon.endpoint, daemon.pubsub_endpoint = endpoints
        daemon.log.containing(" is up: ")
        daemon.connect()
        self.assertTrue(eventually(lambda: daemon.wire.status("web")[0] == "active"))
        return daemon, endpoints

    def test_e10_nothing_of_it_is_done(self) -> None:
        daemon, endpoints = self.begin()
        pids = daemon.wire.pids("web")
        for endpoint, kind in zip(endpoints, (b"ROUTER", b"PUB")):
            for name, attack in ATTACKS.items():
                with self.subTest(name, endpoint=endpoint):
                    self.assertIn(self.told(endpoint, attack), zmtp.opening(kind))
                    self.assertEqual(daemon.call("ping")["status"], "ok")
        repetitions(self, len(ATTACKS) * len(endpoints))
        self.assertEqual(daemon.wire.pids("web"), pids)
        self.assertEqual(daemon.wire.events.of("watcher.web.stop"), [])

    def test_e10_without_a_request_line_it_would_be(self) -> None:
        daemon, (control, _) = self.begin()
        with connected(control) as sock:
            sock.sendall(STOP)
            self.assertTrue(eventually(lambda: daemon.wire.status("web")[0] == "stopped"))

    def told(self, endpoint: str, attack: bytes) -> bytes:
        """Send that, and return what comes before the daemon ends the connection."""
        found = b""
        with connected(endpoint) as sock, contextlib.suppress(ConnectionError):
            sock.sendall(attack)
            while block := sock.recv(65536):
                found += block
        return found


if __name__ == "__main__":
    unittest.main()
