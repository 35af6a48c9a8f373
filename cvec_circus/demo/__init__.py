"""The bundled demonstration: what `cvec_circusd --demo` runs, and the commands it suggests.

`demo.ini` beside this file is an ordinary configuration; what differs from one run to the next (the
Python that runs it, the directory of its logs, its ports) reaches it through the environment.
"""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, MutableMapping
from pathlib import Path

PREFIX = "CVEC_CIRCUS_DEMO_"
FILES = Path(__file__).resolve().parent
DIRECTORY = "cvec_circus-demo"

DEFAULTS = {
    "PORT": "8099",
    "ENDPOINT": "tcp://127.0.0.1:5555",
    "PUBSUB_ENDPOINT": "tcp://127.0.0.1:5556",
}

TEXT = """\
The demonstration runs: two HTTP workers behind one listening socket, a worker that ticks, and the
Logger plugin. What follows is for another terminal{same}.

Which worker answers? Ask a few times:
    curl http://127.0.0.1:{port}/
What runs:
    {ctl} status
    {ctl} stats web
Watch every event, as the Logger plugin writes it (Ctrl-C ends tail):
    tail -f {directory}/events.log
Kill the worker that answers; a new one takes its place at once:
    kill -9 $(curl -s http://127.0.0.1:{port}/pid)
One worker more, one less:
    {ctl} incr web
    {ctl} decr web
Replace the workers one at a time while the socket goes on accepting:
    {ctl} reload web --sequential
Follow what all of them write (Ctrl-C ends it):
    {ctl} logs --follow
Look for something in what they wrote:
    {ctl} logs --since 10m --grep "GET /pid"
Stop everything; Ctrl-C in this terminal does the same:
    {ctl} quit
"""


def prepare(environ: MutableMapping[str, str]) -> Path:
    """Make the directory for the logs, set the variables of demo.ini, and return its path.

    The directory is `cvec_circus-demo` in the current one, or a new one under the system's
    temporary directory where that cannot be written. CVEC_CIRCUS_DEMO_DIR, _PORT, _ENDPOINT and
    _PUBSUB_ENDPOINT keep their values if they are set.

    Args:
        environ: The daemon's environment, `os.environ`; it is changed.

    Raises:
        OSError: The directory that CVEC_CIRCUS_DEMO_DIR names cannot be made.
    """
    for name, value in DEFAULTS.items():
        environ.setdefault(PREFIX + name, value)
    environ[PREFIX + "PYTHON"] = sys.executable
    environ[PREFIX + "FILES"] = str(FILES)
    environ[PREFIX + "DIR"] = _directory(environ.get(PREFIX + "DIR"))
    return FILES / "demo.ini"


def _directory(asked: str | None) -> str:
    """Make the named directory, or find one that can be written."""
    if asked:
        os.makedirs(asked, exist_ok=True)
        return os.path.abspath(asked)
    here = os.path.abspath(DIRECTORY)
    try:
        os.makedirs(here, exist_ok=True)
    except OSError:
        return tempfile.mkdtemp(prefix=f"{DIRECTORY}-")
    return here if os.access(here, os.W_OK | os.X_OK) else tempfile.mkdtemp(prefix=f"{DIRECTORY}-")


def what_to_try(
    endpoint: str,
    directory: str | Path,
    program: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> str:
    """Return lines with commands to paste while the demonstration runs.

    Args:
        endpoint: Where the daemon listens.
        directory: Where the demonstration writes its logs.
        program: How the daemon was started; `sys.argv[0]` when None. Paths are shown as typed.
        environ: The environment that `prepare` has filled.
    """
    ctl = _beside(sys.argv[0] if program is None else program, "cvec_circusctl")
    shown = _short(str(directory))
    relative = not os.path.isabs(shown) or ("/" in ctl and not os.path.isabs(ctl))
    if endpoint != DEFAULTS["ENDPOINT"]:
        ctl = f"{ctl} --endpoint {shlex.quote(endpoint)}"
    return TEXT.format(
        same=", in the same directory" if relative else "",
        port=environ.get(PREFIX + "PORT", DEFAULTS["PORT"]),
        ctl=ctl,
        directory=shlex.quote(shown),
    )


def _beside(program: str, name: str) -> str:
    """Return the command `name` with the directory of `program`, if it is there."""
    path = os.path.join(os.path.dirname(program), name)
    return shlex.quote(path) if "/" in path and os.path.exists(path) else name


def _short(path: str) -> str:
    """Return the path relative to the current directory when it is below it."""
    inside = os.path.relpath(path)
    return path if inside.startswith("..") else inside
