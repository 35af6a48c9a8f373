"""A daemon to ask, and clients."""

from __future__ import annotations

import threading
from typing import Any

from cvec_circus.client import Client
from tests.support.fake_daemon import FakeDaemon
from tests.support.leaks import LeakCheckedTestCase


class ClientCase(LeakCheckedTestCase):
    """A daemon, and clients that are closed at the end."""

    def setUp(self) -> None:
        super().setUp()
        self.daemon = FakeDaemon()
        self.addCleanup(self.daemon.stop)

    def client(self, **options: Any) -> Client:
        client = Client(self.daemon.endpoint, **options)
        self.addCleanup(client.close)
        return client

    def in_threads(self, count: int, fn: Any) -> None:
        """Call fn(number) in as many threads at once, and fail with what it raises."""
        errors: list[BaseException] = []

        def run(number: int) -> None:
            try:
                fn(number)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertFalse([thread for thread in threads if thread.is_alive()])
        if errors:
            raise errors[0]
