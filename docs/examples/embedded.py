"""An arbiter with a plugin, in a program of one's own."""

from cvec_circus import get_arbiter

arbiter = get_arbiter(
    [{"name": "idle", "cmd": "sleep 3600", "numprocesses": 2}],
    controller="tcp://127.0.0.1:0",  # any free port: arbiter.endpoint says which
    pubsub_endpoint="tcp://127.0.0.1:0",
    background=True,
    plugins=[
        {"name": "logger", "use": "cvec_circus.demo.logger.Logger", "filename": "events.log"},
    ],
)
arbiter.start()
try:
    print(arbiter.statuses())  # and whatever the program is for
finally:
    arbiter.stop()
