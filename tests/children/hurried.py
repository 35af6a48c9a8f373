"""Runs a script of ours with some of its times made short.

`hurried.py ROOT MODULE.NAME=SECONDS ... PYTHON SCRIPT ARGUMENT ...`; the modules are below
`cvec_circus` in ROOT. What the script starts has the usual times.
"""

import importlib
import runpy
import sys

sys.path[0] = sys.argv[1]
del sys.argv[:2]
while "=" in sys.argv[0]:
    name, _, seconds = sys.argv.pop(0).partition("=")
    module, _, constant = name.rpartition(".")
    found = importlib.import_module(f"cvec_circus.{module}")
    assert isinstance(getattr(found, constant), float), name
    setattr(found, constant, float(seconds))
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
