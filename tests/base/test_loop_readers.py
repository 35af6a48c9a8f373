"""The loop and what it reads: zmq sockets and files, added, removed and closed at any moment."""

import os
import socket

import zmq

from cvec_circus.base.zmq_loop import ZmqLoop
from tests.support.loops import TIMEOUT, LoopTestCase


class FileReaderTest(LoopTestCase):
    def test_a_reader_is_replaced_and_removed(self):
        read_fd, write_fd = self.pipe()
        self.loop.add_reader(read_fd, lambda: self.got.put("old"))
        self.loop.add_reader(read_fd, lambda: self.got.put(os.read(read_fd, 1)))
        self.run_loop()
        os.write(write_fd, b"1")
        self.assertEqual(self.next(), b"1")
        self.loop.ask(self.loop.remove_reader, read_fd, timeout=TIMEOUT)
        self.loop.ask(self.loop.remove_reader, read_fd, timeout=TIMEOUT)
        os.write(write_fd, b"2")
        self.loop.ask(int, timeout=TIMEOUT)
        self.assertTrue(self.got.empty())

    def test_one_reader_may_remove_another_in_the_same_turn(self):
        first, second = self.pipe(), self.pipe()
        calls = []

        def remove(other):
            calls.append(other)
            self.loop.remove_reader(other)
            self.loop.stop()

        self.loop.add_reader(first[0], lambda: remove(second[0]))
        self.loop.add_reader(second[0], lambda: remove(first[0]))
        os.write(first[1], b"x")
        os.write(second[1], b"x")
        self.loop.run()
        self.assertEqual(len(calls), 1)

    def test_a_file_that_takes_over_a_number_is_not_read_by_mistake(self):
        # The first reader closes the second's file and opens another, which gets its number.
        read_fd, write_fd = self.pipe()
        doomed, other_end = os.pipe()
        self.addCleanup(os.close, other_end)
        opened = []

        def swap():
            self.loop.remove_reader(doomed)
            os.close(doomed)
            opened.extend(os.pipe())
            self.assertEqual(opened[0], doomed)
            self.loop.add_reader(doomed, lambda: self.got.put("by mistake"))
            self.loop.stop()

        self.loop.add_reader(read_fd, swap)
        self.loop.add_reader(doomed, lambda: None)
        os.write(write_fd, b"x")
        os.write(other_end, b"x")
        self.loop.run()
        for fd in opened:
            os.close(fd)
        self.assertEqual(self.errors, [])
        self.assertTrue(self.got.empty())

    def test_one_reader_may_add_another(self):
        first, second = self.pipe(), self.pipe()
        os.write(first[1], b"x")
        os.write(second[1], b"x")

        def add():
            os.read(first[0], 1)
            self.loop.add_reader(second[0], self.loop.stop)

        self.loop.add_reader(first[0], add)
        self.loop.run()

    def test_the_end_of_a_file_is_something_to_read(self):
        read_fd, write_fd = os.pipe()
        self.addCleanup(os.close, read_fd)
        self.loop.add_reader(read_fd, self.loop.stop)
        os.close(write_fd)
        self.loop.run()
        self.assertEqual(os.read(read_fd, 1), b"")

    def test_a_reader_that_raises_is_told_and_called_again(self):
        read_fd, write_fd = self.pipe()
        os.write(write_fd, b"12")

        def read():
            if os.read(read_fd, 1) == b"1":
                raise OSError("broken")
            self.loop.stop()

        self.loop.add_reader(read_fd, read)
        self.loop.run()
        self.assertEqual([str(error) for error, _ in self.errors], ["broken"])

    def test_a_file_closed_while_it_is_read_is_told_once(self):
        read_fd, write_fd = os.pipe()
        self.addCleanup(os.close, write_fd)
        self.loop.add_reader(read_fd, lambda: None)
        self.run_loop()
        self.loop.ask(os.close, read_fd, timeout=TIMEOUT)
        self.loop.ask(int, timeout=TIMEOUT)
        self.loop.ask(int, timeout=TIMEOUT)
        self.assertEqual(
            [str(error) for error, _ in self.errors], [f"{read_fd} was closed while it was read"]
        )


class ZmqReaderTest(FileReaderTest):
    kind = ZmqLoop

    def setUp(self):
        super().setUp()
        self.context = zmq.Context()
        self.addCleanup(self.context.term)

    def pair(self, name):
        ours, theirs = self.context.socket(zmq.PAIR), self.context.socket(zmq.PAIR)
        for sock in (ours, theirs):
            sock.linger = 0
            self.addCleanup(sock.close)
        ours.bind(f"inproc://{name}")
        theirs.connect(f"inproc://{name}")
        return ours, theirs

    def test_zmq_sockets_and_files_side_by_side(self):
        ours, theirs = self.pair("a")
        read_fd, write_fd = self.pipe()
        left, right = socket.socketpair()
        self.addCleanup(left.close)
        self.addCleanup(right.close)
        self.loop.add_reader(ours, lambda: self.got.put(ours.recv()))
        self.loop.add_reader(read_fd, lambda: self.got.put(os.read(read_fd, 10)))
        self.loop.add_reader(left, lambda: self.got.put(left.recv(10)))
        self.run_loop()
        os.write(write_fd, b"pipe")
        self.assertEqual(self.next(), b"pipe")
        right.send(b"socket")
        self.assertEqual(self.next(), b"socket")
        # Only now may this thread have the zmq socket's other end do something: it is its own.
        theirs.send(b"zmq")
        self.assertEqual(self.next(), b"zmq")

    def test_what_is_left_unread_calls_again(self):
        ours, theirs = self.pair("a")
        for n in range(50):
            theirs.send(b"%d" % n)
        self.loop.add_reader(ours, lambda: self.got.put(ours.recv()))
        self.run_loop()
        self.assertEqual([int(self.next()) for _ in range(50)], list(range(50)))

    def test_a_zmq_socket_closed_while_it_is_read_does_no_harm(self):
        # zmq takes it for file 0, so it depends on the standard input whether it is noticed.
        ours, _ = self.pair("a")
        self.loop.add_reader(ours, lambda: self.got.put("read"))
        self.run_loop()
        self.loop.ask(ours.close, timeout=TIMEOUT)
        for _ in range(5):
            self.loop.ask(int, timeout=TIMEOUT)
        self.assertLessEqual(len(self.errors), 1)
        self.assertTrue(self.got.empty())
