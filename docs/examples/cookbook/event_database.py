import sqlite3

from cvec_circus.plugins import CircusPlugin


class EventDatabase(CircusPlugin):
    """Writes every event into an SQLite database."""

    name = "event_database"
    schema = {"file": "string"}

    def handle_init(self):
        # Closed on another thread than this, but never used on both at once: that is promised.
        self.database = sqlite3.connect(self.config["file"], check_same_thread=False)
        columns = "time REAL, watcher TEXT, action TEXT, pid INTEGER, message TEXT"
        self.database.execute(f"CREATE TABLE IF NOT EXISTS events ({columns})")

    def handle_recv(self, data):
        _, action, message = self.split_data(data)
        event = self.load_message(message)
        row = event["time"], event["watcher"], action, event.get("process_pid"), message.decode()
        with self.database:
            self.database.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", row)

    def handle_stop(self):
        self.database.close()
