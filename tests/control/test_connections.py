"""What a peer may do, and what happens then."""

from __future__ import annotations

import json
import os
import threading
from unittest import mock

import zmq

from cvec_circus.base.clock import SYSTEM
from cvec_circus.control import connection, connections
from cvec_circus.control.server import Request
from cvec_circus.wire import zmtp
from cvec_circus.wire.messages import DROP_FRAME, MAX_FRAME
from tests.control.control_case import ControlCase
from tests.control.raw import RawClient, connected
from tests.support.eventually import eventually
from tests.support.hurry import hurry

#: Seconds that a ping may take while others do what they like; generous, for a loaded machine.
SOON = 0.5


def resident() -> int:
    """Bytes of memory that this process has."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class ConnectionsCase(ControlCase):
    def setUp(self) -> None:
        hurry(self, {"control.connections.LOOK": 0.05})
        super().setUp()

    def raw(self) -> RawClient:
        client = RawClient(self.address)
        self.addCleanup(client.close)
        return client

    def flood(self, client: RawClient, data: bytes, whole: bool = False) -> None:
        """Send what the server takes on a thread of its own; all of it, if that is said."""
        send = client.send if whole else client.send_until_full
        thread = threading.Thread(target=send, args=(data,))
        thread.start()
        self.addCleanup(thread.join)

    def count(self) -> int:
        return self.loop.ask(lambda: len(self.server._connections))

    def held(self) -> int:
        return self.loop.ask(lambda: self.server._connections._held)

    def assert_prompt(self, client: RawClient) -> None:
        """Check that a client is answered quickly, whatever others do."""
        self.assertLess(client.pings(100)[98], SOON)


class TestMessages(ConnectionsCase):
    def test_large_frames_are_not_kept(self) -> None:
        client = self.raw()
        client.ask("ping")
        before = resident()
        frame = zmtp.message(b"x" * (DROP_FRAME - MAX_FRAME))
        peers = [self.raw() for _ in range(10)]
        for peer in peers:
            self.flood(peer, frame, whole=True)
        self.assert_prompt(client)
        for peer in peers:
            self.assertIn("more than 1 MiB", json.loads(peer.receive()[-1])["reason"])
        self.assertLess(resident() - before, 64 << 20)

    def test_an_endless_message_ends_its_connection(self) -> None:
        client, peer = self.raw(), self.raw()
        self.flood(peer, (b"\1\xff" + b"x" * 255) * 100_000)
        self.assert_prompt(client)
        with self.assertRaises((EOFError, OSError)):
            peer.receive()

    def test_half_messages_are_bounded_together(self) -> None:
        client = self.raw()
        client.ask("ping")
        half = zmtp.message(b"x" * MAX_FRAME)[:-1]
        with mock.patch.object(connections, "HALF_MESSAGES", 4 << 20):
            peers = [self.raw() for _ in range(12)]
            for peer in peers:
                self.flood(peer, half)
            self.assertTrue(eventually(lambda: self.count() <= 6))
            self.assertLessEqual(self.held(), 4 << 20)
            self.assert_prompt(client)
        for peer in peers:
            peer.close()
        self.assertTrue(eventually(lambda: self.held() == 0))

    def test_what_takes_too_long_is_ended(self) -> None:
        with mock.patch.multiple(connections, HANDSHAKE=0.1, HALF_A_MESSAGE=0.1):
            silent = connected(self.address)
            self.addCleanup(silent.close)
            half = self.raw()
            half.send(zmtp.message(b"x" * 100)[:-1])
            whole = self.raw()
            whole.ask("ping")
            self.assertNotEqual(silent.recv(1000), b"")  # our greeting
            self.assertEqual(silent.recv(1000), b"")
            with self.assertRaises(EOFError):
                half.receive()
            self.assertEqual(whole.ask("ping")["status"], "ok")

    def test_a_client_that_never_reads(self) -> None:
        client, peer = self.raw(), self.raw()
        request = zmtp.message(b'{"command": "options", "properties": {"name": "web"}}')
        with mock.patch.object(connections, "UNREAD", 0.2):
            self.flood(peer, request * 50_000)
            self.assert_prompt(client)
            self.assertTrue(eventually(lambda: self.count() == 2))  # `client` and the case's own

    def test_heartbeats_are_answered(self) -> None:
        dealer = self.context.socket(zmq.DEALER)
        self.addCleanup(dealer.close, 0)
        dealer.heartbeat_ivl, dealer.heartbeat_timeout = 20, 20_000
        dealer.connect(self.address)
        peer = self.raw()
        peer.send(zmtp.control(zmtp.PING, b"\0\0context"))
        data = b""
        while b"PONGcontext" not in data:
            data += peer.sock.recv(1000)
        dealer.send(b'{"command": "ping"}')
        self.assertEqual(self.receive(dealer)["status"], "ok")


class TestTurns(ConnectionsCase):
    def test_a_storm_of_one_is_not_the_trouble_of_another(self) -> None:
        client, peer = self.raw(), self.raw()
        self.flood(peer, zmtp.message(b'{"command": "status"}') * 3000)
        reading = threading.Thread(target=lambda: [peer.receive() for _ in range(3000)])
        reading.start()
        self.assert_prompt(client)
        reading.join(60)
        self.assertFalse(reading.is_alive())

    def test_what_is_costly_delays_its_sender(self) -> None:
        ping = self.frame("ping")

        def carry_out(request: Request) -> None:
            if request.frames != (ping,):
                ends = SYSTEM.monotonic() + 0.02
                while SYSTEM.monotonic() < ends:
                    pass
            self.dispatch(request)

        self.loop.ask(setattr, self.server, "_dispatch", carry_out)
        peers = [self.raw() for _ in range(50)]
        for peer in peers:
            peer.send(zmtp.message(self.frame("status")) * 20)
        client = self.raw()
        took = []
        for _ in range(6):
            before = SYSTEM.monotonic()
            client.send(zmtp.message(ping))
            client.receive()
            took.append(SYSTEM.monotonic() - before)
        # At first nothing is known of any of them, and later a busy machine may say wrong things.
        self.assertLess(sorted(took)[2], SOON, took)

    def frame(self, command: str) -> bytes:
        return json.dumps({"command": command}).encode()


class TestUnread(ConnectionsCase):
    def test_what_waits_is_bounded_together(self) -> None:
        client = self.raw()
        client.ask("ping")

        def waits() -> tuple[int, int]:
            held = self.server._connections
            return held._unsent, sum(one.unsent_bytes for one in held._open.values())

        answered: list[Request] = []

        def answer(request: Request) -> None:
            request.send(b"x" * (1 << 20))
            answered.append(request)

        self.loop.ask(setattr, self.server, "_dispatch", answer)
        with mock.patch.object(connections, "MOST_UNSENT_TOGETHER", 4 << 20):
            peers = [self.raw() for _ in range(12)]
            for peer in peers:
                peer.request("ping")
            # What is too much is let go of after the turn that has made it so.
            self.assertTrue(eventually(lambda: len(answered) == len(peers)))
            self.assertTrue(eventually(lambda: 2 < self.count() < 10))
            counted, real = self.loop.ask(waits)
            self.assertEqual(counted, real)
            self.assertLessEqual(counted, 4 << 20)
            for peer in peers:
                peer.close()
            self.assertTrue(eventually(lambda: self.loop.ask(waits) == (0, 0)))


class TestRoom(ConnectionsCase):
    def test_no_more_are_let_in_than_there_is_room_for(self) -> None:
        first = self.raw()
        first.ask("ping")
        with mock.patch.object(connection.files, "has_room_for_others", return_value=False):
            with self.assertLogs("cvec_circus", "INFO") as logs:
                idle = [connected(self.address) for _ in range(30)]
                self.assertTrue(eventually(lambda: self.count() == connection.GUARANTEED))
                self.assert_prompt(first)
                for one in idle:
                    one.close()
                late = self.raw()
                self.assertEqual(late.ask("ping")["status"], "ok")
                self.assertTrue(eventually(lambda: len(logs.output) == 2))
        self.assertIn("no more are accepted until some close", logs.output[0])
        self.assertIn("accepting connections again", logs.output[1])

    def test_a_share_of_all(self) -> None:
        with mock.patch.object(connection.Door, "_most", return_value=12):
            idle = [connected(self.address) for _ in range(30)]
            self.assertTrue(eventually(lambda: self.count() == 12))
            for one in idle:
                one.close()
        self.assertTrue(eventually(lambda: self.count() <= 1))


class TestGone(ConnectionsCase):
    def test_waits_of_clients_that_vanish_are_dropped(self) -> None:
        self.loop.ask(setattr, self.target, "outcome", None)
        dropped: list[int] = []

        def keep() -> int:
            for wait in self.target.waits:
                wait.on_gone(dropped.append, 1)
            return len(self.target.waits)

        peers = [self.raw() for _ in range(20)]
        for peer in peers:
            for _ in range(50):
                peer.request("stop", waiting=True)
        self.assertTrue(eventually(lambda: self.loop.ask(keep) == 1000))
        for peer in peers:
            peer.close()
        self.assertTrue(eventually(lambda: self.loop.ask(lambda: len(dropped)) == 1000))
        self.assertTrue(eventually(lambda: self.count() <= 1))

    def test_an_answer_that_was_given_leaves_nothing(self) -> None:
        peer = self.raw()
        peer.ask("stop", waiting=True)
        open_ones = self.loop.ask(lambda: list(self.server._connections._open.values()))
        self.assertEqual([one.dependants for one in open_ones], [set()] * len(open_ones))


class TestMemory(ConnectionsCase):
    def test_it_is_given_back_when_clients_have_left(self) -> None:
        memory = connections.memory
        with mock.patch.object(memory, "give_back", side_effect=[True, False]) as back:
            client = self.raw()
            client.ask("ping")
            client.close()
            self.assertTrue(eventually(lambda: back.call_count == 2))
        self.assertIsNotNone(memory._least)  # since it was opened


class TestActors(ConnectionsCase):
    def actor(self, **message: object) -> str:
        peer = self.raw()
        peer.send(zmtp.message(json.dumps({"command": "stop", **message}).encode()))
        answer = json.loads(peer.receive()[-1])
        self.assertEqual(answer["status"], "ok", answer)
        return self.loop.ask(lambda: self.target.causes[-1].actor)

    def test_who_it_was(self) -> None:
        here = f"(pid {os.getpid()}, uid {os.getuid()})"
        self.assertEqual(self.actor(), f"client {here}")
        self.assertEqual(self.actor(actor=None), f"client {here}")
        self.assertEqual(self.actor(actor="deploy"), f"client deploy {here}")
        self.assertEqual(self.actor(actor="plugin:flapping"), "plugin:flapping")
        self.assertEqual(self.actor(actor="signal:TERM"), f"client signal:TERM {here}")

    def test_what_is_no_name(self) -> None:
        for given in (5, ["x"], "x" * 81, "a\nb"):
            answer = self.ask_message({"id": 1, "command": "stop", "actor": given})
            self.assert_refused(answer, 3, "actor: ")
