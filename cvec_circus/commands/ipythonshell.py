"""The name of Circus' `commands.ipythonshell`, which is gone: a use says what to write instead."""

from cvec_circus.compat.paths import finder

__getattr__ = finder(__name__)
