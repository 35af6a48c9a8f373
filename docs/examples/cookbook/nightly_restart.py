from datetime import datetime, time, timedelta

from cvec_circus.plugins import CircusPlugin


class NightlyRestart(CircusPlugin):
    """Restarts a watcher once a day."""

    name = "nightly_restart"
    schema = {"watcher": "string", "at": "string(default='04:00')"}

    def handle_init(self):
        self.at = time.fromisoformat(self.config["at"])
        self.plan()

    def plan(self):
        now = datetime.now()
        then = datetime.combine(now, self.at)
        if then <= now + timedelta(seconds=1):  # past, or just done
            then += timedelta(days=1)
        # Not `then - now`, which knows nothing of summer time.
        self.loop.call_later(then.timestamp() - now.timestamp(), self.restart)

    def restart(self):
        self.cast("restart", name=self.config["watcher"])
        self.plan()

    def handle_recv(self, data):
        pass
