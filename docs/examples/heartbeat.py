"""A worker that says while it works that it is well."""

import os
import socket
import threading
import time

sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
more_work = threading.Event()

while not more_work.wait(1):
    sender.sendto(f"{os.getpid()};{time.time()}".encode(), ("127.0.0.1", 1664))
