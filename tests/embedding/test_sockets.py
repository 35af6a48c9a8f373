"""Listening sockets that a program makes itself, and hands to its arbiter."""

from __future__ import annotations

import socket
import unittest

from cvec_circus import exc
from cvec_circus.sockets import CircusSocket
from tests.embedding.arbiter_case import ArbiterCase
from tests.support.wire import TIMEOUT

SERVE = (
    "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); s.setblocking(True);"
    "c, _ = s.accept(); c.sendall(b'hello'); c.close()"
)


class TestSockets(ArbiterCase):
    def test_its_object_is_the_one_that_listens(self) -> None:
        web = CircusSocket(name="web", host="127.0.0.1", port=0)
        server = {
            "name": "server",
            "cmd": "/usr/bin/env",
            "args": ["python3", "-c", SERVE, "$(circus.sockets.web)"],
            "use_sockets": True,
            "copy_env": True,
        }
        arbiter = self.started(server, sockets=[web, {"name": "b", "host": "127.0.0.1", "port": 0}])
        self.assertGreater(web.port, 0)
        shown = {one["name"]: one for one in arbiter.ask(lambda s: s.target.sockets())}
        self.assertEqual((set(shown), shown["web"]["fd"]), ({"web", "b"}, web.fileno()))
        with socket.create_connection(("127.0.0.1", web.port), timeout=TIMEOUT) as connection:
            self.assertEqual(connection.recv(5), b"hello")
        arbiter.stop()
        self.assertEqual((web.fileno(), web.port), (-1, 0))
        arbiter.start()
        self.assertGreater(web.fileno(), -1)

    def test_two_of_one_name(self) -> None:
        one = CircusSocket(name="web", host="127.0.0.1", port=0)
        arbiter = self.make(sockets=[one, {"name": "WEB", "host": "127.0.0.1", "port": 0}])
        for _ in range(2):
            with self.assertRaisesRegex(exc.AlreadyExist, "there is a socket WEB already"):
                arbiter.start()
            self.assertEqual((arbiter.running, one.fileno()), (False, -1))


if __name__ == "__main__":
    unittest.main()
