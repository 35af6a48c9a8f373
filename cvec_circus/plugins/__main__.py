"""cvec_circus-plugin, by `python -m`."""

import sys

from cvec_circus.runtime.runner import main

if __name__ == "__main__":
    sys.exit(main())
