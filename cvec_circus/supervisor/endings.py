"""Builds the desks that end processes and see to what they leave behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.core.facts import Facts
from cvec_circus.supervisor.announcer import Refusals
from cvec_circus.supervisor.families import Families
from cvec_circus.supervisor.finding import Adoption, Finder, Search
from cvec_circus.supervisor.leftovers import Leftovers
from cvec_circus.supervisor.outsiders import Outsiders
from cvec_circus.supervisor.reaper import Explain, Reaper
from cvec_circus.supervisor.signals import SignalDesk
from cvec_circus.supervisor.walker import Walker
from cvec_circus.system import subreaper
from cvec_circus.system.exits import ExitWatcher


class Endings(NamedTuple):
    """The desks around the end of a process. Owned by the supervisor thread.

    Attributes:
        signals: Sends signals.
        reaper: Takes in what is spawned, and collects what has exited.
        leftovers: Follows what dead leaders have left; closed with the supervisor.
        walker: Reads /proc; its threads are stopped with the supervisor.
    """

    signals: SignalDesk
    reaper: Reaper
    leftovers: Leftovers
    walker: Walker


def build(
    loop: Loop,
    exits: ExitWatcher,
    facts: Facts,
    run: str,
    explain: Explain,
    is_subreaper: bool,
    runs_user_code: Callable[[], bool],
) -> Endings:
    """Build the desks, bottom-up.

    Args:
        loop: The supervisor's loop.
        exits: Sees exits.
        facts: Learns of them.
        run: The id of this daemon's life, as it is in the marks of what it starts.
        explain: See `Reaper`.
        is_subreaper: Whether orphans become our children: never in an embedding program.
        runs_user_code: Whether a hook or a stream class is running at this moment.
    """
    if is_subreaper:
        is_subreaper = _become_subreaper()
    refusals = Refusals()
    exited: deque[int] = deque()
    walker = Walker(loop, run)
    families = Families()
    outsiders = Outsiders(loop, exits, facts, families, refusals, exited, adopts=is_subreaper)
    finder: Finder
    if is_subreaper:
        finder = Adoption(loop, walker, families, outsiders, runs_user_code)
    else:
        finder = Search(loop, walker, families, outsiders)
    leftovers = Leftovers(loop, families, outsiders, finder, walker, facts, refusals)
    reaper = Reaper(loop, exits, facts, families, outsiders, finder, leftovers, exited, explain)
    signals = SignalDesk(loop, exits, families, outsiders, finder, leftovers, walker, refusals)
    return Endings(signals, reaper, leftovers, walker)


def _become_subreaper() -> bool:
    """Have orphans come to this process, if the kernel lets it; a walk of /proc finds them too."""
    try:
        subreaper.enable()
    except OSError as error:
        logger.warning(
            "cannot become the child subreaper: %s; strays take longer to find", error.strerror
        )
        return False
    return True
