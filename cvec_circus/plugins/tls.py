"""Whom a plugin believes that speaks TLS."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from cvec_circus.exc import OptionError

TLS = {"verify": "boolean(default=True)", "ca_file": "string(default=None)"}
"""What a schema has for that."""


def tls_context(config: Mapping[str, Any]) -> ssl.SSLContext:
    """Return a context for TLS. Any thread.

    Args:
        config: ``verify``, whether certificates are looked at; ``ca_file``, the file of those whose
            signatures count, None for the ones that the system trusts.

    Raises:
        OptionError: The file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=config["ca_file"])
    except OSError as error:  # what is wrong with the text in it is one of these, too
        raise OptionError("ca_file", f"{config['ca_file']}: {error.strerror or error}") from None
    if not config["verify"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
