"""RedisObserver: sends the figures of a Redis server to statsd, and restarts it if necessary.

It needs redis-py, which ``pip install 'cvec_circus[redis]'`` installs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from cvec_circus.exc import OptionError, PluginError
from cvec_circus.plugins.statsd import BaseObserver, number

MISSING = "RedisObserver needs redis-py: pip install 'cvec_circus[redis]'"


class RedisObserver(BaseObserver):
    """Sends the figures of a Redis server to statsd, and restarts it if necessary.

    Its methods run on the plugin thread, except `handle_stop`; another thread asks the server.

    Options:
        redis_url: The server: `redis://`, `rediss://` or `unix://`.
        timeout: Seconds that the server may take to answer.
        restart_on_timeout: The watcher to restart when it does not answer; a pattern such as
            `redis-*` may name several.

    Attributes:
        OBSERVE: The fields that are sent, if the server has them.
        redis: The client.
    """

    name = "redis_observer"
    default_app_name = "redis_observer"
    schema: ClassVar[Mapping[str, str]] = {
        **BaseObserver.schema,
        "redis_url": "string(default='redis://localhost:6379/0')",
        "timeout": "float(min=0.01, default=5.0)",
        "restart_on_timeout": "string(default=None)",
    }
    OBSERVE: ClassVar[list[str]] = (
        "pubsub_channels connected_slaves lru_clock connected_clients keyspace_misses used_memory"
        " used_memory_peak total_commands_processed used_memory_rss total_connections_received"
        " pubsub_patterns used_cpu_sys used_cpu_sys_children blocked_clients used_cpu_user"
        " client_biggest_input_buf mem_fragmentation_ratio expired_keys evicted_keys"
        " client_longest_output_list uptime_in_seconds keyspace_hits".split()
    )

    def __init__(self, *args: Any, **config: Any) -> None:
        """See CircusPlugin; raises PluginError when redis-py is not installed."""
        super().__init__(*args, **config)
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            raise PluginError(MISSING) from None
        timeout = self.config["timeout"]
        check_port(self.config["redis_url"])
        try:
            self.redis = redis.from_url(
                self.config["redis_url"],
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
                retry=Retry(NoBackoff(), 0),
            )
            pool = self.redis.connection_pool
            pool.connection_class(**pool.connection_kwargs)  # checks the options in the URL
        except (ValueError, TypeError, redis.RedisError) as error:
            raise OptionError("redis_url", str(error)) from None
        self._silence = (redis.ConnectionError, redis.TimeoutError)
        # These are answers, although redis-py derives them from ConnectionError.
        self._answers = (
            redis.AuthenticationError,
            redis.exceptions.AuthorizationError,
            redis.BusyLoadingError,
        )
        self._asking = False

    def look_after(self) -> None:
        """Ask, unless a question is under way."""
        if not self._asking:
            self._asking = True
            self.loop.run_in_thread(self.redis.info, then=self._told)

    def handle_stop(self) -> None:
        """Close the connection, and send the last numbers."""
        super().handle_stop()
        self.redis.close()

    def _told(self, figures: Any, error: BaseException | None) -> None:
        """Send the figures of the server, or restart it."""
        self._asking = False
        if error is not None:
            self._failed(error)
            return
        self._be_well()
        for key in self.OBSERVE:
            if number(figures.get(key)) is not None:
                self.statsd.gauge(f"redis_stats.{key}", figures[key])

    def _failed(self, error: BaseException) -> None:
        self.statsd.increment("redis_stats.error")
        why = f"redis does not answer: {error}"
        self._tell(why)
        name = self.config["restart_on_timeout"]
        is_silent = isinstance(error, self._silence) and not isinstance(error, self._answers)
        if name and is_silent and self._heal(name, why):
            self.statsd.increment("redis_stats.restart_on_error")


def check_port(url: str) -> None:
    """Raise OptionError for a port that is not a number, unquoted: it may be a password."""
    try:
        _ = urlsplit(url).port
    except ValueError:
        text = (
            "the port is not a number; a password is written with %2F for /, %23 for #, %3F for ?"
        )
        raise OptionError("redis_url", text) from None
