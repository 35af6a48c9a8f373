"""The daemon for programs, and for `python -m`: `main` and `daemonize`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cvec_circus.compat.paths import finder, others
from cvec_circus.system.daemonize import daemonize

__all__ = ["daemonize", "main"]
__all__ += others(__name__)

__getattr__ = finder(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run cvec_circusd; see `cvec_circus.daemon.main.main`."""
    from cvec_circus.daemon.main import main

    return main(argv)


if __name__ == "__main__":
    sys.exit(main())
