from collections import deque

from cvec_circus.plugins import CircusPlugin


class Canary(CircusPlugin):
    """Takes a process away from a watcher whose processes keep dying."""

    name = "canary"
    schema = {"deaths": "integer(min=1, default=3)", "window": "float(min=0, default=60)"}

    def handle_init(self):
        self.times = {}

    def handle_recv(self, data):
        _, action, message = self.split_data(data)
        event = self.load_message(message)
        if action != "reap" or event["cause"] != "exit":
            return
        name, deaths = event["watcher"], self.config["deaths"]
        times = self.times.setdefault(name, deque(maxlen=deaths))
        times.append(event["time"])
        if len(times) == deaths and times[-1] - times[0] <= self.config["window"]:
            self.cast("decr", name=name, reason=f"{deaths} deaths at once")
            times.clear()
