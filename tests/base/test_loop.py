"""The loop on its own thread: posts, questions, timers, turns, and its end."""

import logging
import os
import threading
from collections import deque
from unittest import mock

from cvec_circus import exc
from cvec_circus.base.loop import POSTS_A_TURN, Loop
from tests.support.clock import FakeClock
from tests.support.loops import TIMEOUT, LoopTestCase


class PostTest(LoopTestCase):
    def test_posts_run_in_order_on_the_owner_thread(self):
        self.loop.post(self.got.put, "before run")
        thread = self.run_loop()
        self.loop.post(lambda: self.got.put(threading.get_ident()))
        self.loop.post(lambda: self.got.put(self.loop.on_thread()))
        self.assertEqual([self.next() for _ in range(3)], ["before run", thread.ident, True])
        self.assertFalse(self.loop.on_thread())
        self.assertEqual(self.loop.thread_id, thread.ident)

    def test_one_that_raises_is_told_and_the_loop_goes_on(self):
        def fail():
            raise ValueError("no")

        self.run_loop()
        self.loop.post(fail)
        self.loop.post(self.got.put, "on")
        self.assertEqual(self.next(), "on")
        ((error, name),) = self.errors
        self.assertEqual(str(error), "no")
        self.assertIn("fail", name)

    def test_by_default_an_error_is_logged_with_its_traceback(self):
        loop = Loop(name="mine")
        self.addCleanup(loop.close)
        loop.post(lambda: 1 / 0)
        loop.post(loop.stop)
        with self.assertLogs("cvec_circus", logging.ERROR) as log:
            loop.run()
        self.assertIn("mine: ", log.output[0])
        self.assertIn("ZeroDivisionError", log.output[0])

    def test_a_post_of_a_post_waits_for_the_next_turn(self):
        order = []
        self.loop.each_turn(lambda: order.append("turn"))
        self.loop.post(lambda: self.loop.post(order.append, "inner"))
        self.loop.post(order.append, "outer")
        self.loop.post(lambda: self.loop.post(self.loop.post, self.loop.stop))
        self.loop.run()
        self.assertEqual(order, ["outer", "turn", "inner", "turn", "turn"])

    def test_posts_without_end_do_not_starve_a_reader(self):
        def again():
            self.loop.post(again)

        read_fd, write_fd = self.pipe()
        self.loop.add_reader(read_fd, self.loop.stop)
        for _ in range(POSTS_A_TURN * 3):
            self.loop.post(again)
        os.write(write_fd, b"x")
        self.loop.run()

    def test_many_threads_lose_nothing(self):
        counted = []
        threads = [
            threading.Thread(target=lambda: [self.loop.post(counted.append, 1) for _ in range(500)])
            for _ in range(8)
        ]
        self.run_loop()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.loop.ask(lambda: len(counted), timeout=TIMEOUT), 4000)

    def test_posting_after_the_end_is_refused(self):
        self.loop.close()
        self.assertFalse(self.loop.post(self.got.put, "never"))
        self.loop.stop()


class AskTest(LoopTestCase):
    def test_returns_and_raises_what_the_function_does(self):
        self.run_loop()
        self.assertEqual(self.loop.ask(divmod, 7, 2), (3, 1))
        with self.assertRaises(ZeroDivisionError):
            self.loop.ask(divmod, 7, 0)
        with self.assertRaises(KeyError):
            self.loop.ask({}.__getitem__, "x", timeout=TIMEOUT)
        self.assertEqual(self.errors, [])

    def test_the_owner_may_not_wait_for_itself(self):
        self.run_loop()
        with self.assertRaisesRegex(AssertionError, "wait for itself"):
            self.loop.ask(lambda: self.loop.ask(int))

    def test_gives_up_in_time_and_then_the_call_is_not_made(self):
        gate = threading.Event()
        self.run_loop()
        self.loop.post(gate.wait, TIMEOUT)
        with self.assertRaisesRegex(TimeoutError, r"no answer from .*put.* within 0\.01 s"):
            self.loop.ask(self.got.put, "late", timeout=0.01)
        gate.set()
        self.loop.ask(int, timeout=TIMEOUT)
        self.assertTrue(self.got.empty())

    def test_everybody_who_waits_is_told_when_the_loop_ends(self):
        gate = threading.Event()

        def ask():
            try:
                self.loop.ask(self.got.put, "answered")
            except exc.SupervisorStopped as error:
                self.got.put(error)

        thread = self.run_loop()
        self.loop.post(gate.wait, TIMEOUT)
        self.loop.stop()
        askers = [threading.Thread(target=ask) for _ in range(5)]
        for asker in askers:
            asker.start()
        gate.set()
        thread.join(TIMEOUT)
        self.loop.close()
        # Some may have come before the last turn took its posts: those are answered.
        answers = [self.next() for _ in askers]
        for asker in askers:
            asker.join(TIMEOUT)
        for answer in answers:
            if answer != "answered":
                self.assertIsInstance(answer, exc.SupervisorStopped)

    def test_asking_a_loop_that_never_ran_ends_with_its_close(self):
        thread = threading.Thread(target=lambda: self.got.put(self.ended()))
        thread.start()
        self.assertTrue(self.loop.wakeup.wait(TIMEOUT))  # the question has been put
        self.loop.close()
        self.assertTrue(self.next())
        thread.join(TIMEOUT)

    def ended(self):
        try:
            self.loop.ask(int)
        except exc.SupervisorStopped:
            return True
        return False

    def test_asking_and_running_after_the_end(self):
        self.loop.close()
        self.loop.close()
        self.assertTrue(self.ended())
        with self.assertRaises(exc.SupervisorStopped):
            self.loop.run()


class TimeTest(LoopTestCase):
    def setUp(self):
        super().setUp()
        self.clock = FakeClock()
        self.loop.clock = self.clock

    def test_calls_when_the_time_has_come(self):
        self.run_loop()
        self.loop.ask(self.loop.call_later, 10.0, self.got.put, "ten", timeout=TIMEOUT)
        self.loop.ask(self.loop.call_at, 1005.0, self.got.put, "five", timeout=TIMEOUT)
        self.loop.ask(self.clock.advance, 4.9, timeout=TIMEOUT)
        self.loop.ask(int, timeout=TIMEOUT)
        self.assertTrue(self.got.empty())
        self.loop.post(self.clock.advance, 6.0)
        self.assertEqual([self.next(), self.next()], ["five", "ten"])

    def test_wakes_by_itself_for_a_timer(self):
        loop = Loop()
        self.addCleanup(loop.close)
        loop.call_later(0.01, loop.stop)
        loop.run()

    def test_polls_once_for_one_timer(self):
        loop = Loop()
        self.addCleanup(loop.close)
        turns = []
        loop.each_turn(lambda: turns.append(1))
        loop.call_later(0.0207, loop.stop)
        loop.run()
        self.assertEqual(len(turns), 1)

    def test_a_timer_that_raises_does_not_stop_the_others(self):
        self.loop.call_at(0.0, lambda: 1 / 0)
        self.loop.call_at(0.0, self.got.put, "next")
        self.loop.call_at(0.0, self.loop.stop)
        self.loop.run()
        self.assertEqual(self.next(), "next")
        self.assertIsInstance(self.errors[0][0], ZeroDivisionError)

    def test_only_the_owner_may_set_one(self):
        self.loop.call_later(5.0, print)  # nobody owns it yet
        self.run_loop()
        self.loop.ask(int, timeout=TIMEOUT)
        with self.assertRaisesRegex(AssertionError, "the thread of test loop .*: use post"):
            self.loop.call_later(5.0, print)
        with self.assertRaises(AssertionError):
            self.loop.add_reader(0, print)


class TurnTest(LoopTestCase):
    def test_what_is_for_the_end_of_the_turn_is_called_once_after_all_else(self):
        order = []

        def last():
            order.append("last")
            self.loop.at_turn_end(lambda: order.append("at once, since the turn is over"))

        self.loop.post(self.loop.at_turn_end, last)
        self.loop.post(self.loop.at_turn_end, last)
        self.loop.post(order.append, "post")
        self.loop.post(self.loop.stop)
        self.loop.each_turn(lambda: order.append("turn"))
        self.loop.run()
        self.assertEqual(order, ["post", "turn", "last", "at once, since the turn is over"])

    def test_the_end_of_the_turn_comes_though_something_raises(self):
        def fail():
            self.loop.at_turn_end(lambda: 1 / 0)
            self.loop.at_turn_end(self.loop.stop)
            raise KeyboardInterrupt

        self.loop.each_turn(fail)
        self.loop.post(lambda: None)
        with self.assertRaises(KeyboardInterrupt):
            self.loop.run()
        ((error, _),) = self.errors
        self.assertIsInstance(error, ZeroDivisionError)

    def test_for_another_thread_there_is_no_turn(self):
        self.run_loop()
        inside, release = threading.Event(), threading.Event()
        self.loop.post(lambda: (inside.set(), release.wait(TIMEOUT)))
        self.assertTrue(inside.wait(TIMEOUT))
        self.loop.at_turn_end(lambda: self.got.put(threading.get_ident()))
        self.assertEqual(self.next(), threading.get_ident())
        release.set()

    def test_a_turn_end_with_more_work_is_called_again_at_once(self):
        left = [3, 2, 1, 0]

        def work():
            if not left:
                self.loop.stop()
                return False
            self.got.put(left.pop(0))
            return bool(left)

        self.loop.each_turn(work)
        self.loop.post(int)
        thread = self.run_loop()
        self.assertEqual([self.next() for _ in range(4)], [3, 2, 1, 0])
        # It sleeps now, since the last call has left no more work: only a post wakes it.
        thread.join(0.05)
        self.assertTrue(thread.is_alive())
        self.loop.post(int)
        thread.join(TIMEOUT)
        self.assertFalse(thread.is_alive())

    def test_a_turn_end_that_raises_is_told(self):
        self.loop.each_turn(lambda: 1 / 0)
        self.loop.each_turn(lambda: self.loop.stop() or True)
        self.loop.post(int)
        self.loop.run()
        self.assertIsInstance(self.errors[0][0], ZeroDivisionError)

    def test_a_signal_in_a_turn_brings_no_other_one(self):
        real, polls = self.loop._poll, []

        def poll():
            readable = real()
            if not polls:  # its byte is written, then the handler is called
                self.loop.wakeup.set()
                self.loop.rung = True
            polls.append(readable)
            return readable

        self.loop.call_later(0.0, int)
        self.loop.call_later(0.05, self.loop.stop)
        with mock.patch.object(self.loop, "_poll", poll):
            self.loop.run()
        self.assertEqual(len(polls), 2)

    def test_a_wake_up_that_cannot_be_read_is_told_and_read_later(self):
        real, refused = self.loop.wakeup.clear, [MemoryError()]

        def clear():
            if refused:
                raise refused.pop()
            real()

        def ring():
            self.loop.wakeup.set()
            self.loop.rung = True

        with mock.patch.object(self.loop.wakeup, "clear", clear):
            self.loop.call_later(0.0, ring)
            self.loop.call_later(0.05, self.loop.stop)
            self.loop.run()
        self.assertEqual([type(error) for error, _ in self.errors], [MemoryError])

    def test_stop_before_run_counts(self):
        self.loop.stop()
        self.loop.run()

    def test_can_run_again(self):
        for _ in range(3):
            self.loop.post(self.loop.stop)
            self.loop.run()


class EndTest(LoopTestCase):
    """A signal handler may interrupt a post at any place, and wait for the end of the loop."""

    def interrupted(self, handler):
        """Have a function called between the first and the last step of the next post."""

        class Posts(deque):
            def append(self, item):
                posts, loop._posts = loop._posts, deque(loop._posts)
                handler()
                loop._posts = posts
                super().append(item)

        loop = self.loop
        loop._posts = Posts()

    def close_in_a_thread(self):
        thread = threading.Thread(target=self.loop.close)
        thread.start()
        thread.join(TIMEOUT)
        self.assertFalse(thread.is_alive(), "the end waits for whoever waits for it")

    def test_a_post_that_the_end_overtakes(self):
        self.interrupted(self.close_in_a_thread)
        self.assertFalse(self.loop.post(self.got.put, 1))
        self.assertFalse(self.loop._posts)

    def test_a_question_that_the_end_overtakes(self):
        self.interrupted(self.close_in_a_thread)
        with self.assertRaises(exc.SupervisorStopped):
            self.loop.ask(int, timeout=TIMEOUT)
        with self.assertRaises(exc.SupervisorStopped):
            self.loop.ask(int, timeout=TIMEOUT)

    def test_many_questions_while_it_ends(self):
        for _ in range(50):
            loop = Loop()
            begin = threading.Barrier(5)
            answers = []

            def ask(loop=loop, begin=begin, answers=answers):
                begin.wait()
                for _ in range(20):
                    try:
                        loop.ask(int, timeout=TIMEOUT)
                    except exc.SupervisorStopped:
                        answers.append("stopped")

            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            begin.wait()
            loop.close()
            for thread in threads:
                thread.join(TIMEOUT)
            self.assertEqual(answers, ["stopped"] * 80)
