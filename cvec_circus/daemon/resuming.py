"""The configuration that a daemon goes on with after an upgrade.

The trial reads the file and refuses one that cannot be. If it is another file by the time of the
exec, there is no way back from it: the program of before would read the same one. So the daemon
goes on with what it ran, as after a reloadconfig that fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus import exc
from cvec_circus.config.configuration import Configuration
from cvec_circus.config.diff import LIVE_OPTIONS, SILENT_OPTIONS
from cvec_circus.config.readers.document import load
from cvec_circus.daemon.arguments import sentence
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.supervisor.survival.handed import Handed
from cvec_circus.supervisor.survival.handing import plain


def resumed(
    path: str, environ: Mapping[str, str], cwd: str, handed: Handed, allow_remote: bool
) -> Configuration:
    """Return what the file says, or what the program before has run if that cannot be used."""
    try:
        configuration = load(path, environ, cwd)
        judge(handed, configuration, allow_remote)
    except exc.ConfigError as error:
        problems = error.problems
    except exc.CircusError as error:
        problems = [str(error)]
    except OSError as error:
        problems = [sentence(error)]
    else:
        return configuration
    configuration = handed.configuration()
    configuration.warnings = [f"the configuration stays as it was: {one}" for one in problems]
    return configuration


def judge(handed: Handed, configuration: Configuration, allow_remote: bool) -> None:
    """Compare what was handed over with a configuration.

    Raises:
        CircusError: Something in it would need a restart of the daemon.
    """
    configuration.circus["allow_remote"] |= allow_remote
    names = changed(handed.document["circus"], plain(configuration.circus))
    if names:
        raise exc.CircusError(
            f"the file has new values for {', '.join(names)}, which need a restart of the daemon"
        )
    if sockets_of(configuration) != {
        name.lower(): note[0] for name, note in handed.sockets.items()
    }:
        raise exc.CircusError("the file has other sockets; run cvec_circusctl reloadconfig first")


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Name the options of the daemon that only a restart can change, and that have changed."""
    lasting = before.keys() & after.keys() - SILENT_OPTIONS - LIVE_OPTIONS
    return sorted(name for name in lasting if before[name] != after[name])


def sockets_of(configuration: Configuration) -> dict[str, Any]:
    """Return the options of the managed sockets by their names in lower case."""
    made = [CircusSocket(name=one.name, **one.options) for one in configuration.sockets]
    return {one.name.lower(): one.options() for one in made}
