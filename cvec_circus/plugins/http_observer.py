"""HttpObserver: requests a page at intervals, and restarts its server if there is no answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.request import ProxyHandler

from cvec_circus.exc import OptionError
from cvec_circus.plugins import Timer
from cvec_circus.plugins.statsd import BaseObserver
from cvec_circus.plugins.web import NO_ANSWER, Answer, fetch, request

DIRECTLY = ProxyHandler({})
"""Requests pages from the server itself, never through a proxy."""


class HttpObserver(BaseObserver):
    """Requests a page at intervals, and restarts its server if necessary.

    Its methods run on the plugin thread, except `handle_stop`; another thread fetches the page.

    Options:
        check_url: The page: `http://` or `https://`, with `name:password@` before the host for HTTP
            authentication.
        timeout: Seconds that the whole page may take.
        restart_on_error: The watcher to restart after an error, or if there is no answer in time; a
            pattern such as `web-*` may name several.
    """

    _circus_class = "plugins.http_observer.HttpObserver"
    name = "http_observer"
    default_app_name = "http_observer"
    schema: ClassVar[Mapping[str, str]] = {
        **BaseObserver.schema,
        "check_url": "string(default='http://localhost/')",
        "timeout": "float(min=0.01, default=10.0)",
        "restart_on_error": "string(default=None)",
    }

    def __init__(self, *args: Any, **config: Any) -> None:
        """See CircusPlugin; raises OptionError for an invalid URL as well."""
        super().__init__(*args, **config)
        self.check_url: str = self.config["check_url"]
        self.timeout: float = self.config["timeout"]
        self.restart_on_error: str | None = self.config["restart_on_error"]
        try:
            self._request = request(self.check_url)
        except ValueError as error:
            raise OptionError("check_url", str(error)) from None
        self._fetching = False
        self._deadline: Timer | None = None

    def look_after(self) -> None:
        """Request the page. One that is still being fetched counts as no answer."""
        if not self._fetching:
            self._fetching = True
            self._deadline = self.loop.call_later(self.timeout, self._overdue)
            how = self._request, self.timeout, DIRECTLY
            self.loop.run_in_thread(fetch, *how, then=self._fetched)
        elif self._deadline is None:
            self._overdue()

    def _overdue(self) -> None:
        """Stop waiting: a server that sends a byte now and then would take forever."""
        self._deadline = None
        self._failed(Answer(NO_ANSWER, 0, f"no answer within {self.timeout:g} s"))

    def _fetched(self, answer: Answer | None, error: BaseException | None) -> None:
        self._fetching = False
        if self._deadline is None:
            return  # too late
        self._deadline.cancel()
        self._deadline = None
        if answer is None:
            answer = Answer(NO_ANSWER, 0, str(error) or repr(error))
        if answer.problem:
            self._failed(answer)
            return
        self._be_well()
        self.statsd.timed("http_stats.request_time", int(answer.seconds * 1000))

    def _failed(self, answer: Answer) -> None:
        self.statsd.increment("http_stats.error")
        self.statsd.increment(f"http_stats.error.{answer.code}")
        why = f"{self._request.full_url}: {answer.problem}"
        self._tell(why)
        if self.restart_on_error and self._heal(self.restart_on_error, why):
            self.statsd.increment("http_stats.restart_on_error")
