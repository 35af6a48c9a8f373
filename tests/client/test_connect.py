"""Endpoints: where they come from, and what is none."""

from __future__ import annotations

import zmq

from cvec_circus import exc
from cvec_circus.client.connect import connect, open_dealer, open_subscriber
from cvec_circus.client.endpoints import DEFAULT_ENDPOINT_DEALER, endpoint_from, reachable
from tests.support.leaks import LeakCheckedTestCase


class TestConnect(LeakCheckedTestCase):
    def test_endpoint_from_the_environment(self) -> None:
        self.assertEqual(endpoint_from({}), DEFAULT_ENDPOINT_DEALER)
        ours, theirs = {"CVEC_CIRCUSCTL_ENDPOINT": "ours"}, {"CIRCUSCTL_ENDPOINT": "theirs"}
        self.assertEqual(endpoint_from({**ours, **theirs}), "ours")
        self.assertEqual(endpoint_from(theirs), "theirs")
        self.assertEqual(endpoint_from({"CVEC_CIRCUSCTL_ENDPOINT": ""}), DEFAULT_ENDPOINT_DEALER)

    def test_where_to_subscribe(self) -> None:
        for theirs in ("tcp://0.0.0.0:6", "tcp://[::]:6", "tcp://*:6"):
            self.assertEqual(reachable(theirs, "tcp://10.0.0.1:5"), "tcp://10.0.0.1:6")
            self.assertEqual(reachable(theirs, "ipc:///x"), "tcp://127.0.0.1:6")
        self.assertEqual(reachable("tcp://127.0.0.1:6", "tcp://a:5"), "tcp://127.0.0.1:6")
        self.assertEqual(reachable("ipc:///x", "tcp://a:5"), "ipc:///x")

    def test_what_is_no_endpoint(self) -> None:
        with zmq.Context() as context:
            with self.assertRaises(exc.SocketError) as caught:
                open_dealer(context, "nonsense")
            said = (
                "cannot connect to 'nonsense': not an endpoint; write tcp://HOST:PORT or ipc://FILE"
            )
            self.assertEqual(str(caught.exception), said)
            with self.assertRaises(exc.SocketError):
                connect(open_subscriber(context, [b"watcher."]), "nonsense")
            with self.assertRaises(exc.SocketError):
                open_dealer(context, None)  # type: ignore[arg-type]
