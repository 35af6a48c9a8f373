"""cvec_circusctl for programs, and for `python -m`: `main`."""

import sys

from cvec_circus.compat.paths import finder, others
from cvec_circus.ctl.main import main

__all__ = ["main"]
__all__ += others(__name__)

__getattr__ = finder(__name__)

if __name__ == "__main__":
    sys.exit(main())
