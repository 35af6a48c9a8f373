"""An arbiter with a plugin, in a program of one's own."""

from cvec_circus import get_arbiter

arbiter = get_arbiter(
    [{"cmd": "sleep 3600", "numprocesses": 2}],
    plugins=[{"use": "cvec_circus.demo.logger.Logger", "filename": "events.log"}],
)
try:
    arbiter.start()
finally:
    arbiter.stop()
