"""The former module of StatsdEmitter, for configurations of Circus that still name it."""

from cvec_circus.plugins.statsd import StatsdEmitter

__all__ = ["StatsdEmitter"]
