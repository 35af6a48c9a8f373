"""Watchers in layers: a chain and a fan start in order; a thousand cost hardly more than without.

CVEC_CIRCUS_MEASURE=1 has what takes long measured and printed, too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import unittest
from collections.abc import Sequence
from pathlib import Path
from typing import Callable

from cvec_circus.base.clock import SYSTEM
from tests.support.daemon import Daemon, DaemonCase

MEASURE = "CVEC_CIRCUS_MEASURE" in os.environ

SAYS_READY = """
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int one = socket(AF_UNIX, SOCK_DGRAM, 0);
    usleep(1000 * atoi(argv[1]));
    strncpy(address.sun_path, getenv("NOTIFY_SOCKET"), sizeof address.sun_path - 1);
    sendto(one, "READY=1", 7, 0, (struct sockaddr *)&address, sizeof address);
    return pause();
}
"""

Needs = Callable[[int], Sequence[int]]
"""Returns on which others a watcher depends."""


def build(folder: Path) -> None:
    """Build the program that is ready after some milliseconds."""
    source = folder / "says_ready.c"
    source.write_text(SAYS_READY)
    subprocess.run(["cc", "-O", "-o", folder / "says_ready", source], check=True, timeout=60)


def watchers(count: int, delay: int, needs: Needs) -> str:
    """Return the sections of watchers, each of which is ready after so many milliseconds."""
    lines = []
    for number in range(count):
        before = ", ".join(f"w{one}" for one in needs(number))
        lines += [
            f"[watcher:w{number}]",
            f"cmd = {{DIR}}/says_ready {delay}",
            "copy_env = True",
            "ready.x = notify",
            f"depends_on = {before}" if before else "",
        ]
    return "\n".join(lines) + "\n"


@unittest.skipUnless(shutil.which("cc"), "there is no C compiler")
class TestLayers(DaemonCase):
    def up(self, count: int, delay: int, needs: Needs, timeout: float = 20) -> Daemon:
        """Start so many, and wait until all are ready."""
        text = watchers(count, delay, needs)
        self.began = SYSTEM.monotonic()
        daemon = self.daemon(text, prepare=build, circus="warmup_delay = 0\n")
        daemon.wire.events.wait("ready", count, timeout)
        self.took = SYSTEM.monotonic() - self.began
        return daemon

    def assert_in_order(self, daemon: Daemon, count: int, needs: Needs) -> None:
        """Each one was spawned after all that it needs were ready, and ends before them."""
        at = {}
        daemon.order("stop")
        for event in daemon.wire.events.sync():
            at[event["topic"], event["action"]] = event["seq"]

        def place(number: int, action: str) -> int:
            return at[f"watcher.w{number}.{action}", action]

        for number in range(count):
            for other in needs(number):
                self.assertLess(place(other, "ready"), place(number, "spawn"))
                self.assertLess(place(number, "reap"), place(other, "kill"))

    def test_a_chain(self) -> None:
        daemon = self.up(10, 20, chain)
        self.assertGreater(self.took, 10 * 0.02)
        self.assert_in_order(daemon, 10, chain)

    def test_a_fan(self) -> None:
        daemon = self.up(41, 20, fan)
        self.assert_in_order(daemon, 41, fan)

    @unittest.skipUnless(MEASURE, "it takes long: CVEC_CIRCUS_MEASURE=1")
    def test_a_thousand_in_ten_layers(self) -> None:
        for delay in (0, 20):
            self.up(1000, delay, lambda number: (), 120).order("quit")
            flat = self.took
            for name, needs, most in (
                ("one of", layers_of_one, 1.5),
                ("all of", layers_of_all, 2.0),  # ninety thousand conditions
            ):
                daemon = self.up(1000, delay, needs, 120)
                daemon.order("quit")
                ratio = self.took / flat
                print(
                    f"1000 watchers, ready after {delay} ms: {flat:.2f} s; in ten layers, each on "
                    f"{name} the layer below: {self.took:.2f} s, {ratio:.2f} times as long"
                )
                self.assertLess(ratio, most)


def chain(number: int) -> Sequence[int]:
    return range(max(0, number - 1), number)


def fan(number: int) -> Sequence[int]:
    """One below, all others on it."""
    return [0] if number else []


def layers_of_one(number: int) -> Sequence[int]:
    return [number - 100] if number >= 100 else []


def layers_of_all(number: int) -> Sequence[int]:
    first = number // 100 * 100
    return range(max(0, first - 100), first)


if __name__ == "__main__":
    unittest.main()
