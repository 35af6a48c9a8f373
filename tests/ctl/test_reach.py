"""What is said when a daemon does not answer."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
import unittest
from pathlib import Path

from cvec_circus.ctl.reach import why_unreachable
from cvec_circus.wire import zmtp

END = "is cvec_circusd running, and is --endpoint right?"


class TestWhy(unittest.TestCase):
    def why(self, endpoint: str) -> str:
        line = why_unreachable(endpoint, 0.5, {})
        begin = f"error: cannot reach {endpoint} within 0.5 s: "
        self.assertTrue(line.startswith(begin) and line.endswith(END), line)
        return line[len(begin) : -len(END)]

    def test_tcp(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
            self.assertEqual(self.why(f"tcp://127.0.0.1:{port}"), "nothing listens there; ")
            listener.listen()
            found = "the process that listens there does not answer; "
            self.assertEqual(self.why(f"tcp://127.0.0.1:{port}"), found)
        self.assertTrue(self.why("tcp://no such host:1").startswith("no such host: "))

    def test_ipc(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "control")
            self.assertEqual(self.why(f"ipc://{path}"), "there is no such socket; ")
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(path))
            self.assertEqual(self.why(f"ipc://{path}"), "nothing listens there; ")
            long = f"ipc://{folder}/{'x' * 200}"
            self.assertEqual(self.why(long), "AF_UNIX path too long; ")

    def test_where_events_are_published(self) -> None:
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/events")
            listener.listen()
            listener.settimeout(10)

            def serve() -> None:
                for _ in range(2):  # a knock, and a greeting
                    with contextlib.suppress(OSError), listener.accept()[0] as accepted:
                        accepted.sendall(zmtp.opening(b"PUB"))
                        accepted.recv(65536)

            thread = threading.Thread(target=serve)
            thread.start()
            found = "what listens there publishes, and takes no commands; "
            self.assertEqual(self.why(f"ipc://{folder}/events"), found)
            thread.join()

    def test_others(self) -> None:
        self.assertEqual(self.why("ipc://@abstract"), "")
        self.assertEqual(self.why("inproc://x"), "")

    def test_where_the_endpoint_comes_from(self) -> None:
        environ = {"CIRCUSCTL_ENDPOINT": "inproc://x"}
        begin = "error: cannot reach inproc://x (from CIRCUSCTL_ENDPOINT) within 5 s: "
        self.assertEqual(why_unreachable(None, 5.0, environ), begin + END)
        self.assertIn("tcp://127.0.0.1:5555 (the default) ", why_unreachable(None, 5.0, {}))


if __name__ == "__main__":
    unittest.main()
