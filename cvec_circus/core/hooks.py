"""Hooks, as the core sees them: questions that the world answers later.

A hook is a user's function. A watcher's hooks run on its hook thread, one after the other in the
order in which they were asked, and may take any time. The core never waits: it asks, and carries on
with everything but the step that the answer decides.

A question that decides something has a token, and is kept with its purpose until the answer comes.
A spawned process is *on trial* until its after_spawn has said yes: until then no old process is
stopped for it, and the watcher does not count as up.
"""

from __future__ import annotations

from cvec_circus.core.conditions import Gate, Question
from cvec_circus.core.ports import Ports
from cvec_circus.core.watcher import Watcher

YES = ""
"""An answer. Any other text says why not."""


class Asker:
    """Asks hooks: the base of every class that acts on watchers. Owned by the supervisor thread."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        self.now, self.random = ports.clock.now, ports.clock.random
        self.turn_is_over = ports.clock.turn_is_over
        self.publish, self.note = ports.events.publish, ports.events.note

    def tell(self, watcher: Watcher, name: str, **facts: object) -> None:
        """Ask a hook whose answer decides nothing."""
        if watcher.has_hook(name):
            self.ports.hooks.ask(watcher, name, 0, facts)

    def ask(self, watcher: Watcher, question: Question, **facts: object) -> int:
        """Ask a hook, keep what the answer is for, and return the token the answer will have."""
        watcher.last_token += 1
        watcher.questions[watcher.last_token] = question
        self.ports.hooks.ask(watcher, question.name, watcher.last_token, facts)
        return watcher.last_token

    def answer(self, watcher: Watcher, name: str) -> str | None:
        """Ask a hook about the watcher's next step, once, however often this is called.

        Returns:
            The answer, which is forgotten with this call; None as long as there is none.
        """
        if not watcher.has_hook(name):
            watcher.gate = None  # nor is the answer of a removed hook awaited
            return YES
        gate = watcher.gate
        if gate is None:
            question = Question(name, watcher.lives, self.now())
            gate = watcher.gate = Gate(name, self.ask(watcher, question))
        if gate.answer is not None:
            watcher.gate = None
        return gate.answer
