"""Hooks, as the core sees them: questions that the world answers later.

A hook is a function of the user's. It runs on a thread of its watcher's own, one after the other in
the order in which they were asked, and takes the time it takes. The core never waits for it: it
asks, and goes on with everything but the step that the answer decides.

=============  ===============================================  ====================================
hook           asked when                                       a no means
=============  ===============================================  ====================================
before_start   a stopped watcher is to start                    it stays stopped, given up
before_spawn   a process is to be spawned, one at a time        it is not, and the watcher gives up
after_spawn    it has been                                      the watcher gives up and stops
after_start    all first processes run, before ACTIVE           likewise
before_signal  a process is to get a signal                     it does not, unless it is SIGKILL;
                                                                SIGKILL still comes in its time
after_signal   it has been sent, or not                         nothing
before_stop    a watcher is to stop, before any process is      nothing
               asked to end
after_stop     it is STOPPED                                    nothing
before_reap    a process has ended, before `reap`               nothing
after_reap     `reap` has been published                        nothing
=============  ===============================================  ====================================

A process that has been spawned is *on trial* until its after_spawn has said yes: before that it is
not good enough to have an old one stopped for it, or to call the watcher active.
"""

from __future__ import annotations

from cvec_circus.core.ports import Ports
from cvec_circus.core.watcher import Question, Watcher

YES = ""
"""An answer. Any other text says why not."""


def has_hook(watcher: Watcher, name: str) -> bool:
    """Whether a watcher has that hook. What was let go of has none any more."""
    return name in watcher.options["hooks"] and not watcher.abandoned


def tell(watcher: Watcher, ports: Ports, name: str, **facts: object) -> None:
    """Asks a hook whose answer decides nothing. Called on the supervisor thread."""
    if has_hook(watcher, name):
        ports.ask_hook(watcher, name, _ignore, **facts)


def answer(watcher: Watcher, ports: Ports, name: str) -> str | None:
    """Asks a hook about the watcher's next step, once, however often this is called.

    The question is forgotten with the call that returns the answer.

    Returns:
        The answer; None as long as there is none.
    """
    if not has_hook(watcher, name):
        watcher.question = None  # nor does anybody wait for one that has been taken away meanwhile
        return YES
    question = watcher.question
    if question is None or question.name != name:
        question = Question(name)
        ports.ask_hook(watcher, name, question.settle)
        watcher.question = question
    if question.answer is not None:
        watcher.question = None
    return question.answer


def _ignore(reason: str) -> None:
    pass
