"""Prints every public name of the installed Circus as JSON: python published_names.py

It reads the source and imports nothing. A name is public if neither it nor its module begins with
an underscore. It belongs to the module whose source defines it. Where a package, or a module at the
top, imports it from there, it is a name there too, and listed with its home. What a module imports
from elsewhere is not a name of Circus, and neither is what one of the inner modules imports.

Members are listed of the classes that programs hold or derive from: what the source of the class
defines, and that of no class above it, the attributes of its instances included.
"""

import ast
import importlib.util
import json
from pathlib import Path

HELD = {
    *("Arbiter", "ThreadedArbiter", "Watcher", "Process", "CircusSocket", "CircusSockets"),
    *("CircusClient", "CircusConsumer", "StatsClient", "StatsdClient", "Command", "Pidfile"),
    *("CircusPlugin", "Flapping", "WatchDog", "CommandReloader", "ResourceWatcher"),
    *("HttpObserver", "RedisObserver", "StatsdEmitter", "BaseObserver", "FullStats"),
    *("QueueStream", "StdoutStream", "FancyStdoutStream"),
    *("FileStream", "WatchedFileStream", "TimedRotatingFileStream"),
    *("DictDiffer", "ImportStringError", "MessageError"),
}
"""The classes whose members are listed."""

OF_PYTHON = {"ctypes", "fcntl", "grp", "pwd", "pygments", "reload_module", "resource", "yaml"}
"""Modules and functions of others, as far as a system has them."""

ROOT = Path(importlib.util.find_spec("circus").origin).parent


def modules():
    """Yield the public modules by their names below the package, each with its syntax tree."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if not any(part.startswith("_") for part in parts):
            yield ".".join(parts), path.name == "__init__.py", ast.parse(path.read_text())


def is_public(name):
    """Whether a name is for others; a version is."""
    return not name.startswith("_") or name == "__version__"


def statements(body):
    """Yield the statements of a module or class, those in branches too."""
    for node in body:
        yield node
        for inner in ("body", "orelse", "finalbody"):
            if isinstance(node, (ast.If, ast.Try)):
                yield from statements(getattr(node, inner, []))
        for handler in getattr(node, "handlers", []):
            yield from statements(handler.body)


def assigned(node):
    """Yield the names that an assignment gives values to."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        for name in ast.walk(target):
            if isinstance(name, ast.Name):
                yield name.id


def names(tree):
    """Yield (name, home, node) of a module; the home is where it imports it from, or None."""
    for node in statements(tree.body):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name, None, node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            for name in assigned(node):
                yield name, None, node
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "circus":
            for alias in node.names:
                yield alias.asname or alias.name, node.module[7:], node


def members(node):
    """Yield the public members of a class, in its own source."""
    for inner in statements(node.body):
        if isinstance(inner, ast.FunctionDef):
            yield inner.name
            for part in ast.walk(inner):
                targets = part.targets if isinstance(part, ast.Assign) else []
                for target in [one for each in targets for one in ast.walk(each)]:
                    if isinstance(target, ast.Attribute) and isinstance(target.ctx, ast.Store):
                        if getattr(target.value, "id", "") == "self":
                            yield target.attr
        elif isinstance(inner, (ast.Assign, ast.AnnAssign)):
            yield from assigned(inner)
        elif isinstance(inner, ast.ClassDef):
            yield inner.name


def own(classes, node):
    """Return the members of a class, with those of the private classes above it."""
    private = [one for one in bases(classes, node) if not is_public(one.name)]
    return {m for one in [node, *private] for m in members(one)}


def bases(classes, node):
    """Yield the classes above one, as far as Circus has them."""
    for base in node.bases:
        above = classes.get(getattr(base, "id", ""))
        if above is not None and above is not node:
            yield above
            yield from bases(classes, above)


def home_of(defined, imported, where, name):
    """Return the module that defines what a module imports; None if that is not Circus."""
    seen = set()
    while name not in defined.get(where, ()):
        seen.add(where)
        where = imported.get(where, {}).get(name)
        if where is None or where in seen:  # a package imports its modules from itself
            return None
    return where


def collect():
    """Return {module: {name: {"home": a module or None, "members": [...]}}}."""
    trees = list(modules())
    packages = {where for where, is_package, _ in trees if is_package or "." not in where}
    found = {where: list(names(tree)) for where, _, tree in trees}
    defined = {w: {n for n, home, _ in listed if home is None} for w, listed in found.items()}
    imported = {
        where: {name: home for name, home, _ in listed if home is not None}
        for where, listed in found.items()
    }
    classes = {
        name: node
        for listed in found.values()
        for name, _, node in listed
        if isinstance(node, ast.ClassDef)
    }
    published = {}
    for where, listed in found.items():
        rows = published.setdefault(where, {})
        for name, home, node in listed:
            if not is_public(name) or name in OF_PYTHON:
                continue
            if home is not None:
                home = home_of(defined, imported, home, name)
                if home is None or where not in packages:
                    continue
            row = {"home": home, "members": []}
            if isinstance(node, ast.ClassDef) and name in HELD and "green" not in where:
                known = [one for one in bases(classes, node) if is_public(one.name)]
                above = {m for one in known for m in own(classes, one)}
                row["members"] = sorted(filter(is_public, own(classes, node) - above))
            rows.setdefault(name, row)
    return {where: rows for where, rows in published.items() if rows}


if __name__ == "__main__":
    print(json.dumps(collect(), indent=1))
