"""The names that programs written for Circus import, under the name of this package."""

from __future__ import annotations

import importlib
import re
import unittest

NAMES = {
    "": "get_arbiter logger __version__",
    "arbiter": "Arbiter ThreadedArbiter",
    "circusd": "daemonize main",
    "client": "CircusClient DEFAULT_ENDPOINT_DEALER",
    "commands": "get_commands",
    "consumer": "CircusConsumer DEFAULT_ENDPOINT_SUB",
    "exc": "AlreadyExist ArgumentError CallError ConflictError MessageError",
    "pidfile": "Pidfile",
    "plugins": "CircusPlugin PeriodicCallback",
    "plugins.command_reloader": "CommandReloader",
    "plugins.flapping": "Flapping",
    "plugins.http_observer": "HttpObserver",
    "plugins.redis_observer": "RedisObserver",
    "plugins.resource_watcher": "ResourceWatcher",
    "plugins.statsd": "BaseObserver FullStats StatsdClient StatsdEmitter",
    "plugins.watchdog": "WatchDog",
    "process": "Process RUNNING DEAD_OR_ZOMBIE UNEXISTING OTHER",
    "sockets": "CircusSocket",
    "stats.client": "StatsClient",
    "stream": "FancyStdoutStream FileStream QueueStream StdoutStream TimedRotatingFileStream"
    " WatchedFileStream get_stream",
    "testing": "ArbiterTestCase",
    "util": "DEFAULT_ENDPOINT_DEALER DEFAULT_ENDPOINT_SUB DEFAULT_ENDPOINT_STATS configure_logger"
    " human2bytes",
    "watcher": "Watcher",
}
"""What there is, by the module that it is imported from."""


def has(module: str, name: str) -> bool:
    """Whether a name can be imported."""
    try:
        found = importlib.import_module(f"cvec_circus.{module}".rstrip("."))
        return hasattr(found, name)
    except ImportError:
        return False


class TestNames(unittest.TestCase):
    def test_they_can_be_imported(self) -> None:
        for module, names in NAMES.items():
            for name in names.split():
                with self.subTest(f"{module}.{name}"):
                    self.assertTrue(has(module, name))

    def test_classes_say_whose_they_are(self) -> None:
        # Every class that a program holds says in its first lines which threads may use it.
        contract = re.compile(r"Safe from any thread|Owned by|\*control thread\*")
        for module, names in NAMES.items():
            if module == "exc" or module.startswith("plugins"):
                continue  # plugins say which of their methods run where
            for name in names.split():
                found = getattr(importlib.import_module(f"cvec_circus.{module}".rstrip(".")), name)
                if isinstance(found, type):
                    with self.subTest(f"{module}.{name}"):
                        lines = (found.__doc__ or "").strip().splitlines()[:12]
                        self.assertRegex(" ".join(lines), contract)

    def test_commands(self) -> None:
        commands = importlib.import_module("cvec_circus.commands").get_commands()
        self.assertLessEqual({"add", "reload", "stats", "quit"}, commands.keys())
        self.assertEqual(commands["stats"].name, "stats")


if __name__ == "__main__":
    unittest.main()
