"""The plugin: as many workers as there is work, and no job lost with a worker."""

from pathlib import Path

from cvec_circus import logger
from cvec_circus.plugins import CircusPlugin

JOBS = Path("jobs")


class Backlog(CircusPlugin):
    name = "backlog"

    def __init__(self, *args, **config):
        super().__init__(*args, **config)
        self.watcher = config["watcher"]
        self.most = int(config["most"])
        self.wanted = 1

    def handle_init(self):
        self.loop.periodic(self.look, 200).start()

    def look(self):
        """Five times a second: one worker, and one more for every five jobs that wait."""
        waiting = len(list(JOBS.glob("*.job")))
        wanted = min(self.most, 1 + waiting // 5)
        if wanted != self.wanted:
            self.call("set", name=self.watcher, options={"numprocesses": wanted})
            self.wanted = wanted

    def handle_recv(self, data):
        """Put back the job that a dead worker has not finished."""
        watcher, action, msg = self.split_data(data)
        if watcher == self.watcher and action == "reap":
            pid = self.load_message(msg)["process_pid"]
            for job in JOBS.glob(f"*.{pid}"):
                job.rename(job.with_suffix(".job"))
                logger.info("%s is put back", job.stem)
