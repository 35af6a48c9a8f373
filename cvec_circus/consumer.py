"""`CircusConsumer` for programs."""

from cvec_circus.client.connect import DEFAULT_ENDPOINT_SUB
from cvec_circus.client.consumer import CircusConsumer

__all__ = ["DEFAULT_ENDPOINT_SUB", "CircusConsumer"]
