import contextlib
import socket

from cvec_circus.plugins import CircusPlugin


class Feed(CircusPlugin):
    """Sends every event, as a line, to whoever connects to a port: try it with nc."""

    name = "feed"
    schema = {"host": "string(default='127.0.0.1')", "port": "integer(min=0, max=65535)"}

    def handle_init(self):
        self.listener = socket.create_server((self.config["host"], self.config["port"]))
        self.readers = []
        self.loop.add_reader(self.listener, lambda: self.readers.append(self.listener.accept()[0]))

    def handle_recv(self, data):
        line = b" ".join(data) + b"\n"
        for reader in list(self.readers):
            with contextlib.suppress(OSError):
                if reader.send(line, socket.MSG_DONTWAIT) == len(line):
                    continue
            self.readers.remove(reader)  # it is gone, or too slow
            reader.close()

    def handle_stop(self):
        for each in [self.listener, *self.readers]:
            each.close()
