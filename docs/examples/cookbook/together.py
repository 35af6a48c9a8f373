from cvec_circus.plugins import CircusPlugin


class Together(CircusPlugin):
    """Restarts one watcher whenever somebody has restarted another one."""

    name = "together"
    schema = {"first": "string", "then": "string"}

    def handle_recv(self, data):
        _, action, message = self.split_data(data)
        event = self.load_message(message)
        is_ordered = event["cause"].startswith("command:")
        if (
            event["watcher"] == self.config["first"]
            and action in ("start", "reload")
            and is_ordered
        ):
            self.cast("restart", name=self.config["then"])
