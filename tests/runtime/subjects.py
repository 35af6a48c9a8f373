"""Plugins that the tests run in processes of their own. They say on stdout what is called."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any, ClassVar

from cvec_circus import exc, logger
from cvec_circus.plugins import CircusPlugin


def say(text: str) -> None:
    """Write a line that nothing holds back."""
    thread = "main" if threading.current_thread() is threading.main_thread() else "other"
    os.write(1, f"{text} on {thread}\n".encode())


class Talker(CircusPlugin):
    """Says what is called and on which thread."""

    def handle_init(self) -> None:
        say("handle_init")

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        say(f"handle_recv {self.split_data(data)[1]}")

    def handle_stop(self) -> None:
        say("handle_stop")


class HangingStop(Talker):
    def handle_stop(self) -> None:
        super().handle_stop()
        threading.Event().wait()


class SlowStop(Talker):
    def handle_stop(self) -> None:
        super().handle_stop()
        threading.Event().wait(0.5)
        say("stopped")


class HangingRecv(Talker):
    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        super().handle_recv(data)
        threading.Event().wait()


class HangingConstructor(Talker):
    def __init__(self, *args: Any, **config: Any) -> None:
        super().__init__(*args, **config)
        say("__init__")
        sys.stdin.read()


class OwnStop(Talker):
    def stop(self) -> None:
        say("stop")
        super().stop()


class ForgetfulStop(Talker):
    def stop(self) -> None:
        say("stop")
        raise ValueError("forgot to call super")


class FailingConstructor(Talker):
    def __init__(self, *args: Any, **config: Any) -> None:
        super().__init__(*args, **config)
        raise ValueError("no filename")


class FailingInit(Talker):
    def handle_init(self) -> None:
        super().handle_init()
        raise KeyError("init")


class Environment(Talker):
    """Says what reaches it from outside."""

    def handle_init(self) -> None:
        logger.info("config %s", ascii(sorted(self.config.items())))
        written = "in pieces" if sys.stdout.write_through else "in lines"  # type: ignore[union-attr]
        print("printed", "CVEC_CIRCUS_PLUGIN" in os.environ, written)
        listing = [sys.executable, "-c", "import os; print(len(os.listdir('/proc/self/fd')))"]
        found = subprocess.run(listing, stdout=subprocess.PIPE, close_fds=False, check=True)
        say(f"fds {found.stdout.decode().strip()}")


class Strict(Talker):
    """Has a schema."""

    schema: ClassVar = {"tries": "integer", "loud": "boolean(default=off)"}

    def __init__(self, *args: Any, **config: Any) -> None:
        super().__init__(*args, **config)
        say(f"config {sorted(config.items())}")


class Busy(Talker):
    """Has a thread that calls all the time, and a callback that adds itself."""

    def handle_init(self) -> None:
        threading.Thread(target=self.call_on, daemon=True).start()
        self.again()
        super().handle_init()

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        self.call("list")
        if data[1].endswith(b"7}"):
            raise ValueError("seven")

    def again(self) -> None:
        self.loop.call_later(0.001, self.again)

    def call_on(self) -> None:
        try:
            while True:
                self.call("list")
        except exc.CallError:
            pass  # stopped

    def handle_stop(self) -> None:
        self.call("list")
        super().handle_stop()


class Lingering(Talker):
    """Has a thread that does not end with it."""

    def handle_init(self) -> None:
        threading.Thread(target=threading.Event().wait, daemon=False).start()
        super().handle_init()


class NoRecv(CircusPlugin):
    """Is no plugin yet."""


NOT_A_CLASS = 3
