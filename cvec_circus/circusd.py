"""The daemon for programs, and for `python -m`: `main` and `daemonize`."""

from cvec_circus.compat.paths import ending, finder, others
from cvec_circus.system.daemonize import daemonize

__all__ = ["daemonize", "main"]
__all__ += others(__name__)

__getattr__ = finder(__name__)

main = ending("cvec_circus.daemon.main")

if __name__ == "__main__":
    main()
