"""The web application: takes jobs, and tells how many are waiting."""

import os
import socket
import sys
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

JOBS = Path("jobs")


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        waiting = len(list(JOBS.glob("*.job")))
        self.answer(f"{waiting} waiting, says process {os.getpid()}\n")

    def do_POST(self):
        new = JOBS / f"{uuid.uuid4().hex}.new"
        new.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
        new.rename(new.with_suffix(".job"))  # complete, so workers may see it
        self.answer("accepted\n")

    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


JOBS.mkdir(exist_ok=True)
server = HTTPServer(("", 0), Page, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=int(sys.argv[1]))  # listens already
server.socket.setblocking(False)  # the other process may be quicker to accept
server.serve_forever()
