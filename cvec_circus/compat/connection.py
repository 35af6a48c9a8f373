"""Connecting a socket of ZeroMQ that a program has made."""

from __future__ import annotations

import atexit
from typing import Any

from cvec_circus.client.tunnel import Tunnel


def get_connection(
    socket: Any, endpoint: str, ssh_server: str | None = None, ssh_keyfile: str | None = None
) -> None:
    """Connect a socket to an endpoint, on another machine by the system's ssh.

    The connection of ssh lives as long as the program, as in Circus.

    Args:
        socket: A socket of pyzmq, which is the caller's.
        endpoint: Where to connect to.
        ssh_server: The machine of the endpoint; None for this one.
        ssh_keyfile: The private key for ssh; None for those that ssh finds.

    Raises:
        SocketError: ssh cannot connect.
        zmq.ZMQError: The endpoint is malformed.
    """
    if ssh_server is not None:
        tunnel = Tunnel(ssh_server, ssh_keyfile)
        atexit.register(tunnel.close)
        endpoint = tunnel.local(endpoint)
    socket.connect(endpoint)
