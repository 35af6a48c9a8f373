"""A plugin that tells a web address when a watcher gives up."""

from urllib.request import Request, urlopen

from cvec_circus import logger
from cvec_circus.plugins import CircusPlugin


class Notifier(CircusPlugin):
    name = "notifier"

    def __init__(self, *args, **config):
        super().__init__(*args, **config)
        self.url = config["url"]

    def handle_recv(self, data):
        watcher_name, action, msg = self.split_data(data)
        if action == "giveup":
            reason = self.load_message(msg)["reason"]
            self.loop.run_in_thread(self.post, f"{watcher_name}: {reason}", then=self.posted)

    def post(self, text):
        """Runs on a thread of its own: it may take its time."""
        with urlopen(Request(self.url, data=text.encode()), timeout=10):
            pass

    def posted(self, result, error):
        """Runs on the plugin thread again."""
        if error is not None:
            logger.warning("%s cannot be told: %s", self.url, error)
