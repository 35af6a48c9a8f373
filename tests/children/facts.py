"""`facts.py WORD...`: says in JSON how it was started, and which signals it gets.

INT, TERM and HUP are told as they come; INT ends it with 3, TERM with 0, and HUP does not end it.
"""

import grp
import json
import os
import pwd
import resource
import signal
import stat
import sys

LIMITS = ("NOFILE", "CORE", "NPROC")
KINDS = (("socket", stat.S_ISSOCK), ("pipe", stat.S_ISFIFO), ("device", stat.S_ISCHR))


def kind(fd):
    """What an open file is; None for what is not open any more."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return None
    return next((name for name, fits in KINDS if fits(mode)), "file")


def mask():
    """The umask; there is no way to ask without setting it."""
    now = os.umask(0)
    os.umask(now)
    return oct(now)


def tell(**what):
    """A line, at once.

    By the system call: `print` raises in a handler while the line that a test waits for is still on
    its way out of another `print`.
    """
    os.write(1, json.dumps(what, sort_keys=True).encode() + b"\n")


def hear(signum, frame):
    """Tells a signal, and does what it says."""
    tell(signal=signal.Signals(signum).name)
    if signum != signal.SIGHUP:
        os._exit(3 if signum == signal.SIGINT else 0)


for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(each, hear)
fds = {int(fd): kind(int(fd)) for fd in os.listdir("/proc/self/fd")}
print("to stderr", file=sys.stderr, flush=True)
tell(
    words=sys.argv[1:],
    cwd=os.getcwd(),
    umask=mask(),
    user=pwd.getpwuid(os.getuid()).pw_name,
    group=grp.getgrgid(os.getgid()).gr_name,
    groups=sorted(grp.getgrgid(gid).gr_name for gid in os.getgroups()),
    limits={name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in LIMITS},
    env={key: value for key, value in os.environ.items() if key.startswith("FACT")},
    has_path="PATH" in os.environ,
    fds=sorted(filter(None, fds.values())),
    leads=os.getsid(0) == os.getpid() == os.getpgid(0),
)
while True:
    signal.pause()
