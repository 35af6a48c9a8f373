"""Reads a tree of Python files and says where it breaks the rules of the project's architecture.

Nothing is imported or run: every rule is decided from the syntax tree. `rules.py` beside this file
holds the rules on single lines; here are those that look at modules as a whole: who may import
whom, cycles, and the length of a file.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PACKAGE = "cvec_circus"
LONGEST_FILE = 400

# What both sides of the wire stand on.
COMMON = frozenset({"exc", "base", "system", "options", "wire", "commands", "compat.members"})

# The daemon's side, lowest row first. A package imports itself and what stands in lower rows.
ROWS: tuple[tuple[str, ...], ...] = (
    ("exc",),
    ("base",),
    ("system", "options", "wire"),
    ("commands", "config", "probes", "sockets", "stream"),
    ("logs",),
    ("core",),
    ("control",),
    ("supervisor",),
    ("embedding",),
    ("testing",),
    ("daemon",),
)

# Packages of `ROWS` that may import less than their rows allow, or more.
LESS: dict[str, frozenset[str]] = {
    "commands": frozenset(
        {
            *("exc", "options", "wire", "base.figures", "base.named", "base.overrides"),
            "base.patterns",
            "system.signals",
            *("compat.command", "compat.messages", "compat.paths"),
        }
    ),
}
MORE: dict[str, frozenset[str]] = {
    "embedding": frozenset({"compat"}),
    "stream": frozenset({"compat.file_names", "compat.members", "compat.paths"}),
    # an option may be a user or a signal's name; and a generation says what made it
    "options": frozenset({"system.accounts", "system.signals", "wire.cause", "wire.outcome"}),
    "daemon": frozenset({"demo", "ctl.output"}),  # cvec_circusd --demo, and what --check prints
    "testing": frozenset({"client", "runtime"}),  # it is both sides of the wire
}

# The client's side: what each package imports beside itself. A dotted name is one module.
CLIENT_SIDE: dict[str, frozenset[str]] = {
    "client": COMMON,
    "stats": COMMON | {"client", "logs", "control.endpoints", "control.events", "compat.paths"},
    "view": COMMON | {"client", "stats"},
    "ctl": COMMON | {"client"},
    "top": COMMON | {"client", "ctl", "view"},
    "runtime": COMMON | {"client", "ctl.output", "logs"},
    "plugins": COMMON | {"client", "runtime", "stream.base", "stream.file"},
    "demo": frozenset({"exc", "plugins"}),
}

# What programs written for Circus import: the room of what nothing else needs, and at the root the
# paths that names have in Circus, each from the package it is in.
NAMES: dict[str, frozenset[str]] = {
    "compat": frozenset({"exc", "base", "system", "options", "wire", "client", "config"}),
    "arbiter": frozenset({"embedding", "compat.paths"}),
    "circusctl": frozenset({"compat.paths"}),
    "circusd": frozenset({"system", "compat.paths"}),
    "consumer": frozenset({"client", "compat.paths"}),
    "controller": frozenset({"compat.paths"}),
    "fixed_threading": frozenset(),
    "green": frozenset({"compat.paths"}),
    "pidfile": frozenset({"system"}),
    "process": frozenset({"embedding", "compat.paths"}),
    "sighandler": frozenset({"compat.paths"}),
    "util": frozenset({"client", "logs", "options", "compat", "runtime", "system"}),
    "watcher": frozenset({"embedding", "compat.paths"}),
}

# Where an import may stand inside a function, beside the `__init__.py` files: names resolved on
# first use, and what takes time to load and is seldom needed (psutil, on the sampler thread when
# somebody asks for samples). None stands for "whatever is imported".
LATE_IMPORTS: dict[str, str | None] = {
    "base.overrides": "inspect",  # takes 5 ms, and the command line defines no such class
    "commands.base": "cvec_circus.compat",
    "commands.set": "cvec_circus.options.hooks",  # few orders have hooks
    "commands.restart": "cvec_circus.compat",  # only a program for Circus asks
    "compat.members": "cvec_circus.compat",
    "compat.paths": "cvec_circus.compat.gone",  # a table that only a program for Circus needs
    "daemon.daemon": None,  # what only some starts need
    "daemon.main": None,
    "daemon.succession": "shutil",  # only an upgrade needs it, and it loads three compressions
    "logs.configured": None,  # what only a configuration of logging needs
    "logs.log": None,  # syslog and logging.config
    "logs.program": "cvec_circus.logs.log",  # most plugins log to the standard error
    "system.completion": "argcomplete",  # an extra
    "system.pidfd": "ctypes",  # few daemons take a file from another process
    "system.memory": "ctypes",  # a program that embeds an arbiter may never need it
    "options.known_secrets": "urllib",  # only a daemon with secrets
    "options.nearest": "difflib",
    "options.schedule": "cronsim",  # an extra
    "options.kinds": "cvec_circus.options",  # only who has hooks, or checks
    "options.watcher": "cvec_circus.options",
    "options.rights": "cvec_circus.system",  # what asks the system for accounts and limits
    "supervisor.compose": "cvec_circus.supervisor",  # cgroups, or what only a crash needs
    "supervisor.hooks": "cvec_circus.supervisor.hook_calls",  # most daemons have no hooks
    "supervisor.names": "cvec_circus.supervisor.hook_calls",
    "supervisor.launching": "cvec_circus.system",
    "system.launch_shim": "ctypes",  # only for pdeathsig
    # most daemons have no checks
    "supervisor.probing.probes": "cvec_circus.supervisor.probing.checking",
    "config.env_files": "dotenv",  # an extra
    "config.build": "cvec_circus.options.checks",  # only for values that no option can read
    "supervisor.output.outputs": None,  # most daemons keep no output, and pass none on
    "supervisor.sampler": "cvec_circus.system",
    "supervisor.supervisor": "cvec_circus.supervisor",  # after the first spawns, or a crash
    "supervisor.timetable": None,  # most daemons have no schedules
    "supervisor.target": "cvec_circus.supervisor.reload.reloading",
    "probes.connection": "ssl",  # most daemons probe no https
    "control.endpoints": None,  # what only ipc endpoints need
    "client.client": "cvec_circus.client.tunnel",  # only for a daemon on another machine
    "ctl.main": None,  # what a reply does not need
    "sockets.managed": None,  # what only paths, and addresses in use, need
    "sockets.noted": "cvec_circus.sockets.unix",
    "top.main": "cvec_circus.top.terminal",  # only a terminal needs curses
    "runtime.assignment": "cvec_circus.ctl.output",  # only --list prints
    "runtime.catalogue": None,  # only some names, and descriptions
    "runtime.life": "cvec_circus.runtime.statistics",
    "runtime.runner": "cvec_circus.client.tunnel",  # only for a daemon on another machine
    "runtime.schema": "configobj",  # most plugins have no schema
    "plugins.redis_observer": "redis",
}

# Packages without I/O and without threads of their own.
PURE = {
    "core": frozenset(
        "_thread concurrent multiprocessing psutil select selectors socket subprocess "
        "threading zmq".split()
    ),
    "wire": frozenset({"zmq"}),
    "options": frozenset({"zmq"}),
    "commands": frozenset({"zmq", "psutil", "threading"}),
}


@dataclass(frozen=True)
class Import:
    """One imported module. Immutable."""

    target: str
    line: int
    late: bool


@dataclass
class Module:
    """One file, read and parsed. Belongs to the test that made it.

    Attributes:
        nodes: Its syntax tree, in the order of `ast.walk`.
        late: Those of them that are inside a function.
    """

    name: str
    path: Path
    nodes: list[ast.AST]
    late: set[ast.AST]
    lines: int
    imports: list[Import] = field(default_factory=list)

    @property
    def is_package(self) -> bool:
        """Whether this is an `__init__.py`."""
        return self.path.name == "__init__.py"

    @property
    def inner(self) -> str:
        """The name without the package in front of it: "base.loop"; "" for the package itself."""
        return self.name[len(PACKAGE) + 1 :]

    @property
    def row(self) -> str:
        """The name of the package, or of the top-level module, that this one belongs to."""
        return self.inner.partition(".")[0]


def read(root: Path, package: str = PACKAGE) -> dict[str, Module]:
    """Parse every file of root/package, and find out which modules each one imports."""
    modules = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        nodes, late = _nodes(ast.parse(text, filename=str(path)))
        modules[name] = Module(name, path, nodes, late, len(text.splitlines()))
    for module in modules.values():
        module.imports = list(_imports(module, set(modules)))
    return modules


def _nodes(tree: ast.Module) -> tuple[list[ast.AST], set[ast.AST]]:
    """Walk a tree once: return all nodes, and those inside a function."""
    nodes: list[ast.AST] = []
    late: set[ast.AST] = set()
    waiting: deque[tuple[ast.AST, bool]] = deque([(tree, False)])
    while waiting:
        node, is_late = waiting.popleft()
        nodes.append(node)
        if is_late:
            late.add(node)
        is_late |= isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        waiting.extend((child, is_late) for child in ast.iter_child_nodes(node))
    return nodes, late


def _imports(module: Module, known: set[str]) -> Iterator[Import]:
    """Yield what the module imports, wherever in it, under TYPE_CHECKING too."""
    late = module.late
    for node in module.nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, node in late)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(module, node)
            for alias in node.names:
                whole = f"{origin}.{alias.name}"
                yield Import(whole if whole in known else origin, node.lineno, node in late)


def _origin(module: Module, node: ast.ImportFrom) -> str:
    """Return the absolute name that a `from ... import` takes its names from."""
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    base = parts[: len(parts) - node.level + (1 if module.is_package else 0)]
    return ".".join([*base, *([node.module] if node.module else [])])


def allowed(row: str) -> frozenset[str] | None:
    """Return what the package `row` may import beside itself; None when it has no place yet."""
    for named in (LESS, CLIENT_SIDE, NAMES):
        if row in named:
            return named[row]
    below: set[str] = set()
    for names in ROWS:
        if row in names:
            return frozenset(below) | MORE.get(row, frozenset())
        below.update(names)
    return None


def layers(modules: dict[str, Module]) -> Iterator[str]:
    """Say which imports go upwards or sideways, and which modules have no place in the layers."""
    for module in modules.values():
        if not module.row:
            yield from _of_the_package_itself(module)
            continue
        permitted = allowed(module.row)
        if permitted is None:
            yield (
                f"{module.path}:1: {module.row} has no place in the layers: "
                "name it in ROWS or CLIENT_SIDE of tests/support/architecture.py"
            )
            continue
        for target in module.imports:
            if _is_ours(target) and not _permits(permitted, module, target):
                yield (
                    f"{module.path}:{target.line}: {module.inner} must not import {target.target}:"
                    f" it may import {', '.join(sorted(permitted)) or 'nothing of ours'}"
                )


def _of_the_package_itself(module: Module) -> Iterator[str]:
    """The package's own `__init__.py` stands below all: it may reach the rest on first use only."""
    for target in module.imports:
        if _is_ours(target) and not target.late:
            yield (
                f"{module.path}:{target.line}: {module.name} must not import {target.target} "
                "before somebody asks for it: whoever imports any module of ours runs it"
            )


def _is_ours(target: Import) -> bool:
    return target.target.partition(".")[0] == PACKAGE


def _permits(permitted: frozenset[str], module: Module, target: Import) -> bool:
    inner = target.target[len(PACKAGE) + 1 :]
    row = inner.partition(".")[0]
    if row in {"", module.row}:
        return True
    if target.late and _late_is_allowed(module, target):
        return True
    return row in permitted or inner in permitted


def _late_is_allowed(module: Module, target: Import) -> bool:
    if module.is_package:
        return True
    if module.inner not in LATE_IMPORTS:
        return False
    only = LATE_IMPORTS[module.inner]
    return only is None or f"{target.target}.".startswith(f"{only}.")


def late_imports(modules: dict[str, Module]) -> Iterator[str]:
    """Say which imports inside functions stand outside the named places."""
    for module in modules.values():
        for target in module.imports:
            if target.late and not _late_is_allowed(module, target):
                yield (
                    f"{module.path}:{target.line}: {target.target} is imported inside a function:"
                    " move it to the top of the file"
                )


def unused_rows(modules: dict[str, Module]) -> Iterator[str]:
    """Say which rows of `LATE_IMPORTS` name no module with imports inside functions."""
    late = {module.inner for module in modules.values() if any(t.late for t in module.imports)}
    for name in LATE_IMPORTS.keys() - late:
        yield f"LATE_IMPORTS: {name} imports nothing inside a function: remove its row"


def purity(modules: dict[str, Module]) -> Iterator[str]:
    """Say which packages import what brings I/O or threads into a place that has none."""
    for module in modules.values():
        for target in module.imports:
            if target.target.partition(".")[0] in PURE.get(module.row, ()):
                yield (
                    f"{module.path}:{target.line}: {module.row} stays free of I/O and threads: "
                    f"it must not import {target.target}"
                )


def cycles(modules: dict[str, Module]) -> Iterator[str]:
    """Say which modules import each other in a circle, each circle once."""
    edges = {name: sorted(_executed(module, modules)) for name, module in modules.items()}
    for knot in _knots(edges):
        yield f"these modules import each other in a circle: {' -> '.join([*knot, knot[0]])}"


def _executed(module: Module, modules: dict[str, Module]) -> set[str]:
    """Return what an import of the module executes: its imports, and the packages they are in."""
    imported = {t.target for t in module.imports if not t.late and t.target in modules}
    around = {name.rpartition(".")[0] for name in imported}
    around |= {name.rpartition(".")[0] for name in around}
    begun = {name for name in modules if f"{module.name}.".startswith(f"{name}.")}
    return (imported | (around & modules.keys()) - begun) - {module.name}


def _knots(edges: dict[str, list[str]]) -> list[list[str]]:
    """Return one circle for every group of nodes that reach each other."""
    reach = {name: _reachable(edges, name) for name in edges}
    seen: set[str] = set()
    knots = []
    for name in edges:
        if name in seen or name not in reach[name]:
            continue
        seen.update(other for other in reach[name] if name in reach[other])
        knots.append(_shortest_circle(edges, name))
    return knots


def _reachable(edges: dict[str, list[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(edges[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(edges[name])
    return found


def _shortest_circle(edges: dict[str, list[str]], start: str) -> list[str]:
    paths = [[start]]
    for path in paths:
        for name in edges[path[-1]]:
            if name == start:
                return path
            if name not in path:
                paths.append([*path, name])
    raise AssertionError(f"{start} is on no circle")


def lengths(modules: dict[str, Module]) -> Iterator[str]:
    """Say which files are too long to be about one subject."""
    for module in modules.values():
        if module.lines > LONGEST_FILE:
            yield f"{module.path}:1: {module.lines} lines, {LONGEST_FILE} at most: split it"
