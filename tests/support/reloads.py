"""A daemon whose configuration is read again."""

from __future__ import annotations

from typing import Any

from tests.support.daemon import Daemon, DaemonCase
from tests.support.eventually import eventually


class ReloadCase(DaemonCase):
    """A daemon whose file is written again. Owned by the test."""

    def up(self, text: str, *arguments: object, **options: Any) -> Daemon:
        self.served = self.daemon(text, *arguments, **options)
        self.circus = options.get("circus", "")
        started = text.count("[watcher:") - text.count("autostart = False")
        started -= text.count("/no/such")
        active = self.statuses
        self.assertTrue(eventually(lambda: [*active().values()].count("active") >= started))
        return self.served

    def write(self, text: str, circus: str | None = None) -> None:
        daemon = self.served
        head = f"[circus]\nendpoint = {daemon.endpoint}\n"
        head += f"pubsub_endpoint = {daemon.pubsub_endpoint}\n"
        circus = self.circus if circus is None else circus
        body = f"{head}{circus}\n{text}".replace("{DIR}", str(daemon.folder))
        daemon.config.write_text(body, encoding="utf-8")

    def reload(self, text: str | None = None, **properties: Any) -> dict[str, Any]:
        """Write the file, have it read, and return the plan."""
        if text is not None:
            self.write(text)
        reply = self.served.call("reloadconfig", waiting=True, **properties)
        return dict(reply["plan"])

    def other(self, text: str) -> str:
        """Write another file beside it, and return its path."""
        path = self.served.folder / "other.ini"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def sockets(self) -> dict[str, dict[str, Any]]:
        """What listens, by name."""
        return {one["name"]: one for one in self.served.call("listsockets")["sockets"]}

    def pids(self, name: str) -> list[int]:
        return list(self.served.call("list", name=name)["pids"])

    def statuses(self) -> dict[str, str]:
        return dict(self.served.call("status")["statuses"])
