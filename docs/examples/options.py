"""A plugin with options that are typed."""

from cvec_circus import logger
from cvec_circus.plugins import CircusPlugin


class Pinger(CircusPlugin):
    """Asks the daemon again and again whether it is there."""

    schema = {
        "text": "string",
        "interval": "float(min=0.1, default=5)",
        "only": "list(default=list())",
    }

    def handle_init(self):
        self.loop.periodic(self.ping, self.config["interval"] * 1000).start()

    def ping(self):
        logger.info("%s %s", self.config["text"], self.call("ping")["status"])

    def handle_recv(self, data):
        if self.split_data(data)[0] in self.config["only"]:
            self.ping()
