import shlex
import subprocess

from cvec_circus import logger
from cvec_circus.plugins import CircusPlugin


class DeathAlert(CircusPlugin):
    """Runs a command when a process dies without having been asked to."""

    name = "death_alert"
    schema = {"command": "string(min=1)"}

    def handle_recv(self, data):
        _, action, message = self.split_data(data)
        event = self.load_message(message)
        if action == "reap" and event["cause"] == "exit":
            words = shlex.split(self.config["command"])
            words += [event["watcher"], str(event["process_pid"]), str(event["exit_code"])]
            self.loop.run_in_thread(subprocess.run, words, then=self.ended)

    def ended(self, result, error):
        if error or result.returncode != 0:
            logger.warning("the alert has failed: %s", error or result)
