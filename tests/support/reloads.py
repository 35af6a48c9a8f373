"""A daemon whose configuration is read again."""

from __future__ import annotations

from typing import Any

import zmq

from cvec_circus.wire import messages
from tests.support.daemon import Daemon, DaemonCase
from tests.support.eventually import eventually


class Asking:
    """Orders given one after the other, whose answers come when they come. Owned by the test."""

    def __init__(self, daemon: Daemon) -> None:
        self._context: zmq.Context[Any] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.connect(daemon.endpoint)
        self.answers: dict[str, dict[str, Any]] = {}

    def ask(self, command: str, **properties: Any) -> str:
        """Give an order, and return its id."""
        message = messages.call(command, properties)
        self._socket.send(messages.encode(message))
        return str(message["id"])

    def answered(self, *ids: str) -> bool:
        """Whether these have been answered by now."""
        while self._socket.poll(0):
            answer = messages.decode(self._socket.recv())
            self.answers[str(answer["id"])] = answer
        return all(one in self.answers for one in ids)

    def until(self, *ids: str) -> list[dict[str, Any]]:
        """Wait for the answers to these, and return them."""
        if not eventually(lambda: self.answered(*ids)):
            raise AssertionError(f"not answered: {set(ids) - set(self.answers)}")
        return [self.answers[one] for one in ids]

    def close(self) -> None:
        self._socket.close(0)
        self._context.term()


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

    def asking(self) -> Asking:
        """Somebody who gives orders and does not wait."""
        asking = Asking(self.served)
        self.addCleanup(asking.close)
        return asking

    def pids(self, name: str) -> list[int]:
        return list(self.served.call("list", name=name)["pids"])

    def statuses(self) -> dict[str, str]:
        return dict(self.served.call("status")["statuses"])
