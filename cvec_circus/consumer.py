"""`CircusConsumer` for programs."""

from cvec_circus.client.consumer import CircusConsumer
from cvec_circus.client.endpoints import DEFAULT_ENDPOINT_SUB
from cvec_circus.compat.paths import finder, others

__all__ = ["DEFAULT_ENDPOINT_SUB", "CircusConsumer"]
__all__ += others(__name__)

__getattr__ = finder(__name__)
