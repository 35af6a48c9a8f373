"""What the tests of hooks share."""

from __future__ import annotations

import os
import queue
import textwrap
import threading
from pathlib import Path
from typing import Any

from cvec_circus.core.facts import Answered
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.supervisor.hook_calls import Caller
from cvec_circus.supervisor.hooks import HookDesk
from tests.support.daemon import folder
from tests.support.loops import TIMEOUT, LoopTestCase

PATIENCE = TIMEOUT


class Facade:
    """What stands for a watcher here."""

    env: dict[str, str]

    def lend(self, env: dict[str, str]) -> None:
        self.env = env


class Gate:
    """A hook that takes as long as a test wants."""

    def __init__(self, result: Any = True) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        self.result = result
        self.calls = 0

    def __call__(self, **facts: Any) -> Any:
        self.calls += 1
        self.entered.set()
        self.open.wait(PATIENCE)
        return self.result


class HooksCase(LoopTestCase):
    """Hooks by themselves, on a loop that another thread runs.

    The case stands for the facts and the events.

    Attributes:
        hooks: The desk.
        answers: What was answered: the hook's name and the refusal.
        events: What was published.
        about: The watchers that were answered about.
        callers: What makes the calls, by watcher, once there was one.
        nofile: The limit of open files that programs get; None for ours.
    """

    nofile: int | None = None

    def setUp(self) -> None:
        super().setUp()
        self.answers: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self.events: list[dict[str, Any]] = []
        self.about: list[Watcher] = []
        self.threads: set[str] = set()
        self.callers: dict[Watcher, Caller] = {}
        self.names: list[str] = []
        self.hooks = HookDesk(
            self.loop,
            self,
            self,
            self.facades,
            lambda name: {"CVEC_CIRCUSCTL_ENDPOINT": "ipc:///nowhere"},
            self.nofile,
        )
        self.addCleanup(self.hooks.close)
        self.loop_thread = self.run_loop()
        self.folder: Path = folder(self)

    def facades(self, watcher: Watcher, caller: Caller) -> tuple[Facade, str]:
        self.callers[watcher] = caller
        return Facade(), "the arbiter"

    def append(self, fact: Answered) -> None:
        """The case stands for the mailbox."""
        self.threads.add(threading.current_thread().name)
        self.about.append(fact.watcher)
        self.answers.put((self.names[fact.token - 1], fact.refusal))

    def publish(self, watcher: Watcher, action: str, cause: str, **payload: object) -> None:
        self.events.append({"watcher": watcher.name, "action": action, **payload})

    def watcher(self, name: str = "web", **options: Any) -> Watcher:
        """Make a watcher; `hooks` are given as programs give them."""
        given = WATCHER_OPTIONS.convert({"cmd": "x", **options})
        return Watcher(name, WATCHER_OPTIONS.complete(given))

    def ask(self, watcher: Watcher, name: str, **facts: Any) -> None:
        """Ask a hook; `answers` gets what comes of it."""
        self.names.append(name)
        self.loop.ask(self.hooks.ask, watcher, name, len(self.names), facts)

    def tell(self, watcher: Watcher, name: str, **facts: Any) -> None:
        """Call a hook whose answer nothing depends on."""
        self.loop.ask(self.hooks.ask, watcher, name, 0, facts)

    def answer(self) -> tuple[str, str]:
        """Wait for the next answer."""
        return self.answers.get(timeout=PATIENCE)

    def asked(self, watcher: Watcher, name: str, **facts: Any) -> str:
        """Ask a hook and return why not, or ""."""
        self.ask(watcher, name, **facts)
        found, reason = self.answer()
        self.assertEqual(found, name)
        return reason

    def module(self, name: str, text: str) -> None:
        """Write a module into the folder."""
        (self.folder / f"{name}.py").write_text(textwrap.dedent(text))

    def program(self, text: str) -> str:
        """Write a script for the shell and return the hook that runs it."""
        path = self.folder / f"program{len(os.listdir(self.folder))}"
        path.write_text(text)
        return f"exec:sh {path}"

    def no_answer(self) -> None:
        """Nothing more is answered in the next turns."""
        for _ in range(3):
            self.loop.ask(bool)
        self.assertTrue(self.answers.empty())
