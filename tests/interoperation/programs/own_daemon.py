"""A program that does around its arbiter what Circus' own daemon does, as AiiDA has it."""

import os
import socket
import threading

from circus import get_arbiter
from circus.client import CircusClient
from circus.pidfile import Pidfile
from circus.util import check_future_exception_and_log
from embedder import CONTROL, EVENTS, say, until


def finish():
    client = CircusClient(endpoint=CONTROL, timeout=60)
    until(lambda: client.send_message("status", name="web").get("status") == "active")
    until(lambda: client.send_message("quit", waiting=True)["status"] == "ok")
    client.stop()


def live(arbiter):
    """Return what comes of it: a failure to open is raised, or in the future."""
    pidfile = Pidfile(arbiter.pidfile)
    pidfile.create(os.getpid())
    try:
        future = arbiter.start()
        if check_future_exception_and_log(future) is not None:
            return "failed"
        return arbiter._restarting
    except Exception as error:
        arbiter.loop.run_sync(arbiter._emergency_stop)
        return "failed" if "Address already in use" in str(error) else repr(error)
    finally:
        pidfile.unlink()
        say(os.path.exists(arbiter.pidfile))


web = {"name": "web", "cmd": "sleep 1000", "singleton": True}
arbiter = get_arbiter([dict(web)], controller=CONTROL, pubsub_endpoint=EVENTS, pidfile="pid")
thread = threading.Thread(target=finish)
thread.start()
say(live(arbiter))
thread.join()
with socket.socket() as taken:
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
    arbiter = get_arbiter([dict(web)], controller=endpoint, pubsub_endpoint=EVENTS, pidfile="pid")
    say(live(arbiter))
