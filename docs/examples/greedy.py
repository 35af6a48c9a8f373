"""A plugin that says so when a process has used a whole processor for a while."""

from collections import Counter

from cvec_circus import logger
from cvec_circus.plugins import CircusPlugin


class Greedy(CircusPlugin):
    name = "greedy"
    want_stats = True
    schema = {"seconds": "integer(min=1, default=30)"}

    def handle_init(self):
        self.busy = Counter()

    def handle_recv(self, data):
        pass

    def handle_stats(self, data):
        topic, payload = data
        stat = self.load_message(payload)
        if "subtopic" not in stat or "cpu" not in stat:
            return  # the sum of a watcher, or a socket
        if stat["cpu"] == "N/A" or stat["cpu"] < 95:
            self.busy.pop(topic, None)
            return
        self.busy[topic] += 1
        if self.busy[topic] == self.config["seconds"]:
            logger.warning("%s is busy: %s", topic.decode(), stat["cmdline"])
