"""reload(A -> B) ends like a fresh start of B: of real daemons, with random A and B."""

from __future__ import annotations

import random
import unittest
from typing import Any

from tests.support.daemon import Daemon
from tests.support.eventually import eventually
from tests.support.reloads import ReloadCase

ROUNDS = 4
RELOADS = 4
SEED = 20_251


def draw(chance: random.Random) -> str:
    """Make a configuration up."""
    lines = []
    sockets = [name for name in "st" if chance.random() < 0.7]
    for name in sockets:
        lines += [f"[socket:{name}]"]
        if chance.random() < 0.5:
            lines += [f"path = {{DIR}}/{chance.choice('xy')}{name}", "umask = 077"]
        else:
            lines += ["host = 127.0.0.1", f"port = {0 if name == 's' else '0'}"]
        lines += [f"backlog = {chance.choice((5, 50))}"]
    for name in "abcd":
        if chance.random() < 0.7:
            lines += [f"[watcher:{name}]", f"numprocesses = {chance.randint(0, 3)}"]
            lines += [f"autostart = {chance.random() < 0.8}", f"priority = {chance.randint(0, 1)}"]
            lines += [f"graceful_timeout = {chance.randint(5, 6)}"]
            if sockets and chance.random() < 0.5:
                used = chance.choice(sockets)
                lines += [f"cmd = sh -c 'sleep 600' $(circus.sockets.{used})", "use_sockets = on"]
            else:
                lines += [f"cmd = sleep {chance.randint(600, 601)}"]
    lines += ["[watcher:always]", "cmd = sleep 600"]
    if chance.random() < 0.5:
        lines += ["[plugin:p]", "use = cvec_circus.plugins.flapping.Flapping"]
        lines += [f"window = {chance.randint(1, 2)}"]
    if chance.random() < 0.5:
        lines += ["[env:a,b]", f"X = {chance.randint(1, 2)}"]
    return "\n".join([*lines, ""])


class TestAtRandom(ReloadCase):
    def test_it_ends_like_a_fresh_start(self) -> None:
        for seed in range(SEED, SEED + ROUNDS):
            with self.subTest(seed=seed):
                chance = random.Random(seed)
                daemon = self.daemon(draw(chance))
                self.served, self.circus = daemon, ""
                for _ in range(RELOADS):
                    text = draw(chance)
                    self.reload(text)
                self.assertFalse(self.reload()["changes"])
                fresh = self.daemon(text)
                same = eventually(lambda d=daemon, f=fresh: state(d) == state(f))  # type: ignore
                self.assertTrue(same, (state(daemon), state(fresh)))


def state(daemon: Daemon) -> dict[str, Any]:
    """All that there is to compare of a daemon."""
    here = str(daemon.folder)
    watchers = {}
    for name, status in daemon.call("status")["statuses"].items():
        options = daemon.call("options", name=name)["options"]
        pids = daemon.call("list", name=name)["pids"]
        watchers[name] = status, len(pids), str(options).replace(here, "")
    sockets = [
        {key: one[key] for key in ("name", "backlog", "host", "path") if key in one}
        for one in daemon.call("listsockets")["sockets"]
    ]
    paths = sorted(
        (path.name, path.stat().st_mode) for path in daemon.folder.iterdir() if path.is_socket()
    )
    told = str(sorted(sockets, key=str)).replace(here, "")
    return {"watchers": watchers, "sockets": told, "paths": paths}


if __name__ == "__main__":
    unittest.main()
