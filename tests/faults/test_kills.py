"""The daemon is killed at random instants, under load; another one goes on a moment later.

CVEC_CIRCUS_NIGHTLY=1 does it a thousand times, CVEC_CIRCUS_KILLS says how often instead, and
CVEC_CIRCUS_SEED chooses other instants.
"""

from __future__ import annotations

import os
import random
import re
import select
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tests.faults.load import WEBS, Load, watchers
from tests.support.daemon import MARK, DaemonCase, child
from tests.support.eventually import eventually
from tests.support.nightly import NIGHTLY, SEED, repetitions
from tests.support.ports import free_port

KILLS = int(os.environ.get("CVEC_CIRCUS_KILLS", "1000" if NIGHTLY else "2"))

OF_COUNT = """
max_age = 600
stdout_stream.max_bytes = 20k
stdout_stream.backup_count = 9999
"""

SIZES = {"count": 3, "die": 4, "web": WEBS}


def leaders(runs: Collection[str]) -> Counter[tuple[str, str]]:
    """Count the leaders of sessions of each slot that daemons of these lives have started."""
    found: Counter[tuple[str, str]] = Counter()
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            environment = Path(f"/proc/{name}/environ").read_bytes()
            if MARK in environment and os.getsid(int(name)) == int(name):
                mark = environment.partition(MARK)[2].partition(b"\0")[0].decode()
                run, _, slot = mark.partition(":")
                if run in runs:
                    watcher, _, wid = slot.partition(":")
                    found[watcher, wid] += 1
        except OSError:
            continue
    return found


class TestKills(DaemonCase):
    """Nothing is started twice, no connection refused, no exit code wrong, no line lost twice."""

    def test_d2_kills_at_random(self) -> None:
        self.random = random.Random(SEED)
        port = free_port()
        self.in_memory = bool(SEED % 2 and Path("/dev/shm").is_dir())
        place = f"/dev/shm/circus-{os.getpid()}" if self.in_memory else "{DIR}/state"
        text = watchers(port, SIZES["count"], SIZES["die"], OF_COUNT)
        self.daemon_ = daemon = self.daemon(text, circus=f"state_dir = {place}\n")
        self.codes: dict[int, list[Any]] = {}
        self.settle()
        load = Load(port)
        try:
            for number in range(KILLS):
                self.number = number
                self.disturb()
                self.note_reaped()
                daemon.kill()
                self.hang_up()
                if self.random.random() < 0.2:  # it died in the middle of a line
                    with open(daemon.state_dir / "ledger", "ab") as file:
                        file.write(b'["slot 1 1",[123,45')
                select.select([], [], [], self.random.choice([0.0, 0.02, 0.3]))
                daemon.again()
                self.settle()
            daemon.wire.events.next("watcher.die.reap")  # few kills may take less time than one
        finally:
            load.end()
        self.note_reaped()
        daemon.order("stop")
        repetitions(self, KILLS)
        self.told = [f"{KILLS} kills (seed {SEED})", f"{load.answers} answers"]
        self.assertEqual(load.troubles, [])
        self.judge_codes()
        self.judge_lines()
        if KILLS > 10:
            print("; ".join(["", *self.told]))

    def test_d2_without_adoption_there_are_second_copies(self) -> None:
        """What it is that the others would see: the control."""
        daemon = self.daemon(f"[watcher:a]\ncmd = {child('count')}\n", circus="adopt = False")
        daemon.wire.events.wait("start", 1)
        daemon.wire.close()
        daemon.kill()
        daemon.again()
        daemon.wire.events.wait("start", 1)
        self.assertEqual(leaders(daemon.runs), {("a", "1"): 2})

    def disturb(self) -> None:
        """Order something, or nothing, and let a little time go by."""
        client = self.daemon_.wire.client
        order = self.random.choice(["", "", "", "reload", "web", "count", "kill"])
        if order == "reload":
            client.call("reload", name=self.random.choice(["web", "count"]))
        elif order in ("web", "count"):
            client.call("restart" if order == "count" else "reload", name=order)
        elif order == "kill":
            pids = self.daemon_.wire.pids("count")
            if pids:
                os.kill(self.random.choice(pids), 9)
        select.select([], [], [], self.random.random() ** 2 * 0.6)

    def hang_up(self) -> None:
        """Let go of the client, which the test would keep otherwise."""
        self.daemon_.wire.close()

    def settle(self) -> None:
        """Wait until every place is taken, once."""
        wire = self.daemon_.wire

        def is_settled() -> bool:
            there = {name: len(wire.pids(name)) for name in ("count", "web")}
            found = Counter(watcher for watcher, _ in leaders(self.daemon_.runs).elements())
            steady = {name: found[name] for name in there}
            return there == steady == {name: SIZES[name] for name in there}

        if not eventually(is_settled, 20):
            pids = {name: wire.pids(name) for name in SIZES}
            self.fail(f"kill {self.number}: {pids}, but there is {leaders(self.daemon_.runs)}")
        copies = {
            slot: n for slot, n in leaders(self.daemon_.runs).items() if slot[0] == "die" and n > 1
        }
        if copies:  # one may be just being started in the place of another
            self.assertTrue(eventually(lambda: not self.copies(), 2), self.copies())

    number = 0

    def copies(self) -> dict[tuple[str, str], int]:
        """The slots in which there is more than one process."""
        return {slot: count for slot, count in leaders(self.daemon_.runs).items() if count > 1}

    def note_reaped(self) -> None:
        """Take in which exits were told, in the life of this daemon."""
        ends = self.daemon_.wire.events.of("watcher.web.reap", cause="exit")
        if not self.in_memory:  # that it was being stopped may not have been written down
            ends = [one for one in ends if not one.get("status_lost")]
        self.assertEqual(ends, [], "a server has ended by itself")
        for event in self.daemon_.wire.events.of("watcher.die.reap"):
            code = None if event.get("status_lost") else event["exit_code"]
            self.codes.setdefault(event["process_pid"], []).append(code)

    def judge_codes(self) -> None:
        """Compare the exits with what the processes say."""
        truth: dict[int, Counter[int]] = {}  # several, where a pid was used again
        for row in (self.daemon_.folder / "truth").read_text().splitlines():
            pid, code = map(int, row.split())
            truth.setdefault(pid, Counter())[code] += 1
        told = {pid: Counter(codes) for pid, codes in self.codes.items() if pid in truth}
        unknown = sum(codes.pop(None, 0) for codes in told.values())
        wrong = {pid: (truth[pid], codes) for pid, codes in told.items() if codes - truth[pid]}
        count = sum(sum(codes.values()) for codes in told.values())
        self.told.append(f"{count} exits told, {unknown} unknown")
        self.assertEqual(wrong, {})

    def judge_lines(self) -> None:
        """See that what is missing is marked, at most one gap for each kill and process."""
        folder = self.daemon_.folder
        rows = []
        for path in sorted(folder.glob("out.log*"), key=_age):
            rows += path.read_text().splitlines()
        last: dict[int, int] = {}
        gaps = lost = 0
        for row in rows:
            match = re.fullmatch(r"(\d+) (\d+)", row)
            if match:
                pid, number = map(int, match.groups())
                if not number:
                    last.pop(pid, None)  # another process that has the pid now
                if number != last.get(pid, -1) + 1:
                    gaps += 1
                    lost += number - last.get(pid, -1) - 1
                    self.assertGreater(number, last.get(pid, -1), f"{row} comes twice")
                last[pid] = number
        marks = sum("may be missing here" in row for row in rows)
        self.told.append(f"{len(rows)} lines, {lost} lost in {gaps} gaps, {marks} marks")
        self.assertLessEqual(gaps, marks)


def _age(path: Path) -> int:
    """The oldest file first."""
    return -int(path.suffix[1:]) if path.suffix[1:].isdecimal() else 0
