"""Looking up users and groups, on a thread that may take its time."""

from __future__ import annotations

from collections.abc import Callable

from cvec_circus.base.loop import Loop
from cvec_circus.exc import OptionError
from cvec_circus.options.rights import Accounts, judge
from cvec_circus.supervisor.chores import Chore

FAILED = "cannot be looked up now; the daemon's log has more"


class NameDesk:
    """Has accounts looked up. Owned by the supervisor thread.

    What is found is kept, for those who start processes and for those who judge messages: see
    `cvec_circus.system.accounts`.

    Args:
        loop: The supervisor's loop.
        chore: Asks the directory service.
    """

    def __init__(self, loop: Loop, chore: Chore) -> None:
        self._loop = loop
        self._chore = chore

    def look_up(self, wanted: Accounts, then: Callable[[OptionError | None], object]) -> None:
        """Have accounts looked up, and a function called in a later turn.

        Args:
            wanted: The accounts.
            then: Called with what is wrong with them, None if nothing is.

        Raises:
            CircusError: There is no thread for it.
        """
        self._chore.attempt(self._look_up, wanted, then)

    def _look_up(self, wanted: Accounts, then: Callable[[OptionError | None], object]) -> None:
        """On the names thread."""
        problem: OptionError | None = OptionError("uid", FAILED)
        try:
            judge(wanted)
            problem = None
        except OptionError as error:
            problem = error
        finally:
            self._loop.post(then, problem)
