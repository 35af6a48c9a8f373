"""Signals by name and by number."""

import signal
import unittest

from cvec_circus.system.signals import LAST, to_name, to_signum


class ToSignumTest(unittest.TestCase):
    def test_every_way_to_write_one(self):
        for value in (3, "3", " 3 ", "QUIT", "quit", "SIGQUIT", "SigQuit", signal.SIGQUIT):
            with self.subTest(value=value):
                number = to_signum(value)
                self.assertEqual(number, 3)
                self.assertIs(type(number), int)

    def test_other_names_of_the_same(self):
        self.assertEqual(to_signum("CLD"), signal.SIGCHLD)
        self.assertEqual(to_signum("SIGPOLL"), signal.SIGIO)

    def test_real_time_signals(self):
        self.assertEqual(to_signum("RTMIN"), signal.SIGRTMIN)
        self.assertEqual(to_signum("SIGRTMIN+1"), signal.SIGRTMIN + 1)
        self.assertEqual(to_signum("sigrtmax-2"), signal.SIGRTMAX - 2)
        self.assertEqual(to_signum(LAST), signal.SIGRTMAX)

    def test_what_is_none(self):
        values = (0, -1, 65, 999, True, None, 1.5, b"TERM", [], "", "0", "-9", "999", "9" * 400)
        names = ("usr9", "SIG", "SIGSIGTERM", "SIG_DFL", "ITIMER_REAL", "RTMAX+1", "RTMIN-40", "٣")
        for value in values + names:
            with self.subTest(value=value), self.assertRaisesRegex(ValueError, " is not a signal"):
                to_signum(value)

    def test_says_what_is_wrong(self):
        with self.assertRaises(ValueError) as caught:
            to_signum("usr9")
        self.assertEqual(str(caught.exception), "'usr9' is not a signal")
        with self.assertRaises(ValueError) as caught:
            to_signum(999)
        self.assertEqual(
            str(caught.exception), f"999 is not a signal: their numbers go from 1 to {LAST}"
        )


class ToNameTest(unittest.TestCase):
    def test_names(self):
        self.assertEqual(to_name(15), "TERM")
        self.assertEqual(to_name(signal.SIGUSR1), "USR1")
        self.assertEqual(to_name(signal.SIGRTMIN + 1), "RTMIN+1")
        self.assertEqual(to_name(signal.SIGRTMAX), "RTMAX")
        self.assertEqual(to_name(200), "200")

    def test_every_signal_survives_the_way_there_and_back(self):
        for signum in range(1, LAST + 1):
            self.assertEqual(to_signum(to_name(signum)), signum)
