"""Clients in a forked child: an error that says so, at once, and the parent goes on."""

from __future__ import annotations

import subprocess
import sys
import unittest

from tests.support.client_case import ClientCase

SCRIPT = """
import os, sys, warnings
warnings.simplefilter("ignore")  # newer Pythons warn of a fork beside threads, which is the subject
import zmq
from cvec_circus import exc
from cvec_circus.client import CircusClient, Client
from cvec_circus.consumer import CircusConsumer
endpoint = sys.argv[1]
{before}
child = os.fork()
if not child:
    try:
        {there}
    except exc.ForkedError as error:
        print(f"{{error}}".replace(str(os.getppid()), "PARENT").replace(str(os.getpid()), "CHILD"))
        sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
{here}
"""

REFUSED = (
    "this {} belongs to process PARENT, from which process CHILD was forked: make {} after the"
)
ASK = 'print(client.call({"command": "list"})["watchers"])'


class TestForked(ClientCase):
    def fork(self, before: str, there: str, here: str) -> list[str]:
        """Run a script that forks, with what both do; return the lines that it prints."""
        text = SCRIPT.format(before=before, there=there, here=here)
        words = [sys.executable, "-c", text, self.daemon.endpoint]
        done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.splitlines()

    def test_one_that_has_been_used(self) -> None:
        made = "client = CircusClient(endpoint=endpoint); client.send_message('list')"
        lines = self.fork(made, ASK, ASK)
        self.assertEqual(lines[0], REFUSED.format("client", "a client") + " fork")
        self.assertEqual(lines[1], "['web']")

    def test_one_that_has_only_been_made(self) -> None:
        made = "client = CircusClient(endpoint=endpoint)"
        self.assertEqual(self.fork(made, ASK, ASK), ["['web']", "['web']"])

    def test_one_with_a_context_of_the_parent(self) -> None:
        made = "client = CircusClient(zmq.Context(), endpoint)"
        lines = self.fork(made, ASK, f"{ASK}; client.stop()")
        self.assertEqual(lines[0], REFUSED.format("client", "a client") + " fork")
        self.assertEqual(lines[1], "['web']")

    def test_closing_one_there_leaves_the_other_alone(self) -> None:
        made = "client = CircusClient(endpoint=endpoint); client.send_message('list')"
        self.assertEqual(self.fork(made, "client.stop()", ASK), ["['web']"])

    def test_while_another_thread_is_in_it(self) -> None:
        # The lock that was held at the fork is never released in the child.
        made = "client = Client(endpoint); client.call('list'); client._lock.acquire()"
        lines = self.fork(made, "client.call('list')", "")
        self.assertEqual(lines, [REFUSED.format("client", "a client") + " fork"])

    def test_a_consumer(self) -> None:
        made = "events = CircusConsumer([''], endpoint='ipc://@nobody')"
        lines = self.fork(made, "events.stop(); next(iter(events))", "events.stop()")
        self.assertEqual(lines, [REFUSED.format("consumer", "one") + " fork"])


if __name__ == "__main__":
    unittest.main()
