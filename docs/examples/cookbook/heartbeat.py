from pathlib import Path

from cvec_circus import logger
from cvec_circus.plugins import CircusPlugin


class Heartbeat(CircusPlugin):
    """Touches a file as long as all watchers are up, for a monitor that looks at its age."""

    name = "heartbeat"
    schema = {
        "file": "string",
        "interval": "float(min=0.01, default=10)",
        "only": "list(default=list())",
    }

    def handle_init(self):
        self.loop.periodic(self.beat, self.config["interval"] * 1000).start()

    def beat(self):
        statuses = self.call("status")["statuses"]
        down = [name for name in self.config["only"] or statuses if statuses.get(name) != "active"]
        if down:
            logger.warning("no heartbeat: %s", ", ".join(down))
        else:
            Path(self.config["file"]).touch()

    def handle_recv(self, data):
        pass
