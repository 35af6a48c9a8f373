"""CommandReloader: restarts a watcher when its program has changed."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Optional

from cvec_circus import exc, logger
from cvec_circus.base.figures import counted
from cvec_circus.base.patterns import regex
from cvec_circus.commands.kinds import MAX_REASON
from cvec_circus.plugins import CircusPlugin, Timer
from cvec_circus.plugins.selection import is_own

SETTLE_DELAY = 0.5
"""Seconds before a changed file is checked again: it may still be being written."""

INTERPRETER = regex(r"(python|pypy|perl|ruby|node|php|lua|bash|dash|zsh|ksh|sh)[0-9.]*")
"""Programs whose first argument that is a file is the program proper."""

Mark = Optional[tuple[tuple[str, int, int, int], ...]]
"""Identifies versions of files; None while one of them is missing."""


class CommandReloader(CircusPlugin):
    """Restarts a watcher when its program has changed.

    Its methods run on the plugin thread, except `handle_stop`; another thread checks the files.

    Options:
        loop_rate: Seconds between two checks.

    Attributes:
        files: For each watcher, the files of its program.
    """

    _circus_class = "plugins.command_reloader.CommandReloader"
    name = "command_reloader"
    schema: ClassVar[Mapping[str, str]] = {"loop_rate": "float(min=0.01, default=1.0)"}

    def __init__(self, *args: Any, **config: Any) -> None:
        """See CircusPlugin."""
        super().__init__(*args, **config)
        self.loop_rate: float = self.config["loop_rate"]
        self.files: dict[str, list[str]] = {}
        self._marks: dict[str, Mark] = {}  # of the running processes
        self._seen: dict[str, Mark] = {}  # at the last check
        self._unknown: set[str] = set()  # watchers whose options are not known yet
        self._knows_all = False
        self._looking = False
        self._told = False
        self._settling: Timer | None = None  # until the second check

    def handle_init(self) -> None:
        """Begin to check."""
        self.look_after()
        self.loop.periodic(self._tick, self.loop_rate * 1000).start()

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Note new watchers and changed options."""
        _, action, msg = self.split_data(data)
        if action in ("add", "updated"):
            self._unknown.add(self.load_message(msg)["watcher"].lower())
        elif action == "remove":
            self._forget(self.load_message(msg)["watcher"].lower())

    def look_after(self) -> None:
        """Check all files, unless a check is under way."""
        try:
            self._learn()
        except exc.CallError as error:
            logger.warning("the commands are not known yet: %s", error)
        if not self._looking:
            self._looking = True
            files = dict(self.files)
            self.loop.run_in_thread(look, files, then=partial(self._compare, files))

    def _learn(self) -> None:
        """Ask for the commands that are not known yet."""
        if not self._knows_all:
            self._unknown.update(self.call("list").get("watchers", ()))
            self._knows_all = True
        while self._unknown:
            name = min(self._unknown)
            if not is_own(self, name):
                reply = self.call("options", name=name)
                files = files_of(reply["options"]) if reply["status"] == "ok" else []
                if files != self.files.get(name):
                    self._forget(name)
                    self.files[name] = files
            self._unknown.discard(name)

    def _forget(self, name: str) -> None:
        for known in (self.files, self._marks, self._seen):
            known.pop(name, None)
        self._unknown.discard(name)

    def _compare(
        self,
        files: dict[str, list[str]],
        marks: dict[str, Mark] | None,
        error: BaseException | None,
    ) -> None:
        """Restart the watchers whose files have changed, once the files are stable."""
        self._looking = False
        if marks is None:
            logger.error("cannot check files: %s", error)
            return
        seen, self._seen = self._seen, marks
        if self._knows_all and not self._told:
            self._told = True
            logger.info("Watching %s", counted(len(marks), "program"))
        changed = [
            name
            for name, mark in marks.items()
            if mark is not None
            and files[name] == self.files.get(name)  # still current
            and mark != self._marks.setdefault(name, mark)
        ]
        whole = [name for name in changed if marks[name] == seen.get(name)]
        for name in whole:
            if self._restart(name):
                self._marks[name] = marks[name]
        if changed != whole and self.loop_rate > SETTLE_DELAY and self._settling is None:
            self._settling = self.loop.call_later(SETTLE_DELAY, self._settle)

    def _tick(self) -> None:
        if self._settling is None:  # else it is too early to tell whether a file is complete
            self.look_after()

    def _settle(self) -> None:
        self._settling = None
        self.look_after()

    def _restart(self, name: str) -> bool:
        """Restart a watcher, unless it is down; False if the next check must try again."""
        paths = " ".join(self.files[name])
        try:
            is_active = self.call("status", name=name)["status"] == "active"
        except exc.CallError as error:
            logger.warning("%s: modified, but %s cannot be restarted: %s", paths, name, error)
            return False
        if is_active:
            logger.info("%s: modified, so %s is restarted", paths, name)
            why = f"modified: {paths}"[:MAX_REASON]
            self.cast("restart", name=name, match="simple", reason=why)
        else:
            logger.info("%s: modified, but %s does not run", paths, name)
        return True


def files_of(options: Mapping[str, Any]) -> list[str]:
    """Return the absolute paths of the files that make up the program of a watcher.

    They are the program, as found in the PATH of its processes, and, if that is an interpreter,
    the first argument that is a file.
    """
    words = [*_words(options.get("cmd")), *_words(options.get("args"))]
    if not words:
        return []
    folder = os.path.abspath(options.get("working_dir") or ".")
    program = words[0]
    if os.sep in program:
        files = [os.path.join(folder, program)]
    else:
        inherited = os.environ.get("PATH") if options.get("copy_env") else None
        path = (options.get("env") or {}).get("PATH") or inherited or os.defpath
        files = [shutil.which(program, path=path) or os.path.join(folder, program)]
    if INTERPRETER.fullmatch(os.path.basename(program)):
        arguments = (os.path.join(folder, word) for word in words[1:])
        files += [next(filter(os.path.isfile, arguments), files[0])]
    return list(dict.fromkeys(files))


def _words(text: object) -> list[str]:
    if isinstance(text, (list, tuple)):
        return [str(word) for word in text]
    try:
        return shlex.split(str(text or ""))
    except ValueError:
        return str(text).split()


def look(files: Mapping[str, list[str]]) -> dict[str, Mark]:
    """Check the files of every watcher. Any thread; blocks if a file system hangs."""
    return {name: _mark(paths) for name, paths in files.items()}


def _mark(paths: list[str]) -> Mark:
    try:
        found = [(os.path.realpath(path), os.stat(path)) for path in paths]
    except OSError:
        return None
    return tuple((path, one.st_mtime_ns, one.st_size, one.st_ino) for path, one in found)
