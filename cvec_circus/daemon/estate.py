"""What survives the daemon: the folder, its lock, and what is found there at a start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cvec_circus import logger
from cvec_circus.daemon import container
from cvec_circus.supervisor.survival import heritage, ledger
from cvec_circus.supervisor.survival.heritage import Estate
from cvec_circus.system.statedir import StateDir, default_path

if TYPE_CHECKING:
    from cvec_circus.options.survival import Adoption
    from cvec_circus.supervisor.survival.handed import Handed


def folder_of(circus: Mapping[str, Any], config: str, environ: Mapping[str, str]) -> str:
    """Return where a daemon keeps what survives it.

    Args:
        circus: Its options.
        config: Its configuration file.
        environ: Its environment.
    """
    return circus["state_dir"] or default_path(circus["name"], config, environ)


def go_on(handed: Handed, adopt: Adoption) -> Estate | None:
    """Return the folder of the program before an upgrade, locked still; None if it had none."""
    given = handed.document["folder"]
    if given is None:
        return None
    path, fd = given
    folder = StateDir(path)
    folder.take_over(handed.inherited, fd)
    return Estate(folder, adopt)


def take(circus: Mapping[str, Any], config: str, environ: Mapping[str, str]) -> Estate | None:
    """Lock the folder, and read what an earlier daemon has left in it.

    Args: See `folder_of`.

    Returns:
        None where nothing can survive the daemon, or nothing is to.

    Raises:
        PidfileError: A daemon with the same folder runs.
        CircusError: What was left cannot be taken over just now.
    """
    if container.is_first():
        return None  # what is in the container ends with it
    path, adopt = folder_of(circus, config, environ), circus["adopt"]
    if adopt is False and not os.path.lexists(path):
        return None
    folder = StateDir(path)
    try:
        folder.hold()
    except OSError as error:
        if adopt:
            log = logger.error if circus["state_dir"] else logger.warning  # was it asked for?
            log("%s", ledger.off(error.filename or folder.path, error.strerror or str(error)))
        return None
    found = heritage.read(folder)
    if adopt:
        return Estate(folder, adopt, found)
    if found is not None:
        pids = ", ".join(map(str, found.pids)) or "none"
        said = "adopt = False: these processes of an earlier daemon are left alone: %s"
        logger.warning(said, pids)
        found.close()
        folder.put_aside(ledger.FILE)
    folder.close()
    return None
