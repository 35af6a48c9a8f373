"""cvec_circusd-stats, by `python -m`."""

import sys

from cvec_circus.stats.program import main

if __name__ == "__main__":
    sys.exit(main())
