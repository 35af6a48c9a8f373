"""A program whose arbiter is a class of its own, which sets up and cleans up around Circus'."""

import os
import signal
import threading

from circus.arbiter import Arbiter
from circus.watcher import Watcher
from embedder import CONTROL, EVENTS, say


class Standalone(Arbiter):
    def start(self, cb=None):
        say("set up")
        future = super().start(cb)
        if error := future.exception():
            raise error

    def stop(self):
        say("clean up")
        return super().stop()


def begun(started):
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()


before = signal.getsignal(signal.SIGHUP)
arbiter = Standalone([Watcher("web", "sleep 1000", copy_env=True)], CONTROL, EVENTS)
arbiter.start(begun)
say(
    [
        arbiter.running,
        arbiter.get_watcher("web").is_stopped(),
        signal.getsignal(signal.SIGHUP) is before,
    ]
)
