"""`listen.py WORD...`: says what it was given in systemd's way, where each listens, and its words.

It waits for a signal then.
"""

import os
import signal
import socket
import sys


def is_open(fd: int) -> bool:
    """The folder that was listed has been closed since."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


says = [
    f"pid={os.environ.get('LISTEN_PID') == str(os.getpid())}",
    f"fds={os.environ.get('LISTEN_FDS')}",
    f"names={os.environ.get('LISTEN_FDNAMES')}",
    f"open={','.join(fd for fd in os.listdir('/proc/self/fd') if is_open(int(fd)))}",
]
for fd in range(3, 3 + int(os.environ.get("LISTEN_FDS", "0"))):
    with socket.socket(fileno=os.dup(fd)) as listener:
        says.append(f"{fd}={listener.getsockname()[1]}")
print("given", *says, *sys.argv[1:], flush=True)
signal.pause()
