"""Tells its supervisor when it is ready, and that it is alive; without any package."""

import os
import socket
import time


def notify(text):
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
            one.sendto(text.encode(), address)


notify("STATUS=loading the model")
# ... what takes its time ...
notify("READY=1\nSTATUS=waiting for jobs")
while True:
    time.sleep(float(os.environ.get("WATCHDOG_USEC", 2e6)) / 1e6 / 2)  # twice as often as it must
    notify("WATCHDOG=1")
