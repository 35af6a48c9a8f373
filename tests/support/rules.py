"""The rules on single lines of code, each decided from the syntax tree.

Every rule is a function that takes a parsed module and yields (line, what is wrong). They are about
things that have gone wrong in supervisors before: a clock that steps, an exit status that somebody
else collected, a child that is forked with a lock held.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Callable

from tests.support.architecture import PACKAGE, Module

Finding = tuple[int, str]
Rule = Callable[[Module], Iterator[Finding]]

CLOCK = f"{PACKAGE}.base.clock"
CLOCK_READINGS = frozenset(
    f"{name}{suffix}"
    for name in ("time", "monotonic", "perf_counter", "clock_gettime")
    for suffix in ("", "_ns")
)
NAMED = f"{PACKAGE}.base.named"
COROUTINES = f"{PACKAGE}.runtime.coroutines"
OTHER_LOOPS = frozenset({"asyncio", "tornado", "trio", "anyio", "gevent", "eventlet"})


def _calls(module: Module) -> Iterator[tuple[ast.Call, str]]:
    """Yield every call with the last word of what is called: "sleep" for time.sleep(1)."""
    for node in module.nodes:
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Attribute):
                yield node, called.attr
            elif isinstance(called, ast.Name):
                yield node, called.id


def clock(module: Module) -> Iterator[Finding]:
    """Only base/clock.py reads a clock: everything else is handed one, so that tests own time."""
    if module.name == CLOCK:
        return
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "time" and node.attr in CLOCK_READINGS:
                yield node.lineno, f"time.{node.attr} outside base/clock.py: take a Clock"
        elif isinstance(node, ast.ImportFrom) and node.module == "time" and not node.level:
            for alias in node.names:
                if alias.name in CLOCK_READINGS:
                    yield node.lineno, f"time.{alias.name} outside base/clock.py: take a Clock"


def sleeping(module: Module) -> Iterator[Finding]:
    """Nobody sleeps: a wait has something to wait for, and a deadline."""
    for call, name in _calls(module):
        if name == "sleep":
            yield call.lineno, "sleep(): wait for what is to happen, with a deadline"
    for node in module.nodes:
        if isinstance(node, ast.ImportFrom) and node.module == "time" and not node.level:
            if any(alias.name == "sleep" for alias in node.names):
                yield node.lineno, "sleep(): wait for what is to happen, with a deadline"


def preexec(module: Module) -> Iterator[Finding]:
    """preexec_fn is unsafe beside threads, and turns the cheap vfork into a fork."""
    for call, _ in _calls(module):
        if any(keyword.arg == "preexec_fn" for keyword in call.keywords):
            yield call.lineno, "preexec_fn: it runs Python between fork and exec, beside threads"


def collecting(module: Module) -> Iterator[Finding]:
    """Every exit status is collected by pid: a wait for any child steals those of others."""
    for call, name in _calls(module):
        if name in {"waitpid", "wait4"} and call.args and _is_minus_one(call.args[0]):
            yield call.lineno, f"{name}(-1) collects the children of others: name the pid"
        elif name == "wait3" or (name == "wait" and _is_of_os(call)):
            yield call.lineno, f"os.{name}() collects the children of others: name the pid"


def _is_minus_one(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
        and node.operand.value == 1
    )


def _is_of_os(call: ast.Call) -> bool:
    called = call.func
    return (
        isinstance(called, ast.Attribute)
        and isinstance(called.value, ast.Name)
        and called.value.id == "os"
    )


def excepting(module: Module) -> Iterator[Finding]:
    """An except clause names what it expects, and a broad one does something about it."""
    for node in module.nodes:
        if not isinstance(node, ast.ExceptHandler):
            continue
        if node.type is None:
            yield node.lineno, "bare except: it takes KeyboardInterrupt and SystemExit too"
        elif _is_broad(node.type) and all(isinstance(line, ast.Pass) for line in node.body):
            yield node.lineno, "an exception of any kind is swallowed here: log it or name it"


def _is_broad(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"Exception", "BaseException"}


def other_loops(module: Module) -> Iterator[Finding]:
    """There is one event loop here, and it is ours; coroutines of plugins alone need another."""
    if module.name == COROUTINES:
        return
    for target in module.imports:
        if target.target.partition(".")[0] in OTHER_LOOPS:
            yield target.line, f"{target.target}: the only event loop is cvec_circus.base.loop"


def importing(module: Module) -> Iterator[Finding]:
    """An import compiles nothing: it took a quarter of the time in which a program starts."""
    for node in module.nodes:
        if isinstance(node, ast.ImportFrom) and node.module == "typing" and module.name != NAMED:
            if any(alias.name == "NamedTuple" for alias in node.names):
                yield node.lineno, "typing.NamedTuple compiles annotations: take base/named.py"
    for node in set(module.nodes) - module.late:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Call):
            if ast.unparse(node.value.func) == "re.compile":
                yield node.lineno, "re.compile() in an import: take base/patterns.py"


EVERYWHERE: tuple[Rule, ...] = (sleeping, preexec, collecting, excepting, other_loops)
PACKAGE_ONLY: tuple[Rule, ...] = (clock, importing)


def findings(modules: dict[str, Module], rules: tuple[Rule, ...]) -> Iterator[str]:
    """Apply the rules to all the modules and say each finding in a line."""
    for module in modules.values():
        for rule in rules:
            for line, text in sorted(rule(module)):
                yield f"{module.path}:{line}: {text}"
