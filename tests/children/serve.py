"""`serve.py FD`: answers HTTP requests on a listening socket it inherits, each with its pid.

Prints `ready <pid>`; the end of its standard error, if there is one, is none of its business.
"""

import os
import socket
import sys

server = socket.socket(fileno=int(sys.argv[1]))
server.setblocking(True)
print("ready", os.getpid(), flush=True)
body = f"{os.getpid()}\n".encode()
answer = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
while True:
    client, _ = server.accept()
    try:
        client.recv(65536)
        client.sendall(answer)
    except ConnectionError:
        pass
    finally:
        client.close()
