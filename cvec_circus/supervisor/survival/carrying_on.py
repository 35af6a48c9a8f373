"""The beginning of a daemon that goes on after an upgrade. On the supervisor thread.

Everything that the program before has handed over is taken up; then the file is read as a
``reloadconfig`` would, and subscribers, the log and the client that asked hear of it. The program
of before an upgrade begins in the same way when the next one could not go on.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cvec_circus import __version__, logger
from cvec_circus.config.configuration import Configuration
from cvec_circus.supervisor.compose import Desks
from cvec_circus.supervisor.survival.adopting import Adopter
from cvec_circus.supervisor.survival.handed import Handed
from cvec_circus.supervisor.survival.handing import Document
from cvec_circus.wire.cause import Cause

if TYPE_CHECKING:
    from cvec_circus.control.server import Reply

DAEMON = "cvec_circusd"
"""In the place of a watcher's name, in events that are about the daemon itself."""


def carry_on(desks: Desks, handed: Handed, wanted: Configuration, cause: Cause) -> None:
    """Go on with everything, and then with what is new in the file.

    Args:
        desks: The parts of the daemon.
        handed: What was handed over; used up.
        wanted: What the file says by now.
        cause: That of the orders which follow from it.
    """
    document, inherited = handed.document, handed.inherited
    asked = document["asked"]
    owed = desks.control.take_over(inherited, document["control"], asked["reply"])
    desks.outputs.take_over(inherited, document["outputs"], handed.places)
    for name, channel, fd, pid in document["strays"]:
        desks.outputs.discard(name, channel, inherited.file(fd), pid)
    desks.cgroups.take_over(document["cgroups"])
    adopter = Adopter(desks, handed)
    adopter.take_over()
    adopter.take_over_helpers(handed)
    inherited.close()
    if failed := document.get("failed"):
        text = f"{failed}; the daemon goes on as it was"
        logger.error("no upgrade: %s", text)
        if owed is not None:
            owed.fail(text)
    else:
        _tell_of_upgrade(desks, document, owed)
    adopter.order(wanted, True, cause)


def _tell_of_upgrade(desks: Desks, document: Document, owed: Reply | None) -> None:
    """Tell subscribers, the log, and the one who has asked, that the upgrade is done."""
    asked = document["asked"]
    cause = Cause(*asked["cause"])
    told = {
        "version": __version__,
        "python": sys.version.split()[0],
        "previous_version": document["from"]["version"],
        "previous_python": document["from"]["python"],
    }
    more = {name: text for name, text in (("actor", cause.actor), ("why", cause.why)) if text}
    desks.events.publish(DAEMON, "upgraded", cause.text, **told, **more)
    pause = desks.turn.now() - asked["at"]
    logger.info(
        "upgraded%s in %.0f ms: cvec_circus %s on Python %s, before that %s on Python %s",
        *(cause.sentence, pause * 1000, *told.values()),
    )
    if owed is not None:
        owed.ok(**told, path=sys.executable, pause=round(pause, 3))
