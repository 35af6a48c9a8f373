"""The trial before an upgrade: whether this version, on this Python, could go on with a daemon.

It runs in a child of the daemon, with a copy of what would be handed over, but for the files. It
touches nothing. Its exit code is 0 for yes, after a line with its version; otherwise its last line
says why not.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from cvec_circus import __version__, exc, logger
from cvec_circus.config.readers.document import load
from cvec_circus.daemon.arguments import complain, parse, sentence
from cvec_circus.daemon.daemon import Daemon  # noqa: F401  # so that all of it is loaded
from cvec_circus.daemon.main import demo_path
from cvec_circus.daemon.resuming import judge
from cvec_circus.daemon.succession import MainSuccession  # noqa: F401
from cvec_circus.logs.log import configure_logger
from cvec_circus.supervisor.survival.carrying_on import carry_on  # noqa: F401
from cvec_circus.supervisor.survival.handed import Handed
from cvec_circus.supervisor.survival.upgrade import AGREED
from cvec_circus.system import utf8
from cvec_circus.system.handover import HandoverError, receive

NEEDED = ("zmq", "psutil")
"""What the daemon itself loads late or never, but its plugins, its statistics and clients need."""


def main() -> int:
    """Say whether this program can take over; return the exit code."""
    utf8.require()
    try:
        inherited = receive(os.environ)
        if inherited is None:
            raise HandoverError("nothing was handed over")
        for name in NEEDED:
            if find_spec(name) is None:
                raise exc.CircusError(f"this Python has no {name}")
        arguments = parse()
        path = demo_path() if arguments.demo else arguments.config
        configuration = load(path, os.environ, os.getcwd())
        judge(Handed(inherited), configuration, arguments.allow_remote)
        open_files(arguments, configuration.circus)
    except exc.ConfigError as error:
        complain("; ".join(error.problems))
        return exc.EXIT_PROBLEM
    except HandoverError as error:
        complain(f"the state of the daemon: {error}")
        return exc.EXIT_PROBLEM
    except exc.CircusError as error:
        complain(str(error))
        return exc.EXIT_PROBLEM
    except OSError as error:
        complain(sentence(error))
        return exc.EXIT_PROBLEM
    print(AGREED.format(__version__, sys.version.split()[0]))
    return exc.EXIT_OK


def open_files(arguments: argparse.Namespace, circus: Mapping[str, Any]) -> None:
    """Open what the daemon opens anew: its log, and its pid file. Nothing is written.

    Raises:
        CircusError, OSError: One of them cannot be opened.
    """
    output = arguments.log_output or circus["logoutput"]
    config = arguments.logger_config or circus["loggerconfig"]
    configure_logger(logger, circus["loglevel"], output, config).close()
    path = arguments.pidfile or circus["pidfile"]
    if path and os.path.lexists(path):
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    elif path and not os.access(os.path.dirname(os.path.abspath(path)), os.W_OK | os.X_OK):
        raise exc.CircusError(f"{path} cannot be restored")


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # an interpreter that ends may have more to say, and the last line counts
