"""What classes of other people find in ours, and what they override in vain."""

from __future__ import annotations

import unittest
import warnings
from typing import Any

from cvec_circus import exc
from cvec_circus.commands.base import Command
from cvec_circus.plugins import CircusPlugin
from cvec_circus.plugins.command_reloader import CommandReloader
from cvec_circus.plugins.flapping import Flapping
from cvec_circus.plugins.http_observer import HttpObserver
from cvec_circus.plugins.redis_observer import RedisObserver
from cvec_circus.plugins.resource_watcher import ResourceWatcher
from cvec_circus.plugins.statsd import StatsdEmitter
from cvec_circus.plugins.watchdog import WatchDog


class TestPlugins(unittest.TestCase):
    def made(self, kind: type[CircusPlugin], **config: Any) -> Any:
        plugin = kind("ipc://a", "ipc://b", 1.0, None, **config)
        self.addCleanup(plugin.context.destroy)
        return plugin

    def test_options_are_attributes(self) -> None:
        flapping = self.made(Flapping, window="3")
        shown = flapping.attempts, flapping.window, flapping.retry_in, flapping.max_retry
        self.assertEqual(shown, (2, 3.0, 7.0, 5))
        watchdog = self.made(WatchDog, loop_rate="5", watchers_regex="^a")
        self.assertEqual((watchdog.loop_rate, watchdog.max_count), (5.0, 3))
        self.assertEqual((watchdog.watchers_regex, watchdog.msg_regex[:3]), ("^a", "^(?"))
        self.assertEqual(self.made(CommandReloader).loop_rate, 1)
        resources = self.made(ResourceWatcher, watcher="web", max_count="4", min_cpu="1")
        self.assertEqual((resources.watcher, resources.service), ("web", None))
        self.assertEqual((resources.max_count, resources.min_cpu), (4, 1.0))
        self.assertEqual((resources.max_cpu, resources.health_threshold), (90.0, 75.0))
        self.assertEqual((resources.process_children, resources.child_signal), (False, 15))
        self.assertEqual((resources.config["max_mem"], resources.config["min_mem"]), ("90", None))
        self.assertTrue(resources.max_mem)
        self.assertIsNone(resources.min_mem)
        http = self.made(HttpObserver, restart_on_error="web")
        self.assertEqual((http.timeout, http.restart_on_error), (10.0, "web"))
        self.assertEqual(http.check_url, "http://localhost/")
        redis = self.made(RedisObserver)
        self.assertIsNone(redis.restart_on_timeout)
        self.assertIn("used_memory", redis.OBSERVE)
        self.assertTrue(redis.redis)
        emitter = self.made(StatsdEmitter, application_name="mine")
        self.assertEqual((emitter.app, emitter.default_app_name), ("mine", "app"))
        self.assertEqual(emitter.prefix, "circus.mine.watcher")
        self.assertEqual(emitter.statsd.port, 8125)

    def test_what_is_gone_of_them(self) -> None:
        with self.assertRaisesRegex(exc.GoneError, "see the records of watchers in .records"):
            self.made(Flapping).timelines  # noqa: B018
        with self.assertRaisesRegex(AttributeError, "no_such_name"):
            self.made(Flapping).no_such_name  # noqa: B018

    def test_what_is_overridden_in_vain(self) -> None:
        with self.assertWarnsRegex(UserWarning, "only your own program calls _get_conf, check: "):

            class Mine(Flapping):
                def check(self, watcher_name: str) -> None: ...
                def _get_conf(self, conf: Any, name: str) -> None: ...
                def mine(self) -> None: ...

        with self.assertWarnsRegex(UserWarning, "calls _match_watcher_name, receive_udp_socket"):

            class Dog(WatchDog):
                def receive_udp_socket(self, fd: int, events: int) -> None: ...
                def _match_watcher_name(self, name: str) -> bool:
                    return True

    def test_what_may_be_overridden(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")

            class Own(ResourceWatcher):
                running = True

                def look_after(self) -> None: ...
                def stop(self) -> None: ...


class TestCommands(unittest.TestCase):
    def test_one_of_a_program(self) -> None:
        said = "Hello: only .* execute, message: the daemon takes no more; write a plugin"
        with self.assertWarnsRegex(UserWarning, said):

            class Hello(Command):
                name = "hello"

                def message(self, *args: Any, **opts: Any) -> Any: ...
                def execute(self, *args: Any) -> Any: ...


if __name__ == "__main__":
    unittest.main()
