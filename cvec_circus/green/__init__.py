"""The names of Circus' package for gevent, which are gone: their use says what to write instead.

Its modules have no files here: each is one name, which the table of gone names has.
"""

import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec

from cvec_circus.compat.paths import finder

__getattr__ = finder(__name__)

for _name in ("arbiter", "client", "consumer", "controller", "sighandler"):
    _module = module_from_spec(ModuleSpec(f"{__name__}.{_name}", None))
    _module.__getattr__ = finder(_module.__name__)  # type: ignore[method-assign]
    sys.modules[_module.__name__] = _module
