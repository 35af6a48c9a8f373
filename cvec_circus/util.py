"""Functions and endpoints for programs written for Circus."""

from cvec_circus.client.connect import (
    DEFAULT_ENDPOINT_DEALER,
    DEFAULT_ENDPOINT_STATS,
    DEFAULT_ENDPOINT_SUB,
)
from cvec_circus.logs.log import configure_logger
from cvec_circus.options.kinds import human2bytes

__all__ = [
    "DEFAULT_ENDPOINT_DEALER",
    "DEFAULT_ENDPOINT_STATS",
    "DEFAULT_ENDPOINT_SUB",
    "configure_logger",
    "human2bytes",
]
