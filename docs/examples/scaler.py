"""A plugin that keeps as many processes of a watcher as a file asks for."""

from pathlib import Path

from cvec_circus.plugins import CircusPlugin


class Scaler(CircusPlugin):
    name = "scaler"

    def __init__(self, *args, **config):
        super().__init__(*args, **config)
        self.watcher = config["watcher"]
        self.file = Path(config["file"])

    def handle_init(self):
        self.timer = self.loop.periodic(self.look, 1000)
        self.timer.start()

    def handle_stop(self):
        self.timer.stop()

    def handle_recv(self, data):
        """Events are of no interest here, but the method has to be there."""

    def look(self):
        if self.file.exists():
            wanted = int(self.file.read_text())
            self.cast("set", name=self.watcher, options={"numprocesses": wanted})
