"""Prints how the public names of a package are called, as JSON: python signatures.py PACKAGE

The names come as a list of (place, name) in JSON on the standard input, as `names.txt` has them: a
place is a module below the package, or a class in one. For each callable there are its parameters
with their kinds and defaults, and for a class its bases, too, as far as they are not the package's.
"""

import importlib
import inspect
import json
import sys


def found(package, place, name):
    """Return what stands at a place; raises AttributeError for what only objects have."""
    module, _, cls = place.rpartition(".")
    if not (cls[:1].isupper() and module):
        return getattr(importlib.import_module(f"{package}.{place}".rstrip(".")), name)
    holder = getattr(importlib.import_module(f"{package}.{module}"), cls)
    return inspect.getattr_static(holder, name)


def default(parameter):
    """Return the default of a parameter as text; "" if it has none."""
    value = parameter.default
    if value is parameter.empty:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(int(value))  # a signal, too, whatever release of Python shows it
    return repr(value) if isinstance(value, str) else str(value)


def parameters(fn):
    """List the parameters of a function, those that come by position only through `in_order` too.

    Each is a name, its kind and its default.
    """
    listed = [
        [one.name, one.kind.name, default(one)] for one in inspect.signature(fn).parameters.values()
    ]
    by_name = {one[0]: one for one in listed}
    further = [
        [name, "POSITIONAL_OR_KEYWORD", by_name.get(name, ["", "", "?"])[2]]
        for name in getattr(fn, "further", ())
    ]
    own = [one for one in listed if one[1] == "POSITIONAL_OR_KEYWORD"]
    names = {one[0] for one in further}
    return [*own, *further, *(one for one in listed if one not in own and one[0] not in names)]


def described(package, thing):
    """Describe a function, a class or anything else."""
    if isinstance(thing, (staticmethod, classmethod)):
        thing = thing.__func__
    if inspect.isclass(thing):
        bases = [one for one in thing.__mro__ if one.__module__.partition(".")[0] != package]
        return {
            "kind": "class",
            "parameters": parameters(thing.__init__)[1:],
            "bases": [f"{one.__module__}.{one.__qualname__}" for one in bases],
        }
    if inspect.isfunction(thing):
        return {"kind": "function", "parameters": parameters(thing)}
    call = type(thing).__dict__.get("__call__")
    if inspect.isfunction(call) and not inspect.isclass(thing):
        return {"kind": "function", "parameters": parameters(call)[1:]}
    return {"kind": "value"}


def main():
    package, names, rows = sys.argv[1], json.load(sys.stdin), {}
    for place, name in names:
        try:
            rows[f"{place}.{name}"] = described(package, found(package, place, name))
        except AttributeError:
            rows[f"{place}.{name}"] = {"kind": "value"}  # an attribute of its instances
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
