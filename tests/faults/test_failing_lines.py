"""Each line that asks the system for something is refused it once, in each part of a life.

In the start, in a run with reloads, in the adoption after a crash, and in the end: no traceback, no
exit that is lost, no second copy, nothing that is left. What may come of it is a line in the log; a
start may end with one. CVEC_CIRCUS_NIGHTLY=1 refuses all there are; otherwise some of them,
others with another CVEC_CIRCUS_SEED.
"""

from __future__ import annotations

import os
import random
import re
import signal
import unittest
from pathlib import Path
from typing import Any

from cvec_circus import exc
from cvec_circus.client import Client
from tests.faults.drive import TEXT as PLAIN
from tests.faults.drive import WANTED, DrivenDaemon
from tests.faults.refusing import NOTHING, Port, Refusal, refusals
from tests.support.daemon import DaemonCase, alive, child, end_of, marked
from tests.support.eventually import eventually
from tests.support.nightly import NIGHTLY, SEED, repetitions

SOME = {"start": 3, "run": 12, "adopt": 3, "stop": 2}

SEEN: dict[str, list[str]] = {}
"""Where something was asked of the system in each phase of a life in which nothing was refused."""

TIMEOUT = 20.0

UNTOUCHED = "adoption is off|no process is adopted"
"""What the log says when a next daemon takes nothing over."""

TEXT = f"""
{PLAIN}
[watcher:web]
cmd = {child("serve", "$(circus.sockets.web)")}
use_sockets = True
autostart = False
graceful_timeout = 0.3
stdout_stream.filename = {{DIR}}/web.log
stdout_stream.max_bytes = 20
stdout_stream.backup_count = 1

[socket:web]
path = {{DIR}}/web

[watcher:told]
cmd = sh -c 'echo READY=1 >&3; exec sleep 1003'
shell = False
ready.up = fd:3
autostart = False
graceful_timeout = 0.3
"""


class RefusedDaemon(DrivenDaemon):
    """A daemon whose calls are refused. Owned by the test."""

    text = TEXT
    wanted = {**WANTED, "web": 1, "told": 1}  # noqa: RUF012 -- nobody writes to it

    def __init__(
        self,
        test: DaemonCase,
        refusal: Refusal = NOTHING,
        **options: Any,
    ) -> None:
        self.port = Port(test)
        self.port.plan("start", refusal)
        self.lives = 0
        super().__init__(test, wrapper=self.port.wrapper, **options)

    @property
    def is_up(self) -> bool:
        if self.log_text().count(" is up: ") > self.lives:
            return True
        client = Client(self.endpoint, timeout=0.2)  # that line may be what is lost
        try:
            return client.call("ping")["status"] == "ok"
        except exc.CallError:
            return False
        finally:
            client.close()

    def files(self) -> int:
        """Count the files that it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def begin_again(self) -> bool:
        """Start another one after a kill; return whether it is up, and else has ended."""
        self.lives = self.log_text().count(" is up: ")
        self.wire.close()
        self._start(*self._command)
        return self.has_begun()

    def has_begun(self) -> bool:
        """Wait until it is up, or has ended; return whether it is up."""
        if not eventually(lambda: self.is_up or self.process.poll() is not None, TIMEOUT):
            raise AssertionError(f"it does not begin:\n{self.log_text()[-3000:]}")
        if self.is_up:
            self.connect()
        return self.is_up

    def is_alone(self) -> bool:
        """Whether all that leads a session with its mark is what it says that there is."""
        known = sorted(pid for pids in self.running().values() for pid in pids)
        return known == sorted(pid for pid in marked(self.run) if _leads(pid))

    def running(self) -> dict[str, list[int]]:
        """The pids of each watcher."""
        return {name: self.wire.pids(name) for name in self.wanted}


class RefusedCase(DaemonCase):
    """Refuses one thing after another."""

    daemon_: RefusedDaemon | None = None

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.random = random.Random(SEED)

    def some(self, phase: str, found: list[Refusal]) -> list[Refusal]:
        """Choose what is refused: all by night."""
        self.assertGreater(len(found), 10)
        some = found if NIGHTLY else self.random.sample(found, SOME[phase])
        repetitions(self, len(some))
        return some

    def judge(self, daemon: RefusedDaemon, log: list[str] | None = None) -> None:
        """See that nothing was worse than a line."""
        text = "\n".join([daemon.log_text(), *(log or ())])
        for sign in ("Traceback", "internal error"):
            at = text.find(sign)
            self.assertEqual(at, -1, text[max(0, at - 300) : at + 2000])

    def judge_death(self, daemon: RefusedDaemon) -> list[str]:
        """See that a start that did not succeed says why."""
        self.assertEqual(end_of(daemon.process), 1)
        log = daemon.log.rest()
        self.judge(daemon, log)
        said = [one for one in log if re.search(r"^error: |\[ERROR\]|: error: ", one)]
        self.assertTrue(said, f"it does not say why it has ended: {log}")
        return said

    def sites(self, phase: str) -> list[Refusal]:
        """Return what can be refused in a phase, by a life in which nothing is: one for all."""
        if SEEN:
            return refusals(SEEN[phase])
        daemon = RefusedDaemon(self)
        daemon.port.plan("run")
        daemon.drive()
        daemon.port.plan("adopt")
        daemon.kill()
        self.assertTrue(daemon.begin_again())
        daemon.port.plan("stop")
        daemon.signal(signal.SIGTERM)
        self.judge(daemon, daemon.ended())
        SEEN.update(daemon.port.seen())
        self.doCleanups()
        return refusals(SEEN[phase])

    def end(self, daemon: RefusedDaemon) -> None:
        """Let it end, and see that nothing is left."""
        daemon.signal(signal.SIGTERM)
        self.judge(daemon, daemon.ended())


class TestRun(RefusedCase):
    """While it starts, replaces and stops processes."""

    def test_n2_each_line_once(self) -> None:
        daemon = None
        for refusal in self.some("run", self.sites("run")):
            with self.subTest(f"{refusal.site} {refusal.error}"):
                if daemon is None:
                    daemon, files = self.begin()
                alive_one, daemon = daemon, None
                self.refuse(alive_one, refusal, files)
                daemon = alive_one
            if daemon is None:
                self.doCleanups()
        if daemon is not None:
            self.end(daemon)

    def begin(self) -> tuple[RefusedDaemon, int]:
        daemon = RefusedDaemon(self)
        for _ in range(2):  # what is loaded, and opened, the first time
            daemon.drive()
        return daemon, daemon.files()

    def refuse(self, daemon: RefusedDaemon, refusal: Refusal, files: int) -> None:
        daemon.port.plan("run", refusal)
        daemon.drive()
        daemon.port.plan("run")
        daemon.check_exits()
        self.judge(daemon)
        self.assertTrue(eventually(daemon.is_alone, 5), "a second copy, or one that nobody knows")
        if not eventually(lambda: daemon.files() <= files, 1):
            daemon.drive()  # what is opened again as it was
            fewer = eventually(lambda: daemon.files() <= files)
            self.assertTrue(fewer, f"{daemon.files()} files, not {files}")


class TestControl(RefusedCase):
    """What is no refusal of the system is a fault of ours, and is seen as one."""

    def test_n2_another_error(self) -> None:
        daemon = RefusedDaemon(self)
        daemon.drive()
        daemon.port.plan("run", Refusal(self.any_site(daemon), "KeyError"))
        for name in daemon.wanted:
            daemon.wire.client.call("restart", name=name)
        self.assertTrue(eventually(lambda: daemon.port.has_hit))
        self.assertTrue(eventually(lambda: "Traceback" in daemon.log_text()))
        with self.assertRaises(AssertionError):
            self.judge(daemon)

    def any_site(self, daemon: RefusedDaemon) -> str:
        """Return where the daemon looks at what it has opened for a stream."""
        sites = daemon.port.seen()["start"]
        return next(one for one in sites if one.startswith("stream.appendfile:") and "open" in one)


class TestStart(RefusedCase):
    """It is up all the same, or says why it is not."""

    def test_n2_each_line_once(self) -> None:
        for refusal in self.some("start", self.sites("start")):
            with self.subTest(f"{refusal.site} {refusal.error}"):
                self.refuse(refusal)
            self.doCleanups()

    def refuse(self, refusal: Refusal) -> None:
        daemon = RefusedDaemon(self, wait=False, refusal=refusal)
        if not daemon.has_begun():
            self.judge_death(daemon)
            daemon.ended(code=1)
            return
        daemon.port.plan("run")
        daemon.drive()
        daemon.check_exits()
        self.end(daemon)


class TestEnd(RefusedCase):
    """It ends, and leaves nothing."""

    def test_n2_each_line_once(self) -> None:
        for refusal in self.some("stop", self.sites("stop")):
            with self.subTest(f"{refusal.site} {refusal.error}"):
                daemon = RefusedDaemon(self)
                for name in daemon.wanted:
                    daemon.ask("start", name=name)
                daemon.settle()
                daemon.port.plan("stop", refusal)
                daemon.signal(signal.SIGTERM)
                end_of(daemon.process)
                if "sockets.unix:" in refusal.site:  # a socket that it may not remove stays
                    for path in filter(Path.is_socket, daemon.folder.iterdir()):
                        path.unlink()
                self.judge(daemon, daemon.ended())
            self.doCleanups()


class TestAdoption(RefusedCase):
    """What ran goes on; or the daemon ends with the reason, and the next one takes it over."""

    def test_n2_each_line_once(self) -> None:
        for refusal in self.some("adopt", self.sites("adopt")):
            with self.subTest(f"{refusal.site} {refusal.error}"):
                self.refuse(refusal)
            self.doCleanups()

    def refuse(self, refusal: Refusal) -> None:
        daemon = RefusedDaemon(self)
        for name in daemon.wanted:
            daemon.ask("start", name=name)
        daemon.settle()
        daemon.wire.events.wait("watcher.told.ready", 1)
        before = daemon.running()
        daemon.kill()
        daemon.port.plan("adopt", refusal)
        if not daemon.begin_again():
            log = self.judge_death(daemon)
            daemon.port.plan("adopt")
            if not daemon.begin_again():
                # Nothing is taken over, and what runs still has a path that the new one wants.
                self.assertRegex(daemon.log_text(), UNTOUCHED, log)
                self.assertIn("serves the socket there", "\n".join(self.judge_death(daemon)))
                return
        daemon.port.plan("run")
        self.judge(daemon)
        off = re.search(UNTOUCHED, daemon.log_text())
        if off is None:
            daemon.settle()
            anew = re.findall(r"(\w+): .*; stopping process \d+ ", daemon.log_text())
            there = daemon.running()
            kept = {name: pids for name, pids in before.items() if name not in anew}
            self.assertEqual({name: there[name] for name in kept}, kept, daemon.log_text())
        daemon.drive()
        self.end(daemon)
        if off is None:
            left = [pid for pids in before.values() for pid in pids if alive(pid)]
            self.assertEqual(left, [])


def _leads(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


if __name__ == "__main__":
    unittest.main()
