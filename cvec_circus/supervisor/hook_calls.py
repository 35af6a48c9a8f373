"""Calling hooks, on the thread of one watcher's hooks."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Callable, NoReturn, Protocol

from cvec_circus import logger
from cvec_circus.base.complaints import Complaints
from cvec_circus.base.loop import Loop
from cvec_circus.base.named import NamedTuple
from cvec_circus.base.overrides import IDLE, begins_to_idle
from cvec_circus.base.wakeup import Wakeup
from cvec_circus.control.server import FAULT
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.hooks import DECIDING, FORGIVEN, Hook, Use, target_name
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.options.words import split
from cvec_circus.system import executables, importing, modules, programs, virtualenv
from cvec_circus.system.launch import LaunchError, LaunchSpec
from cvec_circus.system.signals import to_name

VARIABLES = {
    "pid": "CVEC_CIRCUS_PID",
    "process_pid": "CVEC_CIRCUS_PID",
    "signum": "CVEC_CIRCUS_SIGNUM",
    "time": "CVEC_CIRCUS_TIME",
    "exit_code": "CVEC_CIRCUS_EXIT_CODE",
    "process_status": "CVEC_CIRCUS_PROCESS_STATUS",
}
"""The variable in which a program finds each fact."""

EXTENDED = "extended_stats"

GIVEN = ("watcher", "arbiter", "hook_name")
"""What every other hook is called with, by name."""

ADD = "where the daemon looks; add its folder to PYTHONPATH in [env]"

Rows = dict[int, dict[str, Any]]
"""The figures of processes by their pids."""

LONGEST = 1000
"""Characters of an exception's text in an answer; the log has all of it."""


class WatcherFacade(Protocol):
    """What a hook gets as `watcher`. Safe from any thread."""

    env: dict[str, str]

    def lend(self, env: dict[str, str]) -> None:
        """Show this environment from now on, and take changes in it."""


Facades = Callable[[Watcher, "Caller"], "tuple[WatcherFacade, Any]"]


class Situation(NamedTuple):
    """What is called, and what it is called in. Immutable; noted by the supervisor thread.

    Attributes:
        options: All options of the watcher.
        variables: What programs get beside the facts.
        is_set: Whether the hook was set while the daemon ran, so that its module is read again.
        withheld: The variables of the daemon's environment that it does not get.
        nofile: The soft limit of open files that programs get; None for ours.
        cancel: Ends a program when it is set; None for a function.
    """

    name: str
    hook: Hook
    options: WatcherOptions
    variables: Mapping[str, str]
    is_set: bool
    withheld: frozenset[str]
    nofile: int | None
    cancel: Wakeup | None

    @property
    def environment(self) -> dict[str, str]:
        """What a hook sees as the environment of its watcher."""
        copied = os.environ.items() if self.options.copy_env else ()
        env = {name: value for name, value in copied if name not in self.withheld}
        return {**env, **self.options.env}


class Answer(NamedTuple):
    """What has come of a call. Immutable.

    Attributes:
        yes: Whether the hook agrees.
        reason: Why not, if it said.
        error: Why the call failed, in a line; None if it did not.
        message: The text of what was raised, for the event.
        changes: What it has changed in the environment; None stands for a variable that is gone.
    """

    yes: bool
    reason: str = ""
    error: str | None = None
    message: str = ""
    changes: Mapping[str, str | None] = {}


class HookError(Exception):
    """A hook that failed with no exception of its own."""


class Caller:
    """Calls the hooks of one watcher. Owned by the thread of that watcher's hooks.

    Attributes:
        fault: The answer where a call fails for a fault in the daemon.
    """

    fault = Answer(False, error=FAULT, message=FAULT)

    def __init__(self, watcher: Watcher, facades: Facades, loop: Loop) -> None:
        self._watcher = watcher
        self._name = watcher.name
        self._facades = facades
        self._complaints = Complaints(watcher.name, partial(loop.post, loop.call_later))
        self._running = ""
        self._imports = False
        self._made: tuple[WatcherFacade, Any] | None = None
        self._found: dict[str, tuple[Hook, Any]] = {}

    @property
    def actor(self) -> str:
        """On whose behalf the thread acts: "hook:NAME" while that hook runs, otherwise "". Safe
        from any thread."""
        return f"hook:{self._running}" if self._running else ""

    @staticmethod
    def forgives(name: str, hook: Hook) -> bool:
        """Tell whether a failure of that hook counts as a yes. Safe from any thread."""
        return hook.ignore or name in FORGIVEN

    def call(self, situation: Situation, facts: Mapping[str, Any]) -> Answer:
        """Call a hook, which may do what it likes; nothing is raised.

        Args:
            situation: What it is called in.
            facts: What it is called with beside `watcher`, `arbiter` and `hook_name`.
        """
        pid, name = os.getpid(), situation.name
        self._running = name
        try:
            if situation.cancel is not None:
                return self._run(situation, situation.cancel, facts)
            answer = self._call(situation, facts)
            if os.getpid() != pid:
                _end_copy(self._name, name, None)
            if begins_to_idle():
                logger.warning("%s: hook %s: %s: use a thread instead", self._name, name, IDLE)
            return answer
        except BaseException as error:  # sys.exit() in a user's code, too
            if os.getpid() != pid:
                _end_copy(self._name, name, error)
            if not isinstance(error, HookError):
                line = ""
                if isinstance(error, LaunchError):
                    line = str(error)
                elif self._imports or importing.is_raised_in(error, __file__):
                    line = importing.why(error)
                self._complaints.tell(error, f"hook {name}", "failed", line)
            words = _words(error)
            return Answer(False, error=words, message=_text(error)[:LONGEST] or words)
        finally:
            self._running = ""
            self._imports = False

    def extend(self, situation: Situation, rows: Rows) -> Rows:
        """Call `extended_stats` for the figures of processes, by pid; return the changed ones.

        Those of a process for which it fails stay as they are.
        """
        changed = dict(rows)
        for pid, plain in rows.items():
            stats = json.loads(json.dumps(plain))
            if self.call(situation, {"pid": pid, "stats": stats}).error is None:
                changed[pid] = stats
        return changed

    # -- functions

    def _call(self, situation: Situation, facts: Mapping[str, Any]) -> Answer:
        name, function = situation.name, self._function(situation)
        if self._made is None:
            self._made = self._facades(self._watcher, self)
        watcher, arbiter = self._made
        env = situation.environment
        watcher.lend(dict(env))
        given = {"watcher": watcher, "arbiter": arbiter, "hook_name": name, **facts}
        if name == EXTENDED and not _takes(function, given):
            # Circus gives these three without their names here, and only here.
            result = function(watcher, arbiter, name, **facts)
        elif callable(function):
            result = _result(function, given)
        else:
            what = target_name(situation.hook.target)
            raise TypeError(f"{what} is of type {type(function).__name__}, and no function")
        if inspect.iscoroutine(result):
            result.close()
            raise TypeError("it is a coroutine function, which is never awaited")
        if name == EXTENDED:
            json.dumps(facts["stats"])  # figures that cannot travel fail as the hook's
        yes = bool(result)
        if result is None and name in DECIDING:
            text = "%s: hook %s (%s) has returned None, which is a no"
            logger.warning(text, self._name, name, target_name(situation.hook.target))
        return Answer(yes, changes=_changes(env, watcher.env))

    def _function(self, situation: Situation) -> Any:
        hook = situation.hook
        known, function = self._found.get(situation.name, (None, None))
        if known is hook:
            return function
        function = hook.target
        if isinstance(function, str):
            self._imports = True
            pythonpath = _pythonpath(situation.options)
            if situation.is_set or known not in (None, hook):
                _read_again(function)
            function = importing.load(function, pythonpath)
            self._imports = False
        self._found[situation.name] = (hook, function)
        return function

    # -- programs

    def _run(self, situation: Situation, cancel: Wakeup, facts: Mapping[str, Any]) -> Answer:
        name = situation.name
        env = {
            **os.environ,
            **situation.environment,
            **situation.variables,
            "CVEC_CIRCUS_HOOK": name,
            "CVEC_CIRCUS_WATCHER": self._name,
        }
        env.update({VARIABLES[key]: str(facts[key]) for key in facts if key in VARIABLES})
        spec = LaunchSpec(
            split(situation.hook.command),
            cwd=situation.options["working_dir"],
            env=env,
            stdin=subprocess.DEVNULL,
            nofile=situation.nofile,
        )
        ended = programs.run(spec, cancel, name == EXTENDED)
        for line in ended.errors:
            logger.info("%s: hook %s: %s", self._name, name, line)
        if ended.killed:
            raise HookError("it was killed: its timeout expired")
        if ended.exit_code < 0:
            text = f"it was killed by SIG{to_name(-ended.exit_code)}"
            logger.error("%s: hook %s failed: %s", self._name, name, text)
            raise HookError(text)
        reason = ended.errors[-1][:LONGEST] if ended.errors else f"exit code {ended.exit_code}"
        if name == EXTENDED:
            if ended.exit_code:
                raise RuntimeError(reason)
            found = json.loads(ended.output)
            if not isinstance(found, dict):
                raise ValueError("its output is not a JSON object")
            facts["stats"].update(found)
        return Answer(not ended.exit_code, reason if ended.exit_code else "")


def doubts_of(hooks: Iterable[Use]) -> Iterator[str]:
    """Yield a warning for each hook that cannot be found now. Nothing is imported or run."""
    for one in dict.fromkeys(hooks):
        if one.hook.command:
            path = one.path or os.environ.get("PATH", os.defpath)
            program = split(one.hook.command)[0]
            reason = executables.why_not(program, path.split(os.pathsep), one.folder)
        else:
            folders = [*filter(None, one.pythonpath.split(os.pathsep)), os.curdir]
            given = () if one.moment == EXTENDED else GIVEN
            reason = modules.why_not(str(one.hook.target), folders, given)
            reason += f" {ADD}" if reason.startswith("there is no module") else ""
        if reason:
            yield f"hooks.{one.moment}: {reason}"


def _pythonpath(options: WatcherOptions) -> str:
    env = options.env
    if options.virtualenv:
        env = virtualenv.variables(env, options.virtualenv, options.virtualenv_py_ver)
    return str(env.get("PYTHONPATH", ""))


def _read_again(dotted: str) -> None:
    """Read a module again that may have changed on disk since it was imported."""
    place = dotted.partition(":")[0] if ":" in dotted else dotted.rpartition(".")[0]
    if place in sys.modules:
        importlib.invalidate_caches()
        importlib.reload(sys.modules[place])


def _takes(function: Any, given: Mapping[str, Any]) -> bool:
    """Tell whether a function can be called with these names."""
    try:
        inspect.signature(function).bind(**given)
    except TypeError:
        return False
    except ValueError:
        return True  # such as a builtin, which does not say
    return True


def _result(function: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    try:
        return function(**given)
    except TypeError as error:
        if _takes(function, given):
            raise
        said = f"it is called with {', '.join(given)}; take these, or **kwargs"
        raise TypeError(f"{error}; {said}") from None


def _changes(before: Mapping[str, str], after: Mapping[str, Any] | None) -> dict[str, str | None]:
    typed = WATCHER_OPTIONS.convert_one("env", after or {})
    changes: dict[str, str | None] = {k: v for k, v in typed.items() if before.get(k) != v}
    changes.update({key: None for key in before if key not in typed})
    return changes


def _end_copy(watcher: str, name: str, error: BaseException | None) -> NoReturn:
    """End the copy of the daemon that a hook has forked and let come back from its function.

    It has the daemon's sockets and none of its threads, and nothing would ever end it.
    """
    exit_code = 0 if error is None else 1
    if isinstance(error, SystemExit):
        exit_code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        text = "%s: a process that hook %s has forked failed"
        logger.error(text, watcher, name, exc_info=error)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(exit_code & 0xFF)


def _words(error: BaseException) -> str:
    """Say in a line what was raised."""
    if isinstance(error, (HookError, LaunchError)):
        return str(error)
    if isinstance(error, SystemExit):
        return f"it has called sys.exit({error.code!r})"
    text = " ".join(_text(error).split())[:LONGEST]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # a user's exception may be anything
        return ""
