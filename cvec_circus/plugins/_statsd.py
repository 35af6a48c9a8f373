"""The module that StatsdEmitter was in once, for configurations of Circus that still say so."""

from __future__ import annotations

from cvec_circus.plugins.statsd import StatsdEmitter

__all__ = ["StatsdEmitter"]
