"""cvec_circus: a process and socket supervisor with a plugin system."""

from __future__ import annotations

import logging

__version__ = "0.1.0"

logger = logging.getLogger("cvec_circus")
