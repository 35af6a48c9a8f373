"""The certificate of the servers of tests: one for localhost, signed by itself, with its key."""

from __future__ import annotations

import ssl
from pathlib import Path

CERTIFICATE = Path(__file__).parent / "localhost.pem"


def server_context() -> ssl.SSLContext:
    """Return what a server of a test speaks TLS with."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    return context
