"""The names of Circus' `controller`, which are gone: a use says what to write instead."""

from cvec_circus.compat.paths import finder

__getattr__ = finder(__name__)
