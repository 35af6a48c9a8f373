"""Essential watchers: when one ends for good, everything stops, and the daemon exits with its code.

*For good* means by itself: its last process has ended and is not replaced, or it has given up. An
order to stop, remove or restart it does not count, unless it marks the watcher as failed, as the
plugin `flapping` does.
"""

from __future__ import annotations

from cvec_circus.base.named import NamedTuple
from cvec_circus.core.goal import THE_END
from cvec_circus.core.life import DOWN, Life
from cvec_circus.core.watcher import Watcher
from cvec_circus.system.collecting import ended
from cvec_circus.wire.cause import OWN_ENDS

FAILED = 1
"""The exit code if that of the failed process is not known, or none could be started."""

SIGNALLED = 128
"""What is added to the number of a signal, as in shells."""


class Ended(NamedTuple):
    """The end of an essential watcher. Immutable."""

    name: str
    exit_code: int  # for the daemon, 0 to 255
    why: str  # a sentence


def end_of(watcher: Watcher, before: Life) -> Ended | None:
    """Return how an essential watcher has just ended for good; None if it has not.

    The code is that of the last process of this life that ended by itself and failed, or 0 if all
    of them did their work.

    Args:
        watcher: The watcher.
        before: Its life before this turn.
    """
    is_over = watcher.reason or watcher.goal.word == THE_END
    is_over = is_over and not watcher.goal.up  # a job waits for its next run
    if not (watcher.options.essential and is_over and watcher.life is DOWN and before is not DOWN):
        return None
    own = [
        death
        for death in watcher.places.deaths
        if death.life == watcher.lives and death.cause in OWN_ENDS and not death.failure
    ]
    failed = [death for death in own if death.exit_code != 0]
    code = FAILED if watcher.reason or watcher.places.failed_exits else 0
    why = watcher.reason or watcher.goal.cause.why or "done"
    if failed:
        death = failed[-1]
        code = _exit_code(death.exit_code)
        why = f"{watcher.reason}; " if watcher.reason else ""
        why += f"process {death.pid} {ended(death.exit_code)}"
    return Ended(watcher.name, code, f"{watcher.name} is essential and has ended: {why}")


def _exit_code(status: int | None) -> int:
    """Return a process's status as an exit code: 128 plus the number for a signal."""
    if status is None:
        return FAILED
    return SIGNALLED - status if status < 0 else status
