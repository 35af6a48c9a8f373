# The Logger of the page "Writing plugins", below the line exactly as it is printed there.
# mypy: ignore-errors
# ruff: noqa
# fmt: off
# ------------------------------------------------------------------------------------------------
from cvec_circus.plugins import CircusPlugin


class Logger(CircusPlugin):

    name = 'logger'

    def __init__(self, *args, **config):
        super(Logger, self).__init__(*args, **config)
        self.filename = config.get('filename')
        self.file = None

    def handle_init(self):
        self.file = open(self.filename, 'a+', buffering=1)

    def handle_stop(self):
        self.file.close()

    def handle_recv(self, data):
        watcher_name, action, msg = self.split_data(data)
        msg_dict = self.load_message(msg)
        self.file.write('%s %s::%r\n' % (action, watcher_name, msg_dict))
