"""What reads the statistics of one package, with the daemon of the other."""

from __future__ import annotations

import json
import sys
import unittest
from functools import partial
from typing import Any

from tests.interoperation.published import (
    DRIVER,
    OURS,
    ROOT,
    THEIRS,
    InteroperationCase,
    Program,
    PublishedDaemon,
    environ,
    needs_circus,
)
from tests.interoperation.screen import Screen
from tests.support.hurry import hurried

WEB = "[watcher:web]\ncmd = sleep 3600\nnumprocesses = 2\ncopy_env = True\n"


@needs_circus
class TestStats(InteroperationCase):
    def our_stats(self) -> tuple[str, list[int]]:
        """Start our daemon with statistics, and return where they are and the pids of "web"."""
        ours = self.daemon_with_stats()
        return f"ipc://{ours.folder}/stats", ours.call("list", name="web")["pids"]

    def daemon_with_stats(self) -> Any:
        circus = "check_delay = 1\nstatsd = True\nstats_endpoint = ipc://{DIR}/stats"
        wrapper = hurried({"supervisor.helper_rows.INTERVAL": 0.2})
        return self.ours(WEB, circus=circus, wrapper=wrapper)

    def their_stats(self) -> tuple[str, list[int]]:
        """The same of the daemon of Circus."""
        theirs = PublishedDaemon(self, WEB, "statsd = True\nstats_endpoint = ipc://{DIR}/stats")
        pids = theirs.client.send_message("list", name="web")["pids"]
        return f"ipc://{theirs.folder}/stats", pids

    def heard(self, package: str, endpoint: str, pids: list[int]) -> dict[str, dict[str, Any]]:
        """Have a StatsClient hear of a watcher and of its processes; return what it heard."""
        program = Program(self, [DRIVER, package, "stats", endpoint])
        found: dict[str, dict[str, Any]] = {}
        while not {"all", *map(str, pids)} <= found.keys():
            watcher, subtopic, stat = json.loads(program.out.containing("["))
            if watcher == "web":
                found[subtopic or "all"] = stat
        return found

    def test_clients(self) -> None:
        """Each hears of the daemon of the other what it hears of its own."""
        ours, theirs = self.together(self.our_stats, self.their_stats)
        expected, *others = self.together(
            partial(self.heard, THEIRS, *theirs),
            partial(self.heard, THEIRS, *ours),
            partial(self.heard, OURS, *theirs),
        )
        for found, place in zip(others, (ours, theirs)):
            [pid] = map(str, place[1][:1])
            for key, like in (("all", "all"), (pid, str(theirs[1][0]))):
                self.assertLessEqual(expected[like].keys(), found[key].keys())
                for name, value in expected[like].items():
                    self.assertIsInstance(found[key][name], type(value), name)

    def test_circus_top(self) -> None:
        endpoint, pids = self.our_stats()
        argv = [sys.executable, "-m", "circus.stats.client", "--endpoint", endpoint]
        screen = Screen(self, argv, environ())
        screen.until("^Circus Top", "^web ", r"PID +CPU \(%\)", *[rf"^  {pid} +\d" for pid in pids])
        screen.until(r"\(avg\) +\S+ \(sum\)")

    def test_cvec_circus_top(self) -> None:
        endpoint, pids = self.their_stats()
        argv = [sys.executable, str(ROOT / "bin" / "cvec_circus-top"), "--endpoint"]
        daemon = endpoint.replace("/stats", "/control")
        screen = Screen(self, [*argv, daemon], environ())
        screen.until(r"^web +active +2 ", *[rf"^ +{pid} sleep +\d" for pid in pids])

    def test_our_statistics_of_their_daemon(self) -> None:
        theirs = self.theirs(WEB)
        pids = theirs.client.send_message("list", name="web")["pids"]
        endpoint = f"ipc://{theirs.folder}/ours"
        places = ["--endpoint", theirs.endpoint, "--pubsub", theirs.pubsub_endpoint]
        script = ROOT / "bin" / "cvec_circusd-stats"
        quick = hurried({"stats.service.PACE": 0.1})[1:]
        python = sys.executable
        argv = [*quick, python, script, *places, "--statspoint", endpoint, "--interval", "0.2"]
        Program(self, argv)
        found = self.heard(THEIRS, endpoint, pids)
        self.assertEqual(found[str(pids[0])]["cmdline"], "sleep")


if __name__ == "__main__":
    unittest.main()
