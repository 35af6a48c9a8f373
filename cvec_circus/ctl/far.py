"""A daemon on another machine."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager

from cvec_circus.client.connect import endpoint_from
from cvec_circus.client.tunnel import tunnel_until_signal


@contextmanager
def over_ssh(options: Namespace) -> Iterator[None]:
    """Have the endpoint of a command line be one of another machine.

    Args:
        options: Those of the command line: `tunnel` is set, and `endpoint` becomes one of here.

    Raises:
        SocketError: ssh does not get there.
    """
    with tunnel_until_signal(options.ssh, options.ssh_keyfile) as tunnel:
        options.endpoint = tunnel.local(options.endpoint or endpoint_from())
        options.tunnel = tunnel
        yield
