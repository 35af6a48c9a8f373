from cvec_circus.plugins import CircusPlugin


class StandIn(CircusPlugin):
    """Starts one watcher when another has given up, and stops it when that is back."""

    name = "stand_in"
    schema = {"watcher": "string", "stand_in": "string"}

    def handle_recv(self, data):
        _, action, message = self.split_data(data)
        if self.load_message(message)["watcher"] != self.config["watcher"]:
            return
        if action == "giveup":
            self.cast("start", name=self.config["stand_in"])
        elif action == "start":
            self.cast("stop", name=self.config["stand_in"])
