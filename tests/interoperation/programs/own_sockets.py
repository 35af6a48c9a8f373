"""A program that opens sockets by itself, and starts the process that serves one."""

import os
import socket
import sys

from circus.process import Process
from circus.sockets import CircusSocket, CircusSockets
from embedder import say

SERVER = "import socket; c, _ = socket.socket(fileno={}).accept(); c.sendall(b'hi'); c.close()"

with CircusSocket("web", host="127.0.0.1", port=0, blocking=True) as web:
    say([isinstance(web, socket.socket), web.name, web.backlog, web.is_unix, web.blocking])
    web.bind_and_listen()
    say([web.port == web.getsockname()[1], web.host, web.gettimeout(), web.get_inheritable()])
    code = SERVER.format(web.fileno())
    process = Process("web", 1, sys.executable, ["-c", code], env=dict(os.environ), use_fds=True)
    with socket.create_connection(("127.0.0.1", web.port)) as connection:
        say(connection.recv(10).decode())
    process.wait()
    process.stop()
say(web.fileno())

path = os.path.abspath("u.sock")
first = CircusSocket.load_from_config({"name": "u", "path": path, "use_papa": True})
first.bind_and_listen()
say([first.is_unix, first.host, first.port, os.path.exists(path)])
try:
    CircusSocket("v", path=path).bind_and_listen()
except OSError:
    say("refused")
first.close()
say(os.path.exists(path))

sockets = CircusSockets(backlog=7)
say([sockets.add("a", "127.0.0.1", 0).backlog, list(sockets)])
try:
    sockets.add("a")
except ValueError:
    say("there is one")
sockets.bind_and_listen_all()
say(sockets["a"].port > 0)
sockets.close_all()
