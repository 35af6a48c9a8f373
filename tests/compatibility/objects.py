"""An object of each class of Circus whose members are listed."""

from __future__ import annotations

import unittest
from importlib import import_module
from typing import Any

from cvec_circus.arbiter import Arbiter, ThreadedArbiter
from cvec_circus.client import CircusClient
from cvec_circus.commands import get_commands
from cvec_circus.consumer import CircusConsumer
from cvec_circus.exc import MessageError
from cvec_circus.pidfile import Pidfile
from cvec_circus.plugins import CircusPlugin
from cvec_circus.plugins.statsd import StatsdClient
from cvec_circus.process import Process
from cvec_circus.sockets import CircusSocket, CircusSockets
from cvec_circus.stats.client import StatsClient
from cvec_circus.stream import FancyStdoutStream, QueueStream, StdoutStream
from cvec_circus.stream.file_stream import FileStream, TimedRotatingFileStream, WatchedFileStream
from cvec_circus.util import DictDiffer, ImportStringError
from cvec_circus.watcher import Watcher

PLUGINS = {
    "command_reloader.CommandReloader": {},
    "flapping.Flapping": {},
    "http_observer.HttpObserver": {},
    "redis_observer.RedisObserver": {},
    "resource_watcher.ResourceWatcher": {"watcher": "a"},
    "statsd.StatsdEmitter": {},
    "statsd.BaseObserver": {},
    "statsd.FullStats": {},
    "watchdog.WatchDog": {},
}


class Plugin(CircusPlugin):
    """A plugin that does nothing."""

    def handle_recv(self, data: Any) -> None:
        pass


def made(test: unittest.TestCase) -> dict[str, Any]:
    """Make an object of each class, by its place; what it opens is closed when the test ends."""
    client, consumer = CircusClient(), CircusConsumer(["watcher."])
    test.addCleanup(client.stop)
    test.addCleanup(consumer.stop)
    plugins: dict[str, Any] = {"CircusPlugin": Plugin("ipc://a", "ipc://b", 1.0)}
    for place, config in PLUGINS.items():
        module, _, name = place.partition(".")
        kind = getattr(import_module(f"cvec_circus.plugins.{module}"), name)
        plugins[place] = kind("ipc://a", "ipc://b", 1.0, None, **config)
    for plugin in plugins.values():
        test.addCleanup(plugin.context.destroy)
    return {
        "arbiter.Arbiter": Arbiter(),
        "arbiter.ThreadedArbiter": ThreadedArbiter(),
        "client.CircusClient": client,
        "commands.base.Command": get_commands()["list"],
        "consumer.CircusConsumer": consumer,
        "exc.MessageError": MessageError("a"),
        "pidfile.Pidfile": Pidfile("pid"),
        **{f"plugins.{place}": plugin for place, plugin in plugins.items()},
        "plugins.statsd.StatsdClient": StatsdClient(),
        "process.Process": Process("a", 1, "sleep 1", spawn=False),
        "sockets.CircusSocket": CircusSocket("a"),
        "sockets.CircusSockets": CircusSockets(),
        "stats.client.StatsClient": StatsClient,
        "stream.FancyStdoutStream": FancyStdoutStream(),
        "stream.QueueStream": QueueStream(),
        "stream.StdoutStream": StdoutStream(),
        "stream.file_stream.FileStream": FileStream("a"),
        "stream.file_stream.TimedRotatingFileStream": TimedRotatingFileStream("a", rotate_when="H"),
        "stream.file_stream.WatchedFileStream": WatchedFileStream("a"),
        "util.DictDiffer": DictDiffer({}, {}),
        "util.ImportStringError": ImportStringError("a", ImportError()),
        "watcher.Watcher": Watcher("a", "sleep 1"),
    }
